"""How well a mask net marks hands that nobody outlined, as recipes.segment.add_real asks it.

    python benchmarks/marker_quality.py SET --model MARKER.onnx

SET is the set `outlined` of recipes.segment.build_test_set. Rows: one look, the mirror image as well, each face from
near as well, the hand map of the touch net as a second opinion, and that where it is sure. IoU of hand with forearm,
over all pixels; intervals by picture.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.data.formats.detect_format import open_set
from handlens.predictor import Predictor, load
from handlens.types import IGNORE, Floats, Mask
from recipes.segment.add_real import faces_in, whole_hands
from recipes.segment.auto_label import SURE, UNSURE, predicted_maps, seconded
from recipes.segment.build_set import HAND, OVER
from recipes.shared.source_data import read_rgb

Answer = tuple[str, NDArray[np.bool_], NDArray[np.bool_]]


def answers(model: Predictor, touch: Predictor, image: NDArray[np.uint8]) -> Iterator[Answer]:
    """Yield each way's name, its hands (H, W), and where it counts (H, W)."""
    names = model.card.names
    everywhere = np.ones(image.shape[:2], bool)
    value = model.predict(image).value
    assert isinstance(value, Mask)
    hands = [number for number, name in enumerate(names) if "hand" in name or name == "forearm"]
    yield "one look", np.isin(value.classes, hands), everywhere
    faces = faces_in(touch, image)
    near = whole_hands(predicted_maps(model.runner, image, faces), names)
    alone = whole_hands(predicted_maps(model.runner, image, faces[:0]), names)
    told = hand_of(seconded(near, touch, image, faces))
    yield "mirrored", hand_of(alone) > 0.5, everywhere
    yield "near faces", hand_of(near) > 0.5, everywhere
    yield "touch net", told > 0.5, everywhere
    yield "where sure", told > 0.5, (told > SURE) | (told < UNSURE)


def hand_of(maps: Floats) -> Floats:
    """Return the probability (H, W) of a hand, over a face or not."""
    return np.asarray(maps[HAND] + maps[OVER], np.float32)


def main() -> None:
    """Ask, count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path)
    parser.add_argument("--model", required=True)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    model, touch = load(args.model, 1), load("touch", 1)
    counted: dict[str, list[tuple[int, int, int, int]]] = {}
    for picture in open_set(args.set).split("val"):
        truth = cv2.imread(str(args.set / "masks" / "val" / f"{picture.path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        hand, known = truth == HAND, truth != IGNORE
        for name, said, where in answers(model, touch, read_rgb(picture.path)):
            both, either = (said & hand & known & where).sum(), ((said | hand) & known & where).sum()
            counted.setdefault(name, []).append((int(both), int(either), int(where.sum()), where.size))
    rng = np.random.default_rng(0)
    for name, rows in counted.items():
        both, either, kept, size = np.array(rows).T
        drawn = rng.integers(0, len(rows), (1000, len(rows)))
        low, high = np.percentile(both[drawn].sum(1) / either[drawn].sum(1), (2.5, 97.5))
        print(
            f"{name:10s} IoU {both.sum() / either.sum():.3f} [{low:.3f} {high:.3f}]"
            f"  of {kept.sum() / size.sum():.2f} of the pixels"
        )


if __name__ == "__main__":
    main()
