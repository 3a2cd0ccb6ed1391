"""What pictures a set of hands has: silhouettes, blank ones, photographs; it must not know networks or losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import FrameError, InputError
from handlens.silhouette import find_shape
from handlens.types import Image

FINE = 1.5
"""Shapes are kept with so many times the network's pixels on a side."""
LOOKED_AT, FEW = 32, 5
"""So many pictures of a set, and so many of a class, tell what the others are."""
GREY, DARK, LIGHT = 8, 32, 223
"""Levels a JPEG may put between the colours of a grey pixel; what is black and what is white."""


def are_silhouettes(found: LabelledSet) -> bool:
    """Return whether the pictures of a set are hands in white on black, or black on white.

    Up to 32 pictures, evenly spread, are looked at; those that cannot be read say nothing.
    """
    silhouettes = []
    for picture in _spread(found.pictures, LOOKED_AT):
        try:
            silhouettes.append(is_silhouette(picture.image()))
        except FrameError:
            continue
    return bool(silhouettes) and all(silhouettes)


def with_hands(found: LabelledSet, say: Callable[[str], None]) -> LabelledSet:
    """Return a set of silhouettes without those that show no hand, and without the classes of which nothing is left.

    A few pictures of each class are looked at, and all of them where one of the few shows none.

    Args:
        say: Is told how many of which class are left out.

    Raises:
        InputError: no picture is left.
    """
    classes: dict[int, list[Labelled]] = {}
    for picture in found:
        classes.setdefault(int(picture.labels[0]), []).append(picture)
    suspect = {k for k, pictures in classes.items() if any(map(_is_blank, _spread(pictures, FEW)))}
    blank = {id(picture) for picture in found if int(picture.labels[0]) in suspect and _is_blank(picture)}
    if not blank:
        return found
    count = Counter(found.names[int(picture.labels[0])] for picture in found if id(picture) in blank)
    for name, many in count.items():
        what, shows = ("pictures", "show no hand and are") if many > 1 else ("picture", "shows no hand and is")
        say(f"{many} blank {what} of the class '{name}' {shows} left out: a blank mask is not a hand")
    kept = [picture for picture in found if id(picture) not in blank]
    if not kept:
        raise InputError(f"'{found.root}' has blank pictures only: there is no hand to train on.")
    dropped = suspect - {int(picture.labels[0]) for picture in kept}
    place = np.cumsum([k not in dropped for k in range(len(found.names))]) - 1
    names = tuple(name for k, name in enumerate(found.names) if k not in dropped)
    pictures = tuple(replace(picture, labels=place[picture.labels]) for picture in kept)
    return replace(found, names=names, pictures=pictures)


def is_silhouette(image: Image) -> bool:
    """Return whether a picture (H, W, 3) uint8 is grey and nearly all of it black or white.

    Along the outline, which resizing and JPEG soften, other levels are allowed; in small pictures that is a lot.
    """
    if int(np.ptp(image, axis=2).max()) > GREY:
        return False
    level = image[..., 1]
    clear = (level < DARK) | (level > LIGHT)
    white = (level > 127).astype(np.uint8)
    outline = cv2.morphologyEx(white, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return bool(clear.mean() > 0.8 and (clear | outline).mean() > 0.97)


def upright(image: Image, size: tuple[int, int], path: str) -> Image:
    """Return the one shape of a silhouette, (h, w) uint8, all of it, its longer side `FINE` times that of `size`.

    Black surrounds it, but at a side where the picture ends it ends too: a forearm that leaves a picture reaches the
    lowest row.

    Raises:
        FrameError: there is no shape.
    """
    shape = find_shape(image)
    if shape is None:
        raise FrameError(f"'{path}' shows no hand: there is nothing white on black in it, or black on white.")
    height, width = shape.mask.shape
    x1, y1, x2, y2 = (int(v) for v in shape.box)
    scale = FINE * max(size) / max(x2 - x1, y2 - y1)
    room = int(np.ceil(2 / min(1.0, scale)))
    part = shape.mask[max(0, y1 - room) : min(height, y2 + room), max(0, x1 - room) : min(width, x2 + room)]
    wide, high = (max(1, round(side * scale)) for side in part.shape[::-1])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (wide, high), interpolation=method), np.uint8)


def _spread(pictures: Sequence[Labelled], most: int) -> list[Labelled]:
    """Up to `most` of them, evenly spread."""
    positions = sorted(set(np.linspace(0, len(pictures) - 1, most).astype(int).tolist())) if pictures else []
    return [pictures[place] for place in positions]


def _is_blank(picture: Labelled) -> bool:
    try:
        return find_shape(picture.image()) is None
    except FrameError:  # the loader names it
        return False
