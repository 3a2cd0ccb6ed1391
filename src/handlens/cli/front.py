"""The command line's front: the verbs, their order, and what happens to a word that is none of them.

It must not import what a verb needs to work; each verb does that inside its own function.
"""

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from handlens.cli.bench import bench
from handlens.cli.check import check
from handlens.cli.demo import demo
from handlens.cli.failures import ReaderGone, guard
from handlens.cli.later import data, evaluate, export, train
from handlens.cli.models import models
from handlens.cli.predict import predict
from handlens.cli.watch import watch
from handlens.errors import InputError, unknown


class Verbs(TyperGroup):
    """The group of verbs, in the order they were added; a wrong verb gets a sentence."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order a new user needs them."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the verb, in any case.

        Raises:
            InputError: there is no such verb.
        """
        verb = super().get_command(ctx, cmd_name.lower())
        if verb is None and (Path(cmd_name).exists() or "://" in cmd_name):
            raise InputError(f"'{cmd_name}' is not a command: to look at it, type 'handlens predict {cmd_name}'.")
        if verb is None:
            raise InputError(unknown("command", cmd_name, self.commands))
        return verb

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; typer would turn a closed pipe into exit code 1, we do not."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Sees hands: when a hand touches a face, where, and for how long. Offline, on a CPU."""
    if version:
        from handlens import __version__

        print(f"handlens {__version__}")
        raise typer.Exit()
    if context.invoked_subcommand is None:
        print(context.get_help())


for verb in (predict, watch, demo, models, check, bench):
    app.command()(verb)
for later in (train, evaluate, export, data):
    app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(later)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; a failure has been said in one sentence on stderr."""
    command = typer.main.get_command(app)
    return guard(lambda: command.main(arguments, prog_name="handlens", standalone_mode=False))


def main() -> None:
    """Run this process's command line; the entry point `handlens`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `kill` ends it as Ctrl-C does: no file is left half
    sys.exit(run(sys.argv[1:]))
