"""Weights to begin a training with, from a run, Darknet, YOLOv5's release 5.0 or any file of plain tensors."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import read_weights
from handlens.train.nets.weights_files import read_state
from handlens.weights import COMPOSED, PLANNED, SHIPPED, shipped


def rebuilt(old: Tensor, channels: int, before: Sequence[str] = (), after: Sequence[str] = ()) -> Tensor:
    """The kernel or bias of a head (channels, ...) for the classes `after`, out of that for `before` (k, ...).

    A class of the same name keeps its row, and a new one begins as the mean of all that was no background: what hands
    and faces have in common is where a net that knows both best begins to look for skin. One channel is the second of
    two classes less the first. before, after: names, background first; () where they are not known.
    """
    rows = torch.cat((torch.zeros_like(old), old)) if len(old) == 1 else old
    known = dict(zip(before, rows, strict=True)) if len(before) == len(rows) else {}
    thing = rows[1:].mean(0)
    names = after or [""] * max(2, channels)
    made = [rows[0], *(known.get(name, thing) for name in names[1:])]
    return (made[1] - made[0])[None] if channels == 1 else torch.stack(made)


WEIGHTS = ".safetensors"
PUBLISHED = ("segment",)
"""The shipped models whose weights before folding are published, to go on learning from, in a package of their own."""
PACKAGE = "handlens_weights"
CHECKOUT = SHIPPED.parents[2] / "weights" / "src" / PACKAGE
"""Where that package lies when handlens runs from its checkout."""
_INSTALL = "type 'pip install ./weights' in a checkout of handlens"
IMAGENET, CHANCE = "imagenet", "none"
STANDARD, COCO = ("yolov3", "yolov3-spp", "yolov3-tiny"), 80


def load_initial_weights(net: nn.Module, source: str, classes: Sequence[str] = ()) -> str:
    """Put the weights of `source` into the net where name and shape fit, and say how many did.

    source: the name of a shipped model whose weights come along ("segment"); a run or its checkpoint; for a net of a
    .cfg a Darknet .weights (also the convolutional part alone); else a state dict as safetensors or torch. What does
    not fit, as the last layer for another number of classes, begins anew. classes: of a segmenter, background first;
    where those of the source are others, its last layer begins as `heads.rebuilt` makes it.

    Raises:
           InputError: no such file, not one of these, or nothing in it fits the net.
    """
    path = _place(source)
    part = re.search(r"\.conv\.(\d+)$", path.name)
    if part or path.suffix == ".weights":
        if not isinstance(net, Darknet):
            raise InputError(
                f"'{source}' are weights of Darknet; they go into yolov3, -spp, -tiny or a .cfg of its kind."
            )
        if part:
            read_weights(net, path, int(part.group(1)))
            return f"took the first {part.group(1)} layers from '{source}'"
        given = _darknet(net, path)
    else:
        given = _state(path)
    own, head = net.state_dict(), ""
    if classes:
        given, head = _with_head(given, own, _names(path), classes)
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    counted = {name for name in own if not name.endswith("num_batches_tracked")}
    if not fitting:
        ours = source.lower() in PUBLISHED
        whose = "; they fit the network 'glove', and 'grip' and 'nano' in part" if ours else ""
        raise InputError(f"nothing in '{source}' fits the network: its tensors have other names or shapes{whose}.")
    net.load_state_dict(fitting, strict=False)
    told = f"took {len(fitting.keys() & counted)} of {len(counted)} tensors from '{source}'"
    if head:
        told += f"; the last layer, '{head}', is made anew of what it knew"
    anew = sorted({name.rpartition(".")[0] for name in counted - fitting.keys()})
    return f"{told}; {_listed(anew)} by chance" if anew else told


def _with_head(
    given: dict[str, Tensor], own: Mapping[str, Tensor], before: Sequence[str], classes: Sequence[str]
) -> tuple[dict[str, Tensor], str]:
    """The tensors with the head made for these classes, and its name; "" where it fits as it is, or none is found."""
    kernels = [
        name
        for name, value in given.items()
        if name.endswith(".weight") and value.ndim == 4 and name in own
        if own[name].shape[1:] == value.shape[1:] and own[name].shape[0] in (1, len(classes))
    ]
    if len(kernels) != 1:
        return given, ""
    old, new = (len(tensors[kernels[0]]) for tensors in (given, own))
    if old == new and (old == 1 or not before or [*before] == [*classes]):
        return given, ""
    head = kernels[0].removesuffix(".weight")
    parts = [name for name in (f"{head}.weight", f"{head}.bias") if name in given and name in own]
    made = {name: rebuilt(given[name], len(own[name]), before, classes) for name in parts}
    return {**given, **made}, head


def _names(path: Path) -> Sequence[str]:
    """The classes that a run's net was taught, () where the file does not say."""
    path = _checkpoint(path)
    return read_checkpoint(path).get(ABOUT, {}).get("names", ()) if path.suffix == ".ckpt" else ()


