"""A set of boxes in one format -> the same set in another; it must not know the formats themselves."""

from collections.abc import Callable
from pathlib import Path

from handlens.data.dataset import LabelledSet
from handlens.data.formats.coco import write_coco
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.labelstudio import write_labelstudio
from handlens.data.formats.voc import write_voc
from handlens.data.formats.yolo import write_yolo
from handlens.data.new_folder import Tick
from handlens.data.problems import OnProblem
from handlens.errors import InputError, unknown

Writer = Callable[[LabelledSet, Path, bool, Tick | None], None]

WRITERS: dict[str, Writer] = {
    "yolo": write_yolo,
    "voc": write_voc,
    "coco": write_coco,
    "labelstudio": write_labelstudio,
}


def writer(form: str) -> Writer:
    """Return what writes a format; its name counts in any case, and with or without - and spaces.

    Raises:
        InputError: there is no such format.
    """
    name = form.lower().replace("-", "").replace("_", "").replace(" ", "")
    if name not in WRITERS:
        raise InputError(unknown("format", form, WRITERS))
    return WRITERS[name]


def convert(
    source: str | Path,
    form: str,
    dest: str | Path,
    copy: bool = True,
    on_problem: OnProblem | None = None,
    on_open: Callable[[LabelledSet], Tick | None] = lambda found: None,
) -> LabelledSet:
    """Write a set of boxes in another format and return it as it was read.

    form: yolo, voc, coco or labelstudio. dest: a new folder; it appears whole or not at all. copy: False links the
    pictures. on_problem: told of each thing that is wrong, which is then left out; None: the first one raises.
    on_open: given the set before it is written; it may return what is to be called after each picture.

    Raises:
        InputError: `source` is no set of boxes, or there is no such format.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    write = writer(form)
    found = open_set(source, "detect", on_problem)
    write(found, Path(dest), copy, on_open(found))
    return found
