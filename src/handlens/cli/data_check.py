"""The verb `data check`: says what is wrong with a set, and ends with 2 where that is bad; it must not mend a thing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import data_sets as options
from handlens.cli.failures import DONE, WRONG_INPUT, complain

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from handlens.data.check import Findings
    from handlens.data.problems import Problem

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

    from handlens.cli.progress import Bar
    from handlens.data.check import check_set
    from handlens.data.open import open_set
    from handlens.data.survey import survey

    told: list[Problem] = []
    found = open_set(set, kind, told.append)
    with Bar() as bar:
        bar.begin("looking at pictures", len(found))
        seen = survey(found, bar.count)
    findings = check_set(found, seen, told, near)
    console = Console(highlight=False, markup=False)
    console.print(options.count_table(found, seen.tally))
    if not found.splits:
        console.print(f"  not split yet, so nothing can leak: 'handlens data split {set} --dest DIR'", soft_wrap=True)
    if findings.problems:
        console.print(_summary(findings))
    _list(findings, console.print, out)
    if out is not None:
        _write(findings, Path(out))
        console.print(f"  written to {out}", soft_wrap=True)
    return _conclude(findings, set)


def _summary(findings: "Findings") -> "Table":
    from rich import box
    from rich.table import Table

    from handlens.data.check import ERRORS

    table = Table(box=box.SIMPLE)
    table.add_column("problem")
    table.add_column("number", justify="right")
    table.add_column("")
    for kind, count in findings.counts().items():
        table.add_row(kind, f"{count:,}", "stops or spoils a training" if kind in ERRORS else "")
    return table


def _list(findings: "Findings", tell: "Callable[..., None]", out: str | None) -> None:
    """Print the first problems of each kind."""
    for kind, count in findings.counts().items():
        texts = [problem.text for problem in findings.problems if problem.kind == kind]
        for text in texts[:SHOWN]:
            tell(f"  {kind}: {text}", soft_wrap=True)
        if count > SHOWN:
            where = "all are in problems.csv" if out is not None else "--out DIR writes all"
            tell(f"  {kind}: and {count - SHOWN} more; {where}")


def _write(findings: "Findings", folder: Path) -> None:
    """Write problems.csv, and check.jpg where there is something to see."""
    from handlens.data.check import ERRORS
    from handlens.data.check_sheet import check_sheet
    from handlens.data.texts import write_rows
    from handlens.io.draft import output_error
    from handlens.io.sheet import save_picture

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "check.jpg").unlink(missing_ok=True)  # of an earlier check, when there was something to see
    except OSError as error:
        raise output_error(error, folder) from error
    rows = [(one.kind, "error" if one.kind in ERRORS else "warning", one.path, one.text) for one in findings.problems]
    write_rows(folder / "problems.csv", ("kind", "level", "file", "text"), rows)
    image = check_sheet(findings)
    if image is not None:
        save_picture(folder / "check.jpg", image)


def _conclude(findings: "Findings", set: str) -> int:
    """Say in one sentence how it is, and return the exit code."""
    errors = findings.errors
    if errors:
        kinds = {kind: count for kind, count in findings.counts().items() if kind in {one.kind for one in errors}}
        told = ", ".join(f"{kind} ({count})" for kind, count in kinds.items())
        complain(
            f"'{set}' has {len(errors)} problem{'s' if len(errors) > 1 else ''} that stop or spoil a training: {told}."
        )
        return WRONG_INPUT
    rest = len(findings.problems)
    more = "" if not rest else f"; {rest} thing{'s are' if rest > 1 else ' is'} worth a look"
    print(f"nothing would stop or spoil a training{more}.")
    return DONE
