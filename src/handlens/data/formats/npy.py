"""Pictures packed into two arrays, images.npy and labels.npy; it must not know other formats.

The files are mapped into memory, so that only the pictures that are asked for are read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.file_lists import names_beside
from handlens.data.formats.masks import Values, judge
from handlens.data.formats.text_files import read_groups
from handlens.data.pictures import below, split_of
from handlens.data.problems import WRONG_CLASS, OnProblem, complain
from handlens.errors import InputError
from handlens.types import Image

_JUDGED = 256  # pictures and masks that are looked at to learn what their values mean

Array = npt.NDArray[Any]
Tell = Callable[["_Pair", int], dict[str, Any] | None]
"""Returns what Labelled is to know of the label at a place; None after a problem."""


@dataclass(frozen=True)
class File:
    """A file and the time of its last change, so that what was written again is opened again."""

    path: str
    changed: int

    @classmethod
    def of(cls, path: Path) -> "File":
        """Return the file as it is now."""
        return cls(str(path), path.stat().st_mtime_ns)


@dataclass(frozen=True)
class _Pair:
    images: File
    labels: File
    split: str


def pair_files(root: Path) -> list[tuple[Path, Path]]:
    """Return the pairs images.npy, labels.npy in a folder or in its split folders, or the one that `root` is of."""
    home = root.parent if root.name in ("images.npy", "labels.npy") else root
    if not home.is_dir():
        return []
    folders = [home, *sorted(path for path in home.iterdir() if path.is_dir() and split_of([path.name]))]
    pairs = [(place / "images.npy", place / "labels.npy") for place in folders]
    return [pair for pair in pairs if pair[0].is_file() and pair[1].is_file()]


def pair_kind(root: Path) -> str:
    """Return what the labels of a pair are, "segment" or "classify"; "" where there is no pair."""
    pairs = pair_files(root)
    try:
        return _kind(mapped(File.of(pairs[0][1]))) if pairs else ""
    except InputError:
        return "classify"  # reading it says what is wrong


def read_pair(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of images.npy (n, h, w[, 1 or 3]) and labels.npy, uint8 or float (0 to 1, or 0 to 255).

    labels (n, h, w[, 1]) are masks: classes, or black and white. labels (n,) are class numbers; labels (n, classes) are
    largest at the class. Names come from names.txt; without it they are background, hand, face, or the numbers. Split
    folders may hold a pair each. In groups.csv a picture is called images.npy/NUMBER, counted from 0.

    Raises:
        InputError: no pair, or arrays of other shapes; without `on_problem` also a label that is wrong.
    """
    root = Path(root)
    files = pair_files(root)
    if not files:
        raise InputError(f"'{root}' has no images.npy with a labels.npy beside it.")
    home = root if root.is_dir() else root.parent
    pairs = [_Pair(File.of(images), File.of(labels), split_of(Path(below(images, home)).parts[:-1]))
             for images, labels in files]  # fmt: skip
    kind, groups = _kind(mapped(pairs[0].labels)), read_groups(home)
    for pair in pairs:
        _check_shapes(pair, kind)
    if kind == "segment":
        names, read_labels = _masks(pairs, names_beside(home), str(root))
    else:
        names, read_labels = _classes(pairs, names_beside(home), on_problem)
    pictures = []
    for pair in pairs:
        images = mapped(pair.images)
        scale, (count, height, width) = _scale(images), images.shape[:3]
        for place in range(count):
            path, fields = Path(pair.images.path, str(place)), read_labels(pair, place)
            if fields is not None:
                fields |= {"pixels": partial(_picture_of, pair.images, place, scale), "split": pair.split}
                pictures.append(Labelled(path, width, height, group=groups.get(below(path, home), ""), **fields))
    return LabelledSet(kind, names, tuple(pictures), home)


