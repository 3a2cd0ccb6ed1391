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
from handlens.runner import OnnxRunner
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.export.graphs import OVER
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.nets import catalog
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import read_weights
from handlens.train.nets.facetouch import FaceTouch
from handlens.train.nets.from_onnx import take_onnx_weights
from handlens.train.nets.segment_net import SegmentNet
from handlens.train.nets.weights_files import read_state
from handlens.weights import COMPOSED, SHIPPED, resolve


def rebuilt(old: Tensor, channels: int, before: Sequence[str] = (), after: Sequence[str] = ()) -> Tensor:
    """Return the kernel or bias of a head (channels, ...) for the classes `after`, out of that for `before` (k, ...).

    A class of the same name keeps its row. A new class starts with the mean of all rows but the background, because
    hands and faces have skin in common. One channel is the second of two classes less the first.

    Args:
        before, after: Names, background first; () where they are not known.
    """
    rows = torch.cat((torch.zeros_like(old), old)) if len(old) == 1 else old
    known = dict(zip(before, rows, strict=True)) if len(before) == len(rows) else {}
    thing = rows[1:].mean(0)
    names = after or [""] * max(2, channels)
    made = [rows[0], *(known.get(name, thing) for name in names[1:])]
    return (made[1] - made[0])[None] if channels == 1 else torch.stack(made)


WEIGHTS = ".safetensors"
PUBLISHED = ("segment", "segment-net", "facehand", "hold", "signs", "touch")
"""The shipped models whose weights before folding are published, to go on learning from, in a package of their own."""
SEGMENT_NET = ("segment-net", ("background", "hand", "face", f"hand{OVER}face"))
"""The weights that `segment-net` begins with, those of `segment` 0.2, and what they tell apart."""
INTEGERS = ("facehand", "hold", "segment", "signs", "touch")
"""Of these, those whose .onnx cannot give the weights back: it computes in 8 bits, or is no net that learns as one."""
PACKAGE = "handlens_weights"
CHECKOUT = SHIPPED.parents[2] / "weights" / "src" / PACKAGE
"""Where that package lies when handlens runs from its checkout."""
_INSTALL = "type 'pip install ./weights' in a checkout of handlens"
IMAGENET, RANDOM = "imagenet", "none"
STANDARD, COCO = ("yolov3", "yolov3-spp", "yolov3-tiny"), 80


def load_initial_weights(net: nn.Module, source: str, classes: Sequence[str] = ()) -> str:
    """Put the weights of `source` into the net where name and shape fit, and say how many did.

    Args:
        source: The name of a shipped model whose weights come along ("segment"); a run or its checkpoint; for a net of
            a .cfg a Darknet .weights (also the convolutional part alone); else a state dict as safetensors or torch.
            What does not fit, as the last layer for another number of classes, starts at random.
        classes: Of a segmenter, background first; where those of the source are others, its last layer begins as
            `heads.rebuilt` makes it.

    Raises:
           InputError: no such file, not one of these, or nothing in it fits the net.
    """
    name = source.lower()
    if not Path(source).expanduser().exists() and name in SHIPPED_NETS:
        return _from_shipped(net, name, classes)
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
    return _taken(net, given, source, _names(path), classes)


def _taken(net: nn.Module, given: dict[str, Tensor], source: str, before: Sequence[str], classes: Sequence[str]) -> str:
    """Put the tensors that fit into the net. before, classes: names of what the tensors and the net tell apart."""
    own, head = net.state_dict(), ""
    if classes:
        given, head = _with_head(given, own, before, classes)
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    counted = {name for name in own if not name.endswith("num_batches_tracked")}
    if not fitting:
        ours = SHIPPED_NETS.get(source.lower(), "")
        whose = f"; they fit the network '{ours}'" if ours else ""
        raise InputError(f"nothing in '{source}' fits the network: its tensors have other names or shapes{whose}.")
    net.load_state_dict(fitting, strict=False)
    text = f"took {len(fitting.keys() & counted)} of {len(counted)} tensors from '{source}'"
    if head:
        text += f"; the last layer, '{head}', is rebuilt from what it knew"
    random_layers = sorted({name.rpartition(".")[0] for name in counted - fitting.keys()})
    return f"{text}; {_listed(random_layers)} at random" if random_layers else text


