"""`digits` on the silhouettes of people that it did not learn from, as they are and turned.

    python benchmarks/digits_people.py --data DATA --pool sets/pool.npz --model digits [--model OLD.onnx]

The hands are those that `recipes.signs.build_silhouette_set` keeps for val: the last people of sign_digits and the
fourth person of asl_photos, cut out of their plain grounds (`--pool`, a cache that is made when missing). Signs count
as finger numbers as in that recipe: a fist and an O are 0, an L, thumb and index finger, is 2. --turned asks about each
hand again, turned at random by eighths of the circle.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from digits_forearms import Mask, accuracy, turned

from handlens.predictor import load
from handlens.silhouette import find_shape
from recipes.shared.source_data import Pooled, read_pool
from recipes.signs.build_silhouette_set import HELD_OUT, gather


def people(data: Path, pool: Sequence[Pooled], source: str) -> list[tuple[Mask, int]]:
    """Return the masks (h, w), 0 and 1, of the last people of a source, and the number that each shows."""
    own = [hand for hand in pool if hand.source == source]
    drawn = gather("digits", data, own, [], hold_out=False)
    last = [hand for hand in drawn if hand.split == "val" and hand.group.startswith(f"{source}/")]
    shapes = [(find_shape(hand.mask), int(hand.name)) for hand in last]
    return [(np.asarray(shape.mask > 0, np.uint8), number) for shape, number in shapes if shape is not None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pool", type=Path, required=True, help="hands cut out of photographs; made when missing")
    parser.add_argument("--model", action="append", required=True, help="a name or a file; may be given again")
    parser.add_argument("--turned", action="store_true", help="ask about each hand turned at random as well")
    args = parser.parse_args()
    pool = read_pool(args.data, args.pool)
    for source in HELD_OUT:
        rows = people(args.data, pool, source)
        rng = np.random.default_rng(5)
        sets = {source: rows}
        if args.turned:
            sets[f"{source}, turned"] = [(turned(mask, 45.0 * int(rng.integers(8))), label) for mask, label in rows]
        for name in args.model:
            model = load(name, 1)
            for about, some in sets.items():
                right = accuracy(model, some)
                print(f"{name} {model.card.version}  {about:22s} n={len(some):4d}  right {right:.3f}", flush=True)


if __name__ == "__main__":
    main()
