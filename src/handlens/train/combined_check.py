"""The joined file of a mask model and a gesture model, held against both on pictures made here; it writes no file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.offline import import_onnxruntime
from handlens.runner import FakeRunner, OnnxRunner
from handlens.tasks.combined import HAND, Composed
from handlens.types import Floats

TOLERANCE = 1e-3


def check_pictures(written: OnnxRunner, composed: Composed) -> None:
    """Hold a joined file against its parts, asked one after the other, on batches of one and three pictures.

    Raises:
        ModelError: the answers differ.
    """
    for batch in _pictures(composed.card):
        told = written.run(batch)
        compare({"mask": told["mask"]}, {"mask": composed.maps(batch)})
        compare(told, _after_mask(composed, told["mask"], batch))


def check_masks(model: bytes, composed: Composed) -> None:
    """Hold a file whose pictures are the masks against crop and gesture model, one after the other.

    Raises:
        ModelError: the answers differ.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    classes, hand = len(composed.parts["segment"].card.names), int(composed.card.options[HAND])
    for shapes in _shapes(90, 120):
        maps = np.stack([shapes == (number == hand) for number in range(classes)], axis=1).astype(np.float32)
        told = dict(zip(names, session.run(names, {"image": maps}), strict=True))
        compare(told, _after_mask(composed, maps, maps))


def _after_mask(composed: Composed, maps: Floats, batch: Floats) -> dict[str, Floats]:
    """What the composition answers to a batch of which the masks are known.

    The joined file's masks may differ in the last digit from the part's, and a pixel on the edge of a hand with them.
    """
    known = FakeRunner(composed.parts["segment"].card, {"probabilities": maps})
    return Composed({**composed.parts, "segment": known}).run(batch)


def compare(ours: dict[str, Floats], theirs: dict[str, Floats]) -> None:
    """Raise ModelError where ours are not as theirs, of which there may be fewer."""
    for name, wanted in theirs.items():
        got = ours[name]
        same = got.shape == wanted.shape
        worst = float(np.abs(got.astype(np.float64) - wanted.astype(np.float64)).max()) if same else float("inf")
        if not worst <= TOLERANCE:  # so that NaN is refused too
            raise ModelError(
                f"the joined file's answers differ from those of its parts by {worst:.2g} in '{name}'; at most"
                f" {TOLERANCE} is allowed."
            )


def _pictures(card: ModelCard) -> Iterator[Floats]:
    """Batches of one and three pictures with hands of the colour of skin on a restless ground."""
    rng = np.random.default_rng(0)
    for shapes in _shapes(*card.size):
        ground = rng.uniform(0, 255, (*shapes.shape, 3)).astype(np.float32)
        ground = np.stack([cv2.blur(one, (9, 9)) for one in ground])
        skin = np.array([205, 150, 125], np.float32) + rng.normal(0, 6, ground.shape).astype(np.float32)
        images = np.where(shapes[..., None] > 0, skin, ground)
        mean, std = np.asarray(card.mean, np.float32), np.asarray(card.std, np.float32)
        yield np.ascontiguousarray(((images - mean) / std).transpose(0, 3, 1, 2), np.float32)


def _shapes(height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """Masks (n, h, w) of one hand, and of none, one and two."""
    yield np.stack([_hands(height, width, [(0.5, 0.5, 0.13)])])
    two: Sequence[tuple[float, float, float]] = [(0.25, 0.6, 0.08), (0.72, 0.42, 0.1)]
    yield np.stack([_hands(height, width, hands) for hands in ([], [(0.4, 0.3, 0.11)], two)])


def _hands(height: int, width: int, hands: Sequence[tuple[float, float, float]]) -> NDArray[np.uint8]:
    """A mask (h, w) of open hands with forearms. hands: x, y and radius of each palm, shares of the sides."""
    mask = np.zeros((height, width), np.uint8)
    for x, y, radius in hands:
        middle, unit = np.array([x * width, y * height]), radius * min(height, width)
        for degrees in (-35, -12, 10, 32, 75, 180):
            turn, reach, wide = np.deg2rad(degrees), 6.0 if degrees == 180 else 2.6, 1.4 if degrees == 180 else 0.5
            tip = middle + reach * unit * np.array([np.sin(turn), -np.cos(turn)])
            ends = [tuple(np.round(point).astype(int).tolist()) for point in (middle, tip)]
            cv2.line(mask, ends[0], ends[1], 1, max(1, round(wide * unit)))
        cv2.circle(mask, ends[0], max(1, round(unit)), 1, -1)
    return mask
