"""Masks with the signs of their hands <-> Hands; it must not know whether one file or two models gave them.

Canonical arrays: "mask" (n, classes, h, w) probabilities, as of a mask model, and "found" (n,) bool, whether a picture
has a hand; then for the k hands of all pictures, those of one picture after another and the largest first, "picture"
(k,) the number of its picture, "box" (k, 4) in network pixels, "probabilities" (k, names), "angle" (k, 2) where the
model tells it, and "hand" (k, h, w) its mask, 1 and 0, where it is known at the size of the map. A model without
"picture", as version 0.1 wrote them, has one row for each picture, of the largest hand or of zeros. The card's option
"hand" is the number of the class of hands in the mask, "sure" the least mean probability of one, and "part", where it
is there, the number of a class that belongs to hands until the crop cuts it off: bare forearms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from handlens.card import ModelCard
from handlens.kinds import classify
from handlens.kinds.base import expect
from handlens.kinds.hand_crop import Crop, box_of, find_crops
from handlens.kinds.segment import above_zero, encode
from handlens.preprocess import Geometry
from handlens.silhouette import Shape
from handlens.types import Floats, Hand, Label, Mask

HAND = "hand"
"""The class of the mask model, and the option of the card with its number."""
SURE = "sure"
"""The option with the least mean probability of a hand: what the mask model takes for a part."""
PART = "part"
"""The option with the number of a class that is taken for hand too: the crop finds the wrist by the shape of both."""


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
        older = "picture" not in outputs
        owner = np.flatnonzero(outputs["found"]) if older else outputs["picture"]
        arrays = {name: outputs[name] for name in ("probabilities", "angle") if name in outputs}
        answers: list[tuple[Hand, ...]] = []
        for row, way in enumerate(geometries):
            own = owner == row
            single = {name: array[row : row + 1] if older else array[own] for name, array in arrays.items()}
            if not own.any():
                answers.append(())
                continue
            crops = _crops_told(outputs["hand"][own]) if "hand" in outputs else crops_of(maps[row], card)[: own.sum()]
            answers.append(hands_of(crops, classify.decode(single, card), maps[row], card, way))
        return tuple(answers)

    def encode(
        self, answers: Sequence[Sequence[Hand]], card: ModelCard, geometries: Sequence[Geometry]
    ) -> dict[str, Floats]:
        """Return the arrays of pictures that became tensors of one size; each hand needs its mask."""
        number = int(card.options[HAND])
        names = tuple(f"{HAND}" if n == number else f"other{n}" for n in range(max(2, number + 1)))
        masks, rows = [], []
        for hands, way in zip(answers, geometries, strict=True):
            classes = np.full((way.height, way.width), int(number == 0), np.uint8)
            for hand in hands:
                mask = hand.whole_mask(way.height, way.width)
                if mask is not None:
                    classes[mask > 0] = number
            masks.append(encode(Mask(classes, names), way)["probabilities"])
            boxes = np.array([hand.xyxy for hand in hands], np.float32).reshape(-1, 4)
            rows.append(way.to_network(boxes))
        labels = [replace(hand.gesture, angle=hand.angle) for hands in answers for hand in hands]
        counts = [len(hands) for hands in answers]
        return {
            "mask": np.concatenate(masks),
            "found": np.array([bool(count) for count in counts]),
            "picture": np.repeat(np.arange(len(answers)), counts),
            "box": np.concatenate(rows),
            **classify.encode(labels, card.names, card.calibration),
        }


def _crops_told(masks: Floats) -> tuple[Crop, ...]:
    """Return the hands whose masks (k, h, w) a model told."""
    pixels = [np.where(mask > 0, 255, 0).astype(np.uint8) for mask in masks]
    return tuple(Crop(Shape(mask, box_of(mask)), int(np.count_nonzero(mask))) for mask in pixels)


def crops_of(maps: Floats, card: ModelCard) -> tuple[Crop, ...]:
    """Return the hands on the maps (classes, h, w) of one picture, the largest first."""
    hand = int(card.options[HAND])
    arms = maps[int(card.options[PART])] > maps[hand] if PART in card.options else None
    return find_crops(with_part(maps, card), hand, card.options.get(SURE, 0.0), arms)


def with_part(maps: Floats, card: ModelCard) -> Floats:
    """Return the maps (classes, h, w) with the probability of the class "part" added to that of hands."""
    if PART not in card.options:
        return maps
    hand, part = int(card.options[HAND]), int(card.options[PART])
    out = maps.copy()
    out[hand], out[part] = maps[hand] + maps[part], 0
    return out


def hands_of(
    crops: Sequence[Crop], labels: Sequence[Label], maps: Floats, card: ModelCard, geometry: Geometry
) -> tuple[Hand, ...]:
    """Return the hands of one picture in source pixels; those in the grey around the picture are left out.

    Args:
        crops: Of `crops_of`.
        labels: What the gesture model says of each.
        maps: (classes, h, w) probabilities.
    """
    maps = with_part(maps, card)
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