@lru_cache(maxsize=64)
def mapped(file: File) -> Array:
    """Return the array of an .npy file, mapped into memory.

    Raises:
        InputError: it cannot be read, or holds no numbers.
    """
    try:
        array: Array = np.load(file.path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise InputError(f"'{file.path}' is no .npy file of numbers: {error}.") from error
    if array.dtype.kind not in "buif" or array.ndim == 0 or array.size == 0:
        raise InputError(f"'{file.path}' holds no numbers: it is {array.dtype} of shape {array.shape}.")
    return array


def _kind(labels: Array) -> str:
    return "classify" if labels.ndim <= 2 else "segment"


def _check_shapes(pair: _Pair, kind: str) -> None:
    images, labels = mapped(pair.images), mapped(pair.labels)
    if images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise InputError(
            f"'{pair.images.path}' has the shape {images.shape}: pictures must be (n, h, w) or (n, h, w, 3)."
        )
    if len(images) != len(labels):
        raise InputError(
            f"'{pair.images.path}' has {len(images)} pictures, but '{pair.labels.path}' has {len(labels)} labels."
        )
    if _kind(labels) != kind:
        raise InputError(f"'{pair.labels.path}' has labels of another kind than the other pairs: {labels.shape}.")
    flat = labels.ndim == 3 or labels.shape[3:] == (1,)
    if kind == "segment" and not (flat and labels.shape[1:3] == images.shape[1:3]):
        wanted = (len(images), *images.shape[1:3])
        raise InputError(
            f"'{pair.labels.path}' has the shape {labels.shape}: masks for these pictures must be {wanted}."
        )


def _masks(pairs: Sequence[_Pair], names: tuple[str, ...] | None, name: str) -> tuple[tuple[str, ...], Tell]:
    each = max(1, _JUDGED // len(pairs))
    positions = ((pair.labels, place) for pair in pairs for place in _spread(len(mapped(pair.labels)), each))
    some = ((_called(file, place), _mask_of(file, place)) for file, place in positions)
    values = judge(some, names, name)
    return values.names, lambda pair, place: {"mask": partial(_classes_of, pair.labels, place, values)}


def _classes(
    pairs: Sequence[_Pair], names: tuple[str, ...] | None, on_problem: OnProblem | None
) -> tuple[tuple[str, ...], Tell]:
    numbers: dict[_Pair, Array] = {}
    for pair in pairs:
        labels = np.asarray(mapped(pair.labels))
        labels = labels.argmax(axis=1) if labels.ndim == 2 and labels.shape[1] > 1 else labels.reshape(-1)
        if not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
            raise InputError(f"'{pair.labels.path}' has labels that are not whole numbers.")
        numbers[pair] = labels.astype(np.int64)
    highest = max(int(labels.max()) for labels in numbers.values())
    if names is None and highest >= 10_000:
        raise InputError(f"'{pairs[0].labels.path}' has the label {highest}: are these classes? Then give names.txt.")
    known = names or tuple(map(str, range(highest + 1)))

    def read_labels(pair: _Pair, place: int) -> dict[str, Any] | None:
        label = int(numbers[pair][place])
        if 0 <= label < len(known):
            return {"labels": np.array([label])}
        text = f"'{pair.labels.path}' has the label {label} at {place}; allowed: 0 to {len(known) - 1}."
        complain(on_problem, WRONG_CLASS, Path(pair.labels.path), text)
        return None

    return known, read_labels


def _spread(count: int, most: int) -> list[int]:
    """Return up to `most` places of `count`, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, most).astype(int).tolist()))


def _scale(images: Array) -> float:
    """Return what to multiply pixels with, so that white is 255."""
    if images.dtype.kind == "b":
        return 255.0
    if images.dtype.kind != "f":
        return 1.0
    return 255.0 if max(float(np.max(images[place])) for place in _spread(len(images), 16)) <= 1 else 1.0


def _picture_of(file: File, place: int, scale: float) -> Image:
    pixels = np.asarray(mapped(file)[place])
    if pixels.dtype != np.uint8:
        pixels = np.clip(np.nan_to_num(pixels.astype(np.float32)) * scale + 0.5, 0, 255).astype(np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _mask_of(file: File, place: int) -> Array:
    mask = np.asarray(mapped(file)[place])
    return mask.reshape(mask.shape[:2])


def _classes_of(file: File, place: int, values: Values) -> Image:
    return values.classes(_mask_of(file, place), _called(file, place))


def _called(file: File, place: int) -> str:
    return f"{file.path}, picture {place}"
