"""Darknet's .weights files <-> a network built from a .cfg; knows the order of the numbers and nothing else.

Little endian: int32 major, minor, revision; seen (pictures trained on) as int64, before version 0.2 as int32; then
float32, layer by layer, only convolutions having any: batch-normalised bias, weight, running mean, running variance,
kernels; otherwise bias, kernels.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.nets.darknet.net import Darknet

VERSION = (0, 2, 5)


def read_weights(net: Darknet, path: Path, layers: int | None = None) -> int:
    """Fill the network, or only its first `layers` layers (a backbone's file); return the pictures it has seen.

    Raises:
        InputError: no such file, or one of another length than the network has numbers. The network is unchanged then.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}.") from error
    seen, start = _header(data, path)
    targets = _tensors(net, layers)
    needed, given = sum(target.numel() for target in targets), (len(data) - start) / 4
    if needed != given:
        fault = "too long" if given > needed else "cut off"
        whole = "" if layers is None else f" of the first {layers} layers"
        raise InputError(
            f"'{path}' is {fault} or of another .cfg: it has {given:,.10g} numbers, "
            f"and the network{whole} needs {needed:,}."
        )
    numbers = torch.from_numpy(np.frombuffer(data, "<f4", offset=start).astype(np.float32))
    with torch.no_grad():
        for target, part in zip(targets, numbers.split([target.numel() for target in targets]), strict=True):
            target.copy_(part.view_as(target))
    net.seen = seen
    return seen


def write_weights(net: Darknet, path: Path, seen: int | None = None) -> None:
    """Write the whole network; the file appears when it is complete.

    Args:
        net: The network.
        path: The file.
        seen: Pictures that it was trained on, for the header; None = what the network says.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(struct.pack("<iiiq", *VERSION, net.seen if seen is None else seen))
            for tensor in _tensors(net, None):
                file.write(tensor.detach().cpu().numpy().astype("<f4").tobytes())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _header(data: bytes, path: Path) -> tuple[int, int]:
    """Return the pictures seen, and where the numbers begin."""
    if len(data) < 20:
        raise InputError(f"'{path}' is too short to be a .weights file of Darknet: {len(data)} bytes.")
    major, minor, _ = struct.unpack_from("<iii", data)
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise InputError(f"'{path}' is no .weights file of Darknet: its version reads {major}.{minor}.")
    if major * 10 + minor >= 2:
        return int(struct.unpack_from("<q", data, 12)[0]), 20
    return int(struct.unpack_from("<i", data, 12)[0]), 16


def _tensors(net: Darknet, layers: int | None) -> list[Tensor]:
    """Return the tensors in the file's order."""
    if layers is not None and not 0 < layers <= len(net.layers):
        raise InputError(f"the network has {len(net.layers)} layers, so its first {layers} cannot be filled.")
    found: list[Tensor] = []
    for layer in list(net.layers)[:layers]:
        if not isinstance(layer, nn.Sequential):
            continue
        conv, norm = layer.get_submodule("conv"), getattr(layer, "norm", None)
        filled: list[object] = [conv.bias, conv.weight]
        if isinstance(norm, nn.BatchNorm2d):
            filled = [norm.bias, norm.weight, norm.running_mean, norm.running_var, conv.weight]
        found += [tensor for tensor in filled if isinstance(tensor, Tensor)]
    return found
