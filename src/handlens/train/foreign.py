"""Nets trained elsewhere, in and out: Darknet's .weights with its .cfg, YOLOv5 of release 5.0 as plain tensors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from handlens.data.formats.text_files import read_labels
from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from handlens.train.checkpoints import SEEN_BEFORE
from handlens.train.config import Settings
from handlens.train.experiment import Experiment, new_experiment
from handlens.train.nets.darknet.cfg import standard_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import read_weights, write_weights
from handlens.train.nets.yolov5 import load_yolov5

ENDINGS = (".weights", ".pt", ".pth", ".safetensors")


def open_foreign(path: Path, net: str, names: str, size: int = 0) -> Experiment:
    """Return the net of a file of weights, with a card.

    Args:
        net: A network's name or a .cfg.
        names: The label names with commas between, or a file with one in a line.
        size: Side of the input in pixels, 0 = the network's own.

    Raises:
        InputError: what is not given, or weights of another network or number of labels.
    """
    if not net or not names:
        raise InputError(
            f"'{path}' holds weights alone: say what they belong to, with --net yolov3-tiny (or your.cfg) and"
            " --names facetouch (or your.names)."
        )
    labels = read_labels(names)
    settings = Settings(task="touch", net=net, size=size, data=path.name)
    experiment = new_experiment(settings, labels)
    if isinstance(experiment.net, Darknet):
        if path.suffix != ".weights":
            raise InputError(f"'{net}' reads Darknet's .weights, not '{path}'.")
        read_weights(experiment.net, path)
        return dataclasses.replace(experiment, net=experiment.net.eval())
    if not net.lower().startswith("yolov5"):
        raise InputError(f"weights from elsewhere are read for yolov3, its .cfg and yolov5, not for '{net}'.")
    loaded = load_yolov5(path, net.lower().removeprefix("yolov5"))
    if loaded.classes != len(labels):
        raise InputError(f"'{path}' knows {loaded.classes} classes, but --names gives {len(labels)}.")
    return dataclasses.replace(experiment, net=loaded)


def write_darknet(experiment: Experiment, path: Path) -> Path:
    """Write a YOLOv3 as .weights, and beside it the .cfg (with its anchors) and .names that Darknet needs.

    Raises:
        InputError: the net is none of Darknet's.
    """
    if not isinstance(experiment.net, Darknet):
        raise InputError(
            f"'{experiment.about['net']}' is not a network of Darknet's: only yolov3, -spp, -tiny and .cfg are."
        )
    text = str(experiment.about["cfg"]) or standard_cfg(str(experiment.about["net"]).lower(), experiment.net.classes)
    text = _with_anchors(text, [head.every.flatten().tolist() for head in experiment.net.heads])
    for key, side in (("width", experiment.card.size[1]), ("height", experiment.card.size[0])):
        text = re.sub(rf"(?m)^{key}\s*=.*$", f"{key}={side}", text)
    for ending, content in ((".cfg", text), (".names", "\n".join(experiment.card.names) + "\n")):
        with AtomicFile(path.with_suffix(ending)) as draft:
            draft.write(content.encode())
    note = experiment.about
    write_weights(experiment.net, path, experiment.net.seen + int(note.get(SEEN_BEFORE, 0)) + int(note.get("seen", 0)))
    return path


def _with_anchors(text: str, anchors: Sequence[Sequence[float]]) -> str:
    """Return a .cfg with the anchors of each [yolo] section, which may differ."""
    lines, section = [], -1
    for line in text.splitlines():
        section += line.strip() == "[yolo]"
        if re.match(r"\s*anchors\s*=", line):
            line = "anchors=" + ", ".join(f"{side:g}" for side in anchors[section])
        lines.append(line)
    return "\n".join(lines) + "\n"


def is_foreign(path: Path) -> bool:
    """Whether a file holds weights alone."""
    return path.suffix.lower() in ENDINGS
