"""Measured numbers as JSON, in a file or alone on stdout; it must not know what was measured."""

from json import dumps
from typing import Any

from handlens.io.atomic import Draft


def write_numbers(numbers: dict[str, Any], to: str | None) -> None:
    """Write one JSON object to a file, or to stdout where `to` is "-"; nowhere where it is None.

    Raises:
        OutputError: the file cannot be written.
    """
    text = dumps(numbers, indent=1) + "\n"
    if to == "-":
        print(text, end="")
    elif to is not None:
        with Draft(to) as draft:
            draft.write(text.encode())
