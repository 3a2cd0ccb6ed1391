"""A set written into a folder that holds other things of it already; it must not know what these are."""

import shutil
from pathlib import Path

from handlens.data.delivery import Tick
from handlens.data.sets import LabelledSet
from handlens.data.write_folders import write_set


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
