"""How a script of a recipe ends: with one sentence where the user's input was wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from handlens.errors import HandlensError


def exit_status(work: Callable[[], object]) -> int:
    """Do the work of a script; return 0, or what an error of ours ends a program with, after its sentence."""
    try:
        work()
    except HandlensError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0
