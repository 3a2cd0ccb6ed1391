"""A decoded video frame -> RGB as a player shows it; it must not know files, times or models."""

import struct
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av.error
import cv2
import numpy as np
from av.video.frame import VideoFrame

from handlens.types import Image

_BT709, _UNSPECIFIED = 1, 2  # FFmpeg's numbers of colour spaces, transfer curves and primaries
_LIMITED = 1
_HDR_CURVES = frozenset({16, 18})  # PQ and HLG
_LARGEST_SHAPE = Fraction(8)  # pixels wider or taller than this are a damaged header
_LEAST_STRETCH = Fraction(1, 100)  # below this a player shows one column more or less, at the price of a blur


class Upright:
    """Makes RGB of the frames of one stream: square pixels, turned and mirrored as the video says it is to be shown.

    Args:
        shape: Width of a pixel divided by its height, None for square ones.
    """

    def __init__(self, shape: Fraction | None = None) -> None:
        self._shape = shape
        self._matrix: tuple[int, ...] | None = None
        self._rotation: int | None = None

    def __call__(self, picture: VideoFrame) -> Image:
        """Return (H, W, 3) uint8 RGB."""
        rotation = int(getattr(picture, "rotation", 0))
        if rotation != self._rotation:  # the matrix is looked up once: PyAV makes a cycle of each frame asked for it
            self._rotation, self._matrix = rotation, display_matrix(picture)
        image = _square(_colours(picture), self._shape)
        return image if self._matrix is None else np.ascontiguousarray(show(image, self._matrix))


def show(image: Image, matrix: tuple[int, ...]) -> Image:
    """Return the image as a display matrix maps it, to the nearest quarter turn.

    Args:
        matrix: Nine numbers in rows, as in an .mp4: a point (x, y) is shown at (a x + c y, b x + d y), where a and b
            are the first two numbers of the first row, c and d those of the second. A determinant below 0 is a mirror
            image.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(a) + abs(d) < abs(b) + abs(c):
        image = np.transpose(image, (1, 0, 2))
        across, down = c, b
    else:
        across, down = a, d
    if across < 0:
        image = image[:, ::-1]
    if down < 0:
        image = image[::-1]
    return image


def display_matrix(picture: VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of the frame's display matrix, or None where it has none or one without a direction."""
    sides: Any = picture.side_data or ()
    for data in sides:
        if getattr(data.type, "name", "") == "DISPLAYMATRIX":
            numbers = struct.unpack_from("=9i", bytes(data))
            return numbers if numbers[0] * numbers[4] - numbers[1] * numbers[3] else None
    return None


def _colours(picture: VideoFrame) -> Image:
    """Return RGB by the frame's own matrix, range and curve; alpha is laid on white."""
    options: dict[str, Any] = {}
    space = int(getattr(picture, "colorspace", _UNSPECIFIED))
    if space == _UNSPECIFIED and (picture.width >= 1280 or picture.height > 576):  # as mpv and VLC guess
        options["src_colorspace"] = _BT709
    if int(getattr(picture, "color_trc", _UNSPECIFIED)) in _HDR_CURVES:
        options |= {"dst_color_trc": _BT709, "dst_color_primaries": _BT709}
    if any(part.is_alpha for part in picture.format.components):
        return on_white(_array(picture, "rgba", options))
    image = _array(picture, "rgb24", options)
    if picture.format.name.startswith("gray") and int(getattr(picture, "color_range", 0)) == _LIMITED:
        table = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), np.uint8)  # FFmpeg takes all grey for full range
    return image


def _array(picture: VideoFrame, format: str, options: dict[str, Any]) -> Image:
    if options:
        with suppress(av.error.FFmpegError, TypeError):  # a curve that FFmpeg cannot convert; an older PyAV
            return np.asarray(picture.to_ndarray(format=format, **options), np.uint8)
    return np.asarray(picture.to_ndarray(format=format), np.uint8)


def on_white(image: Image) -> Image:
    """Return (H, W, 3) of RGBA (H, W, 4), laid on white."""
    colours, alpha = np.ascontiguousarray(image[..., :3]), image[..., 3]
    for top in range(0, len(image), 256):  # in bands: a float copy of a large picture would be 4 times its size
        band = slice(top, top + 256)
        cover = alpha[band, :, None].astype(np.uint16)
        if cover.min() < 255:
            colours[band] = ((colours[band] * cover + 255 * (255 - cover) + 127) // 255).astype(np.uint8)
    return colours


def shown_size(width: int, height: int, shape: Fraction | None) -> tuple[int, int]:
    """Return (width, height) in square pixels; the longer side of a pixel grows, so that nothing is lost."""
    if shape is None or not 1 / _LARGEST_SHAPE <= shape <= _LARGEST_SHAPE or abs(shape - 1) < _LEAST_STRETCH:
        return width, height
    return (round(width * shape), height) if shape > 1 else (width, round(height / shape))


def _square(image: Image, shape: Fraction | None) -> Image:
    height, width = image.shape[:2]
    size = shown_size(width, height, shape)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def turn(image: Image, orientation: int) -> Image:
    """Return the image as EXIF orientation 1 to 8 says it is to be seen."""
    if orientation in (5, 6, 7, 8):
        image = np.transpose(image, (1, 0, *range(2, image.ndim)))
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
