"""The verb `evaluate`: how good a model is on labelled pictures; it must not measure anything itself."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Self

import typer

from handlens.cli import options
from handlens.cli.errors import DONE, WRONG_INPUT, complain
from handlens.errors import InputError, NotSilhouette, no_silhouettes

if TYPE_CHECKING:
    from handlens.cli.touch_benchmark import Comparison
    from handlens.data.dataset import LabelledSet
    from handlens.data.problems import Problem
    from handlens.evaluate.evaluate import Measurement
    from handlens.io.sinks.base import JsonLines
    from handlens.predictor import Predictor
    from handlens.result import Result
    from handlens.types import Frame

ANSWERS = "answers.jsonl"
"""In the folder of --out: what the model says of each picture, as 'handlens predict --json' writes it."""
_OFTEN = 0.95  # of the pictures: hands are found less often in crops that the detector was not made for

Model = Annotated[str, typer.Argument(metavar="MODEL", help="A shipped model, an .onnx, a RUN or a checkpoint.")]
Data = Annotated[str, typer.Option("--data", metavar="PATH", help="A labelled set: a folder, or the file of it.")]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="train, val, test or all (default test, else val).")]
Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write the numbers; - writes to stdout.")]
Out = Annotated[str | None, typer.Option("--out", metavar="DIR", help="Write report, curves and contact sheets here.")]
Resamples = Annotated[int, typer.Option(min=0, max=100_000, metavar="N", help="Draws for the intervals; 0 for none.")]
Kind = Annotated[str | None, typer.Option(metavar="detect|classify|segment", help="Read the set as one of this kind.")]
Map = Annotated[
    list[str] | None, typer.Option("--map", metavar="SET=MODEL", help="Call a label of the set as the model does.")
]
Sample = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Measure on N pictures only, evenly of all labels and groups.")
]
Turns = Annotated[
    int | None, typer.Option(min=1, max=360, metavar="N", help="Turn each picture by N known angles, all around.")
]
Turning = Annotated[str | None, typer.Option(metavar="A,B,...", help="Labels that turn with it: up,left,down,right.")]
Baseline = Annotated[
    list[str] | None,
    typer.Option(metavar="[NAME=]FILE", help="Of touches: a model, or a .csv of another program, in the same table."),
]


def evaluate(
    model: Model,
    data: Data,
    split: Split = None,
    json: Json = None,
    out: Out = None,
    resamples: Resamples = 1000,
    kind: Kind = None,
    crop: options.OwnCrop = None,
    map: Map = None,
    sample: Sample = None,
    turns: Turns = None,
    turning: Turning = None,
    baseline: Baseline = None,
    threads: options.Threads = None,
) -> int:
    """Measure a model on labelled pictures.

    Prints a table with 95 % intervals, which come from resampling whole groups (persons, sources) and not pictures.
    Labels of set and model meet by name; --map brings others together, as in --map Kinn=chin --map Wange=cheek.
    Each picture is looked at as 'handlens predict' does. --turns takes the pictures as upright and measures labels and
    angles, or landmarks, over the full circle. --baseline sets other models of touches, or the answers of another
    program, beside it. A folder with videos and events.csv (source, start, stop; seconds) is measured by events, as
    well where it has labelled pictures too.
    """
    from pathlib import Path

    from rich.console import Console

    from handlens.cli import touch_benchmark, touch_events
    from handlens.cli.console import Bar
    from handlens.cli.outputs import write_numbers
    from handlens.evaluate import evaluate as measure
    from handlens.evaluate import write as writing
    from handlens.evaluate.plots import curves as plots
    from handlens.io.sinks.base import JsonLines

    if out is not None:  # what is wrong with it is said before the work, not after
        plots.require()
        writing.made_folder(Path(out))
    predictor, reader = _opened(model, threads), _Complaints()
    if touch_events.has_coded(data):
        write_numbers(touch_events.evaluate_events(predictor, model, data, resamples, json == "-"), json)
        return DONE
    crop = crop or ("hand" if "detector" in predictor.card.parts else "whole")  # as predict looks at pictures
    found, part = _part(_labelled(data, kind, predictor, map or (), reader), split)
    found = _turned(found, sample, turns, turning)
    comparison = touch_benchmark.prepared(predictor, found, baseline or (), lambda text: _opened(text, threads))
    answers = JsonLines(Path(out) / ANSWERS) if out is not None else None
    with Bar() as bar, answers or nullcontext(), reader:
        bar.begin(f"{predictor.card.name} on {part}", len(found))
        measured = measure.evaluate(
            predictor,
            found,
            resamples=resamples,
            crop=crop,
            progress=bar.count,
            on_error=reader.unreadable,
            on_answer=_noted(answers, comparison),
        )
    Console(stderr=json == "-", highlight=False).print(measured.report)
    _advise(measured, crop)
    numbers = writing.as_json(measured, model, data, part)
    if comparison is not None:
        numbers["benchmark"] = comparison.finish(measured, found, resamples, out, json == "-")
    if touch_events.has_events(data):
        numbers["events"] = touch_events.evaluate_events(predictor, model, data, resamples, json == "-")
    write_numbers(numbers, json)
    if out is not None:
        files = writing.write_measurement(measured, predictor, found, Path(out), crop)
        print(f"in {out}/: {', '.join([*(file.name for file in files), ANSWERS])}", file=sys.stderr)
    reader.sum_up(data)
    return WRONG_INPUT if reader.wrong else DONE


def _noted(answers: "JsonLines | None", comparison: "Comparison | None") -> "Callable[[Frame, Result], object]":
    """Return what keeps each answer: in the file of --out, and for the comparison."""

    def note(frame: "Frame", result: "Result") -> None:
        if answers is not None:
            answers.write(frame, result)
        if comparison is not None:
            comparison.values.append(result.value)

    return note


def _advise(measured: "Measurement", crop: str) -> None:
    """Say how to measure on crops of hands where hands were looked for and often not found."""
    found = next((row.value for row in measured.report if row.name == "hand found"), 1.0)
    if crop == "hand" and found < _OFTEN:
        print(
            f"no hand was found in {1 - found:.0%} of the pictures: if each is a crop of one hand, add --crop whole,"
            " here and to 'handlens predict'",
            file=sys.stderr,
        )


class _Complaints:
    """What is wrong with the set: told as it is found, and what does no harm only counted."""

    def __init__(self) -> None:
        self.wrong = 0
        self.unfit: tuple[int, NotSilhouette | None] = (0, None)
        self._harmless: Counter[str] = Counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Say once how many pictures were not silhouettes, also where nothing is left to measure."""
        count, first = self.unfit
        if first is not None:
            many = f"{count:,} pictures are not silhouettes ('{first.source}' is the first)"
            complain(str(first) if count == 1 else no_silhouettes(many, first.model))

    def problem(self, problem: "Problem") -> None:
        if problem.harmless:
            self._harmless[problem.kind] += 1
        else:
            complain(problem.text)
            self.wrong += 1

    def unreadable(self, error: InputError) -> None:
        self.wrong += 1
        if isinstance(error, NotSilhouette):
            self.unfit = (self.unfit[0] + 1, self.unfit[1] or error)
        else:
            complain(str(error))

    def sum_up(self, data: str) -> None:
        for kind, count in self._harmless.items():
            print(f"{kind}: {count:,} times; 'handlens data check {data}' says where", file=sys.stderr)


