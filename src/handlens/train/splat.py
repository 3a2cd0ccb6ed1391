"""Draws clouds of oriented surface points: z-buffer, light, shadow and skin shading, in numpy and OpenCV alone.

It must not know what the points belong to: hands, heads and hair live in their own modules.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

_INDEX = float(1 << 22)  # room for 4 M points in the low bits of a float64 key; the depth takes the 24 bits above


@dataclass(frozen=True, eq=False)
class Light:
    """One key light, one fill light and a sky-to-ground gradient; linear RGB; directions point to it."""

    key: F32
    key_rgb: F32
    fill: F32
    fill_rgb: F32
    sky_rgb: F32
    ground_rgb: F32


@dataclass(frozen=True, eq=False)
class Surface:
    """What the camera sees, one value per pixel.

    Attributes:
        depth: (h, w) float32, millimetres toward the camera; meaningless where `mask` is 0.
        normal: (h, w, 3) float32, unit, x right, y up, z toward the camera.
        albedo: (h, w, 3) float32, linear RGB.
        gloss: (h, w) float32, strength of the highlight.
        soft: (h, w) float32, 1 where light scatters below the surface (skin), 0 elsewhere.
        mask: (h, w) float32, 1 where anything was drawn.
        scale: pixels per millimetre.
    """

    depth: F32
    normal: F32
    albedo: F32
    gloss: F32
    soft: F32
    mask: F32
    scale: float

    def cropped(self, rows: slice, columns: slice) -> Surface:
        """A part of the picture."""
        depth, gloss, soft, mask = (
            np.ascontiguousarray(i[rows, columns]) for i in (self.depth, self.gloss, self.soft, self.mask)
        )
        normal, albedo = (np.ascontiguousarray(i[rows, columns]) for i in (self.normal, self.albedo))
        return Surface(depth, normal, albedo, gloss, soft, mask, self.scale)


def linear(srgb: object) -> F32:
    """sRGB 0-255 to linear 0-1 (power 2.2 is exact enough here)."""
    return np.asarray((np.asarray(srgb, np.float32) / 255.0) ** 2.2, np.float32)


def to_srgb(rgb: F32) -> U8:
    """Linear RGB (h, w, 3) to 8-bit sRGB with a soft shoulder, so that highlights do not clip to flat white."""
    shoulder = np.where(rgb > 0.7, 0.7 + 0.3 * np.tanh((rgb - 0.7) / 0.3), rgb)
    table = (255.0 * (np.arange(4097, dtype=np.float32) / 4096.0) ** (1 / 2.2) + 0.5).astype(np.uint8)
    return np.asarray(table[(np.clip(shoulder, 0, 1) * 4096).astype(np.int32)], np.uint8)


def unit(v: object) -> F32:
    """The vector(s) of length one along the last axis."""
    a = np.asarray(v, np.float32)
    square = np.einsum("...i,...i->...", a, a)
    return np.asarray(a * (1.0 / np.sqrt(np.maximum(square, 1e-18)))[..., None], np.float32)


def rotation(axis: object, degrees: float) -> F32:
    """3x3 rotation about an axis (right-handed)."""
    turn, _ = cv2.Rodrigues(unit(axis).astype(np.float64) * np.deg2rad(degrees))
    return np.asarray(turn, np.float32)


def random_light(rng: np.random.Generator) -> Light:
    """A plausible room or daylight: key mostly from above, any side, warm to cool."""
    side, height = rng.uniform(-1.0, 1.0), rng.uniform(-0.1, 0.9)
    warm = rng.normal(0, 0.09)
    tint = np.array([1 + warm, 1.0, 1 - warm], np.float32)
    ambient = rng.uniform(0.2, 0.55)
    level = rng.uniform(0.7, 1.15)
    return Light(
        key=unit([side, height, rng.uniform(0.5, 1.1)]),
        key_rgb=np.asarray(level * (1.25 - ambient) * tint, np.float32),
        fill=unit([-side, rng.uniform(-0.5, 0.4), 0.6]),
        fill_rgb=np.asarray(level * rng.uniform(0.03, 0.3) * (2 - tint), np.float32),
        sky_rgb=np.asarray(level * ambient * (1 + rng.normal(0, 0.05, 3)), np.float32),
        ground_rgb=np.asarray(level * ambient * rng.uniform(0.3, 0.8) * (1 + rng.normal(0, 0.07, 3)), np.float32),
    )


def splat(xy: F32, z: F32, shape: tuple[int, int], close: int = 5, step: float = 4.0) -> I32:
    """Index of the nearest point in every pixel.

    Args:
        xy: (n, 2) float32 pixels, y down.
        z: (n,) float32 millimetres, larger is nearer.
        shape: height and width of the buffer.
        close: holes up to about this many pixels are closed; 0 leaves them.
        step: a pixel this much (mm) behind its surroundings counts as a hole.

    Returns:
        (h, w) int32, -1 where no point fell.
    """
    h, w = shape
    px = np.floor(xy[:, 0]).astype(np.int32)
    py = np.floor(xy[:, 1]).astype(np.int32)
    rows = np.flatnonzero((px >= 0) & (px < w) & (py >= 0) & (py < h))
    buffer = np.zeros(h * w, np.float64)
    if len(rows) == 0:
        return np.full((h, w), -1, np.int32)
    low = float(z[rows].min())
    level = np.floor((z[rows] - low) * 64.0).astype(np.float64) + 1.0
    np.maximum.at(buffer, py[rows].astype(np.int64) * w + px[rows], level * _INDEX + rows)
    plane = buffer.reshape(h, w)
    if close:
        kernel = np.ones((close, close), np.uint8)
        pad = cv2.copyMakeBorder(plane, close, close, close, close, cv2.BORDER_REPLICATE)
        closed = cv2.morphologyEx(pad, cv2.MORPH_CLOSE, kernel)[close:-close, close:-close]
        plane = np.where(closed - plane > step * 64.0 * _INDEX, closed, plane)
    index = np.asarray(plane - np.floor(plane / _INDEX) * _INDEX, np.int32)
    index[plane < 1] = -1
    return index


def splat_discs(xy: F32, z: F32, normals: F32, scale: float, shape: tuple[int, int], size: float = 0.36) -> I32:
    """Like `splat`, every point drawn as four: a tilted patch of `size` mm half width.

    Args:
        xy: (n, 2) float32 pixels, y down.
        z: (n,) float32 millimetres.
        normals: (n, 3) float32.
        scale: pixels per millimetre.
        shape: height and width.
        size: millimetres.
    """
    n = len(z)
    slope = normals[:, :2] / np.maximum(normals[:, 2:], 0.35)
    spots, levels = [], []
    for dx, dy in ((-0.9, -0.4), (0.4, -0.9), (0.9, 0.4), (-0.4, 0.9)):
        spots.append(xy + np.array([dx, -dy], np.float32) * (size * scale))
        levels.append(z - (slope[:, 0] * dx + slope[:, 1] * dy) * size)
    index = splat(np.concatenate(spots), np.concatenate(levels), shape)
    return np.where(index >= 0, index % max(n, 1), -1).astype(np.int32)


def masked_blur(image: F32, weight: F32, sigma: float) -> F32:
    """Gaussian blur which ignores what lies outside `weight` (h, w)."""
    size = (0, 0)
    below = np.maximum(cv2.GaussianBlur(weight, size, sigma), 1e-4)
    if image.ndim == 3:
        return np.asarray(cv2.GaussianBlur(image * weight[..., None], size, sigma) / below[..., None], np.float32)
    return np.asarray(cv2.GaussianBlur(image * weight, size, sigma) / below, np.float32)


def _shift(image: F32, dx: int, dy: int, fill: float) -> F32:
    """image[y + dy, x + dx] at (y, x)."""
    h, w = image.shape
    out = np.full_like(image, fill)
    if abs(dx) < w and abs(dy) < h:
        out[max(0, -dy) : h - max(0, dy), max(0, -dx) : w - max(0, dx)] = image[
            max(0, dy) : h + min(0, dy), max(0, dx) : w + min(0, dx)
        ]
    return out


def shadow(surface: Surface, direction: F32, reach: float = 140.0, thickness: float = 70.0, steps: int = 11) -> F32:
    """Share of the key light that arrives, (h, w) float32: the depth map is walked toward the light.

    Near steps are sharp and far ones soft, so that a touching hand has a tight shadow and a distant one a wide shadow.
    """
    h, w = surface.depth.shape
    small = (max(w // 2, 1), max(h // 2, 1))
    far = np.where(surface.mask > 0.5, surface.depth, np.float32(-1e4)).astype(np.float32)
    depth = np.asarray(cv2.resize(far, small, interpolation=cv2.INTER_NEAREST), np.float32)
    scale = surface.scale / 2
    dark = np.zeros_like(depth)
    lean = direction[:2] / max(float(direction[2]), 0.25)
    for run in np.geomspace(1.6 / scale, reach, steps):
        dx, dy = round(float(lean[0] * run * scale)), round(float(-lean[1] * run * scale))
        if dx == 0 and dy == 0:
            continue
        above = _shift(depth, dx, dy, -1e4) - (depth + np.float32(run))
        hit = np.clip((above + 1.0) / 2.0, 0, 1) * (above < thickness)
        sigma = 0.5 + 0.10 * run * scale
        dark = np.maximum(dark, cv2.GaussianBlur(hit.astype(np.float32), (0, 0), sigma))
    return np.asarray(1.0 - cv2.resize(dark, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


def occlusion(surface: Surface) -> F32:
    """Ambient light that arrives, (h, w) float32, from how far a pixel lies below its surroundings."""
    h, w = surface.depth.shape
    small = (max(w // 2, 1), max(h // 2, 1))
    mask = np.asarray(cv2.resize(surface.mask, small, interpolation=cv2.INTER_NEAREST), np.float32)
    depth = np.asarray(cv2.resize(surface.depth, small, interpolation=cv2.INTER_NEAREST), np.float32) * mask
    lit = np.ones_like(depth)
    for radius in (3.0, 9.0, 24.0):
        below = masked_blur(depth, mask, max(radius * surface.scale / 2, 0.6)) - depth
        lit *= 1.0 - 0.55 * np.clip(below / (1.1 * radius), 0.0, 1.0)
    return np.asarray(cv2.resize(lit, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)


def shade(surface: Surface, light: Light) -> F32:
    """Linear RGB (h, w, 3) of the surface in that light, black where there is nothing."""
    h, w = surface.mask.shape
    x, y, dx, dy = cv2.boundingRect((surface.mask > 0).astype(np.uint8))
    out = np.zeros((h, w, 3), np.float32)
    if dx and dy:
        cut = (slice(max(y - 4, 0), min(y + dy + 4, h)), slice(max(x - 4, 0), min(x + dx + 4, w)))
        out[cut] = _shade(surface.cropped(*cut), light)
    return out


def _shade(surface: Surface, light: Light) -> F32:
    """Linear RGB (h, w, 3): wrapped diffuse light with a reddish terminator, shadow, occlusion and a soft highlight."""
    normal = surface.normal
    open_sky, sun = occlusion(surface), shadow(surface, light.key)
    wrap = surface.soft[..., None] * np.array([0.32, 0.14, 0.08], np.float32)
    toward = (normal @ light.key)[..., None]
    diffuse = np.clip((toward + wrap) / (1 + wrap), 0, 1)
    # light that enters beside a shadow comes out red within a few millimetres
    seep = np.stack([masked_blur(sun, surface.mask, max(r * surface.scale, 0.3)) for r in (1.8, 0.9, 0.6)], axis=-1)
    sun3 = sun[..., None] + (seep - sun[..., None]) * surface.soft[..., None]
    received = light.key_rgb * diffuse * sun3
    received += light.fill_rgb * np.clip(normal @ light.fill, 0, 1)[..., None] * open_sky[..., None]
    up = (0.5 + 0.5 * normal[..., 1])[..., None]
    shut = 1 - open_sky[..., None]
    bounce = 1 - shut * np.array([0.85, 1.0, 1.03], np.float32)  # light between skin and skin turns red
    received += (light.sky_rgb * up + light.ground_rgb * (1 - up)) * bounce
    half = unit(light.key + np.array([0, 0, 1], np.float32))
    shine = np.clip(normal @ half, 0, 1)
    shine4 = shine * shine * shine * shine
    shine12 = shine4 * shine4 * shine4
    shine48 = np.square(np.square(shine12))
    glint = surface.gloss * (0.6 * shine12 + 0.9 * shine48) * sun
    edge = 0.10 * surface.gloss * (1 - np.clip(normal[..., 2], 0, 1)) ** 3 * open_sky
    spark = light.key_rgb * glint[..., None] + light.sky_rgb * edge[..., None]
    return np.asarray(surface.albedo * received + spark, np.float32)
