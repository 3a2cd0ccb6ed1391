"""Compares SNet, the VGG decoder, the plain U-Net and the gesture nets with the same layers in Keras, weights copied.

    pip install keras
    KERAS_BACKEND=torch python -m benchmarks.parity.keras_nets

The Keras models are written here from the published descriptions. The script says so and ends with 0 where Keras is
not installed, and ends with 1 where probabilities differ by more than 1e-4 or a count of parameters is another one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from handlens.train.nets.gestures import Attention, GestureNet, digits6, gestures20
from handlens.train.nets.masknets import SNet, UNet, VGGDecoder

LIMIT = 1e-4
ORDER: list[str] = []
"""The names of all layers with weights, in the order in which they are written down here."""


def named(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return a layer whose name says its place."""
    ORDER.append(f"layer{len(ORDER)}")
    return kind(*arguments, name=ORDER[-1], **options)


def conv(x: Any, filters: int, kernel: int = 3) -> Any:
    """Return a convolution with ReLU, same padding."""
    from keras import layers

    return named(layers.Conv2D, filters, kernel, padding="same", activation="relu")(x)


def mask_net(kind: str, classes: int = 1) -> Any:
    """Return SNet, the U-Net or the VGG decoder for pictures of 64 x 64."""
    import keras
    from keras import layers

    deep = {"SNet": 5, "UNet": 3}.get(kind, 0)
    given = x = keras.Input((64, 64, 3))
    levels = []
    for widths in ((64,) * 2, (128,) * 2, (256,) * 3) if kind == "VGGDecoder" else ((32,) * 2, (64,) * 2, (128,) * 2):
        for filters in widths:
            x = conv(x, filters)
        levels.append(x)
        x = layers.MaxPooling2D(2)(x)
    for filters in (256, 256) if deep else ():
        x = conv(x, filters, deep)
    for filters, level in zip((128, 64, 32) if deep else (256, 128, 64), reversed(levels), strict=True):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), level])
        x = conv(conv(x, filters), filters)
    return keras.Model(given, named(layers.Conv2D, classes, 1, activation="sigmoid")(x))


def gesture_net(
    side: int, widths: tuple[int, int, int], heads: int, key: int, dense: tuple[int, ...], classes: int
) -> Any:
    """Return a gesture net with the published attention block."""
    import keras
    from keras import layers

    given = x = keras.Input((side, side, 1))
    for filters in widths[:2]:
        x = layers.MaxPooling2D(2)(conv(x, filters))
    x = conv(x, widths[2])
    query, keys, value = (named(layers.Dense, widths[2])(x) for _ in range(3))
    mixed = named(layers.MultiHeadAttention, heads, key)(query, value, keys)
    x = layers.GlobalAveragePooling2D()(named(layers.LayerNormalization)(layers.Add()([x, mixed])))
    for units in dense:
        x = layers.Dropout(0.2)(named(layers.Dense, units, activation="relu")(x))
    return keras.Model(given, named(layers.Dense, classes, activation="softmax")(x))


def kernels(module: nn.Module) -> Iterator[np.ndarray]:
    """Yield weights and biases in the order of the layers, in Keras's form."""
    for part in module.children():
        if isinstance(part, Attention):
            width = part.attend.out.in_features // part.attend.heads
            for layer in (part.query, part.key, part.value):
                yield from kernels(nn.Sequential(layer))
            for layer in (part.attend.query, part.attend.key, part.attend.value):
                kernel, bias = kernels(nn.Sequential(layer))
                yield kernel.reshape(len(kernel), part.attend.heads, width)
                yield bias.reshape(part.attend.heads, width)
            kernel, bias = kernels(nn.Sequential(part.attend.out))
            yield kernel.reshape(part.attend.heads, width, -1)
            yield bias
            yield from (value.detach().numpy() for value in (part.norm.weight, part.norm.bias))
        elif isinstance(part, nn.Conv2d | nn.Linear):
            order = (2, 3, 1, 0) if isinstance(part, nn.Conv2d) else (1, 0)
            yield part.weight.detach().permute(order).numpy()
            assert part.bias is not None
            yield part.bias.detach().numpy()
        else:
            yield from kernels(part)


def fill(model: Any, found: list[np.ndarray]) -> None:
    """Put weights into a Keras model. Its layers that stand side by side have no order of their own but their names."""
    rest = iter(found)
    named = [layer for layer in model.layers if layer.weights]
    for layer in sorted(named, key=lambda layer: ORDER.index(layer.name) if layer.name in ORDER else -1):
        if layer.name not in ORDER:
            raise SystemExit(f"the layer {layer.name} has no place in the order")
        layer.set_weights([next(rest) for _ in layer.weights])
    if next(rest, None) is not None:
        raise SystemExit("there are more weights than layers")


@torch.no_grad()
def difference(ours: nn.Module, model: Any, x: np.ndarray, final: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Copy our weights into the Keras model and return the largest difference of the probabilities."""
    for name, value in ours.named_parameters():
        if name.endswith("bias"):
            value.normal_(0, 0.1)
    fill(model, list(kernels(ours)))
    reference = np.asarray(model(x.transpose(0, 2, 3, 1), training=False).detach())
    found = final(ours.eval()(torch.from_numpy(x)))
    found = found.permute(0, 2, 3, 1) if found.ndim == 4 else found
    return float(np.abs(found.numpy() - reference).max())


def main() -> int:
    """Print one line for each network; return the exit status."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import keras
    except ImportError as error:
        print(f"skipped: {error}; type pip install keras")
        return 0
    torch.manual_seed(0)
    random, worst = np.random.default_rng(0), 0.0
    nets: list[tuple[str, nn.Module, Any, int]] = [
        *((kind.__name__, kind(), mask_net(kind.__name__), 64) for kind in (SNet, UNet, VGGDecoder)),
        ("digits6", digits6(), gesture_net(64, (32, 64, 128), 3, 128, (64, 32, 16), 6), 64),
        ("gestures20", gestures20(), gesture_net(50, (16, 32, 64), 4, 64, (32,), 20), 50),
    ]
    for name, ours, model, side in nets:
        gesture = isinstance(ours, GestureNet)
        x = random.random((2, 1 if gesture else 3, side, side), np.float32)
        final = (lambda logits: torch.softmax(logits, 1)) if gesture else torch.sigmoid
        found = difference(ours, model, x, final)
        counts = sum(p.numel() for p in ours.parameters()), model.count_params()
        print(f"{name}: difference {found:.1e}, parameters {counts[0]:,} and {counts[1]:,} (Keras {keras.__version__})")
        worst = max(worst, found, float(counts[0] != counts[1]))
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
