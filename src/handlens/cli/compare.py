"""The verb `compare`: finished runs in one table and one figure; it must not measure quality itself."""

from pathlib import Path
from typing import Annotated

import typer

from handlens.cli import options


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Folders that 'handlens train' left.")],
    out: Annotated[str | None, typer.Option("--out", metavar="FILE.png", help="Draw curves and intervals.")] = None,
    threads: options.Threads = None,
) -> None:
    """Compare finished runs: quality with its interval, parameters, size, milliseconds.

    The milliseconds are measured now, on this machine, the models taking turns.
    """
    from rich.console import Console

    from handlens.errors import InputError
    from handlens.evaluate import plots
    from handlens.evaluate.comparison import figure_of, read_runs, table_of

    if out is not None:
        plots.require()
        if not out.lower().endswith(".png"):
            raise InputError(f"--out must end in .png, not '{out}'.")
    found = read_runs([Path(run) for run in runs], threads)
    console = Console(highlight=False)
    console.print(table_of(found))
    if out is not None:
        console.print(f"  drawn in {figure_of(found, Path(out))}", soft_wrap=True)
