"""Weights to begin a training with, from a run, Darknet, YOLOv5's release 5.0 or any file of plain tensors."""

from __future__ import annotations

import contextlib
import copy
import re
from pathlib import Path

from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.checkpoints import BEST, LAST, read_checkpoint
from handlens.train.nets.darknet import Darknet
from handlens.train.nets.darknet_weights import read_weights
from handlens.train.nets.states import read_state
from handlens.weights import SHIPPED

WEIGHTS = ".safetensors"
"""Beside a shipped model: its weights before they were folded for export, to go on learning from."""
IMAGENET, CHANCE = "imagenet", "none"
STANDARD, COCO = ("yolov3", "yolov3-spp", "yolov3-tiny"), 80


def start_from(net: nn.Module, source: str) -> str:
    """Put the weights of `source` into the net where name and shape fit, and say how many did.

    source: the name of a shipped model whose weights come along ("segment"); a run or its checkpoint; for a net of a
    .cfg a Darknet .weights (also the convolutional part alone); else a state dict as safetensors or torch. What does
    not fit, as the last layer for another number of classes, begins anew.

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
    own = net.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    counted = {name for name in own if not name.endswith("num_batches_tracked")}
    if not fitting:
        raise InputError(f"nothing in '{source}' fits the network: its tensors have other names or shapes.")
    net.load_state_dict(fitting, strict=False)
    told = f"took {len(fitting.keys() & counted)} of {len(counted)} tensors from '{source}'"
    anew = sorted({name.rpartition(".")[0] for name in counted - fitting.keys()})
    return f"{told}; {_listed(anew)} by chance" if anew else told


def _place(source: str) -> Path:
    """The file or folder that is meant: a path, or the name of shipped weights."""
    path, shipped = Path(source).expanduser(), SHIPPED / f"{source.lower()}{WEIGHTS}"
    return shipped if shipped.is_file() and not path.exists() else path


def _listed(layers: list[str]) -> str:
    """Which layers begin."""
    if len(layers) == 1:
        return f"the layer '{layers[0]}' begins"
    return f"{len(layers)} layers, from '{layers[0]}' to '{layers[-1]}', begin"


def begin_encoder(net: nn.Module, name: str, pretrained: str, take: bool = True) -> None:
    """Give the encoder of the network `name` its pretrained weights, or let it learn from chance.

    pretrained: "imagenet", "none", or a file as torchvision has them. take: False where other weights are on their way,
    of a run that goes on or of `start`; what is frozen is the same.

    Raises:
        InputError: a network without such an encoder, or the weights cannot be had.
    """
    if pretrained == CHANCE:
        if hasattr(net, "free_encoder"):
            net.free_encoder()
    elif not hasattr(net, "take_encoder"):
        raise InputError(
            f"the network '{name}' has no pretrained encoder, as vgg and deeplabv3plus have: leave --pretrained out, or"
            " give weights for all of it with --start."
        )
    elif take:
        net.take_encoder(None if pretrained == IMAGENET else Path(pretrained).expanduser())


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


def _state(path: Path) -> dict[str, Tensor]:
    if path.is_dir():
        path = path / BEST if (path / BEST).exists() else path / LAST
    if path.suffix == ".ckpt":
        return {name.removeprefix("net."): value for name, value in read_checkpoint(path)["state_dict"].items()}
    return {name.replace("model.model.", "model.", 1): value for name, value in read_state(path).items()}
