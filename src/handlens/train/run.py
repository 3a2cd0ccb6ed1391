"""A run: a labelled set and settings -> a folder with config, curves, best checkpoint, exported model and report.

    RUN/config.toml  log.csv  curves.png  last.ckpt  best.ckpt  NAME.onnx  report.txt  report.json  *.png

It must not know what a net is made of.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from handlens.data.dataset import LabelledSet, evenly
from handlens.data.rotate import ring_of, turned
from handlens.errors import InputError
from handlens.evaluate.evaluate import Measurement, evaluate
from handlens.evaluate.plots.log import plot_log
from handlens.evaluate.segment import foreground
from handlens.evaluate.write import write_measurement
from handlens.predictor import Predictor, load
from handlens.report import Report
from handlens.train.augment.config import PLAIN
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.config import Settings, read_toml
from handlens.train.default_net import default_net
from handlens.train.defaults import check_task, defaults_of, known_task
from handlens.train.devices import check_devices
from handlens.train.experiment import Experiment, new_experiment, restored
from handlens.train.export.export import export
from handlens.train.export.fold import fold
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.fewshot.run import NAME as FEW_NAME
from handlens.train.initial_weights import RANDOM, load_encoder_weights, load_initial_weights
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.kinds.segment import RATES
from handlens.train.loader.auto_split import divided
from handlens.train.loader.loader import Batches, Samples
from handlens.train.loader.silhouettes import with_hands
from handlens.train.loader.turned_labels import direction_hint, named
from handlens.train.nets.catalog import current_name, for_task
from handlens.train.nets.from_onnx import settle_norms
from handlens.train.opened import OpenedSets
from handlens.train.precision import Batch
from handlens.train.same_run import CONFIG, refuse_other_settings
from handlens.train.trainer import LOG, SCORE, fit


def epoch_rates(report: Report, names: tuple[str, ...]) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of a measurement, over all pixels of the set, as the log calls them.

    Args:
        names: The set's, background first.
    """
    every = foreground(names)
    wanted = {"pixel accuracy": "accuracy"} | {f"{rate} {every}": rate for rate in RATES}
    return {wanted[row.name]: row.value for row in report if row.name in wanted}


def held_loss(experiment: Experiment, val: LabelledSet, batch: int) -> float:
    """Return the loss on pictures that are not learned from, unchanged; the mean over batches, as in training."""
    device = next(experiment.net.parameters()).device
    samples = Samples(val, experiment.card, PLAIN, kind=experiment.kind)
    batches = Batches(samples, batch, shuffle=False, on_skip=lambda sentence: None)
    with torch.no_grad():
        losses = [
            experiment.loss(experiment.net, {key: value.to(device) for key, value in one.items()}) for one in batches
        ]
    return sum(float(parts["loss"]) for parts in losses) / len(losses)


TURNED = "turned"
"""The folder in a run with what was measured on turned pictures."""
TURNS, SOME = 24, 250  # so many angles for each of so many pictures


def finish(experiment: Experiment, val: LabelledSet, out: Path, ring: Sequence[int] = ()) -> Path:
    """Tune the card on the validation part, export, and measure the exported file with intervals and plots.

    A net that tells angles is measured over the full circle as well.

    Args:
        ring: Labels that turn with the picture. On a test part nothing is tuned.
    """
    experiment, fair = _tuned(experiment, val, ring)
    if fair is not None:
        _keep_card(experiment, out)
    model = export_experiment(experiment, out / f"{experiment.card.name}.onnx")
    predictor = load(model)
    measured = evaluate(predictor, val, on_error=_ignore)
    angle = bool(experiment.about.get("angle"))
    if not angle:
        measured = _with_rows(measured, fair)
    write_measurement(measured, predictor, val, out)
    plot_log(out / LOG, out / "curves.png")
    _say(str(measured.report))
    if angle:
        around = turned(evenly(val, SOME), TURNS, ring=ring)
        measured = _with_rows(evaluate(predictor, around, on_error=_ignore), fair)
        write_measurement(measured, predictor, around, out / TURNED)
        _say(f"\nturned by {TURNS} angles each, over the full circle ('{out / TURNED}'):\n{measured.report}")
    _say(f"the model is '{model}': try it with {experiment.kind.trial(experiment.card, model)}")
    return model


