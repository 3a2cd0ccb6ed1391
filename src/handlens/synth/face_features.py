"""What is particular in a face: its proportions, its expression, and the lines of lips and lids.

It must not know about surfaces, colours or cameras. Millimetres in the frontal plane, y = 0 at the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handlens.synth.rasterize import F32

EYE_X, EYE_Z, EYE_R = 31.5, 66.5, 12.2
MOUTH_Y = -65.0


@dataclass(frozen=True, eq=False)
class HeadForm:
    """What is particular in one head's shape; 0 or 1 is average.

    Attributes:
        width, jaw, length: factors of the whole width, the jaw's width and the lower face's length.
        nose: (length, width, height) factors; lips: fullness; chin, brow, cheek, cleft: millimetres.
        eyes: (size, distance) factors, slant in degrees.
    """

    width: float = 1.0
    jaw: float = 1.0
    length: float = 1.0
    nose: tuple[float, float, float] = (1.0, 1.0, 1.0)
    lips: float = 1.0
    chin: float = 0.0
    brow: float = 0.0
    cheek: float = 0.0
    cleft: float = 0.1
    eyes: tuple[float, float, float] = (1.0, 1.0, 4.0)


@dataclass(frozen=True)
class Face:
    """An expression: eyelids closed 0-1, smile -1..1, jaw open 0-1, brows raised 0-1, gaze (right, up) in degrees."""

    blink: float = 0.0
    smile: float = 0.0
    open: float = 0.0
    raised: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)


def bump(x: F32, y: F32, cx: float, cy: float, sx: float, sy: float, sharp: float = 2.0) -> F32:
    """Return a hill of height one; x may be |x| for a pair."""
    if sharp == 2.0:
        return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2), np.float32)
    return np.asarray(np.exp(-(np.abs((x - cx) / sx) ** sharp) - np.abs((y - cy) / sy) ** sharp), np.float32)


def lip_lines(x: F32, lips: float) -> tuple[F32, F32, F32]:
    """Upper edge, closing line and lower edge of the lips over x."""
    t = np.clip(np.abs(x) / 25.0, 0, 1)
    line = MOUTH_Y - 0.9 * np.cos(np.pi * t) * (1 - t) - 0.8 * t**2
    bow = 1.3 * np.exp(-(((np.abs(x) - 5.5) / 3.5) ** 2)) - 1.0 * np.exp(-((x / 3.0) ** 2))
    upper = line + lips * (7.2 * (1 - t**1.6) + bow * (1 - t))
    lower = line - lips * 8.2 * (1 - t**2.4) ** 0.8
    return np.asarray(upper, np.float32), np.asarray(line, np.float32), np.asarray(lower, np.float32)


def lid_lines(dx: F32, form: HeadForm, blink: float) -> tuple[F32, F32]:
    """Upper and lower edge of the eye opening over the distance from the eye's middle, outward positive."""
    size, _, slant = form.eyes
    t = np.clip(dx / (13.6 * size), -1, 1)
    tilt = np.tan(np.deg2rad(slant)) * dx
    lower = -4.4 * size * (1 - np.abs(t - 0.08) ** 2.2)
    upper = 6.3 * size * (1 - np.abs(t + 0.06) ** 2.3)
    upper = upper + (lower * 0.75 - upper) * blink
    return np.asarray(upper + tilt, np.float32), np.asarray(np.minimum(lower, 0) + tilt, np.float32)
