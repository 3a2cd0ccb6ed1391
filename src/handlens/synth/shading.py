"""Light on a drawn surface: wrapped diffuse with a reddish terminator, shadows, occlusion and highlights.

It must not know what the surface belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from handlens.synth.rasterize import F32, Surface, masked_blur, unit


@dataclass(frozen=True, eq=False)
class Light:
    """One key light, one fill light and a sky-to-ground gradient; linear RGB; directions point to it."""

    key: F32
    key_rgb: F32
    fill: F32
    fill_rgb: F32
    sky_rgb: F32
    ground_rgb: F32


def random_light(rng: np.random.Generator) -> Light:
    """Return a plausible room or daylight: key mostly from above, any side, warm to cool."""
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
    wet = np.square(np.square(shine48))
    sharp = np.where(surface.gloss > 0.3, np.where(surface.gloss > 0.45, np.square(np.square(wet)), wet), shine48)
    glint = (0.6 * np.minimum(surface.gloss, 0.15) * shine12 + 0.9 * surface.gloss * sharp) * sun
    edge = 0.10 * np.minimum(surface.gloss, 0.3) * (1 - np.clip(normal[..., 2], 0, 1)) ** 3 * open_sky
    spark = light.key_rgb * glint[..., None] + light.sky_rgb * edge[..., None]
    return np.asarray(surface.albedo * received + spark, np.float32)
