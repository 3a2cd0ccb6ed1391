"""Looks at hands for the training: photographs moved, hands laid on grounds, and crops without a hand; knows no nets.

Every look is a dict of arrays; what its source does not say is marked so, and the losses leave it out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.train.augment.photometric import light_and_lens, motion_blur, noise
from handlens.types import IGNORE
from recipes.hand.cache import PHOTO_SPAN, Cutout, Ground, Shown, opened

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Matrix = NDArray[np.float64]
Look = dict[str, NDArray[Any]]

SPAN = 1.6
"""Side of the net's input in longer sides of the box around the landmarks, on average: 1.2 of the finder's box."""
MIRRORED = 0.5
"""Share of hands with landmarks that are mirrored: most sources show one side only, which would give the side away.
From ImageNet weights alone a run began with 0.2 (`--mirrored`): with a half, all fingers lay in the middle of the hand
after 1,400 steps, perhaps as index and little finger could not be told apart; other settings changed with it."""
PHOTOS = {"asl_photos": 0.16, "sign_digits": 0.18, "massey_black": 0.12, "epsrc_composites": 0.12, "hands_white": 0.05,
          "hgr1": 0.03, "touch": 0.34}  # fmt: skip
CUTOUTS = {"asl_photos": 0.15, "sign_digits": 0.22, "massey_black": 0.2, "epsrc_composites": 0.06, "hands_white": 0.15,
           "hgr1": 0.03, "rendered": 0.19}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Odds:
    """Rows and how often each is drawn."""

    rows: Sequence[Any]
    share: NDArray[np.float64]

    def next(self, rng: Generator) -> Any:
        """Return a row."""
        return self.rows[int(np.searchsorted(self.share, rng.random() * self.share[-1]))]


def odds_of(rows: Sequence[Any], weight: Sequence[float]) -> Odds:
    """Return rows with their weights."""
    return Odds(rows, np.cumsum(np.asarray(weight, np.float64)))


def by_source(rows: Sequence[Shown | Cutout], shares: dict[str, float]) -> Odds:
    """Return rows so that sources come by their shares, and in one, all signs and persons nearly alike."""
    kind = [row.source.split(":")[0].replace("touch4", "touch") for row in rows]
    alike = [(k, row.sign if row.sign >= 0 else row.person) for k, row in zip(kind, rows, strict=True)]
    count = Counter(alike)
    weight = np.array([count[key] ** -0.6 for key in alike])
    total: dict[str, float] = defaultdict(float)
    for k, w in zip(kind, weight, strict=True):
        total[k] += float(w)
    return odds_of(rows, [shares.get(k, 0.0) * w / total[k] for k, w in zip(kind, weight, strict=True)])


def by_label(rows: Sequence[Shown]) -> Odds:
    """Return labelled crops: both labels of a source alike often; one of one label, which gives it away, half."""
    count = Counter((row.source, row.hold) for row in rows)
    total = Counter(row.source for row in rows)
    weight = []
    for row in rows:
        both = count[row.source, 1 - row.hold] > 0
        mass = total[row.source] ** 0.75 * (1.0 if both else 0.5)
        if row.source == "holding/generated":
            mass *= 0.25
        weight.append(mass * (0.5 if both else 1.0) / count[row.source, row.hold])
    # all in all as many that hold as not
    held = np.array([row.hold == 1 for row in rows])
    scaled = np.array(weight)
    scaled[held] /= scaled[held].sum()
    scaled[~held] /= scaled[~held].sum()
    return odds_of(rows, scaled.tolist())


def blank(size: int) -> Look:
    """Return a look of which nothing is known."""
    return {
        "points": np.zeros((21, 2), np.float32), "known": np.zeros(21, np.float32),
        "parts": np.full((size // 8, size // 8), IGNORE, np.uint8), "present": np.array([1.0, 0.0], np.float32),
        "right": np.array([0.0, 0.0], np.float32), "fingers": np.full(5, -1.0, np.float32), "sign": np.array(-1),
        "hold": np.array([-1.0, 0.0], np.float32), "kind": np.array(-1),
    }  # fmt: skip


def with_points(look: Look, points: F32, size: int, worth: float = 1.0) -> None:
    """Note landmarks in pixels of the input, those outside as unknown."""
    share = (points + 0.5) / size
    inside = ((share > 0.005) & (share < 0.995)).all(1)
    look["points"] = np.asarray(share, np.float32)
    look["known"] = np.asarray(inside * np.float32(worth if inside.sum() > 11 else 0.0), np.float32)


def with_hand(look: Look, row: Shown | Cutout, mirrored: bool) -> None:
    """Note what is known of a hand whatever its place."""
    if row.side >= 0:
        look["right"] = np.array([1 - row.side if mirrored else row.side, 1.0], np.float32)
    look["fingers"] = np.array(row.fingers, np.float32)
    look["sign"] = np.array(row.sign)


def affine(centre: F32, scale: float, angle: float, mirrored: bool, to: F32, squeeze: float = 1.0) -> Matrix:
    """Return (2, 3): `centre` goes to `to`, first mirrored, then squeezed across, turned by `angle` and scaled."""
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    m = np.array([[cos, -sin], [sin, cos]]) @ np.diag([squeeze * (-1.0 if mirrored else 1.0), 1.0])
    return np.concatenate((m, (to - m @ centre)[:, None]), 1)


def moved(points: F32, matrix: Matrix) -> F32:
    """Return points (n, 2) after a matrix (2, 3)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def _fill(rng: Generator) -> tuple[int, tuple[float, ...]]:
    roll = rng.random()
    if roll < 0.35:
        return cv2.BORDER_REFLECT_101, (0.0, 0.0, 0.0)
    if roll < 0.5:
        return cv2.BORDER_REPLICATE, (0.0, 0.0, 0.0)
    fill = (114.0, 114.0, 114.0) if rng.random() < 0.6 else tuple(float(v) for v in rng.integers(0, 255, 3))
    return cv2.BORDER_CONSTANT, fill


