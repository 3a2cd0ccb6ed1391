"""What encoders learned on ImageNet, from torchvision's cache or servers, or from a file; knows no network of ours."""

from __future__ import annotations

import io
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor

from handlens.errors import InputError
from handlens.train.nets.weights_files import read_state

WEIGHTS = {"vgg16": "VGG16_Weights", "resnet34": "ResNet34_Weights"}
"""Encoders by torchvision's names, and what torchvision calls their weights."""
PATIENCE = 10.0  # seconds without an answer


def encoder_state(name: str, source: Path | None = None) -> dict[str, Tensor]:
    """The tensors of an encoder, named as torchvision does.

    name: one of `WEIGHTS`. source: a file of them; None: torchvision's own, from its cache or the network.

    Raises:
        InputError: there is no such file, or the weights cannot be had; what else can be typed is named.
    """
    ways = f"give a file of them (--pretrained {name}.pth), or begin by chance (--no-pretrained)"
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
