"""The tasks of a Label Studio export, in its two shapes, as one; it must not know where the pictures lie.

JSON: [{"data": {"image": ...}, "annotations": [{"result": [{"type": "rectanglelabels", "value": {...}}]}]}].
JSON-MIN: [{"image": ..., "label": [{"x": ..., "rectanglelabels": [...]}], "choice": "fist"}].
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from handlens.data.coco_sheet import number_of
from handlens.data.formats.boxes import Entry
from handlens.data.pictures import is_picture_file
from handlens.data.problems import IGNORED, NO_LABEL, NO_PICTURE, WRONG_BOX, WRONG_LINE, OnProblem, complain, mention
from handlens.data.formats.text_files import read_json
from handlens.errors import InputError

_SHAPES = ("rectanglelabels", "polygonlabels")
_ABOUT = ("original_width", "original_height", "image_rotation")  # of the picture, beside what a result says

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One picture that a person has looked at.

    where: for sentences. image: its path as the export has it. shapes: its boxes, in fractions of the
    picture. choices: the names that were chosen for the whole picture. size: width and height of the picture that was
    labelled, zeros where the export is silent.
    """

    where: str
    image: str
    shapes: tuple[Entry, ...]
    choices: tuple[str, ...]
    split: str
    group: str
    size: tuple[int, int] = (0, 0)


def looks_like_tasks(path: Path) -> bool:
    """Return whether a .json file could be a Label Studio export."""
    text = path.read_bytes()
    known = (b'"annotations"', b'"completions"', b'"choice"', b'"rectanglelabels"')
    return text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and any(word in text for word in known)


def read_tasks(path: Path, on_problem: OnProblem | None) -> Iterator[Task]:
    """Yield the tasks of an export that somebody has annotated.

    Raises:
        InputError: it is no export; without `on_problem` also an entry that is wrong.
    """
    told = read_json(path)
    if not isinstance(told, list) or not all(isinstance(entry, dict) for entry in told):
        raise InputError(f"'{path}' is no Label Studio export: it must be a list of tasks.")
    for number, entry in enumerate(told):
        where = f"'{path}' task {entry.get('id', number)}"
        data = entry["data"] if isinstance(entry.get("data"), dict) else entry
        image = _image_of(data)
        if image is None:
            complain(on_problem, NO_PICTURE, path, f"{where} names no picture.")
            continue
        results = _results(entry, where, path, on_problem)
        if results is None:
            mention(on_problem, NO_LABEL, path, f"{where} has no annotation yet: it is left out.")
            continue
        shapes: list[Entry] = []
        choices: list[str] = []
        size = (0, 0)
        for place, (kind, value) in enumerate(results, 1):
            spot = f"{where} result {place}"
            if kind == "choices":
                choices += map(str, value.get("choices", ()))
            elif kind in _SHAPES:
                shapes += _shape(kind, value, spot, path, on_problem)
                size = _size_of(value) or size
            else:
                mention(on_problem, IGNORED, path, f"{spot}: '{kind}' is neither a box nor a choice: it is left out.")
        split, group = (str(data.get(key) or "") for key in ("split", "group"))
        yield Task(where, image, tuple(shapes), tuple(choices), split, group, size)


def _image_of(data: Object) -> str | None:
    """Return the path of the picture in a task's data: without address, query and quoting."""
    for key in sorted(data, key=lambda key: key != "image"):
        value = data[key]
        if not isinstance(value, str):
            continue
        if "://" in value or value.startswith("/data/"):
            parts = urlsplit(value)
            value = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
        if is_picture_file(value.replace("\\", "/").rpartition("/")[2]):
            return value
    return None


