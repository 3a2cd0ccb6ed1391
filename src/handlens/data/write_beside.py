"""A set written into a folder that holds other things of it already; it must not know what these are."""

import shutil
from pathlib import Path

from handlens.data.dataset import LabelledSet
from handlens.data.new_folder import Tick, file_names, new_folder
from handlens.data.write import put_mask, write_set


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
