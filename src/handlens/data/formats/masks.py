"""Pictures with a mask each: images/ and masks/, or a labels.csv that pairs them; no meaning of classes is known."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.boxes import measure
from handlens.data.formats.file_lists import names_beside, place_of, row_group, row_split, table_of
from handlens.data.formats.text_files import columns_of, read_groups, read_rows
from handlens.data.pictures import below, find_pictures, size_and_orientation, split_of
from handlens.data.problems import (
    NO_LABEL,
    NO_PICTURE,
    UNREADABLE,
    WRONG_CLASS,
    WRONG_LINE,
    WRONG_SIZE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import FrameError, InputError
from handlens.io.pictures.header import read_header
from handlens.io.pictures.quiet import quiet_opencv
from handlens.types import IGNORE, Image

TWO = ("background", "hand")
THREE = ("background", "hand", "face")
SIX = ("background", "hand", "face", "neck", "skin", "hair")  # as in the sets that also mark these

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Values:
    """How to read the masks of one set.

    Attributes:
        names: Of the classes.
        threshold: From this value on it is class 1, or None where the values are the classes themselves and 255 is to
            be ignored.
    """

    names: tuple[str, ...]
    threshold: float | None = None

    def classes(self, mask: Pixels, name: str) -> Image:
        """Return (H, W) uint8: the class of each pixel of a mask (H, W), 255 = ignore.

        Raises:
            InputError: a value that is not a class.
        """
        if self.threshold is not None:
            return (np.asarray(mask) >= self.threshold).astype(np.uint8)
        found = np.asarray(mask)
        wrong = found[~((found == IGNORE) | ((found >= 0) & (found < len(self.names)) & (found == np.floor(found))))]
        if wrong.size:
            allowed = f"0 to {len(self.names) - 1} ({', '.join(self.names)}) and 255 (ignore)"
            raise InputError(
                f"the mask '{name}' has the value {wrong.flat[0]:g}, which is not a class; allowed: {allowed}."
                f" Put the names of more classes into names.txt."
            )
        return found.astype(np.uint8)


def judge(
    masks: Iterable[tuple[str, Pixels]],
    names: tuple[str, ...] | None,
    name: str,
    lossy: bool = False,
    strict: bool = True,
) -> Values:
    """Return how to read the masks of a set, judged by some of them.

    Values 0 and 255 alone, floats up to 1, and many shades are black and white; few small numbers are classes.

    Args:
        masks: Each with its name.
        names: As names.txt has them; None: background, hand, then face and more where the values reach as far.
        lossy: They are JPEG, which cannot keep classes.
        strict: False where each mask with a value beyond `names` is told of by itself.

    Raises:
        InputError: values that fit neither, or black and white with other than two names.
    """
    seen: set[float] = set()
    first: dict[float, str] = {}  # where a value was seen first
    soft = False
    for where, mask in masks:
        soft |= mask.dtype.kind in "bf"
        values = {float(np.min(mask)), float(np.max(mask))} if soft and np.max(mask) <= 1 else _values(mask)
        first |= dict.fromkeys(values - seen, where)
        seen |= values
    ordinary = {value for value in seen if value != IGNORE}
    highest = max(ordinary, default=0)
    if soft and max(seen, default=0) <= 1:
        return Values(_two(names, name), 0.5)
    if lossy or len(seen) > 64 or (ordinary <= {0} and IGNORE in seen):  # shades: soft edges
        return Values(_two(names, name), 128)
    if names is not None and not strict:
        return Values(names)
    names = names or next((known for known in (TWO, THREE) if highest < len(known)), SIX)
    wrong = next((value for value in (min(seen, default=0), highest) if not 0 <= value < len(names)), None)
    if wrong is not None:
        listed = ", ".join(f"{value:g}" for value in sorted(seen)[:10])
        raise InputError(
            f"the masks of '{name}' have the values {listed} ({wrong:g} in '{first[wrong]}'); allowed are classes 0 to"
            f" {len(names) - 1} ({', '.join(names)}), or 0 and 255. Put the names of all classes into names.txt, one a"
            " line."
        )
    return Values(names)


def _values(mask: Pixels) -> set[float]:
    if mask.dtype == np.uint8:  # ten times as fast as np.unique, which sorts
        return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    return set(np.unique(mask).tolist())


def _two(names: tuple[str, ...] | None, name: str) -> tuple[str, ...]:
    if names is not None and len(names) != 2:
        raise InputError(f"the masks of '{name}' are black and white: names.txt must have 2 names, not {len(names)}.")
    return names or TWO


_JUDGED = 256  # masks that are looked at to learn what their values mean
_FOLDERS = ("masks", "mask")


@dataclass(frozen=True)
class _Pair:
    picture: Path
    mask: Path
    split: str
    group: str


def is_masks(root: Path) -> bool:
    """Return whether a folder holds images/ and masks/, or a labels.csv with a column mask."""
    table = table_of(root)
    if table is not None and "mask" in columns_of(table):
        return True
    layouts = (
        [root, *(path for path in root.iterdir() if path.is_dir() and split_of([path.name]))] if root.is_dir() else []
    )
    return any((place / "images").is_dir() and (place / name).is_dir() for place in layouts for name in _FOLDERS)


def read_masks(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of images/ and masks/ (each with or without split folders), or of a labels.csv that pairs them.

    A mask has the name of its picture; it is an index PNG (255 = ignore), or black and white. Names come from
    names.txt; without it they are background, hand, and face where there is a value 2. Groups come from groups.csv.

    Args:
        on_problem: Told of each problem; each mask is then read, and what is wrong is left out. None: a missing mask or
            a wrong row raises at once, a wrong mask when it is read.

    Raises:
        InputError: no pairs; without `on_problem` also a picture that has no mask.
    """
    root = Path(root)
    table = table_of(root)
    home = root if root.is_dir() else root.parent
    paired = table is not None and "mask" in columns_of(table)
    pairs = list(_rows(table, on_problem) if table is not None and paired else _files(home, on_problem))
    if not pairs:
        raise InputError(f"'{root}' has no picture with a mask: looked for images/ and masks/, and for labels.csv.")
    sample = [pairs[place] for place in sorted(set(np.linspace(0, len(pairs) - 1, _JUDGED).astype(int).tolist()))]
    lossy = any(pair.mask.suffix.lower() in (".jpg", ".jpeg") for pair in pairs)
    values = judge(_readable(sample, on_problem), names_beside(home), str(root), lossy, strict=on_problem is None)
    pictures = []
    for pair in pairs:
        size = measure(pair.picture, on_problem)
        if size is None or (on_problem is not None and not _fits(pair, size, values, on_problem)):
            continue
        mask = partial(read_classes, pair.mask, values)
        pictures.append(Labelled(pair.picture, *size, mask=mask, split=pair.split, group=pair.group))
    return LabelledSet("segment", values.names, tuple(pictures), home)