def _results(entry: Object, where: str, path: Path, on_problem: OnProblem | None) -> list[tuple[str, Object]] | None:
    """Return (kind, value) of each result of a task, or None where nobody has annotated it."""
    if "data" not in entry:
        return _short_results(entry)
    told = entry.get("annotations", entry.get("completions"))
    done = [each for each in told or () if isinstance(each, dict) and not each.get("was_cancelled")]
    if not done:
        return None
    if len(done) > 1:
        mention(on_problem, IGNORED, path, f"{where} has {len(done)} annotations: only the first counts.")
    found: list[tuple[str, Object]] = []
    for result in done[0].get("result") or ():
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict):
            found.append((str(result.get("type", "")), {**{key: result.get(key) for key in _ABOUT}, **value}))
        elif isinstance(result, dict) and result.get("type") == "relation":
            mention(on_problem, IGNORED, path, f"{where} has a relation between two results: it is left out.")
        else:
            complain(on_problem, WRONG_LINE, path, f"{where} has a result without a value.")
    return found


def _short_results(entry: Object) -> list[tuple[str, Object]]:
    """Return (kind, value) of each result in JSON-MIN, whose keys are the names that the user gave to the controls."""
    found: list[tuple[str, Object]] = []
    for key, told in entry.items():
        if isinstance(told, list):
            values = [value for value in told if isinstance(value, dict)]
            found += [(kind, value) for value in values for kind in value if kind.endswith("labels")]
        elif isinstance(told, dict) and isinstance(told.get("choices"), list):
            found.append(("choices", told))
        elif key in ("choice", "choices") and isinstance(told, str):
            found.append(("choices", {"choices": [told]}))
    return found


def _size_of(value: Object) -> tuple[int, int] | None:
    """Return the size of the picture that a result was drawn on, or None."""
    wide, high = value.get("original_width"), value.get("original_height")
    good = all(isinstance(side, int | float) and side > 0 for side in (wide, high))
    return (int(wide or 0), int(high or 0)) if good else None


def _shape(kind: str, value: Object, where: str, path: Path, on_problem: OnProblem | None) -> Iterator[Entry]:
    """Yield (name, box as fractions, where): one for a shape that has a name and is made of numbers."""
    if value.get("image_rotation"):
        text = f"{where} was drawn on a picture that Label Studio had turned by {value['image_rotation']} degrees"
        complain(on_problem, WRONG_LINE, path, f"{text}: turn it back there and draw it again.")
        return
    names = value.get(kind)
    if not isinstance(names, list) or len(names) != 1:
        complain(on_problem, WRONG_LINE, path, f"{where}: a box needs one label, not {len(names or ())}.")
        return
    try:
        if kind == "polygonlabels":
            xs, ys = zip(*[(float(x), float(y)) for x, y in value["points"]], strict=True)
            sides = [min(xs), min(ys), max(xs), max(ys)]
        else:
            x, y, width, height = (float(value[key]) for key in ("x", "y", "width", "height"))
            sides = [x, y, x + width, y + height]
    except (KeyError, TypeError, ValueError):
        complain(on_problem, WRONG_LINE, path, f"{where} has no four numbers: x, y, width, height in percent.")
        return
    if kind == "rectanglelabels" and value.get("rotation"):
        turned = _turned(sides, value)
        if turned is None:
            text = f"{where} is turned by {value['rotation']} degrees, and the export does not give the picture's size"
            complain(on_problem, WRONG_BOX, path, f"{text}: its place is not known.")
            return
        text = f"{where} is turned by {value['rotation']} degrees: the upright box around it is taken."
        mention(on_problem, IGNORED, path, text)
        sides = turned
    yield str(names[0]).strip(), [side / 100 for side in sides], where


def _turned(sides: Sequence[float], value: Object) -> list[float] | None:
    """Return the upright box, in percent, around one that is turned clockwise about its upper left corner, or None."""
    size, degrees = _size_of(value), number_of(value.get("rotation"))
    if size is None or degrees is None:
        return None
    wide, high = size
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = (sides[2] - sides[0]) * wide, (sides[3] - sides[1]) * high
    across = [0.0, width * cos, -height * sin, width * cos - height * sin]
    down = [0.0, width * sin, height * cos, width * sin + height * cos]
    x, y = sides[0], sides[1]
    return [x + min(across) / wide, y + min(down) / high, x + max(across) / wide, y + max(down) / high]