def _zoom(rng: Generator) -> float:
    return float(np.clip(SPAN * math.exp(rng.normal(0, 0.2)), 1.12, 2.4))


def photo(rng: Generator, row: Shown, size: int, mirror: float = MIRRORED) -> Look:
    """Return one look at a photograph with landmarks; a share `mirror` of them is mirrored."""
    assert row.points is not None
    image, mirrored = opened(row.image), bool(rng.random() < mirror)
    extent = image.shape[0] / PHOTO_SPAN
    angle = rng.normal(0, 0.3) if rng.random() < 0.65 else rng.uniform(-math.pi, math.pi)
    low, high = row.points.min(0), row.points.max(0)
    to = np.full(2, size / 2 - 0.5) + rng.normal(0, 0.06, 2) * size
    matrix = affine(
        (low + high) / 2, size / (extent * _zoom(rng)), angle, mirrored, to.astype(np.float32),
        math.exp(rng.normal(0, 0.06)),
    )  # fmt: skip
    mode, fill = _fill(rng)
    shown = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=fill)
    look = blank(size)
    with_points(look, moved(row.points, matrix), size)
    with_hand(look, row, mirrored)
    look["present"] = np.array([1.0, 1.0], np.float32)
    if row.hold >= 0:
        look["hold"] = np.array([row.hold, row.weight], np.float32)
    return look | {"image": light_and_lens(rng, np.asarray(shown, np.uint8))}