def _opened(model: str, threads: int | None) -> "Predictor":
    """Return the model of a shipped name, an .onnx, a run or a checkpoint."""
    from pathlib import Path

    from handlens.predictor import load

    path = Path(model).expanduser()
    exported = sorted(path.glob("*.onnx")) if path.is_dir() else []
    if len(exported) == 1:
        return load(exported[0], threads)
    if not path.is_dir() and (path.suffix != ".ckpt" or not path.is_file()):
        return load(model, threads)
    try:
        from handlens.train.run import open_predictor
    except ModuleNotFoundError as error:
        if str(error.name).startswith("handlens"):
            raise
        raise InputError(f"'{model}' is no .onnx, and torch is missing: type pip install 'handlens[train]'.") from error
    opened: Predictor = open_predictor(path)
    return opened


def _labelled(
    data: str, kind: str | None, predictor: "Predictor", names: Sequence[str], reader: _Complaints
) -> "LabelledSet":
    """Return the set at a path, its labels called as the model calls them."""
    from handlens.data.formats.detect_format import open_set
    from handlens.data.remap import rename
    from handlens.evaluate.judges import judges_of

    renames = {}
    for text in names:
        name, _, other = text.partition("=")
        if not (name and other):
            raise InputError(f"--map '{text}' should be SET=MODEL: a label of the set, then one of the model.")
        renames[name] = other
    return rename(open_set(data, kind or tuple(judges_of(predictor.card)), reader.problem), renames)


def _part(found: "LabelledSet", split: str | None) -> tuple["LabelledSet", str]:
    """Return the split that was asked for (or test, else val, else all) and its name; say which where nobody asked."""
    name = split.lower() if split else next((name for name in ("test", "val") if name in found.splits), "all")
    part = found if name == "all" else found.split(name)
    if split is None:
        measured = "all" if name == "all" else f"the {name} split of"
        print(f"measuring on {measured} '{found.root}': {len(part):,} pictures", file=sys.stderr)
    return part, name


def _turned(found: "LabelledSet", sample: int | None, turns: int | None, turning: str | None) -> "LabelledSet":
    """Return fewer pictures of the set, or turned ones, where that was asked for; say so."""
    from handlens.data.dataset import evenly
    from handlens.data.rotate import ring_of, turned

    if turning is not None and turns is None:
        raise InputError("--turning says which labels turn with the pictures: say with --turns how often they turn.")
    if sample is not None and sample < len(found):
        found = evenly(found, sample)
        print(f"of these {len(found):,}, evenly of all labels and groups", file=sys.stderr)
    if turns is not None:
        ring = ring_of([name.strip() for name in turning.split(",")], found.names) if turning is not None else ()
        found = turned(found, turns, ring=ring)
        print(f"each turned by {turns} angles: {len(found):,} pictures", file=sys.stderr)
    return found
