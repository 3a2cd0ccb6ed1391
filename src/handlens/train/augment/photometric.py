"""Changes of light, colour, lens and compression of a training picture; knows no labels or places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.train.augment.config import AugmentConfig
from handlens.types import Image


def photometric(rng: Generator, image: Image, augment: AugmentConfig) -> Image:
    """Return the picture (H, W, 3) uint8 RGB with what was drawn done to it; the same array where nothing was."""
    if augment.light:
        image = light_and_lens(rng, image, augment.light)
    if augment.contrast:
        image = contrasted(image, float(rng.uniform(-augment.contrast, augment.contrast)))
    if augment.hue or augment.saturation or augment.value:
        image = coloured(
            image, *(float(rng.uniform(-most, most)) for most in (augment.hue, augment.saturation, augment.value))
        )
    if rng.random() < augment.grey:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    if rng.random() < augment.blur:
        image = blurred(rng, image)
    if rng.random() < augment.noise:
        image = grained(rng, image)
    if rng.random() < augment.jpeg:
        image = compressed(image, int(rng.integers(15, 70)))
    return image


def coloured(image: Image, hue: float, saturation: float, value: float) -> Image:
    """Return the colours turned by `hue` (share of the circle), their saturation and value times 1 + what is given."""
    levels = np.arange(256, dtype=np.float32)
    table = np.empty((256, 1, 3), np.uint8)
    table[:, 0, 0] = np.round(levels + hue * 180) % 180  # OpenCV counts hue in steps of two degrees
    table[:, 0, 1] = np.clip(np.round(levels * (1 + saturation)), 0, 255)
    table[:, 0, 2] = np.clip(np.round(levels * (1 + value)), 0, 255)
    changed = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table)
    return np.asarray(cv2.cvtColor(changed, cv2.COLOR_HSV2RGB), np.uint8)


def contrasted(image: Image, contrast: float) -> Image:
    """Return the levels' distances from the picture's mean level times 1 + what is given."""
    mean = float(image.mean())
    table = mean + (np.arange(256, dtype=np.float32) - mean) * (1 + contrast)
    return np.asarray(cv2.LUT(image, np.clip(np.round(table), 0, 255).astype(np.uint8)), np.uint8)


def blurred(rng: Generator, image: Image) -> Image:
    """Out of focus, or moved along one direction: by up to a fortieth of the shorter side."""
    reach = max(3.0, min(image.shape[:2]) / 40)
    if rng.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, reach / 4))), np.uint8)
    moved = motion_blur(rng, image.astype(np.float32), float(rng.uniform(2, reach)))
    return np.clip(np.round(moved), 0, 255).astype(np.uint8)


def grained(rng: Generator, image: Image) -> Image:
    """Sensor noise, grey or coloured, of 2 to 14 levels."""
    grain = noise(rng, *image.shape[:2])
    if rng.random() < 0.5:
        grain = grain[..., :1]
    noisy = image + np.float32(rng.uniform(2, 14)) * grain
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def compressed(image: Image, quality: int) -> Image:
    """Return the picture after a JPEG of that quality, 0 to 100."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def erased(rng: Generator, image: Image, augment: AugmentConfig) -> tuple[Image, NDArray[np.float32] | None]:
    """Paint one rectangle of 2 to 15 % of the picture over, in one colour or with noise (arXiv 1708.04896).

    Returns the picture and the rectangle x1 y1 x2 y2, or None where nothing was drawn.
    """
    if rng.random() >= augment.erase:
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


Picture = NDArray[np.uint8]
_BANK = np.random.default_rng(0).standard_normal((640, 640, 3), dtype=np.float32)
_GREY = np.full((3, 3), 1, np.float32) * np.array([0.299, 0.587, 0.114], np.float32)


def noise(rng: Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return unit normal noise (height, width, 3), up to 640 px from a fixed bank: it saves a third of the time."""
    if max(height, width) > len(_BANK):
        return rng.standard_normal((height, width, 3), dtype=np.float32)
    y, x = (int(rng.integers(640 - min(side, 639))) for side in (height, width))
    return _BANK[y : y + height, x : x + width]


def random_affine(
    rng: Generator, size_in: int, size_out: int, span: float, turn: float, zoom: tuple[float, float], shift: float
) -> tuple[NDArray[np.float32], bool]:
    """Return a 2x3 matrix from a square crop to the net's square, and whether it mirrors.

    Args:
        span: share of the crop's side that the net sees on average.
        turn: standard deviation of the rotation, degrees. zoom: range of the factor on `span`. shift: of the
            output's side.
    """
    angle = np.radians(rng.normal(0, turn))
    scale = size_out / (size_in * span * rng.uniform(*zoom))
    flip = rng.random() < 0.5
    stretch = np.exp(rng.normal(0, 0.04))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    m = np.array([[cos * stretch, -sin], [sin, cos / stretch]], np.float64)
    if flip:
        m[:, 0] *= -1
    middle = np.array([size_in / 2, size_in / 2])
    to = size_out / 2 + rng.uniform(-shift, shift, 2) * size_out
    return np.concatenate((m, (to - m @ middle)[:, None]), 1).astype(np.float32), bool(flip)


def light_and_lens(rng: Generator, image: Picture, strength: float = 1.0) -> Picture:
    """Light, colour, grey, noise, blur, low resolution, JPEG: (H, W, 3) uint8 -> the same shape."""
    x = image.astype(np.float32)
    x = (x - 128) * float(np.exp(rng.normal(0, 0.22 * strength))) + 128 + float(rng.normal(0, 16 * strength))
    x = x * np.exp(rng.normal(0, 0.08 * strength, 3)).astype(np.float32)
    if rng.random() < 0.5:
        curve = 255 * (np.arange(256) / 255) ** float(np.exp(rng.normal(0, 0.35 * strength)))
        x = np.asarray(cv2.LUT(np.clip(x, 0, 255).astype(np.uint8), curve.astype(np.float32)), np.float32)
    if rng.random() < 0.25:
        x = x * _light_field(rng, x.shape[:2], 0.45)
    if rng.random() < 0.4:
        share = float(rng.uniform(0.2, 1.6))
        mix = _GREY * np.float32(1 - share) + np.eye(3, dtype=np.float32) * np.float32(share)
        x = np.asarray(cv2.transform(x, mix), np.float32)
    if rng.random() < 0.13:
        x = np.asarray(cv2.transform(x, _GREY), np.float32)
    if rng.random() < 0.25:
        x = _degrade(rng, x)
    if rng.random() < 0.2:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.4, 1.6))), np.float32)
    if rng.random() < 0.35:
        grain = noise(rng, *x.shape[:2])
        x = x + np.float32(rng.uniform(2, 12)) * (grain if rng.random() < 0.5 else grain[..., :1])
    out = np.clip(x, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))])
        out = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return out


def motion_blur(rng: Generator, image: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Blur along one random direction, `length` in pixels; any number of channels."""
    size = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((size, size), np.float32)
    angle, middle = rng.uniform(0, np.pi), size // 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    a, b = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), (1.0,), 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / max(float(kernel.sum()), 1e-6)), np.float32)


def _light_field(rng: Generator, size: tuple[int, int], strength: float) -> NDArray[np.float32]:
    small = rng.uniform(1 - strength, 1 + strength, (3, 3)).astype(np.float32)
    return np.asarray(cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _degrade(rng: Generator, x: NDArray[np.float32]) -> NDArray[np.float32]:
    h, w = x.shape[:2]
    factor = float(rng.uniform(0.2, 0.6))
    small = cv2.resize(x, (max(8, round(w * factor)), max(8, round(h * factor))), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC), np.float32
    )
