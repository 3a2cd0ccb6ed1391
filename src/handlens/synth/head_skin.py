"""The colours of a head's skin and the parts of a face: painted in the frontal coordinates of `head_shape`.

It must not know about poses, hair or cameras.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.face_features import EYE_X, Face, HeadForm, bump, lid_lines, lip_lines
from handlens.synth.hand_skin import ramp, skin_rgb
from handlens.synth.head_shape import HeadGrid
from handlens.synth.rasterize import F32, linear

FOREHEAD, EYE, NOSE, MOUTH, CHEEK, CHIN, EAR = range(1, 8)
#: parts that are not face regions, for whoever asks the picture what is where
SCALP, NECK, BODY, HAIR, GEAR, HAND = 20, 21, 22, 23, 24, 30


@dataclass(frozen=True, eq=False)
class HeadColour:
    """What is painted on one head.

    Attributes:
        tone: skin, 0 very light to 1 very dark; tint: (3,) factor.
        lips: linear RGB of lipstick and its strength 0-1.
        hair: linear RGB; cropped: how dark the scalp is with short hair, 0-1.
        stubble: 0-1; freckles: 0-1; age: 0-1 (lines and blotches); flush: redness of cheeks and nose, 1 = average.
        eyes: linear RGB of the iris; seed: of blotches and freckles.
    """

    tone: float = 0.3
    tint: F32 = field(default_factory=lambda: np.ones(3, np.float32))
    lips: tuple[F32, float] = field(default_factory=lambda: (linear([170, 40, 60]), 0.0))
    hair: F32 = field(default_factory=lambda: linear([60, 42, 30]))
    cropped: float = 1.0
    stubble: float = 0.0
    freckles: float = 0.0
    age: float = 0.2
    flush: float = 1.0
    eyes: F32 = field(default_factory=lambda: linear([84, 60, 40]))
    seed: int = 0


def region_of(grid: HeadGrid, hairline: F32) -> NDArray[np.uint8]:
    """Face region per skin point (h, w): 1 + index in `REGIONS`, SCALP elsewhere.

    Temples belong to the forehead, brows to the eye, the philtrum to the mouth, the sides of the jaw to the cheek.
    """
    x, y = np.abs(grid.flat[..., 0]), grid.flat[..., 1]
    around = np.abs(np.broadcast_to(grid.angle, x.shape))
    out = np.full(x.shape, SCALP, np.uint8)
    face = (around < np.deg2rad(81)) & (y < hairline) & (grid.normals[..., 1] > -0.93)
    out[face] = CHEEK
    out[face & (y > 17)] = FOREHEAD
    out[face & (y < -79) & (x < 33)] = CHIN
    out[face & (((x - 30) / 24) ** 2 + ((y - 6) / 19) ** 2 < 1)] = EYE
    out[face & (((x / 33) ** 2 + ((y + 65) / 14.0) ** 2) < 1)] = MOUTH
    side = np.interp(y, [-53, -45, -38, -10, 14], [12, 20, 19, 10, 9])
    out[face & (x < side) & (y < 14) & (y > -51.5)] = NOSE
    return out


def _blotches(shape: tuple[int, int], seed: int) -> tuple[F32, F32]:
    """Coarse and fine random pictures around 0."""
    rng = np.random.default_rng(seed)
    h, w = shape
    coarse = sum(
        (
            cv2.resize(
                rng.normal(0, 1, (max(h // k, 2), max(w // k, 2))).astype(np.float32),
                (w, h),
                interpolation=cv2.INTER_CUBIC,
            )
            for k in (60, 25, 9)
        ),
        np.zeros(shape, np.float32),
    )
    return np.asarray(coarse / 1.7, np.float32), rng.normal(0, 1, shape).astype(np.float32)


def beard_area(grid: HeadGrid) -> F32:
    """Where a beard grows, (h, w) float32 0-1."""
    x, y = np.abs(grid.flat[..., 0]), grid.flat[..., 1]
    upper, _, lower = lip_lines(grid.flat[..., 0], 1.0)
    cheek_line = np.interp(x, [0, 20, 30, 50, 62, 75], [-52, -55, -64, -58, -38, -10])
    area = ramp(np.asarray(cheek_line - y, np.float32), -3, 5)
    lips = ramp(np.asarray(upper + 1.5 - y, np.float32), -1, 1) * ramp(np.asarray(y - lower + 1.5, np.float32), -1, 1)
    area *= 1 - lips * (x < 26)
    area *= 1 - 0.6 * bump(np.asarray(x, np.float32), y, 18, -76, 6, 5)
    around = np.abs(np.broadcast_to(grid.angle, x.shape)).astype(np.float32)
    return np.asarray(area * (1 - ramp(around, 1.35, 1.55)), np.float32)


def paint_head(grid: HeadGrid, colour: HeadColour, form: HeadForm, face: Face, hairline: F32) -> tuple[F32, F32, F32]:
    """Linear RGB (h, w, 3), gloss (h, w) and softness (h, w) of the head's skin."""
    x, y = grid.flat[..., 0], grid.flat[..., 1]
    ax = np.abs(x)
    skin, blood = skin_rgb(colour.tone) * colour.tint, skin_rgb(colour.tone, blood=True) * colour.tint
    coarse, fine = _blotches(x.shape, colour.seed)
    red = 0.32 * bump(ax, y, 42, -32, 20, 18) + 0.42 * bump(x, y, 0, -41, 17, 13) + 0.22 * bump(x, y, 0, -98, 20, 12)
    red = colour.flush * red + 0.05 * coarse + 0.12 * bump(ax, y, 31, -6, 17, 9)
    rgb = skin + (blood - skin) * np.clip(red * grid.front, -0.15, 0.9)[..., None]
    dark = 0.16 * bump(ax, y, 24, -11, 13, 6) + 0.14 * bump(ax, y, 17, 3, 7, 9) + 0.10 * bump(ax, y, 33, 9, 17, 5)
    dark += 0.03 * fine + 0.02 * coarse
    fold = 19.0 + (-45.0 - y) * 0.46
    dark += colour.age * 0.22 * np.exp(-(((ax - fold) / 1.1) ** 2)) * ramp(-y, 40, 50) * ramp(y, -76, -60)
    for k in range(3):
        wave = 41 + 11 * k + 3 * np.sin(x * 0.09 + k * 2 + colour.seed)
        dark += colour.age * 0.16 * np.exp(-(((y - wave) / 0.8) ** 2)) * np.exp(-((x / 38) ** 2))
    crow = np.sin((y - 0.4 * (ax - 52)) * 1.1) > 0.8
    dark += colour.age * 0.12 * crow * bump(ax, y, 55, 0, 7, 9)
    rng = np.random.default_rng(colour.seed + 1)
    spots = (rng.random(x.shape) < 0.004 * colour.freckles).astype(np.float32)
    dark += 0.9 * np.clip(cv2.GaussianBlur(spots, (0, 0), 1.1) * 6, 0, 0.5) * bump(ax, y, 22, -20, 40, 26)
    low = -49.2 * form.nose[0]
    dark += 0.75 * bump(ax, y, 7.2 * form.nose[1], low, 3.2, 1.8) * grid.front  # nostrils
    shave = 0.34 * colour.stubble * beard_area(grid) * (1 + 0.35 * fine)
    rgb = rgb * (1 - np.clip(dark, -0.2, 0.9)[..., None] * np.array([0.85, 1.0, 1.0], np.float32))
    rgb = np.asarray(rgb + (0.5 * colour.hair + 0.02 - rgb) * np.clip(shave, 0, 0.8)[..., None], np.float32)
    rgb, gloss = _paint_lips(rgb, x, y, colour, form, blood)
    rgb = _paint_lids(rgb, x, y, form, face, colour)
    scalp = ramp(np.asarray(y - hairline, np.float32), -3, 5) * colour.cropped * (1 + 0.2 * fine)
    rgb = np.asarray(rgb + (colour.hair * 0.6 - rgb) * np.clip(scalp, 0, 1)[..., None], np.float32)
    oily = 0.035 * bump(x, y, 0, 40, 35, 25) + 0.05 * bump(x, y, 0, -25, 12, 26)
    shine = (gloss + 0.055 + oily * grid.front + 0.012 * fine) * (1 - 0.8 * np.clip(scalp, 0, 1))
    soft = 1 - np.clip(scalp, 0, 1)
    return np.asarray(np.clip(rgb, 0.002, 1), np.float32), np.asarray(shine, np.float32), np.asarray(soft, np.float32)


