"""Training samples for the contact net, half real and half composed; knows nothing of the net or its losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from handlens.tasks.touch import REGIONS
from handlens.train.augment.photometric import light_and_lens, random_affine
from handlens.types import IGNORE
from recipes.shared.composite import Scene, add_beard, add_hand, add_object
from recipes.shared.cutouts import Cutout
from recipes.shared.face_regions import NUMBER, paint_regions
from recipes.shared.source_data import CROP_SIZE, CROP_SPAN, Face

SIZE = 160
MAP = SIZE // 4
SPAN = 2.0 / CROP_SPAN
REAL_MIX = (
    ("touch", 0.36),
    ("overlap_no_touch", 0.20),
    ("no_touch", 0.24),
    ("portrait", 0.10),
    ("object_at_mouth", 0.05),
    ("void", 0.05),
)


@dataclass(frozen=True)
class Mix:
    """How samples are drawn: share of real pictures, and weight of the touch label of composites."""

    real: float = 0.5
    composite_weight: float = 0.4
    rendered: float = 0.15
    seed: int = 0


class ContactSamples(IterableDataset[dict[str, torch.Tensor]]):
    """An endless stream of samples; every worker draws its own.

    Each is a dict: image (3, 160, 160) uint8; hand, hand_weight (40, 40) float; parts (40, 40) int64 with 255 = ignore;
    box (40, 40) a marked hand box; touch, touch_weight, over, over_weight (1,); region, region_weight (7,).
    """

    def __init__(self, faces: Sequence[Face], hands: Sequence[Cutout], rendered: Sequence[Cutout], mix: Mix) -> None:
        self.mix, self.hands, self.rendered = mix, list(hands), list(rendered)
        self.groups = {name: [f for f in faces if f.label == name] for name, _ in REAL_MIX}
        self.weights = {k: _normalised([f.weight for f in v]) for k, v in self.groups.items()}
        self.bases = [
            f for f in faces if f.points is not None and f.label in ("portrait", "no_touch") and _free_of_hands(f)
        ]
        self.base_weights = _normalised([f.weight for f in self.bases])
        source = [h.source for h in self.hands]
        share = {"hands_white": 0.3, "massey_black": 0.33, "sign_digits": 0.27, "hgr1": 0.1}
        self.hand_weights = _normalised([share.get(s, 0.1) / source.count(s) for s in source])

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        cv2.setNumThreads(0)
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.mix.seed, info.id if info else 0))
        names = [n for n, _ in REAL_MIX if self.groups[n]]
        odds = _normalised([dict(REAL_MIX)[n] for n in names])
        while True:
            if rng.random() < self.mix.real:
                name = names[int(rng.choice(len(names), p=odds))]
                face = self.groups[name][int(rng.choice(len(self.groups[name]), p=self.weights[name]))]
                yield real_sample(rng, face)
            else:
                base = self.bases[int(rng.choice(len(self.bases), p=self.base_weights))]
                yield self._composite(rng, base)

    def _pick_hand(self, rng: Generator) -> Cutout:
        if self.rendered and rng.random() < self.mix.rendered:
            return self.rendered[int(rng.integers(len(self.rendered)))]
        return self.hands[int(rng.choice(len(self.hands), p=self.hand_weights))]

    def _composite(self, rng: Generator, face: Face) -> dict[str, torch.Tensor]:
        image, points = _warp(rng, face)
        assert points is not None
        parts = paint_regions(points, (SIZE, SIZE))
        scene = Scene(image.astype(np.float32), parts, points, np.zeros((SIZE, SIZE), np.float32))
        if rng.random() < 0.16:
            add_beard(rng, scene)
        if rng.random() < 0.12:
            add_object(rng, scene)
        roll = rng.random()
        kind = "touch" if roll < 0.45 else "front" if roll < 0.75 else "beside"
        wanted = 2 if rng.random() < 0.3 else 0 if kind == "beside" and rng.random() < 0.3 else 1
        for k in range(wanted):
            this = kind if k == 0 or rng.random() < 0.5 else "beside"
            for _ in range(4):
                if add_hand(rng, scene, self._pick_hand(rng), this) is not None:
                    break
        if rng.random() < 0.06:
            add_object(rng, scene)
        return _composite_targets(rng, scene, self.mix.composite_weight)


def _composite_targets(rng: Generator, scene: Scene, weight: float) -> dict[str, torch.Tensor]:
    image = light_and_lens(rng, np.clip(scene.image, 0, 255).astype(np.uint8))
    hand = np.asarray(cv2.resize(scene.hand, (MAP, MAP), interpolation=cv2.INTER_AREA), np.float32)
    region, trust = np.zeros(7, np.float32), np.zeros(7, np.float32)
    if scene.touch:
        trust[:] = 1
        for i, name in enumerate(REGIONS):
            area = scene.parts == NUMBER[name]
            share = float((scene.hand[area] > 0.5).mean()) if area.any() else 0.0
            region[i] = float(name in scene.touched or share > 0.4)
            if not region[i] and share > 0.08:
                trust[i] = 0
    return _sample(
        image, hand, np.ones_like(hand), scene.parts[2::4, 2::4].astype(np.int64), np.zeros_like(hand),
        (float(scene.touch), weight), (float(scene.over), weight), (region, trust),
    )  # fmt: skip


def real_sample(rng: Generator, face: Face) -> dict[str, torch.Tensor]:
    """Return a labelled face with random camera; the hand mask is only known where there is certainly none."""
    image, points, matrix = _warp_with_matrix(rng, face)
    parts = np.full((SIZE, SIZE), IGNORE, np.uint8) if points is None else paint_regions(points, (SIZE, SIZE))
    on_face = (parts > 0) & (parts != IGNORE)
    known = np.zeros((SIZE, SIZE), np.float32)
    marked = np.zeros((SIZE, SIZE), np.float32)
    for box in face.hands:
        corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]], np.float32)
        quad = np.round(corners @ matrix[:, :2].T + matrix[:, 2]).astype(np.int32)
        cv2.fillConvexPoly(marked, quad, (1.0,))
    if face.label == "portrait":
        known[:] = 0.5
    elif face.label == "no_touch" and "hair" not in face.regions:
        known[on_face & (marked < 0.5)] = 1.0
    elif len(face.hands):
        known[on_face & (cv2.dilate(marked, np.ones((9, 9), np.uint8)) < 0.5)] = 0.4
    region, trust = np.zeros(7, np.float32), np.zeros(7, np.float32)
    if face.label == "touch":
        region[:] = [float(r in face.regions) for r in REGIONS]
        trust[:] = np.where(region > 0, 1.0, 0.6) * float(bool(face.regions))
    target, weight = {"touch": (1.0, 1.0), "object_at_mouth": (0.15, 0.4)}.get(face.label, (0.0, 1.0))
    over = float(face.label in ("touch", "overlap_no_touch"))
    over_weight = 0.0 if face.label in ("object_at_mouth", "void") else 1.0
    return _sample(
        light_and_lens(rng, image), np.zeros((MAP, MAP), np.float32), known[2::4, 2::4],
        parts[2::4, 2::4].astype(np.int64), marked[2::4, 2::4],
        (target, weight), (over, over_weight), (region, trust),
    )  # fmt: skip


def plain_sample(face: Face) -> NDArray[np.uint8]:
    """Return the unchanged picture (160, 160, 3) that the net would see of this face."""
    scale = SIZE / (CROP_SIZE * SPAN)
    shift = SIZE / 2 - scale * CROP_SIZE / 2
    matrix = np.array([[scale, 0, shift], [0, scale, shift]], np.float32)
    return np.asarray(cv2.warpAffine(face.image, matrix, (SIZE, SIZE), borderValue=(114, 114, 114)), np.uint8)


def _warp_with_matrix(
    rng: Generator, face: Face
) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.float32]]:
    matrix, _ = random_affine(rng, CROP_SIZE, SIZE, SPAN, 14.0, (0.8, 1.3), 0.07)
    fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 255, 3))
    mode = cv2.BORDER_REFLECT_101 if rng.random() < 0.15 else cv2.BORDER_CONSTANT
    image = cv2.warpAffine(face.image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=fill)
    points = None if face.points is None else (face.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return np.asarray(image, np.uint8), points, matrix


def _warp(rng: Generator, face: Face) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
    image, points, _ = _warp_with_matrix(rng, face)
    return image, points


def _sample(
    image: NDArray[np.uint8], hand: NDArray[np.float32], hand_weight: NDArray[np.float32], parts: NDArray[np.int64],
    box: NDArray[np.float32], touch: tuple[float, float], over: tuple[float, float],
    region: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> dict[str, torch.Tensor]:  # fmt: skip

    def pair(value: float) -> torch.Tensor:
        return torch.tensor([value], dtype=torch.float32)

    return {
        "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))),
        "hand": torch.from_numpy(np.ascontiguousarray(hand, np.float32)),
        "hand_weight": torch.from_numpy(np.ascontiguousarray(hand_weight, np.float32)),
        "parts": torch.from_numpy(np.ascontiguousarray(parts)),
        "box": torch.from_numpy(np.ascontiguousarray(box, np.float32)),
        "touch": pair(touch[0]), "touch_weight": pair(touch[1]), "over": pair(over[0]), "over_weight": pair(over[1]),
        "region": torch.from_numpy(region[0]), "region_weight": torch.from_numpy(region[1]),
    }  # fmt: skip


def _normalised(weights: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(weights, np.float64)
    return values / max(float(values.sum()), 1e-12)


def _free_of_hands(face: Face) -> bool:
    low, high = CROP_SIZE * (0.5 - SPAN / 2), CROP_SIZE * (0.5 + SPAN / 2)
    if face.regions:
        return False
    return all(b[0] > high or b[2] < low or b[1] > high or b[3] < low for b in face.hands)
