"""What becomes of a net that is trained: a tuned card, an exported file, a report with plots; knows no training."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.data.rotate import turned
from handlens.data.sampling import evenly
from handlens.evaluate.evaluate import Measurement, evaluate
from handlens.evaluate.plots.log import plot_log
from handlens.evaluate.write import write_measurement
from handlens.predictor import Predictor, load
from handlens.report import Report
from handlens.train.checkpoints import ABOUT, BEST, LAST, read_checkpoint
from handlens.train.experiment import Course
from handlens.train.export.export import export
from handlens.train.export.fold import fold
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.label_tuning import asked, cross_fitted, fitted
from handlens.train.trainer import LOG
from handlens.train.tuning import tuned

TURNED = "turned"
"""The folder in a run with what was measured on turned pictures."""
TURNS, SOME = 24, 250  # so many angles for each of so many pictures


def finish(course: Course, val: LabelledSet, out: Path, ring: Sequence[int] = ()) -> Path:
    """Tune the card on the validation part, export, and measure the exported file with intervals and plots.

    A net that tells angles is measured over the full circle as well. ring: labels that turn with the picture. On a test
    part nothing is tuned.
    """
    course, fair = _tuned(course, val, ring)
    if fair is not None:
        _keep_card(course, out)
    model = export_course(course, out / f"{course.card.name}.onnx")
    predictor = load(model)
    measured = evaluate(predictor, val, on_error=_ignore)
    angle = bool(course.about.get("angle"))
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
    _say(f"the model is '{model}': try it with {_trial(course.card, model)}")
    return model


def _trial(card: ModelCard, model: Path) -> str:
    """What to type to see the model at work."""
    if card.kind == "detect":
        return f"'handlens watch --model {model}'"
    told = f"'handlens predict PICTURES --model {model}'"
    if card.kind != "classify" or not card.parts:
        return told
    return f"{told}, which looks at each hand it finds, or add --crop whole where each picture shows one hand"


def export_course(course: Course, path: Path, int8: bool = False) -> Path:
    """Write the net as an .onnx with its card; refused if its answers differ from torch."""
    example = torch.randn(1, 3, *course.card.size)
    outputs = TorchRunner(course.graph(), course.card).outputs
    return export(course.graph(), course.card, example, outputs, path, int8)


def live_predictor(course: Course, folded: bool = False) -> Predictor:
    """The live net. folded: as its file will be, and about twice as fast."""
    graph = fold(course.graph()) if folded else course.graph()
    return Predictor(TorchRunner(graph, course.card))


def _tuned(course: Course, val: LabelledSet, ring: Sequence[int]) -> tuple[Course, Report | None]:
    """The course with a tuned card and what that is worth on other groups; None where nothing was tuned."""
    if course.card.kind == "detect":
        card = tuned(TorchRunner(course.graph(), course.card), val)
        return course.with_card(thresholds=card.thresholds, calibration=card.calibration), Report()
    if course.card.kind != "classify" or "test" in val.splits:
        return course, None
    raw = course.with_card(calibration={})
    told = asked(live_predictor(raw, folded=True), turned(val, 1, ring=ring) if course.about.get("angle") else val)
    if not told.enough:
        return course, None
    return raw.with_card(calibration=fitted(told)), cross_fitted(told)


def _with_rows(measured: Measurement, more: Report | None) -> Measurement:
    if more is None:
        return measured
    report = measured.report
    return replace(measured, report=Report((*report.rows, *more.rows), (*report.notes, *more.notes)))


def _keep_card(course: Course, out: Path) -> None:
    """Put the tuned card into the checkpoint as well, so that both answer alike."""
    path = out / BEST if (out / BEST).exists() else out / LAST
    checkpoint = read_checkpoint(path)
    checkpoint[ABOUT]["card"] = course.card.to_json()
    temporary = path.with_name(path.name + ".part")
    torch.save(checkpoint, temporary)
    shutil.move(temporary, path)


def _ignore(error: Exception) -> None:
    """An unreadable validation picture was named when the run began."""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
