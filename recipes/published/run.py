"""Train the published systems as they were published, and measure each on its own protocol and on strangers.

    python -m recipes.published.run --data DATA --out RUNS --system digits6 --system gestures20 --hours 2

A run that was stopped or killed goes on from its last whole epoch when the same command is given again. RUNS/table.json
and table.csv hold the numbers of all runs; each run's folder holds its log, curves and weights.
"""

from __future__ import annotations

import argparse
import csv
import math
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import torch

from handlens.data.formats.detect_format import open_set
from handlens.errors import HandlensError
from handlens.train.checkpoints import ABOUT, LAST, read_checkpoint
from handlens.train.config import Plan
from handlens.train.devices import check_devices
from handlens.train.run import AS_USUAL, Hooks, train_run
from handlens.train.trainer import LOG
from recipes.published.device_feed import accuracy_check, device_feed
from recipes.published.dry_run import FewSets, smaller
from recipes.published.measure import CONFIG, is_finished, measured, seed_of, write_table
from recipes.published.published_sets import SETS, set_at, unpacked
from recipes.published.systems import EPOCHS, LANES, RUNS, Run

DRY = "dry-run"
"""The folder of trials, within that of the runs."""
SEEDS, TRIAL = 8, 2
"""Seeds that are tried for the small nets, and the epochs of each trial."""
ALIVE = 0.985
"""Share of the loss of chance that a network which learns falls below in a trial."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and measure what is asked for: on a GPU side by side, else one run after the other."""
    args = arguments_of(arguments)
    if args.dry_run and not args.lane:
        args.out = args.out / DRY  # a real run is not to take it for its own
    args.out.mkdir(parents=True, exist_ok=True)
    args.data = unpacked(args.data, args.out / "sets")
    if args.device in ("gpu", "cuda") and not args.lane:
        check_devices(Plan(device=args.device))
        side_by_side(args)
        return
    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    end = time.monotonic() + 3600 * args.hours
    for name in in_order(args):
        if time.monotonic() >= end:
            break
        run = RUNS[name]
        try:
            finished = trained(name, run, args, end - time.monotonic())
            if (args.out / name / LAST).exists():  # an epoch is whole
                measured(name, run, args, finished)
        except HandlensError as error:  # the next system is not to wait for a person
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    write_table(args.out)


def in_order(args: argparse.Namespace) -> list[str]:
    """Return the runs that are wanted and not finished: those first that need the fewest hours to their end.

    A run that joins another's model comes after that one. In a lane the order is that of the lane.
    """
    names = LANES[args.lane] if args.lane else RUNS
    wanted = [
        name
        for name in names
        if name in RUNS
        and (not args.system or RUNS[name].system in args.system or name in args.system)
        and not is_finished(args.out / name)
    ]
    if args.lane:
        return wanted
    left = {name: RUNS[name].hours * (1 - _share_done(args.out / name, RUNS[name])) for name in wanted}
    for name in wanted:
        left[name] = max(left[name], left.get(RUNS[name].joins, 0.0) + 1e-6)
    return sorted(wanted, key=left.__getitem__)


def _share_done(out: Path, run: Run) -> float:
    """Return the share of its epochs that a run has behind it."""
    if not (out / LAST).exists():
        return 0.0
    return float(min(1.0, len(read_checkpoint(out / LAST)[ABOUT]["rows"]) / run.given.get("epochs", EPOCHS)))