def crop(rng: Generator, row: Shown, size: int) -> Look:
    """Return one look at a crop that is labelled: holds something or nothing."""
    image, mirrored = opened(row.image), bool(rng.random() < 0.5)
    spread = 0.25 if rng.random() < 0.8 else 1.2
    to = np.full(2, size / 2 - 0.5) + rng.uniform(-0.07, 0.07, 2) * size
    matrix = affine(
        np.full(2, image.shape[0] / 2 - 0.5, np.float32), size / image.shape[0] * rng.uniform(0.86, 1.28),
        rng.normal(0, spread), mirrored, to.astype(np.float32), math.exp(rng.normal(0, 0.07)),
    )  # fmt: skip
    mode, fill = _fill(rng)
    shown = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=fill)
    look = blank(size)
    look["hold"], look["kind"] = np.array([row.hold, row.weight], np.float32), np.array(row.kind)
    look["present"] = np.array([1.0, 0.5], np.float32)
    return look | {"image": light_and_lens(rng, np.asarray(shown, np.uint8))}


def patch(rng: Generator, ground: Ground, size: int, face_scale: float | None = None) -> U8:
    """Return a piece of a ground, (size, size, 3): around the face, so many face widths wide, or anywhere."""
    image = opened(ground.image)
    height, width = image.shape[:2]
    if face_scale is not None and ground.face is not None:
        x1, y1, x2, y2 = ground.face
        wide = float(x2 - x1)
        centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2]) + rng.normal(0, 0.4, 2) * wide
        side, angle = wide * face_scale, rng.normal(0, 0.15)
    else:
        side = float(rng.uniform(0.3, 1.0)) * min(height, width)
        centre = np.array([rng.uniform(side / 2, width - side / 2), rng.uniform(side / 2, height - side / 2)])
        angle = float(rng.integers(4)) * math.pi / 2 if rng.random() < 0.4 else rng.normal(0, 0.1)
    matrix = affine(
        centre.astype(np.float32), size / side, angle, bool(rng.random() < 0.5), np.full(2, size / 2, np.float32)
    )
    flags = cv2.INTER_AREA if side > 1.5 * size else cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(out, np.uint8)


def nothing(rng: Generator, grounds: Odds, size: int) -> Look:
    """Return a piece of a portrait: no hand at all."""
    ground: Ground = grounds.next(rng)
    shown = patch(rng, ground, size, float(rng.uniform(0.6, 2.4)) if rng.random() < 0.7 else None)
    look = blank(size)
    look["present"] = np.array([0.0, 1.0], np.float32)
    look["parts"][:] = 0
    return look | {"image": light_and_lens(rng, shown)}


