"""Landmarks, sides, fingers and signs of the hand net on left-out people, as docs/explain/results.md has them.

    python -m recipes.hand.measure --cache CACHE --model hands.onnx

Each hand is cut out around its true landmarks. The side is asked of the hand and of its mirror image, so that a source
which shows one side only gives nothing away. Intervals are drawn by people, where they are known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from recipes.hand.cache import SIGNS_LEFT_OUT
from recipes.hand.masks import interval
from recipes.hand.ship import Asked
from recipes.hand.train import Tables, composites, errors_of_palm, plain_photo
from recipes.signs.build_colour_set import NAMES

SOURCES = ("sign_digits", "asl_photos", "massey_black", "epsrc_composites", "hands_white", "touch", SIGNS_LEFT_OUT)
TIPS = (4, 8, 12, 16, 20)
MOST = 400


def line_of(asked: Asked, tables: Tables, source: str) -> str:
    """Return what was measured on the left-out hands of one source."""
    rows = [
        r for r in tables.photos if r.split != "train" and r.source.split(":")[0].replace("touch4", "touch") == source
    ]
    rows = [rows[int(k)] for k in np.random.default_rng(0).permutation(len(rows))[:MOST]]
    views = [plain_photo(row, asked.size) for row in rows]
    said = asked([image for image, _ in views])
    mirrored = asked([np.ascontiguousarray(image[:, ::-1]) for image, _ in views])
    error = errors_of_palm(said["landmarks"][..., :2], np.stack([points for _, points in views]))
    people = np.array([row.person or row.file for row in rows])
    low, high = interval(error.mean(1), people)
    side, sign = np.array([row.side for row in rows]), np.array([row.sign for row in rows])
    known = side >= 0
    right = (said["right"][:, 0] >= 0.5)[known] == (side[known] == 1)
    turned = (mirrored["right"][:, 0] >= 0.5)[known] == (side[known] == 0)
    fingers = np.array([row.fingers for row in rows])
    told = ((said["fingers"] >= 0.5) == (fingers == 1))[fingers >= 0].mean()
    text = f"{source:18s} n={len(rows)} error {100 * error.mean():.1f} [{100 * low:.1f} {100 * high:.1f}]"
    text += f" median {100 * np.median(error.mean(1)):.1f} tips {100 * error[:, TIPS].mean():.1f}"
    text += f" within 10 % {(error <= 0.1).mean():.2f} within 20 % {(error <= 0.2).mean():.2f}"
    text += f" fingers {told:.3f} side {np.concatenate((right, turned)).mean():.3f}"
    if (sign >= 0).any():
        number = np.array([int(NAMES[s]) if s >= 0 and NAMES[s] in "12345" else -1 for s in sign])
        count = (said["fingers"] >= 0.5).sum(1)
        text += f" sign {(said['signs'].argmax(1) == sign)[sign >= 0].mean():.3f}"
        text += f" count {(count == number)[number > 0].mean():.3f}"
    return text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    asked, tables = Asked(args.model), Tables(args.cache)
    for source in SOURCES:
        print(line_of(asked, tables, source), flush=True)
    looks = composites(tables, MOST, asked.size)
    said = asked([look["image"] for look in looks])
    known = np.stack([look["known"] for look in looks]) > 0
    error = errors_of_palm(said["landmarks"][..., :2], np.stack([look["points"] for look in looks]))
    each = np.array([row[k].mean() for row, k in zip(error, known, strict=True)])
    low, high = interval(each, np.arange(len(each)))
    print(f"over faces         n={len(each)} error {100 * each.mean():.1f} [{100 * low:.1f} {100 * high:.1f}]")


if __name__ == "__main__":
    main()
