"""Picture files in folders: which there are, how large, of which split; it must not know labels or formats."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from handlens.errors import InputError
from handlens.io.pictures.header import read_header, tiff_tags
from handlens.io.sources.find import PICTURE_ENDINGS

ORIENTATION = 274  # the tag of EXIF and TIFF
_HEAD = 1 << 17  # bytes that hold the size of nearly every JPEG, so that the rest is not read
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def is_picture_file(name: str) -> bool:
    """Return whether a file of that name is a picture; hidden files are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in PICTURE_ENDINGS


def find_pictures(folder: Path) -> list[Path]:
    """Return all pictures in a folder and below, hidden folders left out, in the order of their names.

    Raises:
        InputError: there is no such folder, or it may not be read.
    """
    return [path for path in find_files(folder) if is_picture_file(path.name)]


def pictures_by_name(folder: Path, also: Callable[[str], str] = lambda name: name) -> defaultdict[str, list[Path]]:
    """Return the name of a picture -> all pictures in a folder and below that have it.

    Args:
        also: Gives another name by which a picture may be called.

    Raises:
        InputError: there is no such folder, or it may not be read.
    """
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for path in find_pictures(folder):
        for name in dict.fromkeys((path.name, also(path.name))):
            found[name].append(path)
    return found


def find_files(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and below, hidden ones left out, in the order of their names.

    Raises:
        InputError: there is no such folder, or it may not be read.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"'{error.filename}' cannot be read: {(error.strerror or str(error)).lower()}.") from error

    seen = set()  # a link may lead back to a folder above it
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and real not in seen)
        if real in seen:
            continue
        seen.add(real)
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(place, name)


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels as the picture is shown, from its header where that says.

    Raises:
        FrameError: it cannot be read or is not a picture.
    """
    return size_and_orientation(path)[0]


def size_and_orientation(path: Path) -> tuple[tuple[int, int], int]:
    """Return (width, height) in pixels as the picture is shown, and the EXIF orientation (1 to 8) that it is stored in.

    Raises:
        FrameError: it cannot be read or is not a picture.
    """
    from handlens.io.pictures.read import read_picture

    try:
        with path.open("rb") as file:
            data = file.read(_HEAD)
            header = read_header(data)
            if header.kind not in ("JPEG", "BMP") or not header.width:  # others may say which way is up at their end
                data += file.read()
                header = read_header(data)
    except OSError:
        header = read_header(b"")
    orientation = header.orientation
    if header.kind == "TIFF":  # whose header does not say it, because OpenCV turns these pictures itself
        orientation = tiff_tags(data).get(ORIENTATION, 1)
    if not header.width or not header.height:
        height, width = read_picture(str(path)).shape[:2]  # raises the right sentence, too
        return (width, height), orientation
    shown = (header.height, header.width) if orientation >= 5 else (header.width, header.height)
    return shown, orientation if 1 <= orientation <= 8 else 1


def find_place(text: str, bases: Sequence[Path], least: int = 2) -> Path | None:
    """Return the file or folder that a text means, or None; it may stem from another machine or folder.

    ../train/images, /content/data/obj/1.jpg: the end of the path is what holds.

    Args:
        least: How many of its parts must.
    """
    parts = Path(text.replace("\\", "/")).parts
    own = [part for part in parts if part not in ("..", "/")]
    for kept in range(len(own), min(least, len(own)) - 1, -1):
        tail = Path(*own[len(own) - kept :])
        for base in bases:
            for place in (base / Path(*parts), base / tail) if kept == len(own) else (base / tail,):
                if place.exists():
                    return place
    return None


def split_of(folders: Iterable[str]) -> str:
    """Return the split that one of these folder names speaks of: train, val, test, or "" for none."""
    return next((_SPLIT_WORDS[name.lower()] for name in folders if name.lower() in _SPLIT_WORDS), "")


def below(path: Path, root: Path) -> str:
    """Return the path relative to `root` with `/`, as it is written into files of a set."""
    return Path(os.path.relpath(path, root)).as_posix()
