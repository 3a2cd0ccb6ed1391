"""The cameras of this machine by name, without opening one; it must not know frames."""

import sys
from pathlib import Path

_LINUX = Path("/sys/class/video4linux")


def named_cameras(folder: Path = _LINUX) -> list[tuple[int, str]]:
    """Return (number, name) of the cameras that the system lists; elsewhere than on Linux the first three numbers."""
    if not sys.platform.startswith("linux"):
        return [(number, f"Camera {number}") for number in range(3)]
    found = []
    for node in folder.glob("video*"):
        if node.name[5:].isdigit() and _first(node):
            found.append((int(node.name[5:]), _text(node / "name") or f"Camera {node.name[5:]}"))
    return sorted(found)


def _first(node: Path) -> bool:
    """Return whether this is the node that sends pictures; further ones of a camera send notes about these."""
    return _text(node / "index") in ("", "0")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