def export_experiment(experiment: Experiment, path: Path, int8: bool = False, static: bool = False) -> Path:
    """Write the net as an .onnx with its card; refused if its answers differ from torch.

    Args:
        experiment: The net and its card.
        path: The file to write.
        int8: Store big kernels in 8 bits.
        static: Fix all sides of the input.
    """
    example = torch.randn(1, 3, *experiment.card.size)
    outputs = TorchRunner(experiment.graph(), experiment.card).outputs
    return export(experiment.graph(), experiment.card, example, outputs, path, int8, static=static)


def live_predictor(experiment: Experiment, folded: bool = False) -> Predictor:
    """Return the live net. folded: as its file will be, and about twice as fast."""
    graph = fold(experiment.graph()) if folded else experiment.graph()
    return Predictor(TorchRunner(graph, experiment.card), experiment.kind.parts(experiment.card))


def _tuned(experiment: Experiment, val: LabelledSet, ring: Sequence[int]) -> tuple[Experiment, Report | None]:
    """Return the experiment with a tuned card and what that is worth on other groups; None where nothing was tuned."""
    raw = experiment.with_card(calibration={})
    measured_on = turned(val, 1, ring=ring) if experiment.about.get("angle") else val
    tuned = experiment.kind.tuned(live_predictor(raw, folded=True), measured_on)
    if tuned is None:
        return experiment, None
    card, fair = tuned
    return experiment.with_card(thresholds=card.thresholds, calibration=card.calibration), fair


def _with_rows(measured: Measurement, more: Report | None) -> Measurement:
    if more is None:
        return measured
    report = measured.report
    return replace(measured, report=Report((*report.rows, *more.rows), (*report.notes, *more.notes)))


def _keep_card(experiment: Experiment, out: Path) -> None:
    """Put the tuned card into the checkpoint as well, so that both answer alike."""
    path = out / BEST if (out / BEST).exists() else out / LAST
    checkpoint = read_checkpoint(path)
    checkpoint[ABOUT]["card"] = experiment.card.to_json()
    temporary = path.with_name(path.name + ".part")
    torch.save(checkpoint, temporary)
    shutil.move(temporary, path)


LOGGED = (
    "mAP 0.5:0.95", "touch F1", "touch ROC AUC", "region top-1", "accuracy", "macro F1", "log loss",
    "angle error median, degrees",
)  # fmt: skip
"""The numbers that the log holds of each epoch, beside the one that decides."""
SETTLING = 4  # batches to which folded batch norms of shipped weights are fitted
MANY = 3000  # pictures that are turned and measured after each epoch, at most


Feed = Callable[[Experiment, LabelledSet, Settings], Callable[[int], Iterable[Batch]]]
"""Makes the batches of each epoch from a training part: the epoch's number -> its batches, the same ones each time."""
Check = Callable[[Experiment, LabelledSet], Mapping[str, float]]
"""Measures a net on the validation part after an epoch; "score" among its numbers decides."""


@dataclass(frozen=True)
class Hooks:
    """What a recipe does in its own way within a run. None: as every run does it."""

    feed: Feed | None = None
    check: Check | None = None


AS_USUAL = Hooks()


def train_run(
    task: str,
    given: Mapping[str, Any],
    config: Path | None,
    out: Path | None,
    fresh: bool = False,
    opened: OpenedSets | None = None,
    hooks: Hooks = AS_USUAL,
) -> Path:
    """Train, choose the best epoch, tune, export and measure; return the model. Goes on where RUN stopped.

    Args:
        task: touch, hold, gesture or segment.
        given: settings from flags, which win over those of the config file.
        config: a config file.
        out: the folder of the run, by itself runs/TASK-NET.
        fresh: start over where there is a run.
        opened: sets that are already open.
        hooks: other batches or another measurement after each epoch.

    Raises:
        InputError: settings, set, network or checkpoint are wrong; the sentence says what to type.
        OutputError: the disk is full.
    """
    settings, found = prepared(task, given, config, opened)
    out = out or Path("runs") / f"{settings.task}-{Path(settings.net).stem.lower()}"
    _begin_or_go_on(out, settings, fresh)
    train, val = found.split("train"), _measured(found)
    experiment, batches = _experiment(settings, train, (out / LAST).exists(), hooks.feed or _batches)
    out.mkdir(parents=True, exist_ok=True)
    settings.save(out / CONFIG)
    _say(f"training {settings.net} on {len(train)} pictures, measuring on {len(val)}; everything goes to '{out}'")
    ring = ring_of(named(settings.turning), train.names)
    checked = turned(evenly(val, MANY), 1, ring=ring) if settings.angle else val
    check = hooks.check or partial(_checked, batch=settings.plan.batch)
    best = fit(
        experiment.net,
        batches,
        experiment.loss,
        settings.plan,
        out,
        lambda net: check(experiment, checked),
        experiment.about,
    )
    if getattr(rank_zero_only, "rank", 0):  # one of several devices finishes the run
        raise SystemExit(0)
    return finish(open_experiment(best), val, out, ring)


