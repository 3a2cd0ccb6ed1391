"""What kind of pictures a set of hands has: silhouettes or photographs; it must not know networks or training."""

from __future__ import annotations

import cv2
import numpy as np

from handlens.data.sets import LabelledSet
from handlens.errors import FrameError
from handlens.types import Image

LOOKED_AT = 32
"""So many pictures tell what the others are."""
GREY, DARK, LIGHT = 8, 32, 223
"""Levels a JPEG may put between the colours of a grey pixel; what is black and what is white."""


def are_silhouettes(found: LabelledSet) -> bool:
    """Return whether the pictures of a set are hands in white on black, or black on white.

    Up to 32 pictures, evenly spread, are looked at; those that cannot be read say nothing.
    """
    places = sorted(set(np.linspace(0, len(found) - 1, LOOKED_AT).astype(int).tolist())) if len(found) else []
    told = []
    for place in places:
        try:
            told.append(is_silhouette(found.pictures[place].image()))
        except FrameError:
            continue
    return bool(told) and all(told)


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
