"""The verbs of `data`, in the order a set is made; it must not import what a verb needs to work."""

from collections.abc import Callable
from typing import Any

import typer

from handlens.cli.command_group import group
from handlens.cli.data.augment import augment
from handlens.cli.data.build import build
from handlens.cli.data.check import check
from handlens.cli.data.convert import convert
from handlens.cli.data.download import download
from handlens.cli.data.remap import remap
from handlens.cli.data.split import split
from handlens.cli.data.synth import synth

data = group(help="Download, check, split, convert and augment labelled sets.", invoke_without_command=True)


@data.callback()
def front(context: typer.Context) -> None:
    """Download, check, split, convert and augment labelled sets."""
    if context.invoked_subcommand is None:
        print(context.get_help())


VERBS: tuple[Callable[..., Any], ...] = (download, build, check, split, remap, convert, augment, synth)
for verb in VERBS:
    data.command()(verb)
