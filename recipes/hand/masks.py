"""How well the hand net's masks fit, without the forearm: on composites and photographs of left-out people.

    python -m recipes.hand.masks --cache CACHE --data DATA --model hands.onnx

The truth of composites is known to the pixel, the forearm apart. Photographs of `hands_white` have masks of hand and
wrist together, so there both parts count as hand.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.kinds.landmarks import PARTS
from recipes.hand.cache import box_around, cut_square
from recipes.hand.ship import Asked
from recipes.hand.train import Tables
from recipes.shared.source_data import read_rgb, read_rows

Mask = NDArray[np.bool_]


def grown(parts: NDArray[np.float32], size: int, wanted: tuple[str, ...]) -> Mask:
    """Return (size, size): where one of the wanted parts is likeliest, between the cells of a map (3, h, w)."""
    large = [cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR) for part in parts]
    return np.isin(np.argmax(large, axis=0), [PARTS.index(name) for name in wanted])


def overlap(said: Mask, true: Mask) -> float:
    """Return intersection over union."""
    return float((said & true).sum() / max(1, (said | true).sum()))


def interval(values: NDArray[Any], groups: NDArray[Any], draws: int = 400) -> tuple[float, float]:
    """Return the 95 % interval of a mean by drawing whole groups."""
    rng, names = np.random.default_rng(0), np.unique(groups)
    rows = {name: np.flatnonzero(groups == name) for name in names}
    means = [values[np.concatenate([rows[k] for k in rng.choice(names, len(names))])].mean() for _ in range(draws)]
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def on_composites(asked: Asked, tables: Tables, count: int, at_face: float) -> NDArray[np.float64]:
    """Return the overlap of each hand, its forearm left out."""
    rng, composer = np.random.default_rng(7), tables.composer_of("val")
    looks = [composer.look(rng, asked.size, at_face, plain=True, whole=True) for _ in range(count)]
    said = asked([look["image"] for look in looks])["parts"]
    pairs = zip(said, looks, strict=True)
    return np.array([overlap(grown(parts, asked.size, ("hand",)), look["parts"] == 1) for parts, look in pairs])


def on_photographs(asked: Asked, tables: Tables, data: Path) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Return the overlap of each hand of left-out people, with its wrist, and the person."""
    masks = {f"segmentation/images/{row['image']}": row["mask"] for row in read_rows(data / "segmentation/labels.csv")}
    crops, truths, people = [], [], []
    for row in tables.photos:
        if row.split != "val" or row.source != "hands_white":
            continue
        marks = cv2.imread(str(data / "segmentation/masks" / masks[row.file]), cv2.IMREAD_GRAYSCALE)
        hand = np.asarray(marks == 1, np.uint8)
        ys, xs = np.nonzero(hand)
        box = box_around(np.array([[xs.min(), ys.min()], [xs.max(), ys.max()]], np.float32), 1.25)
        crops.append(cut_square(read_rgb(data / row.file), box, asked.size)[0])
        truths.append(cut_square(np.repeat(hand[..., None] * 255, 3, 2), box, asked.size)[0][..., 0] > 127)
        people.append(row.person)
    said = asked(crops)["parts"]
    inside = [overlap(grown(p, asked.size, ("hand", "forearm")), true) for p, true in zip(said, truths, strict=True)]
    return np.array(inside), np.array(people)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="a file of the whole net, with its parts")
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    asked, tables = Asked(args.model), Tables(args.cache)
    for name, at_face in (("composites over faces", 1.0), ("composites on other grounds", 0.0)):
        inside = on_composites(asked, tables, args.count, at_face)
        low, high = interval(inside, np.arange(len(inside)))
        print(json.dumps({"set": name, "n": len(inside), "IoU": round(inside.mean(), 3), "interval": [low, high]}))
    inside, people = on_photographs(asked, tables, args.data)
    low, high = interval(inside, people)
    print(json.dumps({"set": "hands_white", "n": len(inside), "IoU": round(inside.mean(), 3), "interval": [low, high]}))


if __name__ == "__main__":
    main()
