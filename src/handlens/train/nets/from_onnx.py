"""The weights of a net out of the .onnx file that was exported from it, to go on training; knows no shipped names.

An exported file holds folded layers: batch norms are in the convolutions before them, big kernels are 8-bit levels
with scales. Layers are matched in the order in which they compute, by their shapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from handlens.errors import ModelError
from handlens.runner import OnnxRunner
from handlens.train.nets.fuse import fuse
from handlens.train.nets.lite import FoldedConv

Array = NDArray[np.float32]
LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, FoldedConv)
TOLERANCE = 2e-3
"""Largest difference between the answers of file and net, as a share of the largest number of the answer."""


class Layer(NamedTuple):
    """The constants of one layer: weight and bias, of a batch norm also its mean and variance."""

    arrays: tuple[Array, ...]


def take_onnx_weights(net: nn.Module, graph: nn.Module, path: Path, example: Tensor) -> None:
    """Put the weights of an exported file into the net that it was exported from.

    Batch norms that were folded become an identity with the folded bias; `settle_norms` fits them to pictures.

    Args:
        net: the net, changed in place and left in evaluation mode.
        graph: its canonical form, which holds it as `graph.net`.
        path: the .onnx file.
        example: (n, 3, h, w) to compare the answers of net and file with.

    Raises:
        ModelError: other layers than those of the net, or other answers.
    """
    model = onnx.load(str(path))
    layers = _layers(model)
    order = _order(fuse(graph), example)
    if len(order) != len(layers):
        raise ModelError(f"'{path.name}' has {len(layers)} layers with weights, but the network has {len(order)}.")
    modules, norms = dict(net.named_modules()), _norms(net)
    with torch.no_grad():
        for name, layer in zip(order, layers, strict=True):
            _fill(path, name, modules[name], norms.get(name), layer)
        for tensor in model.graph.initializer:  # parameters of no layer keep their names
            own = dict(net.named_parameters(recurse=False)).get(tensor.name.removeprefix("net."))
            if own is not None and list(own.shape) == list(tensor.dims):
                own.copy_(torch.from_numpy(np.array(numpy_helper.to_array(tensor), np.float32)))
    _compare(graph.eval(), path, example)


@torch.no_grad()
def settle_norms(net: nn.Module, batches: Iterable[Tensor]) -> int:
    """Fit batch norms that are an identity to what they see, so that the net in training answers as it did.

    In training a batch norm takes mean and variance of its batch; an identity would then change the net. The answers
    in evaluation mode stay the same.

    Args:
        net: a net with weights of `take_onnx_weights`.
        batches: pictures as the net wants them.

    Returns:
        How many batch norms were fitted.
    """
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d) and _is_identity(module)]
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for norm in norms}

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        x = given[0].float()
        assert isinstance(module, nn.BatchNorm2d)
        sums[module].append(torch.stack((x.mean((0, 2, 3)), x.square().mean((0, 2, 3)))))

    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    was = net.training
    net.eval()
    for x in batches if norms else ():
        net(x)
    net.train(was)
    for hook in hooks:
        hook.remove()
    fitted = 0
    for norm, seen in sums.items():
        if seen and norm.running_mean is not None and norm.running_var is not None:
            mean, square = torch.stack(seen).mean(0)
            variance = (square - mean.square()).clamp(min=1e-6)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(variance)
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)
            fitted += 1
    return fitted


def _is_identity(norm: nn.BatchNorm2d) -> bool:
    """Whether `take_onnx_weights` made it: no mean, no scale, but a bias."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        return False
    plain = bool((mean == 0).all()) and torch.allclose(norm.weight, (variance + norm.eps).sqrt())
    return plain and bool((norm.bias != 0).any())