class Composer:
    """Lays cut-out hands on grounds."""

    def __init__(self, hands: Odds, grounds: Odds, portraits: Odds, mirror: float = MIRRORED) -> None:
        self.hands, self.grounds, self.portraits, self.mirror = hands, grounds, portraits, mirror

    def look(self, rng: Generator, size: int, at_face: float = 0.5, plain: bool = False, whole: bool = False) -> Look:
        """Return one look at a hand on a ground.

        Args:
            at_face: share of hands laid on or before a face.
            plain: neither light, lens, gloves nor anything in front of the hand, as when it is measured.
            whole: the parts come for each pixel, not for each cell of the net's map.
        """
        hand: Cutout = self.hands.next(rng)
        zoom, mirrored = _zoom(rng), bool(rng.random() < self.mirror)
        matrix = self._placed(rng, hand, size, zoom, mirrored)
        if rng.random() < at_face:
            below = patch(rng, self.portraits.next(rng), size, zoom * float(rng.uniform(0.55, 1.25)))
        else:
            below = patch(rng, self.grounds.next(rng), size)
        image = below.astype(np.float32)
        if rng.random() < 0.12:
            self._beside(rng, image, size, zoom)
        rgba = cv2.warpAffine(hand.rgba, matrix, (size, size), flags=cv2.INTER_LINEAR)
        points = moved(hand.points, matrix)
        alpha = np.asarray(rgba[..., 3].astype(np.float32) / 255, np.float32)
        rgb = _toned(rng, rgba[..., :3].astype(np.float32), alpha, plain)
        parts = np.where(alpha > 0.5, 1, 0).astype(np.uint8)
        arm = _arm_side(points, size)
        parts[(parts == 1) & arm] = 2
        if rng.random() < 0.5:
            self._with_arm(rng, image, parts, hand, points, rgb, alpha, float(np.hypot(*matrix[:, 1])))
        soft = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.4, 0.9))), np.float32)
        if rng.random() < 0.35:
            shift = rng.integers(-6, 7, 2).tolist()
            shade = cv2.GaussianBlur(np.roll(soft, shift, (0, 1)), (0, 0), float(rng.uniform(2, 6)))
            image *= 1 - float(rng.uniform(0.1, 0.5)) * shade[..., None]
        image = image * (1 - soft[..., None]) + rgb * soft[..., None]
        if not plain and rng.random() < 0.15:
            self._in_front(rng, image, parts, points)
        if not plain and rng.random() < 0.15:
            image = motion_blur(rng, image, float(rng.uniform(1.5, 6.0)))
        look = blank(size)
        with_points(look, points, size)
        with_hand(look, hand, mirrored)
        look["present"], look["hold"] = np.array([1.0, 1.0], np.float32), np.array([0.0, 0.05], np.float32)
        look["parts"] = parts if whole else parts[4::8, 4::8].copy()
        shown = np.clip(image, 0, 255).astype(np.uint8)
        return look | {"image": shown if plain else light_and_lens(rng, shown)}

    def _placed(self, rng: Generator, hand: Cutout, size: int, zoom: float, mirrored: bool) -> Matrix:
        low, high = hand.points.min(0), hand.points.max(0)
        scale = size / (zoom * float((high - low).max()))
        along = hand.points[9] - hand.points[0]
        upright = math.atan2(along[0] * (-1 if mirrored else 1), -along[1])
        angle = rng.normal(0, 0.5) - upright if rng.random() < 0.6 else rng.uniform(-math.pi, math.pi)
        to = np.full(2, size / 2 - 0.5) + rng.normal(0, 0.07, 2) * size
        squeeze = float(rng.uniform(0.75, 1.0)) if rng.random() < 0.5 else 1.0
        return affine((low + high) / 2, scale, angle, mirrored, to.astype(np.float32), squeeze)

    def _beside(self, rng: Generator, image: F32, size: int, zoom: float) -> None:
        """Lay another hand at the rim, in place: two hands are often close."""
        other: Cutout = self.hands.next(rng)
        matrix = self._placed(rng, other, size, zoom * 1.1, bool(rng.random() < 0.5))
        turn = rng.uniform(0, 2 * math.pi)
        matrix[:, 2] += np.array([math.cos(turn), math.sin(turn)]) * size * rng.uniform(0.5, 0.75)
        rgba = cv2.warpAffine(other.rgba, matrix, (size, size), flags=cv2.INTER_LINEAR).astype(np.float32)
        alpha = np.asarray(rgba[..., 3:] / 255, np.float32)
        image[:] = image * (1 - alpha) + _toned(rng, rgba[..., :3], alpha[..., 0], True) * alpha

    def _with_arm(
        self, rng: Generator, image: F32, parts: U8, hand: Cutout, points: F32, rgb: F32, alpha: F32, scale: float
    ) -> None:
        """Continue the hand below the wrist, in place: with skin, or a sleeve that begins somewhere."""
        away = points[0] - points[9]
        angle = math.atan2(away[1], away[0]) + rng.normal(0, 0.2)
        along = np.array([math.cos(angle), math.sin(angle)], np.float32)
        own = rgb[alpha > 0.9]
        if len(own) < 20:
            return
        wide, palm = hand.wrist * scale, float(np.hypot(*away)) + 4
        bare = float(rng.uniform(0.1, 1.2)) * palm if rng.random() < 0.5 else 500.0
        skin, sleeve = np.zeros_like(alpha), np.zeros_like(alpha)
        start = points[0] - along * 2
        for mask, begin, end, width in ((skin, 0.0, bare, wide), (sleeve, bare, 500.0, wide * rng.uniform(1.1, 1.5))):
            side = np.array([-along[1], along[0]]) * width / 2
            reach = min(end, 500.0)
            if reach <= begin:
                continue
            grow = 1 + 0.35 * min(1.0, reach / 150)
            near, far = start + along * begin, start + along * reach
            quad = np.array([near - side, near + side, far + side * grow, far - side * grow])
            cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), (1.0,))
        across = np.stack(np.meshgrid(np.arange(alpha.shape[1]), np.arange(alpha.shape[0])), 2) - points[0]
        round_ = np.abs(across @ np.array([-along[1], along[0]])) / max(wide / 2, 1)
        light = np.clip(1.05 - 0.3 * round_**2, 0.5, 1.05)[..., None].astype(np.float32)
        grain = 3 * noise(rng, *alpha.shape)
        cloth = rng.uniform(10, 245, 3).astype(np.float32)
        for mask, tint in ((skin, own.mean(0)), (sleeve, cloth)):
            soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)[..., None]
            image[:] = image * (1 - soft) + (tint * light + grain) * soft
        parts[(parts == 0) & (skin > 0.5) & (sleeve < 0.5)] = 2
        parts[(parts == 0) & (sleeve > 0.5)] = 0

    def _in_front(self, rng: Generator, image: F32, parts: U8, points: F32) -> None:
        """Cover a part of the hand with something, in place."""
        size = parts.shape[0]
        cover = patch(rng, self.grounds.next(rng), size).astype(np.float32)
        at = points[int(rng.integers(21))] + rng.normal(0, 0.08, 2) * size
        mask = np.zeros(parts.shape, np.float32)
        axes = tuple(float(v) for v in rng.uniform(0.08, 0.3, 2) * size)
        turn = float(rng.uniform(0, 180))
        if rng.random() < 0.5:
            corners = cv2.boxPoints(((float(at[0]), float(at[1])), axes, turn))
            cv2.fillConvexPoly(mask, corners.astype(np.int32), (1.0,))
        else:
            half = (int(axes[0] / 2), int(axes[1] / 2))
            cv2.ellipse(mask, (int(at[0]), int(at[1])), half, turn, 0, 360, (1.0,), -1)
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)[..., None]
        image[:] = image * (1 - soft) + cover * soft
        parts[mask > 0.5] = 0