def _with_head(
    given: dict[str, Tensor], own: Mapping[str, Tensor], before: Sequence[str], classes: Sequence[str]
) -> tuple[dict[str, Tensor], str]:
    """Return the tensors with the head made for these classes, and its name; "" where it fits as it is.

    Or none is found.
    """
    given = _with_rows(given, own, before, classes)
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


def _with_rows(
    given: dict[str, Tensor], own: Mapping[str, Tensor], before: Sequence[str], classes: Sequence[str]
) -> dict[str, Tensor]:
    """Return the tensors with the last linear layer of a classifier by name: rows of known classes.

    The net's own for others.

    A layer of as many rows for other classes would fit by its shape and say something else.
    """
    kernel, bias = "out.weight", "out.bias"
    if kernel not in given or given[kernel].ndim != 2 or len(before) != len(given[kernel]):
        return given
    if kernel not in own or own[kernel].shape[1:] != given[kernel].shape[1:] or [*before] == [*classes]:
        return given
    kept = {name: value for name, value in given.items() if name not in (kernel, bias)}
    pairs = [(before.index(name), row) for row, name in enumerate(classes) if name in before]
    if not pairs:
        return kept
    made = {name: own[name].clone() for name in (kernel, bias)}
    for old, row in pairs:
        for name in made:
            made[name][row] = given[name][old]
    return {**kept, **made}


def _names(path: Path) -> Sequence[str]:
    """Return the classes that a run's net was taught, () where the file does not say."""
    path = _checkpoint(path)
    return read_checkpoint(path).get(ABOUT, {}).get("names", ()) if path.suffix == ".ckpt" else ()


def _place(source: str) -> Path:
    """Return the file or folder that is meant: a path, or the name of shipped weights.

    Raises:
        InputError: an .onnx, a model that is not a network of its own, or nothing of that name.
    """
    path, name = Path(source).expanduser(), source.lower()
    if path.suffix.lower() == ".onnx":
        raise InputError(f"'{source}' is made to answer, not to be trained: its weights are folded. {_starts()}")
    if path.exists():
        return path
    if name in COMPOSED:
        made_of = " and ".join(COMPOSED[name].values())
        raise InputError(
            f"--start {source}: the shipped model '{name}' is {made_of} together and no network of its own. {_starts()}"
        )
    raise InputError(f"there is no file '{source}' to start from. {_starts()}")


SHIPPED_NETS = {
    "touch": "contact-net", "facehand": "face-hand-net", "hold": "hold-net", "signs": "hand-net",
    "digits": "silhouette-net", "gestures": "silhouette-net", "segment": "lite0-segment",
}  # fmt: skip
"""The network of each shipped model."""


def shipped_weights(name: str) -> Path:
    """Return the file of the published weights of a shipped model, with its checksum verified.

    The package `handlens_weights` has them, installed or in the checkout that handlens runs from.

    Raises:
        InputError: the package is not there, or the file is damaged.
    """
    for folder in published_folders():
        file = folder / f"{name}{WEIGHTS}"
        if file.is_file():
            wanted = json.loads((folder / "sha256.json").read_text("utf-8")).get(name)
            if hashlib.sha256(file.read_bytes()).hexdigest() != wanted:
                raise InputError(f"the weights '{file}' are damaged, their sha256 differs: {_INSTALL}.")
            return file
    raise InputError(
        f"the weights of '{name}' are in the package handlens-weights, which is not installed: {_INSTALL}."
    )


def published_folders() -> list[Path]:
    """Return the folders of published weights: of the installed package, and of the checkout."""
    spec = importlib.util.find_spec(PACKAGE)
    installed = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
    return [folder for folder in (*installed, CHECKOUT) if (folder / "sha256.json").is_file()]


