"""`digits` on silhouettes with bare forearms, in four directions, with and without the cut at the wrist.

    python benchmarks/digits_forearms.py --data DATA --model digits [--model OLD.onnx] [--set SILHOUETTES.npz]

The masks are those of hgr1: 60 pictures, twelve of each number, counted by thumb (thumb = 1, thumb and index = 2). Each
is turned by 0, 90, 180 and 45 degrees, on a picture that ends where the arm left it. `reach` is the cut of version 0.2:
all within 3.8 radii of the middle of the palm. --colour asks `combined` about the pictures themselves, turned by
quarters. --set measures a packed set of silhouettes besides, such as those of
recipes.signs.render, as it is and turned at random by eighths of the circle.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.kinds import hand_crop
from handlens.predictor import Predictor, load
from handlens.preprocess import to_tensor
from handlens.silhouette import find_shape, seen
from handlens.types import Frame

Mask = NDArray[np.uint8]
EACH = 12
"""Pictures of each number, in the order of the set."""
TURNS = (0, 90, 180, 45)
SIDE, RIM = 120, 12
"""Of a turned silhouette: its longer side, and the ground around it where the turn cut nothing."""
REACH = 3.8


def whole(mask: Mask) -> Mask:
    """Return it as it is."""
    return mask


def by_reach(mask: Mask) -> Mask:
    """Return what lies within reach of the middle of the palm."""
    x, y, radius = hand_crop.find_palm(mask)
    ys, xs = np.mgrid[: mask.shape[0], : mask.shape[1]]
    near = (xs - x) ** 2 + (ys - y) ** 2 <= (REACH * float(radius)) ** 2
    return np.asarray(near & (mask > 0), np.uint8)


def at_wrist(mask: Mask) -> Mask:
    """Return it as `combined` cuts it now."""
    field = np.stack([1.0 - mask, mask]).astype(np.float32)
    found = hand_crop.find_crops(field, 1)
    return np.asarray(found[0].shape.mask > 0, np.uint8) if found else mask


CUTS: dict[str, Callable[[Mask], Mask]] = {"none": whole, "reach": by_reach, "wrist": at_wrist}


def turned(mask: Mask, degrees: float) -> Mask:
    """Return a mask (h, w), 0 and 1, turned, cut tight to what is on it, its longer side 120 pixels."""
    height, width = mask.shape
    side = int(np.hypot(height, width)) + 2
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    matrix[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    large = np.asarray(cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_NEAREST), np.uint8)
    x, y, wide, high = cv2.boundingRect(large)
    rim = RIM if degrees % 90 == 0 else 0
    tight = large[max(0, y - rim) : y + high + rim, max(0, x - rim) : x + wide + rim]
    scale = SIDE / max(tight.shape)
    return np.asarray(cv2.resize(tight, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8)


def bare_forearms(data: Path) -> list[tuple[Mask, int]]:
    """Return the largest blob of each mask of hgr1 and the number that it shows."""
    with (data / "segmentation" / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "hgr1"]
    out = []
    for place, row in enumerate(rows):
        marks = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
        shape = find_shape(np.asarray((marks == 1) * 255, np.uint8))
        assert shape is not None
        out.append((np.asarray(shape.mask > 0, np.uint8), 1 + place // EACH))
    return out


def in_colour(data: Path, quarters: int) -> float:
    """Return the share of hgr1's pictures whose largest hand `combined` calls by its number."""
    model, right = load("combined", 1), 0
    with (data / "segmentation" / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "hgr1"]
    for place, row in enumerate(rows):
        image = cv2.imread(str(data / "segmentation" / "images" / row["image"]))
        assert image is not None
        hands = model.predict(Frame(np.ascontiguousarray(np.rot90(image[..., ::-1], quarters)))).value
        assert isinstance(hands, tuple)
        right += bool(hands) and hands[0].gesture.name == str(1 + place // EACH)
    return right / len(rows)


def packed(path: Path) -> list[tuple[Mask, int]]:
    """Return the silhouettes of a pack whose names are numbers, each also turned."""
    with np.load(path) as pack:
        bits = np.unpackbits(pack["bits"], axis=-1)[..., : int(pack["width"])]
        labels = [int(pack["names"][y]) for y in pack["y"]]
    rng = np.random.default_rng(5)
    return [(turned(mask, 45.0 * int(rng.integers(8))), label) for mask, label in zip(bits, labels, strict=True)]


def accuracy(model: Predictor, rows: Sequence[tuple[Mask, int]]) -> float:
    """Return the share of silhouettes whose number is said."""
    right = 0
    for start in range(0, len(rows), 64):
        some = rows[start : start + 64]
        shapes = [find_shape(mask * np.uint8(255)) for mask, _ in some]
        assert None not in shapes
        views = [seen(shape, model.card.size) for shape in shapes if shape is not None]
        said = model.runner.run(to_tensor(views, model.card))["probabilities"].argmax(axis=1)
        right += sum(model.card.names[int(best)] == str(label) for best, (_, label) in zip(said, some, strict=True))
    return right / len(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", required=True, help="a name or a file; may be given again")
    parser.add_argument("--set", type=Path, action="append", default=[], help="a packed set of silhouettes")
    parser.add_argument("--colour", action="store_true", help="ask `combined` about the pictures as well")
    args = parser.parse_args()
    for quarters in range(4) if args.colour else ():
        print(f"combined, turned by {90 * quarters:3d}  right {in_colour(args.data, quarters):.3f}")
    arms = [(turned(mask, degrees), label) for mask, label in bare_forearms(args.data) for degrees in TURNS]
    sets = {f"hgr1, cut: {name}": [(cut(mask), label) for mask, label in arms] for name, cut in CUTS.items()}
    sets |= {f"{path.name}, turned": packed(path) for path in args.set}
    for name in args.model:
        model = load(name, 1)
        for about, rows in sets.items():
            print(f"{name} {model.card.version}  {about:24s} n={len(rows):4d}  right {accuracy(model, rows):.3f}")


if __name__ == "__main__":
    main()
