"""Puts a trained run into the package: `python -m recipes.ship RUN --name digits --data SET --source TEXT ...`.

Of several runs that began with the same weights the nets are averaged (model soups, arXiv 2203.05482).

The card gets its name, its sources and what the exported file scores on the val part of the set; kernels are stored in
8 bits. It knows no network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.formats.detect_format import open_set
from handlens.data.rotate import turned
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import load
from handlens.tasks import task_of
from handlens.train.calibration import fitted, predict_set
from handlens.train.defaults import defaults_of
from handlens.train.experiment import Experiment
from handlens.train.initial_weights import WEIGHTS
from handlens.train.run import SOME, TURNS, export_experiment, live_predictor, open_experiment
from handlens.weights import SHIPPED

LICENCE = "Apache-2.0"
ANGLES = ("angle error median, degrees", "angle error 90th percentile, degrees")
KEPT = ("accuracy", "balanced accuracy", "ROC AUC", "IoU hand", "IoU face", *ANGLES)
"""Rows of the report that the card keeps."""


def averaged(experiments: Sequence[Experiment]) -> Experiment:
    """Return the first experiment with the mean of all nets' weights, uncalibrated where there are several."""
    first = experiments[0]
    if len(experiments) == 1:
        return first
    states = [experiment.net.state_dict() for experiment in experiments]
    with torch.no_grad():
        for name, value in first.net.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.stack([state[name].float() for state in states]).mean(0))
    return first.with_card(calibration={})


def shipped(experiment: Experiment, name: str, version: str, sources: Sequence[str]) -> Experiment:
    """Return the run's net with the card of a shipped model, looking at hands as this version of the code does.

    A class such as "hand over face" becomes part of what is seen, the hand.
    """
    shown, parts = experiment.kind.sight(task_of(experiment.card.task), defaults_of(str(experiment.about["net"])))
    options = {"parameters": experiment.card.options["parameters"], **shown}
    plain = experiment.with_card(
        name=name, version=version, data=tuple(sources), licence=LICENCE, options=options, parts=parts
    )
    return plain.flattened()


def put_weights(experiment: Experiment, path: Path) -> None:
    """Write the net's weights in 16 bits, for users to begin with (`--start NAME`)."""
    state = {name: value.half().contiguous() for name, value in experiment.net.state_dict().items() if value.ndim}
    temporary = path.with_suffix(".part")
    save_file(state, temporary)
    temporary.replace(path)


def put(file: Path, package: Path) -> None:
    """Copy a model into the package's folder, with its sha256."""
    shutil.copyfile(file, package / file.name)
    write_sum(package / file.name)


def write_sum(file: Path) -> None:
    """Write the sha256 of a model into `sha256.json` beside it."""
    table = file.with_name("sha256.json")
    sums = json.loads(table.read_text("utf-8")) if table.exists() else {}
    sums[file.stem] = hashlib.sha256(file.read_bytes()).hexdigest()
    table.write_text(json.dumps(sums, indent=1, sort_keys=True) + "\n", "utf-8")


def measured(file: Path, val: LabelledSet, experiment: Experiment) -> dict[str, float]:
    """Return what the exported file scores, as far as the card keeps it."""
    report = list(evaluate(load(file), val, resamples=0).report)
    if experiment.about.get("angle"):
        around = evaluate(load(file), turned(evenly(val, SOME), TURNS), resamples=0).report
        report += [row for row in around if row.name.startswith("angle")]
    return {row.name: round(row.value, 4) for row in report if row.name in KEPT and row.n}


def main(arguments: Sequence[str] | None = None) -> None:
    """Export with the new card, measure the file, export again with the scores, put it into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="+", help="a run, for its best epoch, or one of its checkpoints")
    parser.add_argument("--name", required=True)
    parser.add_argument("--data", type=Path, action="append", required=True, help="a set whose val part measures it")
    parser.add_argument("--size", type=int, default=0, help="side of the input in pixels, if another than in training")
    parser.add_argument("--fit", action="store_true", help="of masks: the input takes the shape of the picture")
    parser.add_argument("--source", action="append", default=[], help="what it learned from, for the card")
    parser.add_argument("--version", default="0.1")
    parser.add_argument("--least", type=float, default=0.0, help="of masks: parts that are less sure are left out")
    parser.add_argument("--weights", action="store_true", help="put the weights beside the model, to begin with")
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder of the package's models")
    args = parser.parse_args(arguments)
    experiment = shipped(averaged([open_experiment(run) for run in args.run]), args.name, args.version, args.source)
    if args.size:
        experiment = experiment.with_card(size=(args.size, args.size))
    if args.fit:
        experiment = experiment.with_card(resize="fit")
    if args.least:
        experiment = experiment.with_card(thresholds={"score": args.least})
    folder = args.run[0] if args.run[0].is_dir() else args.run[0].parent
    file, parts = (
        folder / f"{args.name}.onnx",
        [open_set(data, experiment.card.kind).split("val") for data in args.data],
    )
    if len(args.run) > 1 and experiment.card.kind == "classify":
        # The cut stays where training put it: val has photographs alone, and webcams would suffer.
        sharpness = fitted(predict_set(live_predictor(experiment), parts[0]))["a"]
        experiment = experiment.with_card(calibration={"a": sharpness, "b": 0.0})
    scores: dict[str, float] = {}
    for _ in range(2):
        export_experiment(experiment.with_card(scores=scores), file, int8=True)
        scores = {}
        for data, val in zip(args.data, parts, strict=True):
            where = f", {data.name}" if len(parts) > 1 else ""
            scores |= {f"{name}{where}": value for name, value in measured(file, val, experiment).items()}
    put(file, args.out)
    if args.weights:
        put_weights(experiment, args.out / f"{args.name}{WEIGHTS}")
    print(f"{args.name}: {file.stat().st_size / 1e6:.2f} MB, {scores}")


if __name__ == "__main__":
    main()
