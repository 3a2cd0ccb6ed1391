"""The skin of a hand: creases, nails, palm lines, veins and colour of surface points.

It must not know about poses, cameras or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import finger_axes
from handlens.synth.rasterize import F32, linear, unit

Rng = np.random.Generator

DETAILS = ("crease", "nail", "palmar", "red", "knuckle", "lunula", "vein", "grain")
#: sRGB of skin from very light (tone 0) to very dark (tone 1), and of its blood-rich parts
_SKIN = np.array(
    [
        (243, 210, 193),
        (232, 190, 165),
        (216, 168, 137),
        (190, 138, 104),
        (152, 103, 74),
        (116, 76, 55),
        (94, 64, 49),
        (76, 53, 43),
    ]
)
_BLOOD = np.array(
    [
        (226, 150, 138),
        (214, 136, 120),
        (196, 118, 98),
        (170, 98, 76),
        (132, 76, 58),
        (100, 58, 46),
        (80, 50, 40),
        (66, 43, 37),
    ]
)


@dataclass(frozen=True, eq=False)
class HandAppearance:
    """One person's hand and sleeve.

    Attributes:
        tone: 0 very light to 1 very dark.
        tint: (3,) factor on the skin's linear RGB.
        plump: millimetres added all around.
        reach: length of the fingers, 1 = average.
        detail: strength of creases, veins and blotches.
        varnish: linear RGB of nail varnish, or None.
        sleeve: millimetres from the wrist to the cuff, None for a bare arm.
        cloth: linear RGB of the sleeve.
    """

    tone: float = 0.3
    tint: F32 = field(default_factory=lambda: np.ones(3, np.float32))
    plump: float = 0.0
    reach: float = 1.0
    detail: float = 1.0
    varnish: F32 | None = None
    sleeve: float | None = 60.0
    cloth: F32 = field(default_factory=lambda: linear([70, 90, 120]))


def random_appearance(rng: Rng, tone: float | None = None) -> HandAppearance:
    """Return a person's hand; `tone` fixes the skin."""
    return HandAppearance(
        tone=float(rng.uniform(0, 1)) if tone is None else tone,
        tint=np.asarray(1 + rng.normal(0, 0.03, 3), np.float32),
        plump=float(np.clip(rng.normal(0.3, 0.8), -0.9, 2.2)),
        reach=float(np.clip(rng.normal(1, 0.05), 0.88, 1.12)),
        detail=float(rng.uniform(0.4, 1.3)),
        varnish=linear(rng.uniform(20, 230, 3)) if rng.random() < 0.12 else None,
        sleeve=float(rng.uniform(12, 150)) if rng.random() < 0.6 else None,
        cloth=linear(rng.uniform(15, 235) * np.clip(1 + rng.normal(0, 0.25, 3), 0.3, 1.08)),
    )


def skin_rgb(tone: float, blood: bool = False) -> F32:
    """Linear RGB of skin of a tone between 0 and 1, or of its blood-rich parts."""
    table = _BLOOD if blood else _SKIN
    at = float(np.clip(tone, 0, 1)) * (len(table) - 1)
    return linear([np.interp(at, np.arange(len(table)), table[:, c]) for c in range(3)])


def ramp(x: F32, low: float, high: float) -> F32:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def along(points: F32, finger: int) -> tuple[F32, F32, F32]:
    """Distance along a finger from its root, distance from its axis, angle from its back in radians."""
    root, axis, back, _, _ = finger_axes(finger)
    rel = points - root
    s = rel @ axis
    side, up = rel @ np.cross(axis, back), rel @ back
    return (
        np.asarray(s, np.float32),
        np.asarray(np.hypot(side, up), np.float32),
        np.asarray(np.arctan2(side, up), np.float32),
    )


