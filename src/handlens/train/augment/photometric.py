"""Changes of light, colour, lens and compression of a training picture, as a look asks; knows no labels or places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.train.augment import basic as augment
from handlens.train.augment.config import Look
from handlens.types import Image


def photometric(rng: Generator, image: Image, look: Look) -> Image:
    """The picture (H, W, 3) uint8 RGB with what was drawn done to it; the same array where nothing was."""
    if look.light:
        image = augment.photometric(rng, image, look.light)
    if look.hue or look.saturation or look.value:
        image = coloured(image, *(float(rng.uniform(-most, most)) for most in (look.hue, look.saturation, look.value)))
    if rng.random() < look.grey:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    if rng.random() < look.blur:
        image = blurred(rng, image)
    if rng.random() < look.noise:
        image = grained(rng, image)
    if rng.random() < look.jpeg:
        image = compressed(image, int(rng.integers(15, 70)))
    return image


def coloured(image: Image, hue: float, saturation: float, value: float) -> Image:
    """The colours turned by `hue` (share of the circle), their saturation and value times 1 + what is given."""
    levels = np.arange(256, dtype=np.float32)
    table = np.empty((256, 1, 3), np.uint8)
    table[:, 0, 0] = np.round(levels + hue * 180) % 180  # OpenCV counts hue in steps of two degrees
    table[:, 0, 1] = np.clip(np.round(levels * (1 + saturation)), 0, 255)
    table[:, 0, 2] = np.clip(np.round(levels * (1 + value)), 0, 255)
    changed = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), np.uint8)


def blurred(rng: Generator, image: Image) -> Image:
    """Out of focus, or moved along one direction: by up to a fortieth of the shorter side."""
    reach = max(3.0, min(image.shape[:2]) / 40)
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, reach / 4))), np.uint8)
    moved = augment.motion_blur(rng, image.astype(np.float32), float(rng.uniform(2, reach)))
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def grained(rng: Generator, image: Image) -> Image:
    """Sensor noise, grey or coloured, of 2 to 14 levels."""
    grain = augment.noise(rng, *image.shape[:2])
    if rng.random() < 0.5:
        grain = grain[..., :1]
    noisy = image + np.float32(rng.uniform(2, 14)) * grain
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def compressed(image: Image, quality: int) -> Image:
    """The picture after a JPEG of that quality, 0 to 100."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def erased(rng: Generator, image: Image, look: Look) -> tuple[Image, NDArray[np.float32] | None]:
    """Paint one rectangle of 2 to 15 % of the picture over, in one colour or with noise (arXiv 1708.04896).

    Returns the picture and the rectangle x1 y1 x2 y2, or None where nothing was drawn.
    """
    if rng.random() >= look.erase:
        return image, None
    height, width = image.shape[:2]
    area, shape = rng.uniform(0.02, 0.15) * height * width, np.exp(rng.uniform(np.log(0.4), np.log(2.5)))
    high, wide = min(height, max(1, round(np.sqrt(area * shape)))), min(width, max(1, round(np.sqrt(area / shape))))
    top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    image = image.copy()
    size = (high, wide, 3) if rng.random() < 0.5 else (3,)
    image[top : top + high, left : left + wide] = rng.integers(0, 256, size, np.uint8)
    return image, np.array([left, top, left + wide, top + high], np.float32)


def channels_first(image: Image, channels: int = 3) -> Image:
    """(H, W, 3) RGB -> (channels, H, W) contiguous; 1 channel: its brightness, for what is grey just its level."""
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)[None]
    return np.ascontiguousarray(image.transpose(2, 0, 1))
