"""How good masks become with how many labelled frames: nets x frames of a set, each with the same number of steps.

    python benchmarks/few_frames.py SET --other OTHER --out FOLDER [--nets snet vgg glove] [--frames 25 50 100 200 400]

SET is a set of pictures with masks, split into train and val by group (`handlens data split`). Its val part chooses
nothing here: it is the held-out part that measures. OTHER is a set of another source; all are measured on it as well. A
number of frames beyond the training part takes the held-out groups too, and is measured on OTHER alone.

Each run lies in FOLDER/NET-FRAMES, or NET-started-FRAMES where `--start` says what the net begins with. One that is
done is skipped, so the same command goes on where it was stopped, and several may share a folder. few_frames.json and
few_frames.png there hold what is done; `--redraw` makes these again.

The published figure: the 400 people of ccp_skin, where a labels.csv names them with their masks (4 skin, 5 hair):

    handlens data remap CCP --dest ccp_all --drop hair --merge hand,face,neck,skin=skin
    handlens data split ccp_all --dest ccp --shares 0.8,0.2
    handlens data remap PRATHEEPAN --dest pratheepan --drop hair --merge hand,face,neck,skin=skin
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.data.write import write_set
from handlens.errors import HandlensError, InputError
from handlens.evaluate.evaluate import evaluate
from handlens.evaluate.plots import curves as plots
from handlens.io.atomic import AtomicFile
from handlens.predictor import load
from handlens.train.nets import catalog
from handlens.train.run import train_run

DONE, ALL, PLOT = "few.json", "few_frames.json", "few_frames.png"
PARTS = 4  # a run is kept so many times on its way
HELD_OUT, OTHER = "held-out people", "another source"
METRICS = ("IoU", "F1")


def trained(args: argparse.Namespace, net: str, frames: int, found: LabelledSet, out: Path) -> dict[str, Any]:
    """Train one net on so many frames, measure it, and return what is kept of it."""
    began, learned, data = time.monotonic(), found.split("train"), Path(args.set)
    everyone = frames > len(learned)
    if everyone:
        data = _everyone(found, open_set(args.other, "segment"), args.out / "everyone")
    given = {
        "data": str(data), "net": net, "size": _given(args.sizes).get(net, args.size), "batch": args.batch,
        "rate": args.rate, "seed": args.seed,
        "augment": args.augment, "frames": 0 if everyone else frames, "epochs": PARTS, "check": PARTS, "workers": 0,
        "epoch": args.batch * args.steps // PARTS, "warmup": 0.2, "dice": 1.0, "cache": True,
        "precision": args.precision,
    }  # fmt: skip
    if net in _given(args.start):
        given["start"] = _given(args.start)[net]
    if net in ("vgg", "deeplabv3plus"):
        given["pretrained"] = args.pretrained
    predictor = load(train_run("segment", given, None, out))
    measured = {OTHER if everyone else HELD_OUT: json.loads((out / "report.json").read_text("utf-8"))["rows"]}
    if args.other and not everyone:
        measured[OTHER] = evaluate(predictor, open_set(args.other, "segment")).report.to_json()
    return {
        "net": net,
        "frames": len(found) if everyone else frames,
        "begins": _begins(net, given),
        "parameters": catalog.find(net).parameters,
        "size": given["size"],
        "resize": predictor.card.resize,
        "steps": args.steps,
        "batch": args.batch,
        "rate": args.rate,
        "augment": args.augment,
        "minutes": round((time.monotonic() - began) / 60, 2),
        "measured": {name: _kept(rows, found.names[1]) for name, rows in measured.items()},
    }


def _given(pairs: Sequence[str]) -> dict[str, Any]:
    """["snet=160"] -> {"snet": 160}; what is not a number stays a text."""
    halves = [text.partition("=") for text in pairs]
    return {net: int(value) if value.isdigit() else value for net, _, value in halves}


def _begins(net: str, given: dict[str, Any]) -> str:
    """Return what the net knows before it sees a frame."""
    if "start" in given:
        return "pre-trained on hands and faces"
    if "pretrained" in given:
        return "without ImageNet weights" if given["pretrained"] == "none" else "encoder from ImageNet"
    return "from chance"


def _everyone(found: LabelledSet, other: LabelledSet, dest: Path) -> Path:
    """Return a set in which all of `found` is learned from, and `other` measured."""
    if not dest.exists():
        learned = [dataclasses.replace(picture, split="train") for picture in found]
        write_set(found.having([*learned, *(dataclasses.replace(p, split="val") for p in other)]), dest)
    return dest


def _kept(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    wanted = [f"{metric} {name}" for metric in (*METRICS, "precision", "recall")]
    kept = {row["name"].split()[0]: row for row in rows if row["name"] in wanted}
    return {metric: {key: row[key] for key in ("value", "low", "high", "n")} for metric, row in kept.items()}


def collected(folder: Path) -> list[dict[str, Any]]:
    """Return what there is of finished runs, net by net in the catalog's order, the fewest frames first."""
    runs = [json.loads(path.read_text("utf-8")) for path in folder.glob(f"*/{DONE}")]
    return sorted(runs, key=lambda run: (catalog.names().index(run["net"]), run["begins"], run["frames"]))


