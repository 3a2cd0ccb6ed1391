"""The verb `data check`: says what is wrong with a set, and ends with 2 where that is bad; it must not mend a thing."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli.data import options
from handlens.cli.errors import DONE, WRONG_INPUT, complain
from handlens.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from handlens.data.check import Findings
    from handlens.data.problems import Problem
    from handlens.types import Image

SHOWN = 20  # problems of each kind; all are in problems.csv

Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Write problems.csv and the contact sheet check.jpg there.")
]


def check(
    set: options.SetPath, kind: options.Kind = None, out: Out = None, near: options.Near = options.NEAR_BITS
) -> int:
    """Find what is wrong with a set, leaks between splits first.

    Unreadable pictures, wrong classes, boxes that are wrong, outside, tiny or there twice, pictures without label and
    labels without picture, classes that a split lacks, the same picture twice, near copies; and the same person, the
    same picture or near copies in two splits. Ends with 2 when something would stop or spoil a training.
    """
    from rich.console import Console

    from handlens.cli.console import Bar
    from handlens.data.check import check_set, check_sheet
    from handlens.data.formats.detect_format import has_boxes_and_masks, open_set
    from handlens.data.scan import survey

    reported: list[Problem] = []
    console = Console(highlight=False, markup=False)
    try:
        found = open_set(set, kind, reported.append)
    except InputError as error:
        if not reported:
            raise
        return _unusable(error, reported, console, out)
    with Bar() as bar:
        bar.begin("looking at pictures", len(found))
        seen = survey(found, bar.count)
    findings = check_set(found, seen, reported, near)
    console.print(options.count_table(found, seen.tally))
    if not found.splits:
        console.print(f"  not split yet, so nothing can leak: 'handlens data split {set} --dest DIR'", soft_wrap=True)
    if kind is None and has_boxes_and_masks(set):
        console.print(f"  these are the boxes; its masks: 'handlens data check {set} --kind segment'", soft_wrap=True)
    _list(findings.problems, console, out)
    if out is not None:
        _write(findings.problems, Path(out), check_sheet(findings))
        console.print(f"  written to {out}", soft_wrap=True)
    return _conclude(findings, set)


def _unusable(error: InputError, problems: "list[Problem]", console: "Console", out: str | None) -> int:
    """Say why no picture of a set can be used, the most frequent reason first."""
    kinds = Counter(problem.kind for problem in problems)
    problems = sorted(problems, key=lambda problem: (problem.harmless, -kinds[problem.kind], problem.kind))
    _list(problems, console, out)
    if out is not None:
        _write(problems, Path(out), None)
        console.print(f"  written to {out}", soft_wrap=True)
    complain(str(error))
    return WRONG_INPUT


def _summary(problems: "Sequence[Problem]", counts: "Mapping[str, int]") -> "Table":
    from rich import box
    from rich.table import Table

    from handlens.data.check import is_error

    bad = {problem.kind for problem in problems if is_error(problem)}
    table = Table(box=box.SIMPLE)
    table.add_column("problem")
    table.add_column("number", justify="right")
    table.add_column("")
    for kind, count in counts.items():
        table.add_row(kind, f"{count:,}", "stops or spoils a training" if kind in bad else "")
    return table


def _list(problems: "Sequence[Problem]", console: "Console", out: str | None) -> None:
    """Print how many problems there are of each kind, and the first of each."""
    counts = Counter(problem.kind for problem in problems)  # in the order in which they come
    if counts:
        console.print(_summary(problems, counts))
    for kind, count in counts.items():
        texts = [problem.text for problem in problems if problem.kind == kind]
        for text in texts[:SHOWN]:
            console.print(f"  {kind}: {text}", soft_wrap=True)
        if count > SHOWN:
            where = "all are in problems.csv" if out is not None else "--out DIR writes all"
            console.print(f"  {kind}: and {count - SHOWN} more; {where}")


def _write(problems: "Sequence[Problem]", folder: Path, image: "Image | None") -> None:
    """Write problems.csv, and check.jpg where there is something to see."""
    from handlens.data.check import is_error
    from handlens.data.formats.text_files import write_rows
    from handlens.io.atomic import output_error
    from handlens.io.draw import save_picture

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "check.jpg").unlink(missing_ok=True)  # of an earlier check, when there was something to see
    except OSError as error:
        raise output_error(error, folder) from error
    rows = [(one.kind, "error" if is_error(one) else "warning", one.path, one.text) for one in problems]
    write_rows(folder / "problems.csv", ("kind", "level", "file", "text"), rows)
    if image is not None:
        save_picture(folder / "check.jpg", image)


def _conclude(findings: "Findings", set: str) -> int:
    """Say in one sentence how it is, and return the exit code."""
    errors = findings.errors
    if errors:
        kind_counts = ", ".join(f"{kind} ({count})" for kind, count in Counter(one.kind for one in errors).items())
        many = "1 problem that stops or spoils" if len(errors) == 1 else f"{len(errors)} problems that stop or spoil"
        complain(f"'{set}' has {many} a training: {kind_counts}.")
        return WRONG_INPUT
    rest = len(findings.problems)
    more = "" if not rest else f"; {rest} thing{'s are' if rest > 1 else ' is'} worth a look"
    print(f"nothing would stop or spoil a training{more}.")
    return DONE
