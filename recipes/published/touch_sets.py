"""The sets of the published touch detectors: one class on 1,000 pictures, three classes on 1,796 and seven times those.

The authors' own pictures are not available; these are webcam people and photographs of `touch/`, with boxes derived
from their labels. It knows no network.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.yolo import write_yolo
from handlens.data.new_folder import new_folder
from handlens.train.augment.offline import Order, augment_set
from recipes.shared.source_data import read_rgb
from recipes.touch.derive_boxes import touch_boxes

ONE, THREE = 1000, 1796
"""Pictures to learn from, as published, for one class and for three."""
TIMES = 7
"""Versions of each of the 1,796: 12,572; the published text says 12,752."""
OTHERS = 400
"""Pictures of other people that are measured, at most."""
SIDE, QUALITY = 416, 75
"""The longest side of the pictures, and their quality as JPEG: the set is carried to another machine."""


def write_facetouch(data: Path, dest: Path, most: int = 0) -> None:
    """Write 1,000 pictures with one box around each touched face, all touches among them."""
    write_chosen(touch_boxes(data, "facetouch"), most or ONE, dest, most or OTHERS)


def write_three(data: Path, dest: Path, most: int = 0) -> None:
    """Write 1,796 pictures with boxes of the touched part: forehead, cheek or chin."""
    write_chosen(touch_boxes(data, "three"), most or THREE, dest, most or OTHERS)


def write_augmented(home: Path, dest: Path) -> None:
    """Write seven versions of each of the 1,796 pictures that lie in `home`; those of other people stay as they are."""
    augment_set(open_set(home / "three", "detect"), dest, Order(times=TIMES), workers=os.cpu_count() or 1)


def chosen(found: LabelledSet, number: int, others: int = OTHERS) -> list[Labelled]:
    """Return so many pictures to learn from, those with boxes first, the others drawn; and some of other people."""
    train, val = found.split("train").pictures, found.split("val").pictures
    return [*_drawn(train, number), *_drawn(val, others)]


def _drawn(pictures: Sequence[Labelled], number: int) -> list[Labelled]:
    """Return pictures in an order that their names decide, so that two sets share what they can."""
    drawn = sorted(pictures, key=lambda one: (len(one.boxes) == 0, zlib.crc32(one.name.encode())))
    return sorted(drawn[:number], key=lambda one: one.name)


def write_chosen(found: LabelledSet, number: int, dest: Path, others: int = OTHERS) -> None:
    """Write so many pictures of a set, made smaller, in the layout of YOLO."""
    with new_folder(dest.with_name(f"{dest.name}.drawn")) as folder:
        small = [_shrunk(picture, folder) for picture in chosen(found, number, others)]
        write_yolo(found.having(small), dest)
    _remove(dest.with_name(f"{dest.name}.drawn"))


def _shrunk(picture: Labelled, folder: Path) -> Labelled:
    """Write a picture with `SIDE` pixels at most on a side; its boxes follow."""
    rgb = read_rgb(picture.path)
    height, width = rgb.shape[:2]
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    place = folder / f"{picture.name}.jpg"
    cv2.imwrite(str(place), small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    factor = np.array([size[0] / width, size[1] / height] * 2, np.float32)
    return replace(picture, path=place, width=size[0], height=size[1], boxes=picture.boxes * factor)


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
