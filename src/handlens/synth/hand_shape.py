"""The shape of one right hand at rest: a cloud of skin points with bone weights and drawn-on skin details.

It must not know about poses, cameras or pictures. Millimetres; origin at the wrist, +y along the fingers, +z out of the
back of the hand, the thumb on the -x side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import BONES, FINGERS, THUMB_LENGTHS, finger_axes
from handlens.synth.hand_skin import DETAILS, along, decorate, ramp
from handlens.synth.rasterize import F32, unit

_BLEND = 3.0


@dataclass(frozen=True, eq=False)
class HandShape:
    """Points of the hand and then of the forearm (`arm_rows` onward), grouped by the bones that move them.

    Attributes:
        points: (n, 3) float32 mm.
        normals: (n, 3) float32.
        groups: (first row, end, bones, weights (end - first, len(bones))); in random order within a group.
        details: (n, len(DETAILS)) float32, about 0 to 1.
        arm_rows: first row of the forearm.
    """

    points: F32
    normals: F32
    groups: tuple[tuple[int, int, tuple[int, ...], F32], ...]
    details: F32
    arm_rows: int


def _cones() -> list[tuple[F32, F32, float, float]]:
    """Return the hand as tapered capsules: end, end, radius, radius."""
    cones: list[tuple[F32, F32, float, float]] = []

    def cone(a: object, b: object, ra: float, rb: float) -> None:
        cones.append((np.asarray(a, np.float32), np.asarray(b, np.float32), ra, rb))

    for finger in range(5):
        root, axis, back, lengths, radii = finger_axes(finger)
        stops = np.concatenate([[0.0], np.cumsum(lengths)])
        for j in range(3):
            a, b = root + axis * stops[j], root + axis * stops[j + 1]
            if not (finger == 4 and j == 0):
                cone(a, b, radii[j] - 1.6, radii[j + 1] - 1.6)
                middle = (a + b) / 2 - back * 1.6
                cone(middle - axis * 5, middle + axis * 5, *(2 * [(radii[j] + radii[j + 1]) / 2 - 1.9]))
        pulp = root + axis * (stops[3] - 3.0) - back * 1.0
        cone(pulp, pulp + axis * 2.5, radii[3] - 1.0, radii[3] - 1.4)
        if finger < 4:
            knuckle = root + back * 2.0
            cone(knuckle, knuckle - axis * 6, 8.2, 7.4)
            carpal = np.array([0.45 * root[0] + 1.0, 10.0, 1.0], np.float32)
            cone(carpal, root - np.array([0, 2, 1.5], np.float32), 10.2, 9.0)
            cone(carpal + np.array([0, 16, 7.0]), root + np.array([0, -10, 6.0], np.float32), 2.2, 2.4)
            if finger < 3:  # web of skin between neighbours
                other = np.asarray(FINGERS[finger + 1][0], np.float32)
                cone(root + np.array([0, 9, -4]), other + np.array([0, 9 if finger < 2 else 12, -4]), 5.4, 5.4)
    root, axis, _, lengths, _ = finger_axes(4)
    joint = root + axis * lengths[0]
    cone(root, joint, 11.0, 9.3)
    cone(root + np.array([3, 6, -4]), root + axis * 30 + np.array([7, 3, -3]), 11.5, 8.5)  # ball of the thumb
    cone(root + axis * 34 + np.array([3, 4, 1]), np.array([-24, 74, -3], np.float32), 6.5, 7.0)  # thumb web
    cone(root + axis * 24 + np.array([5, 5, 1]), np.array([-20, 60, -2], np.float32), 7.5, 8.0)
    cone((24.0, 16.0, -6.0), (31.0, 56.0, -5.0), 10.0, 9.0)  # heel of the hand
    cone((-18.0, 74.0, -5.0), (24.0, 70.0, -6.0), 7.5, 7.0)  # pads below the fingers
    for x in (-13.0, 13.0):
        cone((x * 0.95, -34.0, 0.0), (x, 14.0, 0.0), 14.5, 13.5)
    return cones


def _field(step: float) -> tuple[F32, F32]:
    """Smooth union of the cones on a grid: distance (nx, ny, nz) and the grid's lowest corner."""
    low, high = np.array([-100.0, -34.0, -52.0]), np.array([82.0, 196.0, 32.0])
    axes = [np.arange(a, b, step, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    total = np.full([len(a) for a in axes], 1e-5, np.float32)
    for a, b, ra, rb in _cones():
        reach = max(ra, rb) + 7 * _BLEND
        cut = [
            slice(
                int(np.searchsorted(axes[i], min(a[i], b[i]) - reach)),
                int(np.searchsorted(axes[i], max(a[i], b[i]) + reach)),
            )
            for i in range(3)
        ]
        gx, gy, gz = np.meshgrid(*[axes[i][cut[i]] for i in range(3)], indexing="ij", sparse=True)
        ab = b - a
        along = ((gx - a[0]) * ab[0] + (gy - a[1]) * ab[1] + (gz - a[2]) * ab[2]) / max(float(ab @ ab), 1e-6)
        along = np.clip(along, 0, 1)
        away = np.sqrt(
            (gx - a[0] - along * ab[0]) ** 2 + (gy - a[1] - along * ab[1]) ** 2 + (gz - a[2] - along * ab[2]) ** 2
        )
        total[cut[0], cut[1], cut[2]] += np.exp(-(away - (ra + (rb - ra) * along)) / _BLEND)
    return np.asarray(-_BLEND * np.log(total), np.float32), np.asarray(low, np.float32)


def _look_up(fields: F32, at: F32) -> F32:
    """Trilinear values (n, c) of (nx, ny, nz, c) at grid coordinates (n, 3)."""
    base = np.clip(np.floor(at).astype(np.int32), 0, np.array(fields.shape[:3]) - 2)
    part = (at - base).astype(np.float32)
    flat = fields.reshape(-1, fields.shape[3])
    ny, nz = fields.shape[1:3]
    out = np.zeros((len(at), fields.shape[3]), np.float32)
    for corner in range(8):
        bit = np.array([corner >> 2 & 1, corner >> 1 & 1, corner & 1])
        weight = np.prod(np.where(bit, part, 1 - part), axis=1)
        i = base + bit
        out += weight[:, None] * flat[(i[:, 0] * ny + i[:, 1]) * nz + i[:, 2]]
    return out


def _surface(rng: np.random.Generator, count: int, step: float) -> tuple[F32, F32]:
    """Evenly spread points on the surface, and their outward normals."""
    distance, low = _field(step)
    fields = np.stack([distance, *np.gradient(distance, step)], axis=-1).astype(np.float32)
    shell = np.argwhere(np.abs(distance[1:-2, 1:-2, 1:-2]) < 1.9 * step) + 1
    at = np.asarray(shell[rng.integers(0, len(shell), int(count * 2.6))], np.float32)
    at += rng.uniform(-0.5, 0.5, at.shape).astype(np.float32)
    at = at[np.abs(_look_up(fields, at)[:, 0]) < step][:count]
    for _ in range(3):
        value = _look_up(fields, at)
        slope = value[:, 1:]
        at = at - slope * (value[:, :1] / np.maximum((slope**2).sum(1, keepdims=True), 0.1)) / step
    points = at * step + low
    keep = points[:, 1] > -30
    return np.asarray(points[keep], np.float32), unit(_look_up(fields, at[keep])[:, 1:])


def _joint(weights: F32, prev: int, half: int, after: int, u: F32) -> None:
    """Hands the share that sits on `prev` over to `half` and `after` as u goes from 0 to 1."""
    share = weights[:, prev].copy()
    weights[:, prev] = share * np.clip(1 - 2 * u, 0, 1)
    weights[:, half] += share * (1 - np.abs(2 * u - 1))
    weights[:, after] += share * np.clip(2 * u - 1, 0, 1)


def _weigh(points: F32) -> F32:
    """Bone weights (n, BONES)."""
    n = len(points)
    weights = np.zeros((n, BONES), np.float32)
    near = np.empty((n, 5), np.float32)
    for finger in range(5):
        s, away, _ = along(points, finger)
        lengths, radii = finger_axes(finger)[3:]
        near[:, finger] = away - np.interp(s, np.concatenate([[0], np.cumsum(lengths)]), radii)
    owner = np.exp(-np.clip(near[:, :4] - near[:, :4].min(1, keepdims=True), 0, 60) / 2.0)
    owner /= owner.sum(1, keepdims=True)
    thumb_s, thumb_away, _ = along(points, 4)
    on_thumb = ramp(-(thumb_away - 0.10 * np.clip(thumb_s, 0, 60)), -27, -13) * ramp(thumb_s, 0, 22)
    on_thumb *= 1 - ramp(points[:, 1], 78, 92) * ramp(near[:, 4], 2, 8)
    rest = 1 - on_thumb
    weights[:, 27] = on_thumb * (1 - ramp(thumb_s, 18, 34))  # half of the root joint
    weights[:, 28] = on_thumb * ramp(thumb_s, 18, 34)
    _joint(weights, 28, 29, 30, ramp(thumb_s, THUMB_LENGTHS[0] - 8, THUMB_LENGTHS[0] + 8))
    _joint(weights, 30, 31, 32, ramp(thumb_s, sum(THUMB_LENGTHS[:2]) - 7, sum(THUMB_LENGTHS[:2]) + 7))
    for finger in range(4):
        s, _, angle = along(points, finger)
        low = np.asarray(4.0 - 4.0 * np.cos(angle), np.float32)  # palm skin folds nearer to the web than the knuckle
        u = ramp(np.asarray(s - low, np.float32), -11, 11)
        first = 3 + 6 * finger
        share = rest * owner[:, finger]
        weights[:, 0] += share * np.clip(1 - 2 * u, 0, 1)
        weights[:, first] += share * (1 - np.abs(2 * u - 1))
        weights[:, first + 1] += share * np.clip(2 * u - 1, 0, 1)
        lengths = FINGERS[finger][2]
        _joint(weights, first + 1, first + 2, first + 3, ramp(s, lengths[0] - 7, lengths[0] + 7))
        _joint(weights, first + 3, first + 4, first + 5, ramp(s, sum(lengths[:2]) - 5, sum(lengths[:2]) + 5))
    _joint(weights, 0, 1, 2, ramp(-points[:, 1], -14, 26))
    return weights


def _forearm(rng: np.random.Generator, count: int) -> tuple[F32, F32]:
    """Points and normals of the forearm, from the wrist to the elbow."""
    y = -rng.uniform(29.6, 265.0, count).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    stops = [-265.0, -200.0, -120.0, -75.0, -29.6]
    wide, deep = np.interp(y, stops, [43, 44, 39, 31.5, 26.8]), np.interp(y, stops, [38, 38, 31, 21.5, 14.4])
    power = np.interp(y, [-130.0, -29.6], [2.0, 2.6])  # the wrist is flat, the arm round
    sine, cosine = np.sin(angle), np.cos(angle)
    x = wide * np.sign(sine) * np.abs(sine) ** (2 / power)
    z = deep * np.sign(cosine) * np.abs(cosine) ** (2 / power)
    points = np.stack([x, y, z], axis=1)
    nx = np.sign(x) * np.abs(x / wide) ** (power - 1) / wide
    nz = np.sign(z) * np.abs(z / deep) ** (power - 1) / deep
    normals = np.stack([nx, 0.10 * np.hypot(nx, nz) * ramp(-y, 30, 60), nz], axis=1)
    return np.asarray(points, np.float32), unit(normals)


def _grouped(weights: F32, arm_rows: int) -> tuple[NDArray[np.int64], list[tuple[int, int, tuple[int, ...], F32]]]:
    """Return an order of the rows in which points of the same bones lie together, and the groups in that order."""
    weights = np.where(weights < np.minimum(0.06, np.sort(weights, axis=1)[:, -3:-2]), 0, weights)
    _, inverse = np.unique(weights > 0, axis=0, return_inverse=True)
    rare = np.bincount(inverse.ravel())[inverse.ravel()] < 400  # each group costs a fixed time per picture
    weights[rare] = np.where(weights[rare] < np.sort(weights[rare], axis=1)[:, -2:-1], 0, weights[rare])
    weights /= weights.sum(1, keepdims=True)
    key = (weights > 0) @ (2.0 ** np.arange(BONES)) + (np.arange(len(weights)) >= arm_rows) * 2.0**BONES
    order = np.argsort(key, kind="stable")
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    groups = []
    for first, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(order)], strict=True):
        used = np.flatnonzero(weights[order[first]])
        share = weights[order[first:end]][:, used].astype(np.float32)
        groups.append((first, end, tuple(int(b) for b in used), share))
    return order, groups


@lru_cache(maxsize=1)
def hand_shape(hand_points: int = 150_000, arm_points: int = 80_000) -> HandShape:
    """Return the hand, built once per process (about two seconds) from a fixed seed."""
    rng = np.random.default_rng(7)
    points, normals = _surface(rng, hand_points, 1.4)
    weights = _weigh(points)
    details = decorate(points, normals, weights, rng)
    arm, arm_normals = _forearm(rng, arm_points)
    arm_weights = np.zeros((len(arm), BONES), np.float32)
    arm_weights[:, 0] = 1
    _joint(arm_weights, 0, 1, 2, ramp(-arm[:, 1], -14, 26))
    arm_details = np.zeros((len(arm), len(DETAILS)), np.float32)
    arm_details[:, 2] = 0.45 * ramp(-arm_normals[:, 2], -0.2, 0.6)
    arm_details[:, 7] = rng.normal(0, 0.6, len(arm))
    order, groups = _grouped(np.concatenate([weights, arm_weights]), len(points))
    return HandShape(
        np.concatenate([points, arm])[order],
        np.concatenate([normals, arm_normals])[order],
        tuple(groups),
        np.concatenate([details, arm_details])[order],
        len(points),
    )
