"""Pixels of any depth -> 8 bits, by what is in them; it must not read files."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handlens.types import Image

Pixels = npt.NDArray[np.generic]

_TOPS = {255: 8, 1023: 10, 4095: 12, 16383: 14}
_FULL = 65535
_BRIGHT_PERCENTILE = 99.5  # of a picture in linear light: what is brighter, such as lamps, may become white


@dataclass(frozen=True)
class Span:
    """What the numbers of one picture, or of all pages of one file, reach.

    Attributes:
        low, high: Smallest and largest finite number.
        bright: What nearly all lie below.
        stretched: 8 bits that a program spread over 16, which are ordinary 16 bits.
    """

    low: float
    high: float
    bright: float
    stretched: bool

    def joined(self, other: "Span") -> "Span":
        """Return the span of both."""
        return Span(
            min(self.low, other.low),
            max(self.high, other.high),
            max(self.bright, other.bright),
            self.stretched and other.stretched,
        )


def span_of(pixels: Pixels) -> Span:
    """Return what the numbers of a picture reach."""
    colours = _without_alpha(pixels)
    if colours.dtype.kind == "f":
        colours = colours[np.isfinite(colours)]
        if not colours.size:
            return Span(0.0, 0.0, 0.0, False)
        bright = float(np.percentile(colours.astype(np.float32), _BRIGHT_PERCENTILE))
        return Span(float(colours.min()), float(colours.max()), bright, False)
    low, high = int(colours.min()), int(colours.max())
    stretched = False
    if colours.dtype == np.uint16 and high > 255:
        lower, upper = colours & 255, colours >> 8  # type: ignore[operator]
        stretched = not lower.any() or bool((lower == upper).all())
    return Span(low, high, high, stretched)


def to_8_bits(pixels: Pixels, span: Span, top: int = 0, linear: bool = False) -> tuple[Image, str]:
    """Return uint8 pixels of the same shape, and what is worth saying about it, or "".

    Args:
        top: The number that is white, where the file states it, else 0.
        linear: The numbers are light and not brightness, as in .exr and .hdr files. The remark fits behind the name of
            the file: "holds 12 bits in 16: 4095 is white".
    """
    if pixels.dtype.kind == "f":
        return _of_floats(pixels, span, linear)
    if pixels.dtype == np.uint8 and (top in (0, 255) or span.high > top):
        return np.asarray(pixels, np.uint8), ""
    if span.low < 0 or span.high > _FULL:
        return _spread(
            pixels, span.low, span.high
        ), "holds whole numbers beyond 16 bits: the smallest is black, the largest white"
    if top and span.high <= top:
        return _spread(pixels, 0, top), ""
    if span.stretched or span.high > 16383 or span.high == 0:
        return np.asarray(pixels.astype(np.uint16) >> 8, np.uint8), ""
    white = next(number for number in _TOPS if span.high <= number)
    return _spread(pixels, 0, white), f"holds {_TOPS[white]} bits in {pixels.dtype.itemsize * 8}: {white} is white"


def _of_floats(pixels: Pixels, span: Span, linear: bool) -> tuple[Image, str]:
    if linear:
        light = pixels.astype(np.float32) / max(1.0, span.bright)
        light = np.nan_to_num(light, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)
        curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1 (sRGB)
        note = "" if span.bright <= 1 else f", and white is what {_BRIGHT_PERCENTILE:g} % of it stay below"
        return (curve * 255 + 0.5).astype(np.uint8), f"holds linear light: the curve of sRGB is applied{note}"
    if span.low >= 0 and span.high <= 1:
        return _spread(pixels, 0, 1), ""
    return _spread(pixels, span.low, span.high), "holds numbers beyond 0 to 1: the smallest is black, the largest white"


def _spread(pixels: Pixels, low: float, high: float) -> Image:
    """Map low to 0 and high to 255; alpha of float pictures, 0 to 1, is kept so."""
    scale = 255 / (high - low) if high > low else 0.0
    image = np.empty(pixels.shape, np.uint8)
    for top in range(0, len(pixels), 256):  # in bands: a float copy of a large picture would be 4 times its size
        band = slice(top, top + 256)
        part = (pixels[band].astype(np.float32) - low) * scale
        image[band] = np.nan_to_num(part, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255) + 0.5
    if pixels.dtype.kind == "f" and pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        alpha = np.nan_to_num(pixels[..., -1].astype(np.float32))
        image[..., -1] = alpha.clip(0, 1) * 255 + 0.5
    return image


def _without_alpha(pixels: Pixels) -> Pixels:
    return pixels[..., :-1] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else pixels
