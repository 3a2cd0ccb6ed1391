"""Class folders and pictures with index masks, written in the layout of splits; it must not know how sets are made."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.coco import write_coco
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.labelstudio import write_labelstudio
from handlens.data.formats.text_files import write_groups
from handlens.data.formats.voc import write_voc
from handlens.data.formats.yolo import write_yolo
from handlens.data.new_folder import Tick, file_names, new_folder, put_picture, put_pictures
from handlens.data.problems import OnProblem
from handlens.errors import InputError, OutputError, unknown


def write_set(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set in the layout of its kind: YOLO, class folders, or pictures with masks; whole or not at all.

    Args:
        copy: False links the pictures instead of copying them.
        tick: Called after each picture.

    Raises:
        InputError: a class name that is not a folder name, or a mask that cannot be read.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    {"detect": write_yolo, "classify": write_folders, "segment": write_masks}[found.kind](found, dest, copy, tick)


def write_folders(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write SPLIT/CLASS/*.jpg (CLASS/*.jpg where nothing is split) and groups.csv. Arguments as of `write_set`."""
    bad = next((name for name in found.names if not _is_folder_name(name)), None)
    if bad is not None:
        raise InputError(f"the class '{bad}' cannot be the name of a folder: give it another ('handlens data remap').")
    with new_folder(Path(dest)) as folder:
        placed: list[tuple[Path, Labelled]] = []
        for split in found.splits or ("",):
            for name in found.names:  # a class without pictures stays a class
                (folder / split / name).mkdir(parents=True)
        for number, title in enumerate(found.names):
            pictures = [picture for picture in found if picture.labels[0] == number]
            for picture, name in zip(pictures, file_names(pictures, by_split=True), strict=True):
                placed.append((folder / picture.split / title / name, picture))
                put_picture(picture, placed[-1][0], copy)
                if tick is not None:
                    tick()
        write_groups(folder, placed)


def write_masks(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write images/SPLIT/*.jpg, masks/SPLIT/*.png of the same names, names.txt and groups.csv; as `write_set`."""
    with new_folder(Path(dest)) as folder:
        placed: list[tuple[Path, Labelled]] = []
        for split in found.splits or ("",):
            for home in ("images", "masks"):
                (folder / home / split).mkdir(parents=True, exist_ok=True)
        for place, picture in put_pictures(found.pictures, folder / "images", copy, tick):
            placed.append((place, picture))
            put_mask(picture, (folder / "masks" / picture.split / place.name).with_suffix(".png"))
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in found.names), encoding="utf-8")
        write_groups(folder, placed)


def put_mask(picture: Labelled, place: Path) -> None:
    """Write the mask of a picture as an index PNG, background where it has none.

    Raises:
        FrameError, InputError: it cannot be read.
        OutputError: it cannot be written.
    """
    classes = picture.mask() if picture.mask is not None else np.zeros(picture.image().shape[:2], np.uint8)
    good, data = cv2.imencode(".png", classes)
    if not good:
        raise OutputError(f"the mask of '{picture.path}' could not be written as PNG.")
    place.write_bytes(data.tobytes())


def _is_folder_name(name: str) -> bool:
    return not (set(name) & {"/", "\\", ":", os.sep, "\0"}) and not name.startswith(".") and name not in SPLITS


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

    Args:
        form: Yolo, voc, coco or labelstudio.
        dest: A new folder; it appears whole or not at all.
        copy: False links the pictures.
        on_problem: Told of each thing that is wrong, which is then left out; None: the first one raises.
        on_open: Given the set before it is written; it may return what is to be called after each picture.

    Raises:
        InputError: `source` is not a set of boxes, or there is no such format.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    write = writer(form)
    found = open_set(source, "detect", on_problem)
    write(found, Path(dest), copy, on_open(found))
    return found


def write_beside(found: LabelledSet, folder: Path, name: str, tick: Tick | None = None) -> None:
    """Write a set, as one of that name, into a folder that has files already; hidden folders in it are removed then.

    So a verb can draw pictures in a hidden folder of a `new_folder`, and what it delivers still appears at once.

    Raises:
        InputError, OutputError: as `write_set`.
    """
    own = folder / ".written" / name
    write_set(found, own, True, tick)
    for path in own.iterdir():
        path.rename(folder / path.name)
    for path in [path for path in folder.iterdir() if path.name.startswith(".") and path.is_dir()]:
        shutil.rmtree(path)


def write_boxes_and_masks(found: LabelledSet, masks: LabelledSet, dest: str | Path, tick: Tick | None = None) -> None:
    """Write a set of boxes as `write_set`, with the masks of the same pictures in masks/SPLIT/ and names.txt.

    Raises:
        InputError, FrameError: a mask cannot be read.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    dest, by_path = Path(dest), {picture.path: picture for picture in masks}
    with new_folder(dest) as folder:
        for picture, name in zip(found, file_names(found.pictures, by_split=True), strict=True):
            home = folder / "masks" / picture.split
            home.mkdir(parents=True, exist_ok=True)
            if picture.path in by_path:
                put_mask(by_path[picture.path], (home / name).with_suffix(".png"))
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in masks.names), encoding="utf-8")
        write_beside(found, folder, dest.resolve().name, tick)