def _paint_lips(rgb: F32, x: F32, y: F32, colour: HeadColour, form: HeadForm, blood: F32) -> tuple[F32, F32]:
    upper, line, lower = lip_lines(x, form.lips)
    on = ramp(np.asarray(upper - y, np.float32), -0.5, 0.9) * ramp(np.asarray(y - lower, np.float32), -0.6, 1.0)
    on = on * (1 - ramp(np.abs(x), 22.5, 26.0)) * (np.abs(y - line) < 14)
    natural = blood * np.array([0.92, 0.70, 0.72], np.float32)
    paint, strength = colour.lips
    lip = natural + (paint - natural) * strength
    streak = (1 + 0.05 * np.sin(x * 2.6 + 0.6 * np.sin(x)))[..., None]
    rgb = rgb + (lip * streak - rgb) * (on * (0.72 + 0.25 * strength))[..., None]
    seam = np.exp(-(((y - line) / 0.75) ** 2)) * (1 - ramp(np.abs(x), 25, 28))
    rgb = np.asarray(rgb * (1 - 0.62 * seam[..., None] * np.array([0.8, 1, 1], np.float32)), np.float32)
    return rgb, np.asarray(on * (0.05 + 0.12 * strength), np.float32)


def _paint_lids(rgb: F32, x: F32, y: F32, form: HeadForm, face: Face, colour: HeadColour) -> F32:
    dx = np.asarray(np.abs(x) - EYE_X * form.eyes[1], np.float32)
    upper, lower = lid_lines(dx, form, face.blink)
    within = 1 - ramp(np.abs(dx), 13.5 * form.eyes[0], 17.5 * form.eyes[0])
    lash = ramp(np.asarray(y - upper, np.float32), -1.5, 0.0) * (1 - ramp(np.asarray(y - upper, np.float32), 0.6, 2.0))
    under = np.exp(-(((y - lower + 0.5) / 0.8) ** 2))
    crease = np.exp(-(((y - upper - 4.6 + 2.2 * face.blink) / 0.9) ** 2)) * (1 - 0.5 * face.blink)
    ink = np.clip(within * (0.80 * lash + 0.30 * under + 0.34 * crease), 0, 0.9)[..., None]
    return np.asarray(rgb + (0.25 * colour.hair + 0.004 - rgb) * ink, np.float32)
