"""Packs what the trainings need for another machine, and what they gave for the way back.

    python -m recipes.published.pack data --data DATA --dest runs/published-sets.tar.gz
    python -m recipes.published.pack results --out runs/published --dest OUT --files 8 --mib 16
    python -m recipes.published.pack results --out runs/published --dest OUT --system yolov3
    python -m recipes.published.pack join OUT/results.tar.* --dest runs/from-gpu

Weights travel as numbers of 16 bits. A result that does not fit is named, and is fetched with --system.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from recipes.published.published_sets import pack
from recipes.published.systems import RUNS

SMALL = ("numbers.json", "log.csv", "curves.png", "config.toml")
TABLES = ("table.json", "table.csv")
MIB = 1024 * 1024
SLACK = 64 * 1024
"""Bytes that the frame of an archive takes, at most, beside its files."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the first word says."""
    args = _arguments(arguments)
    if args.verb == "data":
        args.dest.parent.mkdir(parents=True, exist_ok=True)
        pack(args.data, args.dest)
        print(f"'{args.dest}' has {args.dest.stat().st_size / 1e6:.1f} MB")
    elif args.verb == "results":
        pack_results(args.out, args.dest, args.files * args.mib * MIB, args.mib * MIB, args.system)
    else:
        join(args.parts, args.dest)


def pack_results(home: Path, dest: Path, room: int, part: int, systems: Sequence[str] = ()) -> list[str]:
    """Write tables, curves and logs of all runs, and then weights, the smallest first, while there is room.

    Args:
        home: the folder of all runs.
        dest: a folder; it gets results.tar.00, results.tar.01 ...
        room: bytes of all files together.
        part: bytes of one file, at most.
        systems: only the weights of these.

    Returns:
        The runs whose weights did not fit.

    Raises:
        InputError: tables, curves and logs alone do not fit.
    """
    runs = [name for name in RUNS if (home / name / LAST).exists()]
    chosen = [name for name in runs if not systems or RUNS[name].system in systems or name in systems]
    files = [(name, (home / name).read_bytes()) for name in TABLES if (home / name).exists()]
    files += [
        (f"{name}/{file}", (home / name / file).read_bytes())
        for name in runs
        for file in SMALL
        if (home / name / file).exists()
    ]
    left = room - SLACK - sum(_in_archive(data) for _, data in files)
    if left < 0:
        raise InputError(f"the tables, curves and logs in '{home}' do not fit into {room} bytes.")
    missing = []
    for size, name in sorted((_best(home / name).stat().st_size, name) for name in chosen):
        data = half(_best(home / name))
        if _in_archive(data) > left:
            missing.append(name)
            print(f"{name}: its weights ({len(data) / 1e6:.0f} of {size / 1e6:.0f} MB) do not fit", flush=True)
            continue
        left -= _in_archive(data)
        files.append((f"{name}/half.pt", data))
    _write(files, dest, part)
    return missing


def half(checkpoint: Path) -> bytes:
    """Return weights and card of a checkpoint with numbers of 16 bits, as a file that torch reads."""
    kept: dict[str, Any] = read_checkpoint(checkpoint)
    state = {key: value.half() if value.is_floating_point() else value for key, value in kept["state_dict"].items()}
    file = io.BytesIO()
    torch.save({"state_dict": state, ABOUT: kept[ABOUT], "epoch": kept["epoch"]}, file)
    return file.getvalue()


def join(parts: Sequence[Path], dest: Path) -> None:
    """Unpack the parts that `pack_results` wrote; weights become checkpoints that every command opens."""
    whole = io.BytesIO(b"".join(path.read_bytes() for path in sorted(parts)))
    dest.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=whole) as archive:
        archive.extractall(dest, filter="data")
    for path in dest.glob("*/half.pt"):
        kept = torch.load(path, map_location="cpu", weights_only=True)
        kept["state_dict"] = {
            key: value.float() if value.is_floating_point() else value for key, value in kept["state_dict"].items()
        }
        torch.save(kept, path.with_name(BEST))
        path.unlink()


def _best(run: Path) -> Path:
    return run / BEST if (run / BEST).exists() else run / LAST


def _in_archive(data: bytes) -> int:
    return 1024 + -(-len(data) // 512) * 512


def _write(files: Sequence[tuple[str, bytes]], dest: Path, part: int) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = whole.getvalue()
    dest.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(data), part)):
        with AtomicFile(dest / f"results.tar.{number:02}") as draft:
            draft.write(data[start : start + part])


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    data = verbs.add_parser("data", help="all sets as one file")
    data.add_argument("--data", type=Path, required=True, help="folder with gestures/, touch/, holding/")
    data.add_argument("--dest", type=Path, required=True)
    results = verbs.add_parser("results", help="tables, curves, logs and weights in parts")
    results.add_argument("--out", type=Path, required=True, help="the folder of the runs")
    results.add_argument("--dest", type=Path, required=True, help="a folder")
    results.add_argument("--files", type=int, default=8, help="parts at most")
    results.add_argument("--mib", type=int, default=16, help="of one part at most")
    results.add_argument("--system", action="append", default=[], help="only weights of this one, again for more")
    joined = verbs.add_parser("join", help="the parts as folders again")
    joined.add_argument("parts", type=Path, nargs="+")
    joined.add_argument("--dest", type=Path, required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
