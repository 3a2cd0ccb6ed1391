"""The command line's front: the verbs, their order, and what happens to a word that is none of them.

It must not import what a verb needs to work; each verb does that inside its own function.
"""

import signal
import sys
from typing import Annotated

import typer

from handlens.cli.bench import bench
from handlens.cli.calibrate import calibrate
from handlens.cli.check import check
from handlens.cli.command_group import group
from handlens.cli.compare import compare
from handlens.cli.data import data
from handlens.cli.demo import demo
from handlens.cli.errors import guard
from handlens.cli.evaluate import evaluate
from handlens.cli.export import export
from handlens.cli.models import models
from handlens.cli.predict import predict
from handlens.cli.stats import stats
from handlens.cli.study import study
from handlens.cli.train import TrainCommand, train
from handlens.cli.watch import watch

app = group(invoke_without_command=True)


@app.callback()
def front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Sees hands: when one touches a face, where and for how long; what hands hold and show. Offline, on a CPU."""
    if version:
        from handlens import __version__

        print(f"handlens {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


for verb in (predict, watch, stats, calibrate, demo, models, check, bench, train, evaluate, compare, export):
    app.command(cls=TrainCommand if verb is train else None)(verb)
app.add_typer(data, name="data")
app.add_typer(study, name="study")


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; a failure has been said in one sentence on stderr."""
    command = typer.main.get_command(app)
    return guard(lambda: command.main(arguments, prog_name="handlens", standalone_mode=False, obj=tuple(arguments)))


def main() -> None:
    """Run this process's command line; the entry point `handlens`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does: no file is left half
    sys.exit(run(sys.argv[1:]))
