"""Rewrite what a shipped model's card says of its data: `python -m recipes.describe MODEL.onnx --source TEXT ...`.

Only the metadata of the file changes. The graph and every weight stay as they are, which is checked. The sum in
`sha256.json` beside the file is written again. Use this script when a card names a module that was renamed; for a new
training `recipes.ship` writes the card.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import onnx

from handlens.card import KEY
from handlens.io.atomic import AtomicFile
from recipes.ship import write_sum


def describe(path: Path, sources: Sequence[str]) -> None:
    """Give the card of a model file new sources.

    Args:
        path: An .onnx with a card; it is replaced.
        sources: The entries of the card's `data`, one for each source.

    Raises:
        ValueError: The file has no card, or no source is given.
    """
    model = onnx.load(path)
    graph = model.graph.SerializeToString(deterministic=True)
    entry = next((entry for entry in model.metadata_props if entry.key == KEY), None)
    if entry is None or not sources:
        raise ValueError(f"'{path}' has no card, or no --source is given.")
    card = json.loads(entry.value)
    card["data"] = list(sources)
    entry.value = json.dumps(card, sort_keys=True)
    data = model.SerializeToString(deterministic=True)
    if onnx.load_from_string(data).graph.SerializeToString(deterministic=True) != graph:
        raise ValueError(f"the graph of '{path}' would change: nothing was written.")
    with AtomicFile(path) as draft:
        draft.write(data)
    write_sum(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and rewrite one card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the .onnx, with its sha256.json beside it")
    parser.add_argument("--source", action="append", default=[], help="what it learned from; once for each source")
    args = parser.parse_args(arguments)
    describe(args.model, args.source)
    print(f"{args.model}: card rewritten, weights unchanged")


if __name__ == "__main__":
    main()