def _experiment(settings: Settings, train: LabelledSet, resumed: bool, feed: Feed) -> tuple[Experiment, Any]:
    """Return a net with its first weights, and its batches by epoch. resumed: the weights come from a checkpoint."""
    torch.manual_seed(settings.plan.seed)
    experiment = new_experiment(settings, train.names)
    start = "" if resumed or settings.start.lower() == RANDOM else settings.start
    load_encoder_weights(experiment.net, settings.net, settings.pretrained, take=not (resumed or start))
    if start:
        _say(load_initial_weights(experiment.net, start, experiment.about["names"]))
    net: Any = experiment.net
    if hasattr(net, "set_anchors") and settings.anchors == "auto" and not resumed:
        from handlens.train.nets.anchors import fit_anchors

        _say(fit_anchors(net, train, experiment.card, settings.plan.seed))
    batches = feed(experiment, train, settings)
    if start:
        settle_norms(experiment.net, (experiment.inputs(batch) for batch in islice(batches(0), SETTLING)))
    return experiment, batches


def _begin_or_go_on(out: Path, settings: Settings, fresh: bool) -> None:
    """Remove the checkpoints of a run that is to start over; refuse one that was made with other settings."""
    if fresh:
        for name in (LAST, BEST, LOG):
            (out / name).unlink(missing_ok=True)
        return
    runs = [name for name in (LAST, BEST, f"{FEW_NAME}.onnx") if (out / name).exists()]
    if runs and (out / CONFIG).exists():
        refuse_other_settings(out, settings.to_toml(), Settings().to_toml())
    if LAST in runs:
        done = int(read_checkpoint(out / LAST)["epoch"]) + 1
        if settings.plan.epochs < done:
            raise InputError(
                f"the run in '{out}' has {done} epochs already, more than --epochs {settings.plan.epochs}: give more"
                " epochs to go on, another --out, or --fresh to start over."
            )


def prepared(
    task: str, given: Mapping[str, Any], config: Path | None, opened: OpenedSets | None = None
) -> tuple[Settings, LabelledSet]:
    """Return the settings, put together from defaults, file and flags, and the set, split by group where it was not."""
    opened = opened or OpenedSets()
    keys = {**(read_toml(config) if config else {}), **given}
    named_net = current_name(str(keys.get("net") or _chosen_net(task, str(keys.get("data") or ""), opened)))
    net = for_task(named_net, task)
    kind = TRAINING_KINDS[check_task(task, net)]
    settings = (
        Settings(task=task, net=net).changed(defaults_of(net).settings).changed({**keys, "net": net, "task": task})
    )
    check_devices(settings.plan)
    if not settings.data:
        raise InputError("there is nothing to train on: give a labelled set with --data PATH.")
    found = _with_labels(opened(settings.data, kind.set_kinds), settings.net)
    if defaults_of(net).silhouette:
        found = with_hands(found, _say)
    found = divided(found, _say)
    if "train" not in found.splits or len(found.splits) < 2:
        raise InputError(
            f"'{settings.data}' has the parts {', '.join(found.splits)}, and training needs train and val: type"
            f" 'handlens data split {settings.data} --dest NEW'."
        )
    found = _fewer(found, settings)
    train = found.split("train")
    kind.check(train)
    for hint in (
        kind.hint(train, settings.augment),
        direction_hint(found.names, settings.augment.degrees, settings.turning),
    ):
        if hint:
            _say(hint)
    return settings, found


