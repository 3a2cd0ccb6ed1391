"""Out-of-focus rooms behind a person, made of gradients, shapes and noise.

It must not know what stands in front.
"""

from __future__ import annotations

import cv2
import numpy as np

from handlens.synth.rasterize import F32, linear

Rng = np.random.Generator


def backdrop(rng: Rng, size: tuple[int, int]) -> F32:
    """Linear RGB (h, w, 3): a wall with furniture, a window, foliage or nothing."""
    h, w = size
    small = (max(h // 2, 8), max(w // 2, 8))
    yy, xx = np.mgrid[0 : small[0], 0 : small[1]].astype(np.float32)
    yy, xx = yy / small[0], xx / small[1]
    wall = linear(rng.uniform(40, 225) * np.clip(1 + rng.normal(0, 0.09, 3), 0.6, 1.12))
    fall = 1 + rng.uniform(-0.5, 0.5) * (xx - 0.5) + rng.uniform(-0.4, 0.4) * (yy - 0.5)
    room = wall * fall[..., None]
    kind = rng.choice(["plain", "shelf", "window", "garden", "clutter"], p=[0.2, 0.25, 0.2, 0.15, 0.2])
    if kind == "shelf":
        _shelf(room, rng)
    elif kind == "window":
        _window(room, rng)
    elif kind == "garden":
        _garden(room, rng)
    elif kind == "clutter":
        _clutter(room, rng, int(rng.integers(5, 22)))
    if kind in ("shelf", "window") and rng.random() < 0.6:
        _clutter(room, rng, int(rng.integers(1, 6)))
    room = cv2.GaussianBlur(room, (0, 0), float(rng.uniform(0.6, 6.0)) * small[0] / 240)
    return np.asarray(np.clip(cv2.resize(room, (w, h), interpolation=cv2.INTER_LINEAR), 0.001, 1.2), np.float32)


def _box(room: F32, rgb: F32, x: float, y: float, w: float, h: float) -> None:
    hh, ww = room.shape[:2]
    x0, y0, x1, y1 = int(x * ww), int(y * hh), int((x + w) * ww), int((y + h) * hh)
    room[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = rgb


def _shelf(room: F32, rng: Rng) -> None:
    left, width = rng.uniform(-0.2, 0.5), rng.uniform(0.3, 0.9)
    wood = linear(rng.uniform(40, 200) * np.array([1.0, 0.8, 0.6]))
    y, step = rng.uniform(-0.1, 0.1), rng.uniform(0.16, 0.3)
    _box(room, wood * 0.5, left, y, width, 1.2)
    while y < 1:
        x = left
        while x < left + width:
            thick, tall = rng.uniform(0.012, 0.05), step * rng.uniform(0.5, 0.9)
            if rng.random() < 0.85:
                _box(
                    room,
                    linear(rng.uniform(25, 190) * np.clip(1 + rng.normal(0, 0.28, 3), 0.3, 1.2)),
                    x,
                    y + step - tall,
                    thick * 0.92,
                    tall,
                )
            x += thick
        _box(room, wood, left, y + step, width, 0.02)
        y += step + 0.02


def _window(room: F32, rng: Rng) -> None:
    x, width = rng.uniform(-0.1, 0.8), rng.uniform(0.2, 0.5)
    top, height = rng.uniform(-0.2, 0.15), rng.uniform(0.5, 0.9)
    _box(room, linear([235, 235, 232]), x - 0.02, top - 0.02, width + 0.04, height + 0.04)
    glow = rng.uniform(0.5, 1.15) * (1 + rng.normal(0, 0.08, 3))
    _box(room, np.asarray(glow, np.float32), x, top, width, height)
    _box(room, linear([210, 210, 208]), x + width / 2 - 0.008, top, 0.016, height)


def _garden(room: F32, rng: Rng) -> None:
    h, w = room.shape[:2]
    noise = sum(
        (
            cv2.resize(rng.normal(0, 1, (max(h // k, 2), max(w // k, 2))).astype(np.float32), (w, h))
            for k in (40, 18, 8, 4)
        ),
        np.zeros((h, w), np.float32),
    )
    green = linear([rng.uniform(40, 110), rng.uniform(80, 140), rng.uniform(30, 70)])
    room[:] = np.clip(green * np.exp(0.5 * noise)[..., None], 0, 1)
    sky = np.clip((rng.uniform(0.0, 0.5) * h - np.arange(h)) / 8.0, 0, 1)[:, None, None]
    room[:] = room + (linear([190, 210, 235]) - room) * sky.astype(np.float32)


def _clutter(room: F32, rng: Rng, count: int) -> None:
    h, w = room.shape[:2]
    for _ in range(count):
        rgb = tuple(float(c) for c in linear(rng.uniform(15, 235) * np.clip(1 + rng.normal(0, 0.3, 3), 0.2, 1.1)))
        x, y, s = int(rng.uniform(0, w)), int(rng.uniform(0, h)), int(rng.uniform(0.03, 0.3) * h)
        if rng.random() < 0.5:
            cv2.rectangle(room, (x, y), (x + s, y + int(s * rng.uniform(0.3, 2.5))), rgb, -1)
        else:
            cv2.ellipse(room, (x, y), (s, int(s * rng.uniform(0.3, 1.2))), float(rng.uniform(0, 180)), 0, 360, rgb, -1)
