"""Put what runs have reached into recipes/published: tables, logs, curves, models, and checkpoints to go on from.

    python -m recipes.published.keep --out runs/published --run digits6-random --run gestures20-blocks
    python -m recipes.published.page

Paths of the machine become `runs/published/...`, where `run.py` looks for a run that goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from handlens.train.checkpoints import LAST, read_checkpoint
from handlens.train.trainer import LOG
from recipes.published.measure import CONFIG, DONE, write_tables
from recipes.published.systems import RUNS

HERE = Path(__file__).parent
PLACE = "runs/published"
"""Where runs lie, as far as what is kept says."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Keep the runs that are named, beside those that are kept already."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(PLACE), help="where the runs lie")
    parser.add_argument("--run", action="append", required=True, choices=list(RUNS), help="again for more")
    parser.add_argument("--dest", type=Path, default=HERE, help="the folder of checkpoints/ and results/")
    args = parser.parse_args(arguments)
    for name in args.run:
        kept(args.out, name, args.dest)
    table = args.dest / "results/table.json"
    rows = {run["run"]: run for run in (json.loads(table.read_text("utf-8")) if table.exists() else [])}
    rows |= {name: json.loads((args.out / name / DONE).read_text("utf-8")) for name in args.run}
    write_tables([rows[name] for name in RUNS if name in rows], args.dest / "results")


def kept(home: Path, name: str, dest: Path) -> None:
    """Copy what is worth keeping of a run."""
    run, results = home / name, dest / "results" / name
    results.mkdir(parents=True, exist_ok=True)
    (dest / "checkpoints").mkdir(exist_ok=True)
    model = RUNS[name].given["net"]
    for file in (LOG, "curves.png", f"{model}.onnx"):
        shutil.copyfile(run / file, results / file)
    before = str(home.resolve())
    (results / CONFIG).write_text((run / CONFIG).read_text("utf-8").replace(before, PLACE), "utf-8")
    torch.save(moved(read_checkpoint(run / LAST), before), dest / "checkpoints" / f"{name}.ckpt")


def moved(value: Any, before: str) -> Any:
    """Return the same with `runs/published` in place of the folder `before` in all texts, keys among them."""
    if isinstance(value, dict):
        return type(value)((moved(key, before), moved(each, before)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return type(value)(moved(each, before) for each in value)
    return value.replace(before, PLACE) if isinstance(value, str) else value


if __name__ == "__main__":
    main()