def _arm_side(points: F32, size: int) -> NDArray[np.bool_]:
    """Return (size, size): which pixels lie below the wrist, seen along the palm."""
    along = points[9] - points[0]
    length = float(np.hypot(*along)) + 1e-6
    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), 2) - points[0]
    return np.asarray(grid @ (along / length) < -0.12 * max(length, 0.1 * size))


def _toned(rng: Generator, rgb: F32, alpha: F32, plain: bool) -> F32:
    """Return the hand in another light, of another skin, or gloved."""
    on = alpha > 0.5
    if on.sum() < 20 or rng.random() < 0.25:
        return rgb
    mean = rgb[on].mean(0)
    if not plain and rng.random() < 0.1:  # a glove, a tattooed or tinted hand
        grey = rgb @ np.array([0.3, 0.59, 0.11], np.float32)
        level = float(mean @ np.array([0.3, 0.59, 0.11])) + 1e-3
        return np.asarray((grey / level)[..., None] * rng.uniform(15, 240, 3).astype(np.float32), np.float32)
    level = float(rng.uniform(0.5, 1.3))
    warm = np.exp(rng.normal(0, 0.07, 3)).astype(np.float32)
    contrast = float(rng.uniform(0.8, 1.25))
    return np.asarray(((rgb - mean) * contrast + mean * level) * warm, np.float32)