def trainable_weights(name: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the weights of a shipped model for training, and what its net tells apart.

    They are the published ones where the package `handlens_weights` is there, else those of the .onnx file.

    Raises:
        ModelError: the model is damaged, or its answers differ from those of the net with its weights.
    """
    path = resolve(name)
    card = OnnxRunner(path).card
    names = card.names
    if {"upper", "lower"} <= card.options.keys():  # of a segmenter: its last class lies over another one
        upper, lower = (names[int(card.options[key])] for key in ("upper", "lower"))
        names = (*names, f"{upper}{OVER}{lower}")
    if name in INTEGERS or (name in PUBLISHED and published_folders()):
        return _state(shipped_weights(name)), names
    angle = {"angle": True} if card.options.get("silhouette") else {}
    net = catalog.build(SHIPPED_NETS[name], len(names), **angle)
    about = {"names": names}
    channels = 1 if angle else 3
    graph = TRAINING_KINDS[card.kind].graph(net, card, about, channels)
    example = torch.rand(2, 3, *card.size, generator=torch.Generator().manual_seed(0)) * 4 - 2
    take_onnx_weights(net, graph, path, example)
    return net.state_dict(), names


def _from_shipped(net: nn.Module, name: str, classes: Sequence[str]) -> str:
    """Put the weights of a shipped model into the net, as far as they fit, and say so."""
    if name == "touch" and not isinstance(net, FaceTouch):
        name = "facehand"  # the model 'touch' is two networks, and this is the one that finds
    if name == "segment" and isinstance(net, SegmentNet):
        earlier, known = SEGMENT_NET
        return _taken(net, _state(shipped_weights(earlier)), name, known, classes)
    given, names = trainable_weights(name)
    return _taken(net, given, name, names, classes)


def _starts() -> str:
    """Return what can be given."""
    return (
        "Give a RUN, its .ckpt, .weights, .pt or .safetensors, a shipped model"
        f" ({', '.join(sorted(SHIPPED_NETS))}), or none to begin at random."
    )


def _listed(layers: list[str]) -> str:
    """Which layers begin."""
    if len(layers) == 1:
        return f"the layer '{layers[0]}' begins"
    return f"{len(layers)} layers, from '{layers[0]}' to '{layers[-1]}', begin"


def load_encoder_weights(net: nn.Module, name: str, pretrained: str, take: bool = True) -> None:
    """Give the encoder of the network `name` its pretrained weights, or let it learn from chance.

    Args:
        pretrained: "imagenet", "none", or a file as torchvision has them.
        take: False where other weights are on their way, of a run that goes on or of `start`; what is frozen is the
            same.

    Raises:
        InputError: a network without such an encoder, or the weights cannot be had.
    """
    if pretrained == RANDOM:
        if hasattr(net, "free_encoder"):
            encoder: Any = net
            encoder.free_encoder()
    elif not hasattr(net, "take_encoder"):
        raise InputError(
            f"the network '{name}' has no pretrained encoder, as lite0, vgg and deeplabv3plus have: leave"
            " --pretrained out, or give weights for all of it with --start."
        )
    elif take:
        encoder = net
        encoder.take_encoder(None if pretrained == IMAGENET else Path(pretrained).expanduser())


def _darknet(net: Darknet, path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .weights of the same network, or of the same one for the 80 classes of COCO."""
    own = copy.deepcopy(net)
    try:
        net.seen = read_weights(own, path)
    except InputError as error:
        for name in STANDARD:
            other = Darknet.standard(name, COCO)
            if [type(layer) for layer in other.layers] == [type(layer) for layer in own.layers]:
                with contextlib.suppress(InputError):
                    net.seen = read_weights(other, path)
                    return dict(other.state_dict())
        raise error
    return dict(own.state_dict())


def _checkpoint(path: Path) -> Path:
    """Return the best checkpoint of a run, or the file itself."""
    if not path.is_dir():
        return path
    return path / BEST if (path / BEST).exists() else path / LAST


def _state(path: Path) -> dict[str, Tensor]:
    path = _checkpoint(path)
    if path.suffix == ".ckpt":
        return {name.removeprefix("net."): value for name, value in read_checkpoint(path)["state_dict"].items()}
    return {name.replace("model.model.", "model.", 1): value for name, value in read_state(path).items()}
