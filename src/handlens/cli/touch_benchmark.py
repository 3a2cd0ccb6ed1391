"""The comparison of `evaluate`: a touch model beside other models and other programs; it must not measure anything."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlens.errors import InputError

if TYPE_CHECKING:
    from handlens.data.dataset import LabelledSet
    from handlens.evaluate.evaluate import Measurement
    from handlens.evaluate.touch_benchmark import TouchAnswers, TouchTruth
    from handlens.predictor import Predictor
    from handlens.types import Value

FILE = "touch-systems.png"
Baseline = tuple[str, "Predictor | Path"]


def prepared(
    predictor: "Predictor",
    found: "LabelledSet",
    baselines: Sequence[str],
    open_model: Callable[[str], "Predictor"],
) -> "Comparison | None":
    """Return what compares touch models on pictures with one label each, or None for other models and sets.

    Args:
        baselines: models, .csv files of other programs' answers, or NAME=FILE.

    Raises:
        InputError: there are baselines, but nothing to compare; a baseline is no file or no model of touches.
    """
    from handlens.data.formats.file_lists import table_of
    from handlens.tasks import task_of

    fits = found.label_kind.one_label and task_of(predictor.card.task).touches
    if not fits and baselines:
        raise InputError(
            "--baseline compares models of touches on pictures with one label each, for example a folder with a"
            " labels.csv with the columns file and label: touch, no_touch, ..."
        )
    if not fits or (not baselines and table_of(found.root) is None):
        return None
    return Comparison(predictor, [_opened(text, open_model) for text in baselines])


def _opened(text: str, open_model: Callable[[str], "Predictor"]) -> Baseline:
    from handlens.tasks import task_of

    name, equals, path = text.partition("=")
    name, path = (name, path) if equals else ("", text)
    if Path(path).suffix.lower() == ".csv":
        if not Path(path).is_file():
            raise InputError(f"--baseline {text}: there is no file '{path}'.")
        return name or Path(path).stem, Path(path)
    predictor = open_model(path)
    if not task_of(predictor.card.task).touches:
        raise InputError(f"--baseline {text}: '{predictor.card.name}' does not tell touches; name a model of touches.")
    return name or _title(predictor), predictor


def _title(predictor: "Predictor") -> str:
    return f"{predictor.card.name} {predictor.card.version}"


class Comparison:
    """Collects what the measured model says, asks the others the same, and tells the numbers of all."""

    def __init__(self, predictor: "Predictor", baselines: Sequence[Baseline]) -> None:
        self.name, self.baselines = _title(predictor), baselines
        self.values: list[Value] = []

    def finish(
        self, measured: "Measurement", found: "LabelledSet", resamples: int, out: str | None, quiet: bool
    ) -> dict[str, Any]:
        """Print the table of all programs and return its numbers; with a folder draw its picture there.

        Args:
            quiet: print to the standard error stream, for the standard output has the JSON object.
        """
        from handlens.evaluate import touch_benchmark as touches
        from handlens.evaluate.plots.touch_benchmark import plot_benchmark

        pictures = [outcome.picture for outcome in measured.outcomes]
        truth = touches.truth_of(found, pictures)
        systems = [touches.answers_of(self.name, self.values)]
        systems += [_asked(baseline, truth, found.having(pictures)) for baseline in self.baselines]
        systems = touches.renamed(systems)
        numbers = touches.benchmark(truth, systems, resamples)
        print(f"\n{numbers}", file=sys.stderr if quiet else sys.stdout)
        if out is not None:
            plot_benchmark(numbers, truth, systems, Path(out) / FILE)
        return numbers.to_json()


def _asked(baseline: Baseline, truth: "TouchTruth", found: "LabelledSet") -> "TouchAnswers":
    from handlens.cli.console import Bar
    from handlens.evaluate import evaluate as measure
    from handlens.evaluate import touch_benchmark as touches

    name, asked = baseline
    if isinstance(asked, Path):
        return touches.read_answers(asked, truth, name)
    values: list[Value] = []
    with Bar() as bar:
        bar.begin(name, len(found))
        measure.evaluate(
            asked, found, resamples=0, progress=bar.count, on_answer=lambda frame, result: values.append(result.value)
        )
    return touches.answers_of(name, values)
