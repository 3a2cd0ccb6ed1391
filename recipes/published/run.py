"""Train the published systems as they were published, and measure each on its own protocol and on strangers.

    python -m recipes.published.run --data DATA --out RUNS --system digits6 --system gestures20 --hours 2

A run that was stopped or killed goes on from its last whole epoch when the same command is given again. RUNS/table.json
and table.csv hold the numbers of all runs; each run's folder holds its log, curves and weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import shutil
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import torch

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.formats.detect_format import open_set
from handlens.errors import HandlensError
from handlens.evaluate.evaluate import evaluate
from handlens.evaluate.plots.log import plot_log
from handlens.io.atomic import AtomicFile
from handlens.report import Row
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.fewshot.report import share
from handlens.train.run import export_experiment, open_experiment, open_predictor, train_run
from handlens.train.trainer import LOG
from recipes.published.published_sets import set_at

MOST = 3000
"""Pictures of a training part that are measured, at most."""
SEEDS, TRIAL = 8, 2
"""Seeds that are tried for the small nets, and the epochs of each trial."""
ALIVE = 0.985
"""Share of the loss of chance that a network which learns falls below in a trial."""
RATES = ("precision", "recall", "F1", "IoU")
DONE, CONFIG = "numbers.json", "config.toml"

_ADAM = {"optimiser": "adam", "schedule": "constant", "clip": 0.0, "cache": True}
_GESTURE = {**_ADAM, "rate": 1e-3, "batch": 32, "epochs": 100, "patience": 15, "augment": "silhouette"}
_MASK = {**_ADAM, "rate": 1e-4, "batch": 4, "epochs": 100, "augment": "plain", "check": 2}


@dataclass(frozen=True)
class Run:
    """One training and what it is measured on.

    Attributes:
        system: what the user asks for.
        task: the task of `handlens train`.
        data: the set that it learns from, a key of `published_sets.SETS`.
        measures: what a row of the table is called -> the set and its part.
        given: settings, as the system was published.
        claim: what its authors say.
    """

    system: str
    task: str
    data: str
    measures: Mapping[str, tuple[str, str]]
    given: Mapping[str, Any]
    claim: str


def _digits(split: str) -> Run:
    parts = {"learned": "train", "held out": "val"} | ({"blocks never seen": "test"} if split == "blocks" else {})
    measures = {name: (f"digits-{split}.npz", part) for name, part in parts.items()}
    measures["other people"] = ("digits-others.npz", "test")
    claim = "accuracy 1.0 (train and validation)"
    return Run("digits6", "gesture", f"digits-{split}.npz", measures, {"net": "digits6", **_GESTURE}, claim)


def _signs(split: str) -> Run:
    parts = {"learned": "train", "held out": "val", "held out, chose nothing": "test"}
    measures = {name: (f"signs-{split}.npz", part) for name, part in parts.items()}
    measures["other people"] = ("signs-others.npz", "test")
    given, claim = {"net": "gestures20", **_GESTURE}, "accuracy 0.984 (train), 0.997 (validation), 0.990 (test)"
    return Run("gestures20", "gesture", f"signs-{split}.npz", measures, given, claim)


def _masks(net: str, **changes: Any) -> Run:
    measures = {
        "learned": ("frames", "train"),
        "held out": ("frames", "val"),
        "other people": ("frames-others", "test"),
    }
    return Run(net, "segment", "frames", measures, {"net": net, **_MASK, **changes}, "precision, recall, F1")


def _face(net: str) -> Run:
    measures = {"learned": ("generated", "train"), "held out": ("generated", "test")}
    measures["photographs"] = ("held-by-others", "test")
    given = {"net": net, "margin": "softmax", "cache": True}
    return Run(net, "hold", "generated", measures, given, "accuracy on the 18 test pictures")


FACES = ("mobileface", "res50_ir", "res50", "seres50_ir", "attention_56", "res100_ir", "seres100_ir", "attention_92")
RUNS: dict[str, Run] = {
    "digits6-random": _digits("random"),
    "digits6-blocks": _digits("blocks"),
    "gestures20-random": _signs("random"),
    "gestures20-blocks": _signs("blocks"),
    "snet": _masks("snet"),
    "mobileface": _face("mobileface"),
    "unet": _masks("unet"),
    "vgg": _masks("vgg"),
    "deeplabv3plus": _masks("deeplabv3plus", batch=8),
    **{net: _face(net) for net in FACES[1:]},
}
"""In the order in which they are trained: small networks first."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure what is asked for, one run after the other."""
    args = _arguments(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    end = time.monotonic() + 3600 * args.hours
    for name, run in RUNS.items():
        wanted = not args.system or run.system in args.system or name in args.system
        if not wanted or _finished(args.out / name) or time.monotonic() >= end:
            continue
        try:
            finished = trained(run, args, args.out / name, end - time.monotonic())
            if (args.out / name / LAST).exists():  # an epoch is whole
                measured(name, run, args, finished)
        except HandlensError as error:  # the next system is not to wait for a person
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    write_table(args.out)


def trained(run: Run, args: argparse.Namespace, out: Path, seconds: float) -> bool:
    """Train until the run is finished or its time is over; return whether it is finished."""
    data = set_at(run.data, args.data, args.out / "sets")
    given = {**run.given, "data": str(data), "device": args.device, "workers": args.workers}
    if run.task == "gesture":
        given["seed"] = living_seed(run, given, out)
    if args.pretrained and run.system == "vgg":
        given["pretrained"] = args.pretrained
    end = time.monotonic() + seconds
    try:
        with time_limit(seconds):
            train_run(run.task, given, None, out)
    except KeyboardInterrupt:
        if time.monotonic() < end:  # a person wants to stop
            raise
        return False
    return True


def living_seed(run: Run, given: Mapping[str, Any], out: Path) -> int:
    """Return the first seed whose network learns: that of the run in `out`, or else found by two epochs of each.

    With some seeds all last units of the small published nets are zero for every picture from the first steps on, and
    the loss stays at chance for ever.
    """
    if (out / CONFIG).exists():
        return seed_of(out)
    classes = len(open_set(Path(given["data"]), "classify").names)
    for seed in range(SEEDS):
        trial = out.with_name(f"{out.name}-seed{seed}")
        train_run(run.task, {**given, "seed": seed, "epochs": TRIAL, "patience": 0}, None, trial)
        with (trial / LOG).open(newline="") as file:
            loss = float(list(csv.DictReader(file))[-1]["loss"])
        shutil.rmtree(trial)
        print(f"{out.name}: seed {seed} has a loss of {loss:.3f} after {TRIAL} epochs", flush=True)
        if loss < ALIVE * math.log(classes):
            return seed
    raise HandlensError(f"none of {SEEDS} seeds makes {run.system} learn.")


def seed_of(out: Path) -> int:
    """Return the seed of a run that has begun."""
    return int(tomllib.loads((out / CONFIG).read_text("utf-8")).get("seed", 0))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs inside as Ctrl-C would, once so many seconds are over; nothing of the plan changes."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def measured(name: str, run: Run, args: argparse.Namespace, finished: bool) -> None:
    """Measure the best epoch on all sets of a run; write its numbers, its model and its curves."""
    out = args.out / name
    experiment, last = open_experiment(out), read_checkpoint(out / LAST)[ABOUT]
    best = read_checkpoint(out / (BEST if (out / BEST).exists() else LAST))[ABOUT]
    export_experiment(experiment, out / f"{experiment.card.name}.onnx")
    plot_log(out / LOG, out / "curves.png")
    predictor, rows = open_predictor(out), []
    for title, (place, part) in run.measures.items():
        found = open_set(set_at(place, args.data, args.out / "sets"), experiment.card.kind).split(part)
        found = evenly(found, MOST) if title == "learned" else found
        report = evaluate(predictor, found, on_error=lambda error: None).report
        chosen = [row for row in report if row.name in _wanted(found)]
        rows += [{"measured on": title, "set": place, "part": part, **vars(row), **_wilson(row)} for row in chosen]
    numbers = {
        "run": name, "system": run.system, "claim": run.claim, "finished": finished, "epochs": len(last["rows"]),
        "seed": seed_of(out), "best epoch": max(best["rows"]) + 1, "hours": last["spent"] / 3600, "rows": rows,
    }  # fmt: skip
    with AtomicFile(out / DONE) as draft:
        draft.write((json.dumps(numbers, indent=1) + "\n").encode())
    write_table(args.out)


def _wanted(found: LabelledSet) -> set[str]:
    """Return the numbers that the published systems tell, and the overlap."""
    if found.kind == "classify":
        return {"accuracy", *(f"recall {name}" for name in found.names)}
    whole = {f"{rate} {found.names[1]}" for rate in RATES}
    return {*whole, *(f"{name}, mean of batches of 4" for name in whole)}


def _wilson(row: Row) -> dict[str, float]:
    """Wilson's interval of an accuracy as if frames were independent: where all are right, resampling tells nothing."""
    if row.name != "accuracy":
        return {}
    interval = share(row.name, np.arange(row.n) < round(row.value * row.n))
    return {"Wilson low": interval.low, "Wilson high": interval.high}


def write_table(home: Path) -> None:
    """Write table.json and table.csv of all runs that were measured."""
    runs = [json.loads((home / name / DONE).read_text("utf-8")) for name in RUNS if (home / name / DONE).exists()]
    rows = [{**{key: run[key] for key in run if key != "rows"}, **row} for run in runs for row in run["rows"]]
    with AtomicFile(home / "table.json") as draft:
        draft.write((json.dumps(runs, indent=1) + "\n").encode())
    with (home / "table.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.DictWriter(table, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)


def _finished(out: Path) -> bool:
    return (out / DONE).exists() and bool(json.loads((out / DONE).read_text("utf-8"))["finished"])


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = sorted({*RUNS, *(run.system for run in RUNS.values())})
    parser.add_argument("--data", type=Path, required=True, help="folder with gestures/, touch/, holding/")
    parser.add_argument("--out", type=Path, default=Path("runs/published"), help="where runs, sets and tables go")
    parser.add_argument("--system", action="append", default=[], choices=known,
                        help="a system or one of its runs, again for more; all without it")  # fmt: skip
    parser.add_argument("--hours", type=float, default=24.0 * 365, help="stop after so long; the same command goes on")
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that make samples")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("--pretrained", default="", help="vgg: weights of its encoder: imagenet, none or a file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
