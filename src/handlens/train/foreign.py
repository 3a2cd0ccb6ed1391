"""Nets trained elsewhere, in and out: Darknet's .weights with its .cfg, YOLOv5 of release 5.0 as plain tensors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from handlens.data.formats.text_files import read_names
from handlens.errors import InputError
from handlens.io.atomic import Draft
from handlens.train.config import Settings
from handlens.train.experiment import Course, new_course
from handlens.train.nets.darknet.cfg import standard_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import read_weights, write_weights
from handlens.train.nets.yolov5 import load_yolov5

ENDINGS = (".weights", ".pt", ".pth", ".safetensors")


def open_foreign(path: Path, net: str, names: str, size: int = 0) -> Course:
    """The net of a file of weights, with a card.

    net: a network's name or a .cfg. names: the label names with commas between, or a file with one in a line. size:
    side of the input in pixels, 0 = the network's own.

    Raises:
        InputError: what is not given, or weights of another network or number of labels.
    """
    if not net or not names:
        raise InputError(
            f"'{path}' holds weights alone: say what they belong to, with --net yolov3-tiny (or your.cfg) and"
            " --names facetouch (or your.names)."
        )
    labels = _labels(names)
    settings = Settings(task="touch", net=net, size=size, data=path.name)
    course = new_course(settings, labels)
    if isinstance(course.net, Darknet):
        if path.suffix != ".weights":
            raise InputError(f"'{net}' reads Darknet's .weights, not '{path}'.")
        read_weights(course.net, path)
        return dataclasses.replace(course, net=course.net.eval())
    if not net.lower().startswith("yolov5"):
        raise InputError(f"weights from elsewhere are read for yolov3, its .cfg and yolov5, not for '{net}'.")
    loaded = load_yolov5(path, net.lower().removeprefix("yolov5"))
    if loaded.classes != len(labels):
        raise InputError(f"'{path}' knows {loaded.classes} classes, but --names gives {len(labels)}.")
    return dataclasses.replace(course, net=loaded)


def write_darknet(course: Course, path: Path) -> Path:
    """Write a YOLOv3 as .weights, and beside it the .cfg (with its anchors) and .names that Darknet needs.

    Raises:
        InputError: the net is none of Darknet's.
    """
    if not isinstance(course.net, Darknet):
        raise InputError(f"'{course.about['net']}' is no network of Darknet's: only yolov3, -spp, -tiny and .cfg are.")
    text = str(course.about["cfg"]) or standard_cfg(str(course.about["net"]).lower(), course.net.classes)
    anchors = ", ".join(f"{side:g}" for side in course.net.anchors().flatten().tolist())
    text = re.sub(r"(?m)^anchors\s*=.*$", f"anchors={anchors}", text)
    for key, side in (("width", course.card.size[1]), ("height", course.card.size[0])):
        text = re.sub(rf"(?m)^{key}\s*=.*$", f"{key}={side}", text)
    for ending, content in ((".cfg", text), (".names", "\n".join(course.card.names) + "\n")):
        with Draft(path.with_suffix(ending)) as draft:
            draft.write(content.encode())
    write_weights(course.net, path)
    return path


def is_foreign(path: Path) -> bool:
    """Whether a file holds weights alone."""
    return path.suffix.lower() in ENDINGS


def _labels(names: str) -> Sequence[str]:
    if Path(names).is_file():
        return read_names(Path(names))
    return [name.strip() for name in names.split(",") if name.strip()]
