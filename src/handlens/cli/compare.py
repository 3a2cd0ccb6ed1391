"""The verb `compare`: finished runs in one table and one figure; it must not measure quality itself."""

from pathlib import Path
from typing import Annotated

import typer

from handlens.cli import options


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders that 'handlens train' left.")],
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another number of their reports to compare by.")
    ] = None,
    json: Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write the numbers.")] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="DIR|FILE.png", help="Draw curves, intervals, size and speed.")
    ] = None,
    threads: options.Threads = None,
) -> None:
    """Compare finished runs: quality with its interval, parameters, size, milliseconds.

    The milliseconds are measured now, on this machine, the models taking turns. --out DIR gets the figure, the table
    and the numbers.
    """
    from rich.console import Console

    from handlens.cli.console import Bar
    from handlens.cli.outputs import write_numbers
    from handlens.evaluate import write as writing
    from handlens.evaluate.compare import PASSES, read_runs, remarks, table_of
    from handlens.evaluate.plots import curves as plots
    from handlens.evaluate.plots.compare import figure_of

    folder = None
    if out is not None:  # what is wrong with it is said before the work, not after
        plots.require()
        folder = None if out.lower().endswith(".png") else writing.made_folder(Path(out))
    with Bar() as bar:
        bar.begin("timing", len(runs) * PASSES)
        found = read_runs([Path(run) for run in runs], threads, by, bar.count)
    notes = remarks(found)
    console = Console(stderr=json == "-", highlight=False)
    console.print(table_of(found))
    for note in notes:
        console.print(f"  {note}", soft_wrap=True)
    numbers = {"runs": [run.to_json() for run in found], "notes": notes}
    write_numbers(numbers, json)
    if out is not None:
        picture = figure_of(found, Path(out) if folder is None else folder / "comparison.png", notes)
        if folder is not None:
            write_numbers(numbers, str(folder / "comparison.json"))
        console.print(f"  drawn in {picture}", soft_wrap=True)
