"""Whether each training, killed without warning and started again, ends as one that nobody disturbed.

    python -m recipes.published.try_resume --data DATA --out runs/trial --feed device

Each system is trained twice for three small epochs. One of the two is killed (SIGKILL) as soon as its first epoch is
written. Weights and curves must then be equal, to the last bit.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import shutil
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from handlens.train.checkpoints import LAST, read_checkpoint
from handlens.train.trainer import LOG
from recipes.published import run
from recipes.published.measure import is_finished
from recipes.published.run import DRY
from recipes.published.systems import RUNS

WAIT = 900.0
"""Seconds until a first epoch must be there."""
PACE = 0.02
CLOCKS = ("minutes", "hours")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each system; return 1 where one differs."""
    args = _arguments(arguments)
    worst = 0
    for name in args.system or RUNS:
        began = time.monotonic()
        said = tried(name, args)
        print(f"{name}: {said or 'equal'} ({time.monotonic() - began:.0f} s)", flush=True)
        worst |= int(bool(said))
        shutil.rmtree(args.out / "whole" / DRY / name, ignore_errors=True)
        shutil.rmtree(args.out / "killed" / DRY / name, ignore_errors=True)
    return worst


def tried(name: str, args: argparse.Namespace) -> str:
    """Train a system in both ways; return what differs, or ""."""
    for home in ("whole", "killed"):
        shutil.rmtree(args.out / home / DRY / name, ignore_errors=True)
        (args.out / home / DRY / name).mkdir(parents=True)
    _started(name, "whole", args).join()
    if not is_finished(args.out / "whole" / DRY / name):
        return "it did not come to its end"
    killed = args.out / "killed" / DRY / name
    first = _started(name, "killed", args)
    end = time.monotonic() + WAIT
    while not (killed / LAST).exists() and first.is_alive() and time.monotonic() < end:
        time.sleep(PACE)
    first.kill()
    first.join()
    if not (killed / LAST).exists():
        return "no epoch was written before it was killed"
    if is_finished(killed):
        return "it came to its end before it could be killed"
    done = int(read_checkpoint(killed / LAST)["epoch"]) + 1
    _started(name, "killed", args).join()
    if not is_finished(killed):
        return "it did not go on to its end"
    return different(args.out / "whole" / DRY / name, killed) + (f" (killed after {done} epochs)" if done == 3 else "")


def different(one: Path, other: Path) -> str:
    """Return what differs between two runs, or ""."""
    states = [read_checkpoint(run / LAST)["state_dict"] for run in (one, other)]
    names = [key for key, value in states[0].items() if not torch.equal(value, states[1][key])]
    if names:
        return f"{len(names)} of {len(states[0])} weights differ, such as {names[0]}"
    tables = [list(csv.DictReader((run / LOG).read_text("utf-8").splitlines())) for run in (one, other)]
    logs = [[{key: row[key] for key in row if key not in CLOCKS} for row in table] for table in tables]
    return "" if logs[0] == logs[1] else "the curves differ"


def _started(name: str, home: str, args: argparse.Namespace) -> BaseProcess:
    """Return a process that trains a system; it is a copy of this one, which has imported everything."""
    command = ["--data", str(args.data), "--out", str(args.out / home), "--system", name, "--device", args.device]
    command += ["--threads", "1", "--dry-run"] + (["--feed", args.feed] if args.feed else [])
    process = multiprocessing.get_context("fork").Process(target=_run, args=(command, args.out / f"{name}.log"))
    process.start()
    return process


def _run(command: list[str], log: Path) -> None:
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        run.main(command)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--system", action="append", default=[], choices=list(RUNS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--feed", choices=("loader", "device"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
