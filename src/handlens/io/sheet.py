"""Pictures side by side on one sheet, and a picture as a file; it must not know what the pictures show."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import OutputError
from handlens.io.atomic import Draft
from handlens.io.draw import INK
from handlens.io.tags import LEAST
from handlens.types import Image

COLUMNS, GAP = 3, 8  # GAP in pixels
GROUND = (245, 245, 245)
STRIP = 24  # pixels of the line of text below a picture
_FONT = cv2.FONT_HERSHEY_DUPLEX


def grid(cells: Sequence[Image], columns: int = COLUMNS) -> Image:
    """Return (H, W, 3) uint8 RGB: the cells row by row, each where a cell as large as the largest has room.

    Raises:
        OutputError: there is no cell.
    """
    if not cells:
        raise OutputError("there is no picture to make a contact sheet of.")
    high, wide = (max(cell.shape[side] for cell in cells) for side in (0, 1))
    columns = min(columns, len(cells))
    rows = -(-len(cells) // columns)
    whole = np.full((rows * (high + GAP) + GAP, columns * (wide + GAP) + GAP, 3), GROUND, np.uint8)
    for n, cell in enumerate(cells):
        top, left = (n // columns) * (high + GAP) + GAP, (n % columns) * (wide + GAP) + GAP
        whole[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return whole


def fitted(image: Image, side: int) -> Image:
    """Return (side, side, 3) uint8 RGB: the whole picture, as large as fits, in the middle."""
    scale = side / max(image.shape[:2])
    high, wide = (max(1, round(length * scale)) for length in image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cell = np.full((side, side, 3), GROUND, np.uint8)
    top, left = (side - high) // 2, (side - wide) // 2
    cell[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=method)
    return cell


def captioned(image: Image, text: str) -> Image:
    """Return the picture with a line of text below it, made smaller, and then cut, where it would not fit."""
    wide = image.shape[1]
    strip = np.full((STRIP, wide, 3), GROUND, np.uint8)
    while len(text) > 4 and cv2.getTextSize(text, _FONT, LEAST, 1)[0][0] > wide - 4:
        text = text.removesuffix("...")[:-1] + "..."
    (length, high), _ = cv2.getTextSize(text, _FONT, 0.45, 1)
    scale = 0.45 * min(1.0, (wide - 4) / max(1, length))
    cv2.putText(strip, text, (2, (STRIP + high) // 2), _FONT, scale, INK, 1, cv2.LINE_AA)
    return np.concatenate([image, strip])


def titled(image: Image, text: str) -> Image:
    """Return the picture with a line of text above it, cut where it would not fit."""
    below = captioned(image[:0], text)
    return np.concatenate([below, image])


def beside(images: Sequence[Image]) -> Image:
    """Return pictures of one height side by side, with a gap between them."""
    gap = np.full((images[0].shape[0], GAP // 2, 3), GROUND, np.uint8)
    row = [part for image in images for part in (image, gap)][:-1]
    return np.concatenate(row, axis=1)


def save_picture(path: Path, image: Image) -> None:
    """Write a JPEG.

    Raises:
        OutputError: it cannot be written.
    """
    good, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not good:
        raise OutputError(f"'{path}' was not written: the picture cannot be encoded.")
    with Draft(path) as draft:
        draft.write(data.tobytes())
