"""Where the demo clip lies, and the truth about it; it must not read the pictures."""

import json
from pathlib import Path

from handlens.errors import InputError
from handlens.types import Event

_MEDIA = Path(__file__).parent / "media"


def demo_clip() -> Path:
    """Return the clip that ships with the package.

    Raises:
        InputError: it is missing, so the package is incomplete.
    """
    path = _MEDIA / "demo.mp4"
    if not path.is_file():
        raise InputError("the demo clip is missing from the package: install handlens again.")
    return path


def demo_truth() -> list[Event]:
    """Return the touches that the clip was rendered with; the label names all regions that are touched ("cheek, chin").

    Raises:
        InputError: the truth is missing, so the package is incomplete.
    """
    try:
        told = json.loads((_MEDIA / "demo.json").read_text("utf-8"))["touches"]
    except OSError as error:
        raise InputError(
            "the truth about the demo clip is missing from the package: install handlens again."
        ) from error
    return [
        Event(
            "touch",
            ", ".join(touch["regions"]),
            "",
            touch["start"],
            touch["stop"],
            touch["start_frame"],
            touch["stop_frame"],
            1.0,
        )
        for touch in told
    ]
