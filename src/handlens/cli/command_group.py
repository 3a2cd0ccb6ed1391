"""How verbs are grouped and looked up: in any case, and a wrong one gets a sentence; it must not know the verbs."""

import math
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from handlens.cli.errors import ReaderGone, Stopped
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
        for parameter in verb.params:
            parameter.callback = parameter.callback or _number
        return verb

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; typer would turn a closed pipe into exit code 1 and end without a word on Ctrl-C, we do not."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error
        except KeyboardInterrupt as error:
            raise Stopped(str(error)) from error


def _number(ctx: Any, parameter: Any, value: Any) -> Any:
    """Refuse what is not a number where one is wanted: it is neither below nor above any limit, so it would pass all.

    Raises:
        InputError: "nan" was given.
    """
    given = value if isinstance(value, tuple | list) else (value,)
    if any(isinstance(each, float) and math.isnan(each) for each in given):
        raise InputError(f"{parameter.opts[-1]} needs a number, not nan.")
    return value


def group(**settings: Any) -> typer.Typer:
    """Return an empty group of verbs, set up as all of ours are."""
    return typer.Typer(
        cls=Verbs,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **settings,
    )
