"""Masks with the signs of their hands <-> Hands; it must not know whether one file or two models gave them.

Canonical arrays: "mask" (n, classes, h, w) probabilities, as of a mask model; then for the k largest hands of each
picture, the largest first, "found" (n, k) whether there is one, "box" (n, k, 4) in network pixels, "probabilities"
(n, k, names), and "angle" (n, k, 2) where the model tells it. Where there is no hand, all but the mask is 0. Arrays
without the side k tell of the largest hand alone. The card's option "hand" is the number of the class of hands in the
mask, "sure" the least mean probability of one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from handlens.card import ModelCard
from handlens.kinds import classify
from handlens.kinds.base import expect, stacked
from handlens.kinds.hand_crop import Crop, find_crops
from handlens.kinds.segment import above_zero, encode
from handlens.preprocess import Geometry
from handlens.types import Floats, Hand, Label, Mask

HAND = "hand"
"""The class of the mask model, and the option of the card with its number."""
SURE = "sure"
"""The option with the least mean probability of a hand: what the mask model takes for a part."""


@final
class Combined:
    """The kind "combined": a tuple of `Hand` for each picture, the largest first."""

    name = "combined"
    outputs = ("mask", "box", "probabilities", "found")

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[tuple[Hand, ...], ...]:
        """Return the hands of each picture, each with its sign, angle and mask; () where there is none."""
        maps = expect("mask", outputs["mask"], (len(geometries), None, None, None))
        flat = outputs["found"].ndim == 1  # of the largest hand alone
        found = outputs["found"][:, None] if flat else expect("found", outputs["found"], (len(geometries), None))
        told = {name: outputs[name] for name in ("probabilities", "angle") if name in outputs}
        answers = []
        for row, way in enumerate(geometries):
            crops = crops_of(maps[row], card)[: int(np.count_nonzero(found[row]))]
            said = {name: (a[row : row + 1] if flat else a[row])[: len(crops)] for name, a in told.items()}
            answers.append(hands_of(crops, classify.decode(said, card), maps[row], card, way) if crops else ())
        return tuple(answers)

    def encode(
        self, answers: Sequence[Sequence[Hand]], card: ModelCard, geometries: Sequence[Geometry]
    ) -> dict[str, Floats]:
        """Return the arrays of pictures that became tensors of one size; each hand needs its mask."""
        number, most = int(card.options[HAND]), max(map(len, answers), default=0)
        names = tuple(f"{HAND}" if n == number else f"other{n}" for n in range(max(2, number + 1)))
        masks, rows = [], []
        for hands, way in zip(answers, geometries, strict=True):
            classes = np.full((way.height, way.width), int(number == 0), np.uint8)
            for hand in hands:
                mask = hand.whole_mask(way.height, way.width)
                if mask is not None:
                    classes[mask > 0] = number
            masks.append(encode(Mask(classes, names), way)["probabilities"])
            labels = [replace(hand.gesture, angle=hand.angle) for hand in hands]
            boxes = np.array([hand.xyxy for hand in hands], np.float32).reshape(-1, 4)
            told = classify.encode(labels, card.names, card.calibration)
            told |= {"box": way.to_network(boxes), "found": np.ones(len(hands), np.float32)}
            told.setdefault("angle", np.zeros((len(hands), 2), np.float32))
            rows.append({name: _padded(array, most)[None] for name, array in told.items()})
        outputs = {"mask": np.concatenate(masks), **stacked(rows)}
        if not outputs["angle"].any():
            del outputs["angle"]
        return outputs


def _padded(array: Floats, rows: int) -> Floats:
    full = np.zeros((rows, *array.shape[1:]), np.float32)
    full[: len(array)] = array
    return full


def crops_of(maps: Floats, card: ModelCard) -> tuple[Crop, ...]:
    """Return the hands on the maps (classes, h, w) of one picture, the largest first."""
    return find_crops(maps, int(card.options[HAND]), card.options.get(SURE, 0.0))


def hands_of(
    crops: Sequence[Crop], labels: Sequence[Label], maps: Floats, card: ModelCard, geometry: Geometry
) -> tuple[Hand, ...]:
    """Return the hands of one picture in source pixels; those in the grey around the picture are left out.

    crops: of `crops_of`; labels: what the gesture model says of each; maps: (classes, h, w) probabilities.
    """
    hands = (_hand(crop, label, maps, card, geometry) for crop, label in zip(crops, labels, strict=True))
    return tuple(hand for hand in hands if hand is not None)


def _hand(crop: Crop, label: Label, maps: Floats, card: ModelCard, geometry: Geometry) -> Hand | None:
    """Return a hand in source pixels, or None for one that lies in the grey around the picture."""
    height, width = maps.shape[1:]
    scale = np.array([geometry.net_width / width, geometry.net_height / height] * 2, np.float32)
    edges = np.array([geometry.width, geometry.height] * 2, np.float32)
    box = np.clip(geometry.to_source(crop.shape.box[None] * scale)[0], 0, edges)
    if not (box[2:] > box[:2]).all():
        return None
    hand, number = Hand(box, label, label.angle), int(card.options[HAND])
    lead = maps[number] - np.delete(maps, number, axis=0).max(axis=0)
    lead = np.where(crop.shape.mask > 0, lead, -np.abs(lead)).astype(np.float32)
    return replace(hand, mask=above_zero(lead, geometry, hand.window))