def _layers(model: onnx.ModelProto) -> list[Layer]:
    """Return the layers with constant weights, in the order of the file, which is that of computing."""
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    layers = []
    for node in model.graph.node:
        given = [known.get(name) for name in node.input]
        if node.op_type in ("Conv", "Gemm", "BatchNormalization") and all(array is not None for array in given[1:]):
            arrays = [np.asarray(array, np.float32) for array in given[1:]]
            straight = node.op_type == "Gemm" and not any(a.name == "transB" and a.i for a in node.attribute)
            layers.append(Layer((arrays[0].T if straight else arrays[0], *arrays[1:])))
        elif node.op_type == "Constant":
            value = next((a.t for a in node.attribute if a.name == "value"), None)
            if value is not None:
                known[node.output[0]] = numpy_helper.to_array(value)
        elif given and all(array is not None for array in given):
            folded = _folded(node, [array for array in given if array is not None])
            if folded is not None:
                known[node.output[0]] = folded
    return layers


def _folded(node: onnx.NodeProto, given: list[NDArray[np.generic]]) -> Array | None:
    """Return the value of a node that widens a kernel, None of any other."""
    first = np.asarray(given[0], np.float32)
    if node.op_type in ("Cast", "Identity"):
        return first
    if node.op_type == "Mul":
        return first * np.asarray(given[1], np.float32)
    if node.op_type == "Transpose":
        axes = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
        return np.transpose(first, axes)
    if node.op_type != "DequantizeLinear":
        return None
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    scale, *zero = (np.asarray(array, np.float32) for array in given[1:])
    shape = [-1 if place == axis % first.ndim else 1 for place in range(first.ndim)] if scale.ndim else []
    return (first - (zero[0].reshape(shape) if zero else 0)) * scale.reshape(shape)


@torch.no_grad()
def _order(graph: nn.Module, example: Tensor) -> list[str]:
    """Return the names of the net's layers with weights, in the order in which they compute."""
    order: list[str] = []

    def note(name: str, *_: object) -> None:
        order.append(name)

    hooks = [
        module.register_forward_hook(partial(note, name.removeprefix("net.")))
        for name, module in graph.named_modules()
        if isinstance(module, LAYERS)
    ]
    graph(example)
    for hook in hooks:
        hook.remove()
    return order


def _norms(net: nn.Module) -> dict[str, nn.BatchNorm2d]:
    """Return the batch norm behind each convolution that has one, by the convolution's name."""
    found = {}
    for prefix, module in net.named_modules():
        if isinstance(module, nn.Sequential):
            for (name, conv), (_, norm) in pairwise(list(module.named_children())):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    found[f"{prefix}.{name}" if prefix else name] = norm
    return found


def _fill(path: Path, name: str, module: nn.Module, norm: nn.BatchNorm2d | None, layer: Layer) -> None:
    weight, *rest = (torch.from_numpy(np.array(array, np.float32)) for array in layer.arrays)
    own = module.get_parameter("weight")
    if own.shape != weight.shape:
        raise ModelError(
            f"the layer '{name}' has a kernel of {tuple(own.shape)}, but '{path.name}' holds one of"
            f" {tuple(weight.shape)}."
        )
    rest = rest or [torch.zeros(len(weight))]  # an exporter leaves a bias of zeros out
    own.copy_(weight)
    if norm is None:
        module.get_parameter("bias").copy_(rest[0])
        if isinstance(module, FoldedConv):
            module.scale.fill_(1.0)
        if isinstance(module, nn.BatchNorm1d):
            module.get_buffer("running_mean").copy_(rest[1])
            module.get_buffer("running_var").copy_(rest[2])
        return
    norm.get_buffer("running_mean").zero_()
    norm.get_buffer("running_var").fill_(1.0)
    norm.weight.fill_((1.0 + norm.eps) ** 0.5)
    norm.bias.copy_(rest[0])


@torch.no_grad()
def _compare(graph: nn.Module, path: Path, example: Tensor) -> None:
    answer = graph(example)
    ours = [answer] if isinstance(answer, Tensor) else list(answer)
    theirs = OnnxRunner(path).run(example.numpy())
    for (name, array), mine in zip(theirs.items(), ours, strict=True):
        one, other = mine.numpy(), array
        if name in ("boxes", "scores"):  # equally good boxes come in any order
            one, other = np.sort(one, axis=1), np.sort(other, axis=1)
        worst = float(np.abs(one - other).max()) / max(1.0, float(np.abs(other).max()))
        if not worst <= TOLERANCE:
            raise ModelError(
                f"the network with the weights of '{path.name}' differs from it by {worst:.2g} in '{name}'."
            )
