"""Whether each training, killed without warning and started again, ends as one that nobody disturbed.

    python -m recipes.published.try_resume --data DATA --out runs/trial --feed device

Each system is trained twice for three small epochs. One of the two is killed (SIGKILL) as soon as its first epoch is
written. Weights and curves must then be equal, to the last bit.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from handlens.train.checkpoints import LAST, read_checkpoint
from handlens.train.trainer import LOG
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
    subprocess.run(_command(name, "whole", args), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not is_finished(args.out / "whole" / DRY / name):
        return "it did not come to its end"
    killed = args.out / "killed" / DRY / name
    first = subprocess.Popen(_command(name, "killed", args), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + WAIT
    while not (killed / LAST).exists() and first.poll() is None and time.monotonic() < end:
        time.sleep(PACE)
    first.kill()
    first.wait()
    if not (killed / LAST).exists():
        return "no epoch was written before it was killed"
    if is_finished(killed):
        return "it came to its end before it could be killed"
    done = int(read_checkpoint(killed / LAST)["epoch"]) + 1
    subprocess.run(_command(name, "killed", args), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def _command(name: str, home: str, args: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "recipes.published.run", "--data", str(args.data), "--out", str(args.out / home)]
    command += ["--system", name, "--device", args.device, "--threads", "1", "--dry-run"]
    return command + (["--feed", args.feed] if args.feed else [])


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
