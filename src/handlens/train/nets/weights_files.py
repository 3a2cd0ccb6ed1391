"""Files of plain tensors -> a network's state, by name; must not know which network it is.

Read are safetensors and what `torch.load(..., weights_only=True)` accepts. Pickled classes never run.
"""

from __future__ import annotations

import io
import pickle
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from handlens.errors import InputError

_BROKEN = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, OSError)
"""What torch raises for files that are none of its own, by the bytes that happen to be in them."""
_WRAPPERS = ("state_dict", "model", "ema")  # names under which training scripts keep the tensors


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by their names.

    Raises:
        InputError: no such file, not one of the two formats, or no tensors in it.
    """
    if not path.is_file():
        raise InputError(f"there is no file '{path}'.")
    found = _safetensors(path) if path.suffix == ".safetensors" else _weights_only(path)
    for wrapper in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(f"'{path}' holds no plain tensors by name: save a net's state_dict() in it.")
    return {str(name): value.float() if value.is_floating_point() else value for name, value in found.items()}


def load_by_name(net: nn.Module, state: Mapping[str, Tensor], path: Path | str) -> None:
    """Put every tensor where its name says; batch counters may be missing, nothing else.

    Raises:
        InputError: a tensor is missing, left over or of another shape.
    """
    own = {name: value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    for name, value in own.items():
        if name not in given:
            raise InputError(f"'{path}' is of another network: '{name}' is missing.")
        if given[name].shape != value.shape:
            here, there = tuple(value.shape), tuple(given[name].shape)
            raise InputError(f"'{path}' is of another network: '{name}' is {there} there and {here} here.")
    surplus = sorted(given.keys() - own.keys())
    if surplus:
        raise InputError(f"'{path}' is of another network: there is no place for '{surplus[0]}'.")
    net.load_state_dict(dict(given), strict=False)


def _weights_only(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise InputError(
            f"'{path}' is not a file of plain tensors: save only the net's state_dict(), by torch.save or safetensors."
        ) from error


def _safetensors(path: Path) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError("reading .safetensors needs the library: pip install safetensors") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"'{path}' is broken or no safetensors file: {error}.") from error


WEIGHTS = {"vgg16": "VGG16_Weights", "resnet34": "ResNet34_Weights"}
"""Encoders by torchvision's names, and what torchvision calls their weights."""
PATIENCE = 10.0  # seconds without an answer


def encoder_state(name: str, source: Path | None = None) -> dict[str, Tensor]:
    """Return the tensors of an encoder, named as torchvision does.

    Args:
        name: One of `WEIGHTS`.
        source: A file of them; None: torchvision's own, from its cache or the network.

    Raises:
        InputError: there is no such file, or the weights cannot be had; what else can be typed is named.
    """
    ways = f"give a file of them (--pretrained {name}.pth), or start at random (--no-pretrained)"
    if source is not None:
        if not source.is_file():
            raise InputError(f"there is no file '{source}' with weights of {name}: {ways}.")
        return read_state(source)
    try:
        from torchvision import models
    except ImportError as error:
        raise InputError(f"the ImageNet weights of {name} come with torchvision, which is not here: {ways}.") from error
    weights = getattr(models, WEIGHTS[name]).IMAGENET1K_V1
    cache = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name
    if not cache.is_file():
        size = weights.meta["_file_size"]
        print(f"fetching the ImageNet weights of {name}, {size:.0f} MB, once, to '{cache}'", file=sys.stderr)
    try:
        with _impatient(), redirect_stdout(io.StringIO()):  # torch tells of the download there
            return dict(weights.get_state_dict(progress=sys.stderr.isatty(), check_hash=True))
    except (OSError, RuntimeError, EOFError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"the ImageNet weights of {name} cannot be had ({why}): {ways}.") from error


@contextmanager
def _impatient() -> Iterator[None]:
    """Give up on a server that does not answer; torch would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