def _line(points: F32, line: list[tuple[float, float]], width: float) -> F32:
    """Return the closeness of points to a polyline in the plane of the palm."""
    at = points[:, :2]
    best = np.full(len(points), 1e3, np.float32)
    for a, b in zip(np.asarray(line[:-1], np.float32), np.asarray(line[1:], np.float32), strict=True):
        t = np.clip(((at - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)[:, None]
        best = np.minimum(best, np.linalg.norm(at - a - t * (b - a), axis=1))
    return np.asarray(np.exp(-((best / width) ** 2)), np.float32)


def _finger_details(points: F32, finger: int, mine: F32, palmar: F32) -> dict[str, F32]:
    """Creases, nail and colour of one finger; zero elsewhere (`mine` is 1 on the finger)."""
    s, _, angle = along(points, finger)
    _, _, _, lengths, radii = finger_axes(finger)
    stops = np.cumsum(lengths)
    wave = np.asarray(0.9 * np.sin(angle * 3 + finger) + 0.5 * np.sin(angle * 7 + 2 * finger), np.float32)
    front, back = np.zeros_like(s), np.zeros_like(s)
    base = [21.0, 24.0] if finger < 4 else [stops[0] - 6]
    for at, depth in [(b, 0.7) for b in base] + [(stops[-3] - 1, 1.0), (stops[-3] + 2.5, 0.6), (stops[1], 0.9)]:
        if finger < 4 or at > 20:
            front += depth * np.exp(-(((s - at + 0.4 * wave) / 0.75) ** 2))
    for at, spread in ((stops[0], 2.1), (stops[1], 1.5)):
        for k in (-2.3, -1.2, 0.0, 1.1, 2.2):
            bow = k * spread * (1 - 0.5 * np.clip(np.abs(angle), 0, 1.4)) + 0.5 * wave
            back += 0.55 * np.exp(-(((s - at - bow) / 0.55) ** 2)) * np.exp(-((angle / 0.9) ** 2))
    knuckle = sum((np.exp(-(((s - at) / w) ** 2)) for at, w in ((0.0, 9.0), (stops[0], 6.0), (stops[1], 4.0))), 0 * s)
    centre, half = stops[2] - 2.3 + 0.2 * radii[3], 7.0 if finger == 4 else 5.6
    lateral = radii[3] * np.sin(np.clip(angle, -1.57, 1.57))
    shape = ((s - centre) / half) ** 4 + (lateral / (0.80 * radii[3])) ** 4
    shape = np.where(np.abs(angle) < 1.5, shape, 9.0)
    nail = 1 - ramp(np.asarray(shape, np.float32), 0.85, 1.1)
    rim = np.exp(-(((shape - 1.05) / 0.28) ** 2)) * (s < centre + 4)
    moon = nail * np.exp(-(((s - centre + half) / 2.2) ** 2)) * np.exp(-((lateral / 3.2) ** 2))
    tip = nail * ramp(s, centre + half - 1.9, centre + half - 0.9)
    red = 0.9 * ramp(s, stops[2] - 12, stops[2] + 2) + 0.3 * np.exp(-(((s - stops[0]) / 8) ** 2))
    out = {"crease": front * palmar + back * (1 - palmar) + 0.8 * rim, "nail": nail, "red": red * (1 - nail)}
    out |= {"knuckle": knuckle * (1 - palmar), "lunula": np.clip(moon * 0.7 + tip, 0, 1)}
    return {name: np.asarray(value * mine, np.float32) for name, value in out.items()}


def decorate(points: F32, normals: F32, weights: F32, rng: np.random.Generator) -> F32:
    """Skin details (n, len(DETAILS))."""
    out = np.zeros((len(points), len(DETAILS)), np.float32)
    palmar = ramp(-normals[:, 2], -0.15, 0.45)
    fingers = []
    for finger in range(5):
        first = 3 + 6 * finger + (2 if finger == 4 else 0)
        mine = ramp(weights[:, first : 9 + 6 * finger].sum(1), 0.15, 0.6)
        back = finger_axes(finger)[2]
        side = ramp(-(normals @ back), -0.15, 0.45)
        palmar = palmar * (1 - mine) + side * mine
        fingers.append((finger, mine, side))
    for finger, mine, side in fingers:
        for name, value in _finger_details(points, finger, mine, side).items():
            out[:, DETAILS.index(name)] += value
    palm = palmar * (weights[:, 0] + weights[:, 27] + weights[:, 28])
    heart = [(42.0, 64.0), (25.0, 66.0), (8.0, 70.0), (-7.0, 78.0), (-13.0, 87.0)]
    head = [(-40.0, 66.0), (-22.0, 64.0), (-2.0, 57.0), (16.0, 46.0), (28.0, 38.0)]
    life = [(-40.0, 67.0), (-22.0, 60.0), (-9.0, 46.0), (-3.0, 28.0), (-6.0, 6.0)]
    lines = sum((_line(points, line, 0.95) for line in (heart, head, life)), np.zeros(len(points), np.float32))
    fine = _line(points, [(6.0, 12.0), (2.0, 40.0), (-2.0, 66.0)], 0.7) * 0.5
    bracelet = sum((np.exp(-(((points[:, 1] - y + 0.03 * points[:, 0]) / 0.9) ** 2)) for y in (0.0, -7.0)), 0 * fine)
    out[:, 0] += palm * (lines + fine) + 0.7 * palmar * bracelet
    veins = np.zeros(len(points), np.float32)
    for line in (
        [(-6.0, -20.0), (-12.0, 20.0), (-14.0, 50.0), (-17.0, 82.0)],
        [(10.0, -20.0), (6.0, 22.0), (9.0, 48.0), (6.0, 80.0)],
        [(9.0, 48.0), (22.0, 62.0), (26.0, 76.0)],
    ):
        veins += _line(points, line, 2.2)
    out[:, 6] = veins * (1 - palmar) * weights[:, :3].sum(1)
    pads = np.exp(-(((points[:, 1] - 76) / 10) ** 2)) + np.exp(-(((points[:, 0] - 30) / 12) ** 2))
    out[:, 3] += palm * np.clip(pads, 0, 1) * 0.6
    out[:, 2] = palmar * (0.45 + 0.55 * ramp(points[:, 1], -28, 4))
    out[:, 6] *= ramp(points[:, 1], -29, -5)
    blotch = np.sin(points @ np.array([0.11, 0.07, 0.05]) + 1) * np.sin(points @ np.array([-0.06, 0.13, 0.09]))
    out[:, 7] = 0.5 * blotch + 0.6 * rng.normal(0, 1, len(points))
    return out


def hand_albedo(details: F32, cloth: NDArray[np.bool_], appearance: HandAppearance) -> tuple[F32, F32, F32]:
    """Linear RGB (n, 3), gloss (n,) and softness (n,) of points with those details (n, len(DETAILS))."""
    d = dict(zip(DETAILS, details.T, strict=True))
    skin, blood = skin_rgb(appearance.tone) * appearance.tint, skin_rgb(appearance.tone, blood=True) * appearance.tint
    pale = skin + (linear([226, 168, 146]) - skin) * 0.62 * appearance.tone  # palms of dark hands are light
    palmar = (d["palmar"] * (0.25 + 0.75 * appearance.tone))[:, None]
    rgb = skin + (pale - skin) * palmar
    flush = np.clip(d["red"] * 0.55 + d["palmar"] * 0.28 + 0.10 * d["grain"], 0, 1)[:, None] * (
        1 - 0.35 * appearance.tone
    )
    rgb = rgb + (blood + (pale - skin) * palmar * 0.7 - rgb) * flush
    dark = (
        0.42 * np.clip(d["crease"], 0, 1.3) * appearance.detail
        + d["knuckle"] * (0.10 + 0.22 * appearance.tone) * appearance.detail
    )
    dark = dark + 0.13 * d["vein"] * appearance.detail * (1 - appearance.tone) - 0.035 * d["grain"]
    rgb = rgb * (1 - np.clip(dark[:, None], -0.3, 0.85) * np.array([0.75, 1.0, 1.0], np.float32))
    if appearance.varnish is None:
        nail = rgb * 0.35 + 0.65 * (skin * 0.45 + linear([232, 176, 165]) * (0.62 - 0.2 * appearance.tone))
        nail = nail + (linear([238, 218, 205]) * (0.85 - 0.25 * appearance.tone) - nail) * (0.6 * d["lunula"])[:, None]
    else:
        nail = np.broadcast_to(appearance.varnish, rgb.shape)
    rgb = rgb + (nail - rgb) * d["nail"][:, None]
    gloss = 0.055 + d["nail"] * (0.16 if appearance.varnish is None else 0.4) + 0.02 * d["grain"].clip(-1, 1)
    weave = 1 + 0.05 * d["grain"][:, None]
    rgb = np.where(cloth[:, None], appearance.cloth * weave, rgb)
    skinlike = np.where(cloth, 0.0, 1.0 - 0.6 * d["nail"])
    return (
        np.asarray(np.clip(rgb, 0.003, 1), np.float32),
        np.asarray(np.where(cloth, 0.01, gloss), np.float32),
        np.asarray(skinlike, np.float32),
    )


def dress(rest: F32, normals: F32, cuff: float) -> tuple[F32, F32, NDArray[np.bool_]]:
    """Put a folded sleeve on forearm points that lie more than `cuff` mm below the wrist."""
    edge = cuff + 30.0 + 3.0 * np.sin(np.arctan2(rest[:, 0], rest[:, 2]) * 2 + cuff)
    beyond = -rest[:, 1] - edge
    cloth = beyond > 0
    wave = beyond * 0.16 + 1.7 * np.sin(rest[:, 0] * 0.07 + cuff) + rest[:, 2] * 0.05
    swell = cloth * (5.5 + 1.6 * np.sin(wave) + 1.5 * (beyond < 9))
    lean = normals.copy()
    lean[:, 1] += cloth * 0.26 * np.cos(wave)
    return np.asarray(rest + normals * swell[:, None], np.float32), unit(lean), np.asarray(cloth, np.bool_)
