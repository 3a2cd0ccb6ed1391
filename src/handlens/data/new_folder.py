"""A new folder that appears whole or not at all, and the pictures put into it; it must not know label formats."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2

from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import FrameError, InputError, OutputError
from handlens.io.atomic import output_error

Tick = Callable[[], None]
"""Called once for each picture that was written."""

_COMMON = frozenset({"images", "jpegimages", "pictures", "imgs"})  # folder names that tell nothing


@contextlib.contextmanager
def new_folder(dest: Path) -> Iterator[Path]:
    """Yield an empty folder beside `dest` that takes its name at a clean end and is removed on any error.

    Raises:
        OutputError: `dest` exists and is not an empty folder, or cannot be written.
    """
    dest = Path(os.path.abspath(dest))
    if dest.is_dir() and any(dest.iterdir()):
        raise OutputError(f"'{dest}' is not empty: give a new folder, or empty this one first.")
    if dest.exists() and not dest.is_dir():
        raise OutputError(f"'{dest}' is a file: give the name of a new folder.")
    temporary = dest.with_name(f".{dest.name}.{os.getpid()}.part")
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed and had our number
        temporary.mkdir()
        yield temporary
        if dest.is_dir():
            dest.rmdir()
        temporary.rename(dest)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise output_error(error, dest) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def refuse_others(found: LabelledSet, form: str) -> None:
    """Refuse a set that is not one of boxes.

    Raises:
        InputError: it is of another kind, or has no picture.
    """
    if not found.label_kind.has_boxes:
        raise InputError(f"{form} labels are boxes, but '{found.root}' is a set to {found.kind}; give a set of boxes.")
    if not len(found):
        raise InputError(f"'{found.root}' has no pictures, so there is nothing to write.")


def file_names(pictures: Sequence[Labelled], by_split: bool = False) -> list[str]:
    """Return a file name for each picture, no two of which differ only in their ending or in case.

    Pictures of one name from several folders get the folder's name before theirs, then a number.

    Args:
        by_split: Names need to differ within a split only.
    """
    homes = [picture.split if by_split else "" for picture in pictures]
    stems = [(home, picture.name.lower()) for home, picture in zip(homes, pictures, strict=True)]
    count = Counter(stems)
    taken = {stem for stem in stems if count[stem] == 1}
    names = []
    for home, stem, picture in zip(homes, stems, pictures, strict=True):
        name = picture.name
        if count[stem] > 1:
            name = _apart(home, picture, taken)
            taken.add((home, name.lower()))
        names.append(name + (picture.path.suffix if picture.pixels is None else ".png"))
    return names


def _apart(home: str, picture: Labelled, taken: set[tuple[str, str]]) -> str:
    folders = [name for name in reversed(picture.path.parts[:-1]) if name.lower() not in _COMMON and name != os.sep]
    base = f"{folders[0]}_{picture.name}" if folders else picture.name
    number, name = 1, base
    while (home, name.lower()) in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def put_pictures(
    pictures: Sequence[Labelled],
    folder: Path,
    copy: bool = True,
    tick: Tick | None = None,
    by_split: bool = True,
) -> Iterator[tuple[Path, Labelled]]:
    """Put each picture into a folder under a name of its own, and yield its place and the picture.

    Args:
        folder: where they go, with `by_split` into a folder for each split.
        copy: False links them, see `put_picture`.
        tick: called when all that is done with a picture is done.
    """
    for picture, name in zip(pictures, file_names(pictures, by_split), strict=True):
        place = folder / (picture.split if by_split else "") / name
        put_picture(picture, place, copy)
        yield place, picture
        if tick is not None:
            tick()


def put_picture(picture: Labelled, place: Path, copy: bool = True) -> None:
    """Copy a picture's file to `place`; a picture of a pack is written there as PNG.

    Args:
        copy: False makes a hard link, or where the disk has none a symbolic one.

    Raises:
        FrameError: the picture cannot be read.
        OSError: it cannot be written; `new_folder` turns it into a sentence.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if picture.pixels is None and not picture.path.is_file():
        raise FrameError(f"'{picture.path}' cannot be read: it is not a file.")
    if picture.pixels is not None:
        good, data = cv2.imencode(".png", picture.image()[..., ::-1])
        if not good:
            raise OutputError(f"'{picture.path}' could not be written as PNG.")
        place.write_bytes(data.tobytes())
    elif copy:
        shutil.copyfile(picture.path, place)
    else:
        source = picture.path.resolve()
        try:
            place.hardlink_to(source)
        except OSError:
            place.symlink_to(source)