def _chosen_net(task: str, data: str, opened: OpenedSets) -> str:
    """Return the network when none is named, and say which it is and why."""
    known_task(task)
    net, why = default_net(task, data, opened)
    if data:
        _say(f"the network is '{net}', {f'because {why}' if why else f'the default of {task}'} (--net takes another)")
    return net


def _with_labels(found: LabelledSet, net: str) -> LabelledSet:
    """Return the set with the labels that the network learns, where it learns only some.

    Raises:
        InputError: the set has none of them.
    """
    labels = defaults_of(net).labels
    if not labels or found.names == labels:
        return found
    names = tuple(name for name in labels if name in found.names)
    if not names:
        raise InputError(f"the network '{net}' learns {' and '.join(labels)}, but '{found.root}' has no such label.")
    _say(f"the network '{net}' learns {' and '.join(names)}; other labels of the set are left out")
    numbers = {found.names.index(name): number for number, name in enumerate(names)}
    pictures = []
    for picture in found:
        kept = np.array([int(label) in numbers for label in picture.labels], bool)
        labels_kept = np.array([numbers[int(label)] for label in picture.labels[kept]], np.int64)
        pictures.append(replace(picture, boxes=picture.boxes[kept], labels=labels_kept))
    return replace(found, names=names, pictures=tuple(pictures))


def _fewer(found: LabelledSet, settings: Settings) -> LabelledSet:
    """Return the set with only so many pictures in its training part as are asked for."""
    train = found.split("train")
    if settings.frames > len(train):
        raise InputError(
            f"frames = {settings.frames}, but the training part of '{found.root}' has {len(train)} pictures: ask for"
            " fewer, or for 0, which takes all."
        )
    train = evenly(train, settings.frames or len(train), settings.plan.seed)
    return found.having([*train, *(picture for picture in found if picture.split != "train")])


def _measured(found: LabelledSet) -> LabelledSet:
    """Return the part that is measured after each epoch: val, or test where the set was published with no val."""
    if "val" in found.splits:
        return found.split("val")
    _say("the set has no val: its test part chooses the best epoch, as such sets were published; its number flatters")
    return found.split("test")


def open_experiment(path: Path) -> Experiment:
    """Return the net of a run or a checkpoint, with its averaged weights and its card.

    Raises:
        InputError: no run, or a damaged checkpoint.
    """
    if path.is_dir():
        path = path / BEST if (path / BEST).exists() else path / LAST
    checkpoint = read_checkpoint(path)
    note = checkpoint[ABOUT]
    if "card" not in note:
        raise InputError(f"'{path}' is a checkpoint of one of our own parts, which its own script exports.")
    return restored(checkpoint, note)


def open_predictor(path: Path | str) -> Predictor:
    """Return the live net of a run or a checkpoint, behind the seam that the .onnx files stand behind."""
    experiment = open_experiment(Path(path))
    return live_predictor(experiment)


def _batches(experiment: Experiment, train: LabelledSet, settings: Settings) -> Any:
    samples = Samples(
        train,
        experiment.card,
        settings.augment,
        settings.plan.seed,
        epochs=settings.plan.epochs,
        channels=experiment.channels,
        angle=settings.angle,
        ring=ring_of(named(settings.turning), train.names),
        balance=settings.balance,
        even=settings.even,
        cache=settings.cache,
        kind=experiment.kind,
    )
    loader = Batches(samples, settings.plan.batch, settings.workers, epoch_size=settings.epoch or None, on_skip=_say)

    def epoch(number: int) -> Iterable[Batch]:
        loader.sampler.set_epoch(number)
        return loader

    return epoch


def _checked(experiment: Experiment, val: LabelledSet, batch: int) -> dict[str, float]:
    """Return a few numbers of the averaged net on the validation part; "score" decides which epoch was the best."""
    report = evaluate(live_predictor(experiment, folded=True), val, resamples=0, on_error=_ignore).report
    found = {row.name: row.value for row in report if row.name in (experiment.kind.score, *LOGGED)}
    if experiment.kind.has_curves:
        found |= {**epoch_rates(report, val.names), "loss": held_loss(experiment, val, batch)}
    found = {name: value for name, value in found.items() if value == value}
    return {SCORE: found.get(experiment.kind.score, 0.0), **found}


def _ignore(error: Exception) -> None:
    """Return an unreadable validation picture was named when the run began."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
