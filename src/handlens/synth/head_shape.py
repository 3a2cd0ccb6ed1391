"""The shape of a head as a picture of points: a loft of face sections with nose, eyes, lips and chin worked into it.

It must not know about colour, hair, cameras or hands. Millimetres; y = 0 at the eyes, x to the right of the picture,
z out of the face.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import cv2
import numpy as np

from handlens.synth.face_features import EYE_R, EYE_X, EYE_Z, MOUTH_Y, Face, HeadForm, bump, lid_lines, lip_lines
from handlens.synth.hand_skin import ramp
from handlens.synth.rasterize import F32, unit

#: y, half width, front, back, centre of the section; from the crown down the middle of the face to below the chin
_SECTIONS = (
    (117, 0, -14, -14, -14), (115, 20, 8, -38, -14), (110, 36, 32, -60, -13), (101, 50, 52, -76, -13),
    (88, 60, 71, -88, -13), (70, 68, 83, -96, -13), (50, 72.5, 89.5, -100, -12), (32, 74, 91.5, -100, -11),
    (16, 73.5, 91.5, -98, -10), (2, 72.5, 88.5, -94, -9), (-15, 71, 88, -88, -7), (-35, 69, 90, -78, -4),
    (-52, 66.5, 92, -68, 0), (-68, 63.0, 92, -50, 8), (-82, 57.5, 90.5, -25, 20), (-95, 48, 92, 5, 34),
    (-106, 36, 88.5, 26, 46), (-113, 24, 80, 40, 54), (-117, 11, 70, 52, 58), (-118, 0, 62, 60, 61),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """The head's skin as pictures (rows from the crown down, columns around from the back).

    Attributes:
        points, normals: (h, w, 3) float32 mm.
        flat: (h, w, 2) float32: frontal coordinates before any personal change; features are drawn in these.
        front: (h, w) float32, 1 on the front half.
        open: (h, w) bool, False inside the eye openings.
        angle: (w,) radians from the front, toward +x.
    """

    points: F32
    normals: F32
    flat: F32
    front: F32
    open: np.ndarray = field(repr=False)
    angle: F32


_NOSE = 0.93  # the profile below is drawn for a slightly longer nose


@lru_cache(maxsize=4)
def loft(rows: int, columns: int) -> tuple[F32, F32, F32]:
    """Return the head without features: points (rows, columns, 3), section table (rows, 5), angles (columns,)."""
    table = np.asarray(_SECTIONS, np.float64)
    step = np.hypot(np.diff(table[:, 0]), 0.7 * np.hypot(np.diff(table[:, 1]), np.diff(table[:, 2])))
    at = np.concatenate([[0], np.cumsum(step)])
    fine = np.linspace(0, at[-1], 1600)
    dense = np.stack([np.interp(fine, at, table[:, c]) for c in range(5)], axis=1)
    for _ in range(3):
        dense = cv2.blur(np.pad(dense, ((60, 60), (0, 0)), "reflect", reflect_type="odd"), (1, 61))[60:-60]
    dense[:, 1] = np.maximum(dense[:, 1], 0.05)
    keep = np.linspace(0, 1599, rows)
    sections = np.stack([np.interp(keep, np.arange(1600), dense[:, c]) for c in range(5)], axis=1)
    u = np.linspace(-1, 1, columns, endpoint=False)
    angle = np.pi * (0.55 * u + 0.45 * u**3)  # columns are densest in front
    y, w, front, back, centre = (sections[:, c : c + 1] for c in range(5))
    power = np.interp(y, [-110, -60, -20, 40, 110], [2.1, 2.25, 2.45, 2.4, 2.05])
    sine, cosine = np.sin(angle)[None], np.cos(angle)[None]
    x = w * np.sign(sine) * np.abs(sine) ** (2 / power)
    depth = np.where(cosine > 0, front - centre, centre - back)
    z = centre + depth * np.sign(cosine) * np.abs(cosine) ** (2 / power)
    points = np.stack([x, np.broadcast_to(y, x.shape), z], axis=-1)
    return np.asarray(points, np.float32), np.asarray(sections, np.float32), np.asarray(angle, np.float32)


def _nose(x: F32, y: F32, form: HeadForm) -> F32:
    """Height of the nose over the face."""
    long, wide, high = form.nose
    v = y / (long * _NOSE) - 0.035 * np.minimum(x * x, 150) * ramp(-y, 35, 48)
    ridge = np.interp(v, [-57, -53.5, -50.5, -47, -42, -36, -26, -14, -2, 6, 14, 22],
                      [0, 3.0, 13, 20.5, 23.5, 22.5, 18.0, 12.5, 7.0, 4.0, 2.0, 0])  # fmt: skip
    width = np.interp(v, [-57, -48, -42, -30, -10, 8, 20], [12.0, 11.5, 11.5, 9.8, 8.4, 7.4, 9.5]) * wide
    body = (ridge * high + 2.0 * np.exp(-(((v + 41) / 8) ** 2))) * np.exp(-(np.abs(x / width) ** 2.15))
    ax = np.abs(x)
    flank = np.interp(v, [-55, -44, -20, 5], [5.0, 6.0, 4.0, 0.0]) * np.exp(-((x / (16 * wide)) ** 2)) * (v > -60)
    wing = 7.0 * bump(ax, v, 13.4 * wide, -49.0, 4.8 * wide, 5.8, 2.2)
    hole = -6.0 * bump(ax, v, 7.2 * wide, -54.0, 3.2 * wide, 2.2)
    groove = -1.3 * bump(ax, v, 18.8 * wide, -47, 2.6, 5.0)
    return np.asarray(body + flank * ramp(v, -58, -52) + wing + hole + groove, np.float32)


def _lips(x: F32, y: F32, form: HeadForm) -> F32:
    """Height of mouth and lips."""
    upper, line, lower = lip_lines(x, form.lips)
    inside = np.clip(1 - (x / 27.0) ** 2, 0, 1)
    above = np.clip((y - line) / np.maximum(upper - line, 0.8), -2, 3)
    below = np.clip((line - y) / np.maximum(line - lower, 0.8), -2, 3)
    full = 3.4 * np.exp(-(((above - 0.55) / 0.55) ** 2)) + 4.4 * np.exp(-(((below - 0.5) / 0.52) ** 2))
    seam = -3.4 * np.exp(-(((y - line) / 1.25) ** 2)) * np.clip(1.05 - (x / 26.0) ** 4, 0, 1)
    corner = -2.6 * bump(np.abs(x), y, 27.0, MOUTH_Y - 1, 4.0, 4.0)
    muzzle = 4.2 * np.exp(-((x / 27) ** 2) - ((y - MOUTH_Y - 2) / 16) ** 2)
    gutter = -1.1 * bump(x, y, 0, MOUTH_Y + 11, 2.6, 4.5) + 0.6 * bump(np.abs(x), y, 5.0, MOUTH_Y + 11, 1.8, 4.5)
    fold = -3.6 * bump(x, y, 0, MOUTH_Y - 17, 19, 5.0)
    return np.asarray((full * form.lips**0.6 + seam) * inside + corner + muzzle + gutter + fold, np.float32)


def features(flat: F32, form: HeadForm) -> F32:
    """Millimetres to add along z at frontal coordinates (n, 2)."""
    x, y = flat[:, 0], flat[:, 1]
    ax = np.abs(x)
    gap = EYE_X * form.eyes[1]
    out = -8.5 * bump(ax, y, gap, 3, 19, 13) - 3.5 * bump(ax, y, 16.5, -4, 7, 10)
    arch = np.asarray(y - 16.5 - 4.5 * np.clip(1 - ((ax - 33) / 30) ** 2, -0.5, 1), np.float32)
    out += (2.2 + form.brow) * bump(ax, arch, 28, 0.0, 23, 7.5) - 1.2 * bump(x, y, 0, 12, 9, 6)
    out += (3.6 + form.cheek) * bump(ax, y, 46, -19, 15, 14) + (form.cheek - 2.6) * bump(ax, y, 47, -60, 13, 18)
    out += 1.8 * form.cheek * bump(ax, y, 34, -45, 14, 16)
    out += (4.6 + form.chin) * bump(x, y, 0, -98, 17, 10) - form.cleft * bump(x, y, 0, -101, 2.5, 7)
    fold = 19.0 + (-45.0 - y) * 0.46  # from the wing of the nose down past the corner of the mouth
    depth = ramp(y, -76, -58) * (1 - ramp(y, -46, -40))
    out += depth * (-0.8 * np.exp(-(((ax - fold) / 3.0) ** 2)) + 1.1 * np.exp(-(((ax - fold - 8) / 6.5) ** 2)))
    out += 1.0 * bump(ax, y, gap + 2, -17, 14, 5) - 1.2 * bump(ax, y, gap - 4, -13, 13, 2.6)
    out += _nose(x, y, form) + _lips(x, y, form)
    return np.asarray(out, np.float32)


def _lids(points: F32, flat: F32, form: HeadForm, face: Face) -> tuple[F32, np.ndarray]:
    """Lays the skin around each eye over the eyeball; also which points are not inside an opening."""
    x, y = flat[:, 0], flat[:, 1]
    gap = EYE_X * form.eyes[1]
    dx, dy = np.abs(x) - gap, y
    away = dx * dx + dy * dy
    ball = EYE_Z + np.sqrt(np.clip((EYE_R + 1.3) ** 2 - away, 0, None))
    z = points[:, 2]
    near = away < (EYE_R + 1.0) ** 2
    soft = 2.2
    rise = np.where(near, np.maximum(ball - z, 0) + soft * np.log1p(np.exp(-np.abs(z - ball) / soft)), 0)
    rise *= 1 - ramp(np.sqrt(away).astype(np.float32), EYE_R - 3.0, EYE_R + 1.0)
    upper, lower = lid_lines(np.asarray(dx, np.float32), form, face.blink)
    crease = np.exp(-(((y - upper - 4.6 + 2.2 * face.blink) / 1.1) ** 2)) * (np.abs(dx) < 15) * (1 - 0.6 * face.blink)
    bag = np.exp(-(((y - lower + 4.0) / 1.0) ** 2)) * (np.abs(dx) < 13)
    rise -= (1.3 * crease + 0.45 * bag) * np.clip(1.2 - (dx / 16) ** 2, 0, 1)
    size = form.eyes[0]
    opening = (y < upper) & (y > lower) & (np.abs(dx) < 13.4 * size)
    return np.asarray(rise, np.float32), ~opening


def _express(points: F32, flat: F32, face: Face) -> F32:
    """Move the skin: jaw, corners of the mouth, brows."""
    x, y = flat[..., 0], flat[..., 1]
    out = points.copy()
    if face.open:
        _, line, _ = lip_lines(x, 1.0)
        down = ramp(np.asarray(line - y, np.float32), -0.6, 0.6) * ramp(points[..., 2], 0, 45)
        down = down * (1 - 0.85 * ramp(np.abs(x), 20, 30) * (1 - ramp(-y, 68, 92)))
        angle = np.deg2rad(13.0) * face.open * down
        dy, dz = out[..., 1] + 12.0, out[..., 2] - 8.0
        out[..., 1] = -12.0 + dy * np.cos(angle) - dz * np.sin(angle)
        out[..., 2] = 8.0 + dy * np.sin(angle) + dz * np.cos(angle)
    if face.smile:
        pull = bump(np.abs(x), y, 25.0, MOUTH_Y, 13.0, 11.0) * face.smile
        out[..., 0] += 4.5 * np.sign(x) * pull
        out[..., 1] += 4.5 * pull
        out[..., 2] -= 2.5 * pull
        out[..., 2] += 3.2 * bump(np.abs(x), y, 37.0, -33.0, 13.0, 11.0) * max(face.smile, 0)
    if face.raised:
        lift = ramp(y, 9, 22) * (1 - ramp(y, 30, 65)) * face.raised * ramp(points[..., 2], 20, 60)
        out[..., 1] += 5.0 * lift
    return np.asarray(out, np.float32)


def personal(points: F32, form: HeadForm) -> F32:
    """Return the personal proportions of any point of the head (..., 3)."""
    out = points.copy()
    low = ramp(-out[..., 1], 15, 100)
    out[..., 0] *= form.width * (1 + (form.jaw - 1) * low)
    out[..., 1] *= 1 + (form.length - 1) * ramp(-out[..., 1], -10, 40)
    return np.asarray(out, np.float32)


def build_head(form: HeadForm, face: Face, rows: int = 520, columns: int = 680) -> HeadGrid:
    """Return the skin of one head with one expression."""
    base, _, angle = loft(rows, columns)
    points = base.copy()
    flat = np.ascontiguousarray(base[..., :2])
    front = ramp(base[..., 2], 15, 45)
    rows_in = np.flatnonzero(front.ravel() > 0)
    some, where = points.reshape(-1, 3), flat.reshape(-1, 2)[rows_in]
    some[rows_in, 2] += features(where, form) * front.ravel()[rows_in]
    rise, is_open = _lids(some[rows_in], where, form, face)
    some[rows_in, 2] += rise
    opened = np.ones(base.shape[:2], bool)
    opened.ravel()[rows_in] = is_open
    if face.open > 0.04:  # the skin tears between the lips
        torn = np.abs(flat[..., 1] - lip_lines(flat[..., 0], form.lips)[1]) < 0.75
        opened &= ~(torn & (np.abs(flat[..., 0]) < 23) & (front > 0.5))
    points = personal(_express(points, flat, face), form)
    around = np.concatenate([points[:, -1:], points, points[:, :1]], axis=1)
    across = around[:, 2:] - around[:, :-2]
    down = np.gradient(points, axis=0)
    normals = unit(np.cross(down, across))
    return HeadGrid(points, normals, flat, front, opened, angle)
