"""Class folders and pictures with index masks, written in the layout of splits; it must not know how sets are made."""

import os
from pathlib import Path

import cv2
import numpy as np

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.text_files import write_groups
from handlens.data.formats.yolo import write_yolo
from handlens.data.new_folder import Tick, file_names, new_folder, put_picture
from handlens.errors import InputError, OutputError


def write_set(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set in the layout of its kind: YOLO, class folders, or pictures with masks; whole or not at all.

    copy: False links the pictures instead of copying them. tick: called after each picture.

    Raises:
        InputError: a class name that is no folder name, or a mask that cannot be read.
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
        for picture, name in zip(found, file_names(found.pictures, by_split=True), strict=True):
            placed.append((folder / "images" / picture.split / name, picture))
            put_picture(picture, placed[-1][0], copy)
            put_mask(picture, (folder / "masks" / picture.split / name).with_suffix(".png"))
            if tick is not None:
                tick()
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
