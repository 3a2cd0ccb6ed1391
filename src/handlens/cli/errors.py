"""Turn whatever went wrong into one sentence on stderr and an exit code.

It must not know what the verbs do; it knows only the error tree and typer's usage errors.
"""

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import typer

from handlens.errors import HandlensError, InputError, unknown

DONE, OUR_FAULT, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

_USAGE_ERROR = typer.BadParameter.__mro__[1]  # click's usage error, wherever this release of typer keeps click


class ReaderGone(Exception):
    """Whoever read our stdout (`head`, `less`) has seen enough; no failure."""


class Stopped(Exception):
    """Ctrl-C, kept from typer, which would end without a word; its text is said."""


def guard(work: Callable[[], Any]) -> int:
    """Run `work` and return the exit code: 0 done, 1 our fault, 2 the user's input was wrong, 130 interrupted.

    `work` may return an exit code itself; None counts as done. With HANDLENS_DEBUG set, tracebacks are shown too.
    """
    _open_what_is_closed()
    try:
        code = work()
        sys.stdout.flush()
        return int(code or DONE)
    except BaseException as error:
        if os.environ.get("HANDLENS_DEBUG"):
            traceback.print_exc()
        return _explain(error)


def complain(sentence: str) -> None:
    """Print one sentence to the person, on stderr, as one line."""
    print("handlens:", " ".join(sentence.split()), file=sys.stderr, flush=True)


def _explain(error: BaseException) -> int:
    """Print the sentence for `error`, if it needs one, and return the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else OUR_FAULT
    if isinstance(error, ReaderGone | BrokenPipeError):
        silence_stdout()
        return DONE
    if isinstance(error, KeyboardInterrupt | typer.Abort | Stopped):
        sentence, code = str(error) or "interrupted.", INTERRUPTED
    elif isinstance(error, HandlensError):
        sentence, code = str(error), error.exit_code
    elif isinstance(error, _USAGE_ERROR):
        sentence, code = _usage_sentence(error), WRONG_INPUT
    elif isinstance(error, OSError):
        silence_stdout()
        where = f" '{error.filename}'" if error.filename else " the output"
        sentence, code = f"cannot read or write{where}: {error.strerror or error}.", WRONG_INPUT
    elif isinstance(error, MemoryError):
        sentence, code = "not enough memory: close other programs or give smaller pictures.", OUR_FAULT
    else:
        sentence = f"a fault of handlens, not of yours: {type(error).__name__}: {error} (HANDLENS_DEBUG=1 shows where)."
        code = OUR_FAULT
    complain(sentence)
    return code


def _open_what_is_closed() -> None:
    """Point stdout and stderr at nothing where the caller closed them (`>&-`): Python then has None in their place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the process ends


def silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail a second time."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is not a real file, as in tests
        pass


def _usage_sentence(error: Any) -> str:
    """Say what was wrong on the command line, what is near it, what to type."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "handlens"
    option = getattr(error, "option_name", None)
    if option is None or context is None or not hasattr(error, "possibilities"):
        message = str(error.format_message()).rstrip(".").replace(": Input should", ": it should")
        message = re.sub(r"is not a valid int(eger)?( range)?", "is not a whole number", message)
        message = re.sub(r"is not a valid float( range)?", "is not a number", message)
        return f"{message[:1].lower()}{message[1:]}. Type '{path} --help' to see what is allowed."
    for verb, command in getattr(context.command, "commands", {}).items():
        if option in _long(command):
            return f"{option} belongs after the command: type 'handlens {verb} ... {option} ...'."
    return unknown("option", option, _long(context.command))


def _long(command: Any) -> list[str]:
    """Return the options of a command that begin with two dashes."""
    names = [name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]]
    return ["--help", *(name for name in names if name.startswith("--"))]


NEEDED = ("torch", "lightning", "onnx")


def need_training(what: str, needed: Sequence[str] = NEEDED) -> None:
    """Return when torch and what goes with it are there, or the packages `needed` alone.

    Raises:
        InputError: they are not; `what` is the word for what cannot be done then.
    """
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise InputError(f"{what} needs {missing[0]}, which is not installed: type pip install 'handlens[train]'.")
