"""Silhouettes packed bit by bit into an .npz: bits, width, y, names, group, split; it must not know other formats."""

import zipfile
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.npy import File
from handlens.data.formats.text_files import check_names
from handlens.data.problems import WRONG_CLASS, OnProblem, complain
from handlens.errors import InputError
from handlens.types import Image

_NEEDED = ("bits", "y", "names")


def read_silhouettes(path: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of an .npz file, white shapes on black.

    It holds bits (n, h, bytes) uint8, packed along the last axis; y (n,) whole numbers; names (classes,); and perhaps
    width in pixels (else 8 for each byte), group (n,) and split (n,): train, val, test or empty.

    Raises:
        InputError: the file is damaged or holds something else; without `on_problem` also a label without a name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"'{path}' is not a file: give an .npz file of silhouettes.")
    file = File.of(path)
    arrays = _loaded(file)
    bits, labels = arrays["bits"], arrays["y"]
    names = check_names(arrays["names"].tolist(), path)
    groups, splits = (arrays[key].tolist() if key in arrays else [""] * len(bits) for key in ("group", "split"))
    width = int(arrays["width"]) if "width" in arrays else 8 * bits.shape[2]
    pictures = []
    for place, (label, group, split) in enumerate(zip(labels.tolist(), groups, splits, strict=True)):
        if not 0 <= label < len(names):
            text = f"'{path}' has the label {label} at {place}; allowed: 0 to {len(names) - 1}."
            complain(on_problem, WRONG_CLASS, path, text)
            continue
        pixels = partial(_picture_of, file, place, width)
        one = Labelled(path / str(place), width, bits.shape[1], labels=np.array([label]), pixels=pixels)
        pictures.append(replace(one, group=str(group), split=str(split)))
    return LabelledSet("classify", names, tuple(pictures), path)


@lru_cache(maxsize=8)
def _loaded(file: File) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a file; the bits stay packed, so that 12,000 pictures of 128 x 128 take 25 MB."""
    try:
        with Path(file.path).open("rb") as opened, np.load(opened, allow_pickle=False) as pack:
            arrays = {
                name: np.asarray(pack[name]) for name in (*_NEEDED, "width", "group", "split") if name in pack.files
            }
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"'{file.path}' is no .npz file of numbers: {error}.") from error
    missing = next((name for name in _NEEDED if name not in arrays), None)
    if missing is not None:
        raise InputError(f"'{file.path}' has no array '{missing}': silhouettes are {', '.join(_NEEDED)}.")
    bits, labels = arrays["bits"], arrays["y"]
    shaped = bits.ndim == 3 and bits.dtype == np.uint8 and labels.shape == bits.shape[:1] and labels.dtype.kind in "iu"
    width = int(arrays["width"]) if arrays.get("width", bits).size == 1 else 8 * bits.shape[-1]
    if not set(np.unique(arrays.get("split", np.array([""]))).tolist()) <= {"", *SPLITS}:
        raise InputError(f"'{file.path}' has a split that is none of {', '.join(SPLITS)}.")
    if (
        not shaped
        or not 0 < width <= 8 * bits.shape[2]
        or any(arrays.get(key, labels).shape != labels.shape for key in ("group", "split"))
    ):
        shapes = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items())
        raise InputError(f"'{file.path}' holds {shapes}: expected bits (n, h, bytes) uint8 and y (n,) whole numbers.")
    return arrays


def _picture_of(file: File, place: int, width: int) -> Image:
    shape = np.unpackbits(_loaded(file)["bits"][place], axis=-1)[:, :width] * np.uint8(255)
    return np.ascontiguousarray(np.broadcast_to(shape[..., None], (*shape.shape, 3)))
