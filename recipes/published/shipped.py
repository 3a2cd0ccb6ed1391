"""Measure the models that ship on the pictures of the published systems: one row for each number, as in the table.

python -m recipes.published.shipped --data DATA --out runs/published --json recipes/published/results/shipped.json
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.formats.detect_format import open_set
from handlens.evaluate.evaluate import evaluate
from handlens.io.atomic import AtomicFile
from handlens.predictor import load
from handlens.runner import Outputs, Runner
from handlens.types import Floats
from recipes.published.measure import wanted_rows, wilson
from recipes.published.published_sets import set_at, unpacked

MEASURES = (
    ("touch", "facetouch", "val"),
    ("touch", "three", "val"),
    ("hold", "generated", "test"),
    ("hold", "held-by-others", "test"),
    ("segment", "frames", "val"),
    ("segment", "frames-others", "test"),
    ("digits", "digits-random.npz", "val"),
    ("digits", "digits-blocks.npz", "test"),
    ("digits", "digits-others.npz", "test"),
    ("combined", "numbers", "test"),
)
"""Model, set and part. No shipped model reads the twenty signs from silhouettes: `signs` looks at colour pictures."""
HELD = {"holdingnothing": "nothing", "holdingobject": "object"}
"""How the sets of holding call what the shipped model calls otherwise."""
MOST = 1500
"""Pictures of one part, at most."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, and write it after each model."""
    args = _arguments(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    data, rows = unpacked(args.data, args.out / "sets"), []
    if args.json.exists():
        rows = json.loads(args.json.read_text("utf-8"))
    for model, place, part in MEASURES:
        if args.model and model not in args.model:
            continue
        rows = [row for row in rows if (row["model"], row["set"], row["part"]) != (model, place, part)]
        found = evenly(open_set(set_at(place, data, args.out / "sets")).split(part), MOST)
        rows += measured(model, place, part, found)
        with AtomicFile(args.json) as draft:
            draft.write((json.dumps(rows, indent=1) + "\n").encode())
        print(f"{model} on {place}, {part}: done", flush=True)


def measured(model: str, place: str, part: str, found: LabelledSet) -> list[dict[str, Any]]:
    """Return the rows of a model on a part of a set."""
    predictor = load(model)
    names = tuple(HELD.get(name.lower().replace("_", ""), name) for name in found.names)
    found = dataclasses.replace(found, names=names)
    if found.kind == "segment":
        predictor = predictor.with_runner(OneClass(predictor.runner, found.names))
    report = evaluate(predictor, found, on_error=lambda error: None).report
    kept = [row for row in report if row.name in wanted_rows(found)]
    return [{"model": model, "set": place, "part": part, **vars(row), **wilson(row)} for row in kept]


class OneClass:
    """A mask model whose hands and faces are one class, as in the sets of the published mask nets."""

    def __init__(self, inner: Runner, names: tuple[str, ...]) -> None:
        self.inner = inner
        options = {key: value for key, value in inner.card.options.items() if key not in ("upper", "lower")}
        self.card = dataclasses.replace(inner.card, names=names, options=options, thresholds={}, calibration={})

    def run(self, batch: Floats) -> Outputs:
        """Return the probabilities (n, 2, h, w): background, and all else."""
        every = self.inner.run(batch)["probabilities"]
        return {"probabilities": np.stack([every[:, 0], every[:, 1:].sum(1)], axis=1)}


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of pictures, or the packed file")
    parser.add_argument("--out", type=Path, default=Path("runs/published"), help="where the sets lie or are made")
    parser.add_argument("--json", type=Path, required=True, help="the rows; those that are there are kept or renewed")
    parser.add_argument("--model", action="append", default=[], help="only this one, again for more")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