def read_classes(path: Path, values: Values) -> Image:
    """Return (H, W) uint8, the class of each pixel, 255 = ignore.

    Raises:
        FrameError: the mask cannot be read.
        InputError: it has a value that is not a class, or colours.
    """
    return values.classes(read_values(path), str(path))


def read_values(path: Path) -> Pixels:
    """Return (H, W): the values of a mask as they are stored; those of a palette are its numbers, not its colours.

    Raises:
        FrameError: it cannot be read.
        InputError: it is coloured.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FrameError(f"the mask '{path}' cannot be read: {error.strerror or error}.") from error
    header = read_header(data)
    with quiet_opencv():
        try:
            found = cv2.imdecode(np.frombuffer(_without_colours(data), np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            found = None
    if found is None or not header.complete:
        raise FrameError(f"the mask '{path}' is damaged or no picture.")
    found = np.asarray(found)
    if found.ndim == 3:
        colours = found[..., :3]
        if found.shape[2] >= 3 and (colours != colours[..., :1]).any():
            raise InputError(
                f"the mask '{path}' is coloured: it must have one number for each pixel, or black and white."
            )
        found = found[..., 0]
    return found // _widening(data)


def _without_colours(data: bytes) -> bytes:
    """Return a PNG whose palette, if it has one, is replaced by the grey of each number."""
    place = data.find(b"PLTE")
    if data[:4] != b"\x89PNG" or len(data) < 26 or data[25] != 3 or place < 0:
        return data
    length = int.from_bytes(data[place - 4 : place], "big")
    chunk = b"PLTE" + b"".join(bytes([number] * 3) for number in range(length // 3))
    png = data[:place] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[place + length + 8 :]
    return png.replace(b"tRNS", b"trNS", 1)


def _widening(data: bytes) -> int:
    """Return what OpenCV multiplies the numbers of a grey PNG of 2 or 4 bits with, else 1."""
    grey = data[:4] == b"\x89PNG" and len(data) > 25 and data[25] == 0
    return {2: 85, 4: 17}.get(data[24], 1) if grey else 1


def _readable(pairs: Sequence[_Pair], on_problem: OnProblem | None) -> Iterator[tuple[str, Pixels]]:
    for pair in pairs:
        try:
            yield str(pair.mask), read_values(pair.mask)
        except InputError:
            if on_problem is None:
                raise


def _fits(pair: _Pair, size: tuple[int, int], values: Values, on_problem: OnProblem) -> bool:
    """Return whether a mask can be used for its picture, after telling why not."""
    try:
        height, width = read_classes(pair.mask, values).shape
    except FrameError as error:
        complain(on_problem, UNREADABLE, pair.mask, str(error))
        return False
    except InputError as error:
        complain(on_problem, WRONG_CLASS, pair.mask, str(error))
        return False
    if (width, height) != size:
        is_size, wanted = f"{width} x {height}", f"{size[0]} x {size[1]}"
        text = f"the mask '{pair.mask}' is {is_size}, but its picture '{pair.picture}' is {wanted}: they must be equal."
        orientation = size_and_orientation(pair.picture)[1]
        if orientation >= 5 and (height, width) == size:
            text = f"{text[:-1]}; the picture is turned by its EXIF orientation ({orientation}), and the mask is not."
        complain(on_problem, WRONG_SIZE, pair.mask, text)
    return (width, height) == size


def _files(home: Path, on_problem: OnProblem | None) -> Iterator[_Pair]:
    """Yield the pictures in folders called images with their masks in the folders beside."""
    groups = read_groups(home)
    masks = {path.with_suffix(""): path for path in reversed(find_pictures(home))}
    for path in find_pictures(home):
        parts = Path(below(path, home)).parts
        if "images" not in parts[:-1]:
            continue
        place = max(number for number, part in enumerate(parts[:-1]) if part == "images")
        homes = [home.joinpath(*parts[:place], name, *parts[place + 1 : -1]) for name in _FOLDERS]
        stems = [folder / f"{path.stem}{ending}" for folder in homes for ending in ("", "_mask")]
        found = next((masks[stem] for stem in stems if stem in masks), None)
        if found is None:
            complain(on_problem, NO_LABEL, path, f"'{path}' has no mask: there is no '{homes[0] / path.stem}.png'.")
        else:
            yield _Pair(path, found, split_of(parts[:-1]), groups.get(below(path, home), ""))


def _rows(table: Path, on_problem: OnProblem | None) -> Iterator[_Pair]:
    """Yield the pairs of a labels.csv with the columns image (or file) and mask; rows without a mask are left out."""
    home, column = table.parent, "image" if "image" in columns_of(table) else "file"
    groups = read_groups(home)
    for number, row in enumerate(read_rows(table, (column, "mask")), 2):
        where = f"'{table}' line {number}"
        if not row["mask"]:
            mention(on_problem, NO_LABEL, table, f"{where}: '{row[column]}' has no mask: it is left out.")
            continue
        picture, mask, split = (
            place_of(row[column], home, "images"),
            place_of(row["mask"], home, "masks"),
            row_split(row),
        )
        if picture is None or mask is None:
            text = f"{where}: there is no file '{row[column] if picture is None else row['mask']}'."
            complain(on_problem, NO_PICTURE if picture is None else NO_LABEL, table, text)
        elif split is None:
            text = f"{where}: the split '{row['split']}' is none; allowed: train, val, test."
            complain(on_problem, WRONG_LINE, table, text)
        else:
            yield _Pair(picture, mask, split, row_group(row) or groups.get(below(picture, home), ""))