def _place(source: str) -> Path:
    """The file or folder that is meant: a path, or the name of shipped weights.

    Raises:
        InputError: a shipped model without weights to go on from, an .onnx, or nothing of that name.
    """
    path, name = Path(source).expanduser(), source.lower()
    if path.suffix.lower() == ".onnx":
        raise InputError(f"'{source}' is made to answer, not to be trained: its weights are folded. {_starts()}")
    if path.exists():
        return path
    if name in PUBLISHED:
        return shipped_weights(name)
    if name in {*shipped(), *PLANNED, *COMPOSED}:
        raise InputError(f"--start {source}: {_why_not(name)}. {_starts()}")
    raise InputError(f"there is no file '{source}' to start from. {_starts()}")


def shipped_weights(name: str) -> Path:
    """Return the file of the published weights of a shipped model, with its checksum verified.

    The package `handlens_weights` has them, installed or in the checkout that handlens runs from.

    Raises:
        InputError: the package is not there, or the file is damaged.
    """
    spec = importlib.util.find_spec(PACKAGE)
    installed = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    for folder in (*installed, CHECKOUT):
        file = folder / f"{name}{WEIGHTS}"
        if file.is_file():
            wanted = json.loads((folder / "sha256.json").read_text("utf-8")).get(name)
            if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                raise InputError(f"the weights '{file}' are damaged, their sha256 differs: {_INSTALL}.")
            return file
    raise InputError(
        f"the weights of '{name}' are in the package handlens-weights, which is not installed: {_INSTALL}."
    )


def _why_not(name: str) -> str:
    """Why a shipped model is no start."""
    if name == "touch":
        return (
            "the shipped model 'touch' is two networks in one file, a finder of faces and hands and a judge of"
            " contact, and 'train touch' trains neither"
        )
    if name in COMPOSED:
        return (
            f"the shipped model '{name}' is {' and '.join(COMPOSED[name].values())} together and no network of its own"
        )
    told = f"the shipped model '{name}' comes without weights that can be trained on"
    if name in ("digits", "gestures", "signs"):
        told += f"; 'handlens train gesture --few --start {name}' learns new gestures on top of it"
    return told


def _starts() -> str:
    """What can be given."""
    names = ", ".join(PUBLISHED)
    return f"Give a RUN, its .ckpt, .weights, .pt or .safetensors, or the shipped weights: {names}."


def _listed(layers: list[str]) -> str:
    """Which layers begin."""
    if len(layers) == 1:
        return f"the layer '{layers[0]}' begins"
    return f"{len(layers)} layers, from '{layers[0]}' to '{layers[-1]}', begin"


def load_encoder_weights(net: nn.Module, name: str, pretrained: str, take: bool = True) -> None:
    """Give the encoder of the network `name` its pretrained weights, or let it learn from chance.

    pretrained: "imagenet", "none", or a file as torchvision has them. take: False where other weights are on their way,
    of a run that goes on or of `start`; what is frozen is the same.

    Raises:
        InputError: a network without such an encoder, or the weights cannot be had.
    """
    if pretrained == CHANCE:
        if hasattr(net, "free_encoder"):
            encoder: Any = net
            encoder.free_encoder()
    elif not hasattr(net, "take_encoder"):
        raise InputError(
            f"the network '{name}' has no pretrained encoder, as vgg and deeplabv3plus have: leave --pretrained out, or"
            " give weights for all of it with --start."
        )
    elif take:
        encoder = net
        encoder.take_encoder(None if pretrained == IMAGENET else Path(pretrained).expanduser())


def _darknet(net: Darknet, path: Path) -> dict[str, Tensor]:
    """The tensors of a .weights of the same network, or of the same one for the 80 classes of COCO."""
    own = copy.deepcopy(net)
    try:
        read_weights(own, path)
    except InputError as error:
        for name in STANDARD:
            other = Darknet.standard(name, COCO)
            if [type(layer) for layer in other.layers] == [type(layer) for layer in own.layers]:
                with contextlib.suppress(InputError):
                    read_weights(other, path)
                    return dict(other.state_dict())
        raise error
    return dict(own.state_dict())


def _checkpoint(path: Path) -> Path:
    """The best checkpoint of a run, or the file itself."""
    if not path.is_dir():
        return path
    return path / BEST if (path / BEST).exists() else path / LAST


def _state(path: Path) -> dict[str, Tensor]:
    path = _checkpoint(path)
    if path.suffix == ".ckpt":
        return {name.removeprefix("net."): value for name, value in read_checkpoint(path)["state_dict"].items()}
    return {name.replace("model.model.", "model.", 1): value for name, value in read_state(path).items()}
