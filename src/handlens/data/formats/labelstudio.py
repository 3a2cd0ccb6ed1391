"""Label Studio exports, read and written: percent of the picture in one .json file; it must not know other formats."""

import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import quoteattr

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.boxes import Entry, keep_boxes, measure
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.file_lists import names_beside
from handlens.data.formats.text_files import number_of, read_groups, read_json, write_groups, write_text
from handlens.data.new_folder import Tick, new_folder, put_pictures, refuse_others
from handlens.data.pictures import below, find_place, is_picture_file, picture_size, pictures_by_name, split_of
from handlens.data.problems import (
    IGNORED,
    NO_LABEL,
    NO_PICTURE,
    TWO_SPLITS,
    UNCHECKED,
    WRONG_BOX,
    WRONG_CLASS,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import InputError

_SHAPES = ("rectanglelabels", "polygonlabels")
_ABOUT = ("original_width", "original_height", "image_rotation")  # of the picture, beside what a result says

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One picture that a person has looked at.

    Attributes:
        where: For sentences.
        image: Its path as the export has it.
        shapes: Its boxes, in fractions of the picture.
        choices: The names that were chosen for the whole picture.
        size: Width and height of the picture that was labelled, zeros where the export is silent.
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
    known = (b'"predictions"', b'"annotations"', b'"completions"', b'"choice"', b'"rectanglelabels"')
    return text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and any(word in text for word in known)


def read_tasks(path: Path, on_problem: OnProblem | None) -> Iterator[Task]:
    """Yield the tasks of an export that somebody has annotated, or that a program has labelled.

    Raises:
        InputError: it is not an export; without `on_problem` also an entry that is wrong.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"'{path}' is not a Label Studio export: it must be a list of tasks.")
    for number, entry in enumerate(entries):
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
    annotations = entry.get("annotations", entry.get("completions"))
    done = [each for each in annotations or () if isinstance(each, dict) and not each.get("was_cancelled")]
    if not done and not annotations:
        done = [
            each
            for each in entry.get("predictions") or ()
            if isinstance(each, dict) and isinstance(each.get("result"), list)
        ]
        if done:
            text = f"{where} has no annotation yet, only a prediction: that counts, nobody has checked it."
            mention(on_problem, UNCHECKED, path, text)
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
    for key, given in entry.items():
        if isinstance(given, list):
            values = [value for value in given if isinstance(value, dict)]
            found += [(kind, value) for value in values for kind in value if kind.endswith("labels")]
        elif isinstance(given, dict) and isinstance(given.get("choices"), list):
            found.append(("choices", given))
        elif key in ("choice", "choices") and isinstance(given, str):
            found.append(("choices", {"choices": [given]}))
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


FILE = "labelstudio.json"

_INTERFACE = (
    ("<View>", '  <Image name="image" value="$image"/>', '  <RectangleLabels name="label" toName="image">'),
    ("  </RectangleLabels>", "</View>"),
)
_PERCENT = 0.01
_PREFIX = re.compile(r"^[0-9a-f]{8}-")  # an upload of name.jpg is called abcd1234-name.jpg


def labelstudio_file(root: Path) -> Path | None:
    """Return the export that `root` is or holds, or None."""
    if root.is_file():
        return root if root.suffix.lower() == ".json" and looks_like_tasks(root) else None
    files = sorted(root.glob("*.json"), key=lambda path: path.name != FILE) if root.is_dir() else []
    return next((path for path in files if looks_like_tasks(path)), None)


def read_labelstudio(root: str | Path, on_problem: OnProblem | None = None, kind: str | None = None) -> LabelledSet:
    """Return the set of a Label Studio export (JSON or JSON-MIN) whose pictures lie beside it or below.

    Pictures are found by their path or name, also under the name they had before they were uploaded. Splits and groups
    come from the tasks' data or from folder names and groups.csv, the order of the names from classes.txt where there
    is one. Of tasks that nobody has annotated the predictions count, and without these they are left out.

    Args:
        kind: "detect" for boxes, "classify" for choices; None: boxes where there are any.
        on_problem: Told of each problem; what is wrong is then left out. None: the first one raises.

    Raises:
        InputError: no export; without `on_problem` also a task that is wrong.
    """
    root = Path(root)
    path = labelstudio_file(root)
    if path is None:
        raise InputError(
            f"'{root}' is not a Label Studio export and has none: give its .json file, or the folder it is in."
        )
    for other in sorted(root.glob("*.json")) if root.is_dir() else ():
        if other != path and looks_like_tasks(other):
            text = f"'{other}' is another export: only '{path}' is read. Give its name to read it instead."
            mention(on_problem, IGNORED, other, text)
    tasks = list(read_tasks(path, on_problem))
    sides = [side for task in tasks for _, box, _ in task.shapes for side in box]
    if sides and min(sides) >= 0 and max(sides) <= _PERCENT:
        raise InputError(
            f"'{path}': all boxes lie in the first percent of their picture: their numbers look like fractions, but"
            " must be percent."
        )
    boxed = kind == "detect" or (kind is None and any(task.shapes for task in tasks))
    label_names = {name for task in tasks for name in ([each[0] for each in task.shapes] if boxed else task.choices)}
    names = names_beside(path.parent) or ordered(label_names)
    if not names:
        raise InputError(f"'{path}' has no {'box' if boxed else 'choice'} in {len(tasks)} annotated tasks.")
    shelf, groups = _Shelf(path.parent), read_groups(path.parent)
    pictures: dict[Path, Labelled] = {}
    for task in tasks:
        place = shelf.find(task.image)
        if place is None:
            text = (
                f"{task.where}: there is no picture '{task.image}' in '{path.parent}' or below, or several of its name."
            )
            complain(on_problem, NO_PICTURE, path, text)
        elif place in pictures:
            complain(on_problem, TWO_SPLITS, path, f"{task.where}: '{place}' belongs to another task, too.")
        else:
            picture = (_boxed if boxed else _chosen)(task, place, path, names, on_problem)
            if picture is not None:
                split = split_of([task.split, *Path(below(place, path.parent)).parts[:-1]])
                group = task.group or groups.get(below(place, path.parent), "")
                pictures[place] = dataclasses.replace(picture, split=split, group=group)
    if not pictures:
        raise InputError(f"'{path}' has no picture that can be used.")
    return LabelledSet("detect" if boxed else "classify", names, tuple(pictures.values()), path.parent)


def write_labelstudio(
    found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None, prediction: str = ""
) -> None:
    """Write a set as a folder for Label Studio: images/, labelstudio.json to import, labelstudio.xml for the project's
    labelling interface, classes.txt and groups.csv.

    The pictures are named as local files: start Label Studio with local files served from the folder above `dest`. The
    folder appears whole or not at all.

    Args:
        copy: False links the pictures.
        tick: Called after each picture.
        prediction: The model that made the boxes: they are predictions then, for a person to correct; "": annotations.

    Raises:
        InputError: not a set of boxes.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    refuse_others(found, "Label Studio")
    dest = Path(dest)
    with new_folder(dest) as folder:
        placed = list(put_pictures(found.pictures, folder / "images", copy, tick))
        name = dest.resolve().name
        tasks = [
            _task(number, picture, path, folder, name, found.names, prediction)
            for number, (path, picture) in enumerate(placed, 1)
        ]
        write_text(folder / FILE, [json.dumps(tasks, ensure_ascii=False, indent=1)])
        labels = [f"    <Label value={quoteattr(name)}/>" for name in found.names]
        write_text(folder / "labelstudio.xml", [*_INTERFACE[0], *labels, *_INTERFACE[1]])
        write_text(folder / "classes.txt", found.names)
        write_groups(folder, placed)


class _Shelf:
    """The pictures below a folder, found by what an export calls them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name = pictures_by_name(root, _uploaded)

    def find(self, image: str) -> Path | None:
        """Return the one picture whose path ends as `image` does, or else that has its name, or None."""
        place = find_place(image, [self._root, self._root.parent])
        if place is not None and place.is_file():
            return place
        name = image.replace("\\", "/").rpartition("/")[2]
        for called in (name, _PREFIX.sub("", name)):
            found = self._by_name.get(called, [])
            if len(found) == 1:
                return found[0]
        return None


def _uploaded(name: str) -> str:
    """Return a file name as an upload changes it: no spaces, no signs."""
    return re.sub(r"[^-\w.]", "", name.replace(" ", "_"))


def _boxed(
    task: Task, place: Path, file: Path, names: tuple[str, ...], on_problem: OnProblem | None
) -> Labelled | None:
    size = measure(place, on_problem, task.size, scaled=True)
    if size is None:
        return None
    sides = size * 2
    shapes = [(name, [v * side for v, side in zip(box, sides, strict=True)], where) for name, box, where in task.shapes]
    return Labelled(place, *size, *keep_boxes(shapes, names, size, file, on_problem))


def _chosen(
    task: Task, place: Path, file: Path, names: tuple[str, ...], on_problem: OnProblem | None
) -> Labelled | None:
    if len(task.choices) != 1 or task.choices[0] not in names:
        chosen = ", ".join(task.choices) or "nothing"
        text = f"{task.where}: '{place.name}' needs one choice of {', '.join(names)}, but has {chosen}."
        complain(on_problem, WRONG_CLASS, file, text)
        return None
    return Labelled(place, labels=np.array([names.index(task.choices[0])]))


def _task(
    number: int, picture: Labelled, path: Path, folder: Path, name: str, names: tuple[str, ...], prediction: str = ""
) -> dict[str, Any]:
    """Return one task with its annotation, or its prediction, as Label Studio imports it."""
    width, height = (picture.width, picture.height) if picture.width else picture_size(path)
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    results = []
    for row, (label, (x1, y1, x2, y2)) in enumerate(zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True)):
        sides = {"x": x1 / width, "y": y1 / height, "width": (x2 - x1) / width, "height": (y2 - y1) / height}
        value = {**{key: round(100 * side, 6) for key, side in sides.items()}, "rotation": 0}
        value["rectanglelabels"] = [names[label]]
        kind = {"id": f"{number}-{row}", "from_name": "label", "to_name": "image", "type": "rectanglelabels"}
        results.append({**kind, **size, "value": value})
    data = {"image": f"/data/local-files/?d={quote(f'{name}/{below(path, folder)}')}"}
    data |= {key: part for key, part in (("split", picture.split), ("group", picture.group)) if part}
    task: dict[str, Any] = {"id": number, "data": data}
    if prediction:
        return {**task, "predictions": [{"model_version": prediction, "result": results}]}
    return {**task, "annotations": [{"id": number, "result": results}]}