def drawn(runs: list[dict[str, Any]], path: Path, title: str) -> Path:
    """Draw the numbers against the frames: a row for each set, a column for each metric, a line for each net."""
    plots.require()
    sets = [name for name in (HELD_OUT, OTHER) if any(name in run["measured"] for run in runs)]
    figure = plots.new_figure(11.0, 1.0 + 3.6 * len(sets))
    frames = sorted({run["frames"] for run in runs})
    grid = figure.subplots(len(sets), len(METRICS), squeeze=False)
    for row, where in enumerate(sets):
        for column, metric in enumerate(METRICS):
            axes = grid[row][column]
            _lines(axes, [run for run in runs if where in run["measured"]], where, metric)
            plots.dress(axes, f"{metric}, {where}", "labelled frames" if row + 1 == len(sets) else "", "")
            axes.set_xscale("log")
            axes.set_xticks(frames, [str(count) for count in frames])
            axes.minorticks_off()
            axes.set_ylim(0, 1)
    figure.legend(*grid[0][0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=2)
    figure.suptitle(title, fontsize=11)
    return plots.save(figure, path)


def _lines(axes: Any, runs: list[dict[str, Any]], where: str, metric: str) -> None:
    kinds = list(dict.fromkeys((run["net"], run["begins"]) for run in runs))
    for place, (net, begins) in enumerate(kinds):
        own = [run for run in runs if (run["net"], run["begins"]) == (net, begins)]
        rows = [run["measured"][where][metric] for run in own]
        values = [row["value"] for row in rows]
        reach = [[row["value"] - row["low"] for row in rows], [row["high"] - row["value"] for row in rows]]
        shift = 1 + 0.02 * (place - (len(kinds) - 1) / 2)  # bars of one number of frames side by side
        label = f"{net}, {own[-1]['parameters'] / 1e6:.2f} M, {own[-1]['size']} px, {begins}"
        colour, frames = plots.LINES[place % len(plots.LINES)], [run["frames"] * shift for run in own]
        axes.errorbar(frames, values, yerr=reach, label=label, color=colour, marker="o", ms=4, capsize=3, lw=1.6)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", help="pictures with masks, split into train and val")
    parser.add_argument("--other", default="", help="a set of another source")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--nets", nargs="+", default=["snet", "vgg", "segment-net"])
    parser.add_argument("--frames", type=int, nargs="+", default=[25, 50, 100, 200, 400])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--sizes", nargs="*", default=[], metavar="NET=PX", help="the input of single nets")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--augment", default="few")
    parser.add_argument("--start", nargs="*", default=[], metavar="NET=RUN", help="weights that a net begins with")
    parser.add_argument("--pretrained", default="imagenet", help="for vgg and deeplabv3plus: imagenet, none, a file")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--redraw", action="store_true", help="train nothing")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    found = open_set(args.set, "segment")
    if not {"train", "val"} <= {*found.splits} or len(found.names) != 2:
        raise InputError(f"'{args.set}' needs the parts train and val and two classes, background and another.")
    args.out.mkdir(parents=True, exist_ok=True)
    for frames in () if args.redraw else args.frames:
        for net in args.nets:
            out = args.out / f"{net}{'-started' if net in _given(args.start) else ''}-{frames}"
            if (out / DONE).exists():
                continue
            result = json.dumps(trained(args, net, frames, found, out), indent=1)
            with AtomicFile(out / DONE) as draft:
                draft.write(result.encode())
            for name in ("last.ckpt", "best.ckpt"):  # of nets of this size dozens would fill a disk
                (out / name).unlink(missing_ok=True)
    runs = collected(args.out)
    if not runs:
        raise InputError(f"'{args.out}' holds no finished run.")
    with AtomicFile(args.out / ALL) as draft:
        draft.write((json.dumps(runs, indent=1) + os.linesep).encode())
    title = f"{found.names[1]} from few labelled frames, {runs[0]['steps']} steps each; 95 % intervals by group"
    print(drawn(runs, args.out / PLOT, title))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HandlensError as error:
        sys.exit(f"few_frames: {error}")
