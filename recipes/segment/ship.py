"""Puts a mask net that knows forearms into the package: `python -m recipes.segment.ship RUN --looks SET ...`.

The net computes in 8 bits where that costs no more than half a point of IoU on pictures of the training sets that its
ranges were not set by, and else stores its kernels in 8 bits. Its card counts forearms as hands where a set does not
tell them apart. Of several runs that began with the same weights the nets are averaged.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import onnx
import torch

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.formats.detect_format import open_set
from handlens.data.remap import rename
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import load
from handlens.preprocess import prepare
from handlens.train.experiment import Experiment
from handlens.train.export.export import compact, export, shrink
from handlens.train.export.int8 import Quantizer
from handlens.train.export.onnx_file import write_checked
from handlens.train.initial_weights import WEIGHTS
from handlens.train.run import export_experiment, open_experiment
from handlens.types import Floats
from handlens.weights import SHIPPED
from recipes.hand.ship import first_layers
from recipes.shared.source_data import read_rgb
from recipes.ship import averaged, measured, put, put_weights, shipped

LOSS = 0.005
"""What 8-bit arithmetic may cost: IoU, the mean of all sets that measure it."""
RANGES, PROBES = 60, 480
"""Pictures that set the ranges, and others that say what 8 bits cost."""


def experiment_of(runs: Sequence[Path], version: str, size: int, least: float, sources: Sequence[str]) -> Experiment:
    """Return the mean of the runs with the card of `segment`."""
    experiment = shipped(averaged([open_experiment(run) for run in runs]), "segment", version, sources)
    names = experiment.card.names
    part = {"part": float(names.index("forearm")), "whole": float(names.index("hand"))}
    return experiment.with_card(
        size=(size, size), resize="fit", thresholds={"score": least}, options={**experiment.card.options, **part}
    )


def looks(found: LabelledSet, experiment: Experiment) -> Iterator[Floats]:
    """Yield pictures as the net gets them."""
    for picture in found:
        yield prepare(read_rgb(picture.path), experiment.card)[0]


def in_integers(experiment: Experiment, ranges: LabelledSet, floating: int, folder: Path) -> Path:
    """Write the net so that it computes in 8 bits but for its first layers."""
    graph, card = experiment.graph(), experiment.card
    outputs = getattr(graph, "outputs", ("probabilities",))
    example = torch.randn(1, 3, *card.size)
    wide = export(compact(graph, int8=True), card, example, outputs, folder / "wide" / "segment.onnx")
    maker = Quantizer(onnx.load(wide), looks(ranges, experiment))
    small = maker.graph(first_layers(maker.model, floating))
    shrink(small)
    return write_checked(small, card, folder / "int8" / "segment.onnx", lambda runner: None)


def overlap(file: Path, probes: LabelledSet) -> float:
    """Return the mean IoU of all classes on some pictures."""
    return float(evaluate(load(str(file), 1), probes, resamples=0).report["IoU mean without background"].value)


def scored(file: Path, sets: Sequence[Path], experiment: Experiment) -> dict[str, float]:
    """Return what the file scores on the val part of each set."""
    out: dict[str, float] = {}
    for data in sets:
        rows = measured(file, open_set(data, "segment").split("val"), experiment)
        out |= {f"{name}, {data.name}": value for name, value in rows.items()}
    return out


def main() -> None:
    """Write both forms, choose, measure, and put the chosen one into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="+", help="a run, for its best epoch, or one of its checkpoints")
    parser.add_argument("--looks", type=Path, required=True, help="the set of training: it sets the ranges of 8 bits")
    parser.add_argument("--data", type=Path, action="append", default=[], help="a set whose val part measures it")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--least", type=float, default=0.75, help="parts that are less sure are left out")
    parser.add_argument("--floating", type=int, default=3, help="first convolutions that stay in float")
    parser.add_argument("--float", action="store_true", help="store kernels in 8 bits but compute in floats")
    parser.add_argument("--version", default="0.4")
    parser.add_argument("--source", action="append", default=[], help="what it learned from, for the card")
    parser.add_argument("--out", type=Path, required=True, help="folder for all forms")
    parser.add_argument("--ship", type=Path, help=f"folder of the package's models, such as {SHIPPED.name}/")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    experiment = experiment_of(args.run, args.version, args.size, args.least, args.source)
    chosen = export_experiment(experiment, args.out / "float" / "segment.onnx", int8=True)
    if not args.float:
        flat = rename(open_set(args.looks, "segment").split("train"), {"hand over face": "hand"})
        seen = evenly(flat, RANGES + PROBES)
        ranges, probes = (
            dataclasses.replace(
                seen, pictures=tuple(p for n, p in enumerate(seen) if (n % (1 + PROBES // RANGES) == 0) == first)
            )
            for first in (True, False)
        )
        small = in_integers(experiment, ranges, args.floating, args.out)
        told = {"float": overlap(chosen, probes), "int8": overlap(small, probes)}
        print(json.dumps(told), flush=True)
        chosen = small if told["float"] - told["int8"] <= LOSS else chosen
    scores = scored(chosen, args.data, experiment)
    card = experiment.with_card(scores=scores).card
    file = write_checked(onnx.load(chosen), card, args.out / "segment.onnx", lambda runner: None)
    put_weights(experiment, args.out / f"segment{WEIGHTS}")
    if args.ship:
        put(file, args.ship)
    print(f"{chosen.parent.name} ships: {file.stat().st_size / 1e6:.2f} MB, {scores}")


if __name__ == "__main__":
    main()
