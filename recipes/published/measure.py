"""Measures the best epoch of a run on its protocol and on strangers, and writes the table of all runs."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.formats.detect_format import open_set
from handlens.evaluate.evaluate import evaluate
from handlens.evaluate.plots.log import plot_log
from handlens.io.atomic import AtomicFile
from handlens.predictor import Predictor, load
from handlens.report import Row
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.export.combined import export_combined
from handlens.train.fewshot.report import share
from handlens.train.run import export_experiment, live_predictor, open_experiment
from handlens.train.trainer import LOG
from recipes.published.dry_run import few
from recipes.published.published_sets import set_at
from recipes.published.systems import EPOCHS, RUNS, Run

MOST = {"classify": 3000, "segment": 320, "detect": 200}
"""Pictures of a training part that are measured, at most."""
RATES = ("precision", "recall", "F1", "IoU")
DETECTED = {"mAP 0.5", "mAP 0.5:0.95", "precision", "recall", "touch ROC AUC", "touch F1", "region top-1"}
DONE, CONFIG = "numbers.json", "config.toml"


def measured(name: str, run: Run, args: argparse.Namespace, finished: bool) -> None:
    """Measure the best epoch on all sets of a run; write its numbers, its model and its curves."""
    out = args.out / name
    experiment, last = open_experiment(out), read_checkpoint(out / LAST)[ABOUT]
    best = read_checkpoint(out / (BEST if (out / BEST).exists() else LAST))[ABOUT]
    model = export_experiment(experiment, out / f"{experiment.card.name}.onnx")
    plot_log(out / LOG, out / "curves.png")
    if args.device in ("gpu", "cuda"):
        experiment.net.to("cuda")
    predictor = live_predictor(experiment)
    rows = [row for title in run.measures for row in _rows(title, *run.measures[title], predictor, args)]
    if run.joins:
        rows += _joined_rows(run, model, args, out)
    numbers = {
        "run": name, "system": run.system, "claim": run.claim, "finished": finished, "epochs": len(last["rows"]),
        "of epochs": run.given.get("epochs", EPOCHS), "seed": seed_of(out), "best epoch": max(best["rows"]) + 1,
        "hours": last["spent"] / 3600, "device": args.device, "rows": rows,
    }  # fmt: skip
    with AtomicFile(out / DONE) as draft:
        draft.write((json.dumps(numbers, indent=1) + "\n").encode())
    write_table(args.out)


def _rows(title: str, place: str, part: str, predictor: Predictor, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what a model measures on a part of a set, as rows of the table."""
    found = open_set(set_at(place, args.data, args.out / "sets", args.dry_run)).split(part)
    found = few(found) if args.dry_run else found
    if "learned" in title:
        found = evenly(found, MOST[found.kind])
    report = evaluate(predictor, found, on_error=lambda error: None).report
    chosen = [row for row in report if row.name in wanted_rows(found)]
    return [{"measured on": title, "set": place, "part": part, **vars(row), **wilson(row)} for row in chosen]


def _joined_rows(run: Run, model: Path, args: argparse.Namespace, out: Path) -> list[dict[str, Any]]:
    """Join a mask net with the net that reads its hands into one file, and measure that from picture to number."""
    reader = next((args.out / run.joins).glob("*.onnx"), None)
    if reader is None:
        print(f"{out.name}: '{run.joins}' has no model yet, so nothing reads the hands", file=sys.stderr, flush=True)
        return []
    joined = export_combined(model, reader, out / "combined.onnx")
    return _rows("numbers shown by others", "numbers", "test", load(joined), args)


def wanted_rows(found: LabelledSet) -> set[str]:
    """Return the numbers that the published systems tell, and the overlap."""
    if found.kind == "classify":
        return {"accuracy", *(f"recall {name}" for name in found.names)}
    if found.kind == "detect":
        return DETECTED
    whole = {f"{rate} {found.names[1]}" for rate in RATES}
    return {*whole, *(f"{name}, mean of batches of 4" for name in whole)}


def wilson(row: Row) -> dict[str, float]:
    """Wilson's interval of an accuracy as if frames were independent: where all are right, resampling tells nothing."""
    if row.name != "accuracy":
        return {}
    interval = share(row.name, np.arange(row.n) < round(row.value * row.n))
    return {"Wilson low": interval.low, "Wilson high": interval.high}


def write_table(home: Path) -> None:
    """Write table.json and table.csv of all runs that were measured."""
    done = [home / name / DONE for name in RUNS]
    write_tables([json.loads(file.read_text("utf-8")) for file in done if file.exists()], home)


def write_tables(runs: Sequence[Mapping[str, Any]], home: Path) -> None:
    """Write table.json and table.csv of runs."""
    rows = [{**{key: run[key] for key in run if key != "rows"}, **row} for run in runs for row in run["rows"]]
    with AtomicFile(home / "table.json") as draft:
        draft.write((json.dumps([*runs], indent=1) + "\n").encode())
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    with AtomicFile(home / "table.csv") as draft:  # whole, whatever other lanes do
        draft.write(table.getvalue().encode())


def is_finished(out: Path) -> bool:
    """Return whether a run has come to its end and was measured."""
    return (out / DONE).exists() and bool(json.loads((out / DONE).read_text("utf-8"))["finished"])


def seed_of(out: Path) -> int:
    """Return the seed of a run that has begun."""
    return int(tomllib.loads((out / CONFIG).read_text("utf-8")).get("seed", 0))