def side_by_side(args: argparse.Namespace) -> None:
    """Start a process for each lane, wait for all, write the table. Ctrl-C and a termination end them all."""
    for name in SETS:
        set_at(name, args.data, args.out / "sets", args.dry_run)  # before the lanes, two of which need the same one
    asked = [sys.executable, "-m", "recipes.published.run", "--data", str(args.data), "--out", str(args.out)]
    asked += ["--device", args.device, "--threads", str(args.threads or 2), "--hours", str(args.hours)]
    asked += [word for name in args.system for word in ("--system", name)]
    asked += ["--pretrained", args.pretrained] if args.pretrained else []
    asked += ["--dry-run"] if args.dry_run else []
    lanes = [name for name in LANES if in_order(argparse.Namespace(**{**vars(args), "lane": name}))]
    before = signal.signal(signal.SIGTERM, _interrupt)
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in lanes:
            with (args.out / f"{name}.lane.log").open("ab") as log:
                started[name] = subprocess.Popen([*asked, "--lane", name], stdout=log, stderr=log)
        for name, process in started.items():
            print(f"lane {name}: ended with {process.wait()}", flush=True)
    finally:
        for process in started.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in started.values():
            process.wait()
        signal.signal(signal.SIGTERM, before)
        write_table(args.out)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def trained(name: str, run: Run, args: argparse.Namespace, seconds: float) -> bool:
    """Train until the run is finished or its time is over; return whether it is finished."""
    out, on_gpu = args.out / name, args.device in ("gpu", "cuda")
    data = set_at(run.data, args.data, args.out / "sets", args.dry_run)
    given = {**run.given, **(run.on_gpu if on_gpu else {}), "data": str(data)}
    given |= {"device": args.device, "workers": args.workers, "precision": precision_of(args, out)}
    hooks = AS_USUAL
    if args.feed == "device" or (on_gpu and not args.feed):
        hooks = Hooks(device_feed, accuracy_check if run.task in ("gesture", "hold") else None)
    opened = FewSets() if args.dry_run else None
    if args.dry_run:
        given = smaller(run.task, given)
    elif run.task == "gesture":
        given["seed"] = living_seed(run, given, out, hooks)
    if run.system == "vgg":
        given["pretrained"] = args.pretrained or "none"
    end = time.monotonic() + seconds
    try:
        with time_limit(seconds):
            train_run(run.task, given, None, out, opened=opened, hooks=hooks)
    except KeyboardInterrupt:
        if time.monotonic() < end:  # a person wants to stop
            raise
        return False
    return True


def precision_of(args: argparse.Namespace, out: Path) -> str:
    """Return the number format: that of a run which has begun, so that it goes on alike; else by the device.

    `auto` would be timed again at every start, and another format gives other weights.
    """
    if (out / CONFIG).exists():
        return str(tomllib.loads((out / CONFIG).read_text("utf-8")).get("precision", "auto"))
    if args.device in ("gpu", "cuda"):
        return "bf16"
    return "32" if args.dry_run else "auto"


def living_seed(run: Run, given: Mapping[str, Any], out: Path, hooks: Hooks = AS_USUAL) -> int:
    """Return the first seed whose network learns: that of the run in `out`, or else found by two epochs of each.

    With some seeds all last units of the small published nets are zero for every picture from the first steps on, and
    the loss stays at chance for ever.
    """
    if (out / CONFIG).exists():
        return seed_of(out)
    classes = len(open_set(Path(given["data"]), "classify").names)
    for seed in range(SEEDS):
        trial = out.with_name(f"{out.name}-seed{seed}")
        train_run(run.task, {**given, "seed": seed, "epochs": TRIAL, "patience": 0}, None, trial, hooks=hooks)
        with (trial / LOG).open(newline="") as file:
            loss = float(list(csv.DictReader(file))[-1]["loss"])
        shutil.rmtree(trial)
        print(f"{out.name}: seed {seed} has a loss of {loss:.3f} after {TRIAL} epochs", flush=True)
        if loss < ALIVE * math.log(classes):
            return seed
    raise HandlensError(f"none of {SEEDS} seeds makes {run.system} learn.")


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


def arguments_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = sorted({*RUNS, *(run.system for run in RUNS.values())})
    data_help = "folder with gestures/, touch/, holding/, or the file of recipes.published.pack"
    parser.add_argument("--data", type=Path, required=True, help=data_help)
    parser.add_argument("--out", type=Path, default=Path("runs/published"), help="where runs, sets and tables go")
    parser.add_argument("--system", action="append", default=[], choices=known,
                        help="a system or one of its runs, again for more; all without it")  # fmt: skip
    parser.add_argument("--hours", type=float, default=24.0 * 365, help="stop after so long; the same command goes on")
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu")
    parser.add_argument("--workers", type=int, default=0, help="processes that make samples")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("--feed", choices=("loader", "device"),
                        help="what makes samples: by itself the loader, and on a GPU the device")  # fmt: skip
    parser.add_argument("--lane", default="", choices=("", *LANES), help="only what runs in one process on a GPU")
    parser.add_argument("--pretrained", default="", help="vgg: weights of its encoder: imagenet, none or a file")
    once = "seconds for each: few pictures, small, three epochs"
    parser.add_argument("--dry-run", action="store_true", help=once)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
