"""Where the demo clip lies; it must not read it."""

from pathlib import Path

from handlens.errors import InputError


def demo_clip() -> Path:
    """Return the clip that ships with the package.

    Raises:
        InputError: it is missing, so the package is incomplete.
    """
    path = Path(__file__).parent / "media" / "demo.mp4"
    if not path.is_file():
        raise InputError("the demo clip is missing from the package: install handlens again.")
    return path
