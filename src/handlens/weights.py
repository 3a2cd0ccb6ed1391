"""A model's name -> a verified local file: shipped first, then cached; it must not open models or use the network."""

import hashlib
import json
import os
from pathlib import Path

from handlens.errors import InputError, ModelError, NotYet, unknown
from handlens.types import Event

SHIPPED = Path(__file__).parent / "models"
PLANNED = ("touch", "hands", "hold", "digits", "gestures", "signs", "segment")

DETECTOR = "facehand"
"""The shipped model that finds the hands that colour models judge one by one; those of silhouettes are shown one."""

COMPOSED = {"combined": {"segment": "segment", "gesture": "digits"}}
"""Models without a file of their own: role -> the model that takes it."""


def resolve(name_or_path: str | Path, beside: Path | None = None) -> Path:
    """Return the file of a model: an .onnx that exists, a shipped name in any case, or a cached one.

    Args:
        beside: A folder that is looked into before; models that stand on others bring them along there.

    Raises:
        ModelError: no such file or name, or a shipped file that is damaged.
        NotYet: a model that is planned but does not exist yet.
    """
    text = str(name_or_path)
    path = Path(text).expanduser()
    if path.is_file() or path.suffix.lower() == ".onnx":
        if not path.is_file():
            raise ModelError(f"no model file at '{text}'; give an .onnx that exists or one of: {_choices()}.")
        if path.suffix.lower() != ".onnx":
            raise ModelError(f"'{text}' is not a model: give a file that ends in .onnx or one of: {_choices()}.")
        return path
    name = text.lower()
    folders = [folder for folder in (beside, SHIPPED, cache_dir()) if folder is not None]
    for folder in folders:
        file = folder / f"{name}.onnx"
        if file.is_file():
            if folder == SHIPPED:
                verify(file)
            return file
    if name in COMPOSED:
        parts = " and ".join(f"'{part}'" for part in COMPOSED[name].values())
        raise ModelError(
            f"the model '{name}' has no file of its own, it is {parts} together; 'handlens export {name} --out"
            f" {name}.onnx' writes them as one."
        )
    if name in PLANNED:
        raise NotYet(f"the model '{name}' does not exist yet; there are: {_choices()}.")
    raise ModelError(unknown("model", text, _names_known()))


def parts_of(name_or_path: str | Path) -> dict[str, str]:
    """Return the models that one without a file of its own is made of, role -> name; {} for any that has a file."""
    name = str(name_or_path).lower()
    if name not in COMPOSED or Path(str(name_or_path)).is_file() or (cache_dir() / f"{name}.onnx").is_file():
        return {}
    return COMPOSED[name]


def shipped() -> list[str]:
    """Return the names of the models that come with the package, sorted."""
    return _names(SHIPPED)


def cached() -> list[str]:
    """Return the names of the models in the cache folder, sorted."""
    return _names(cache_dir())


def cache_dir() -> Path:
    """Return the cache folder: HANDLENS_CACHE, else ~/.cache/handlens; it need not exist."""
    given = os.environ.get("HANDLENS_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "handlens"


def verify(file: Path) -> None:
    """Hold a shipped file against the sha256.json beside it.

    Raises:
        ModelError: the file is damaged or not listed.
    """
    table = file.parent / "sha256.json"
    known = json.loads(table.read_text("utf-8")) if table.is_file() else {}
    if known.get(file.stem) != hashlib.sha256(file.read_bytes()).hexdigest():
        raise ModelError(f"the shipped model '{file.stem}' is damaged (its sha256 differs); install handlens again.")


def _names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.onnx"))


def _names_known() -> list[str]:
    there = {*shipped(), *cached()}
    return sorted(there | {name for name, parts in COMPOSED.items() if there.issuperset(parts.values())})


def _choices() -> str:
    return ", ".join(_names_known())


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
        touches = json.loads((_MEDIA / "demo.json").read_text("utf-8"))["touches"]
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
        for touch in touches
    ]
