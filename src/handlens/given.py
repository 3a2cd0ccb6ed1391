"""Whatever a user of the Python interface gives as a picture -> a Frame; it must not know models or results."""

import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from handlens.errors import InputError
from handlens.types import Frame, Image

_ORIENTATION = 0x0112  # the number of this field in EXIF
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # modes of Pillow with more than 8 bits


@runtime_checkable
class PilImage(Protocol):
    """What is needed of a picture of Pillow, which need not be installed."""

    @property
    def mode(self) -> str:
        """How its pixels are stored."""
        ...

    def convert(self, mode: str) -> Any:
        """Return it in another mode."""
        ...


ImageLike = Frame | npt.NDArray[Any] | str | os.PathLike[str] | PilImage
"""One picture: a Frame, an array in RGB, the path of a picture file, or an image of Pillow."""


def as_frame(given: ImageLike) -> Frame:
    """Return a picture as a Frame.

    Args:
        given: a `Frame`, which is returned as it is; an array (H, W, 3) uint8 in RGB, (H, W) or (H, W, 1) grey, or
            (H, W, 4) RGBA, which is laid on white; the path of a picture file; or an image of Pillow. Pictures of
            OpenCV are BGR, which nobody can see from the numbers: give `image[..., ::-1]`.

    Returns:
        The frame, upright as its EXIF says. Its `source` is the path, where one was given.

    Raises:
        InputError: it is something else, or an array of another shape or type.
        FrameError: the file cannot be read.
    """
    if isinstance(given, Frame):
        return given
    if isinstance(given, str | os.PathLike):
        return _read(os.fspath(given))
    if isinstance(given, np.ndarray):
        return Frame(_rgb(given))
    if isinstance(given, PilImage):
        return Frame(_of_pillow(given))
    raise InputError(
        "a picture must be a Frame, a numpy array (H, W, 3) uint8 in RGB, a path or a Pillow image,"
        f" got {_kind(given)}."
    )


def _read(path: str) -> Frame:
    from handlens.io.pictures.read import read_picture
    from handlens.io.sources.base import is_picture

    if not is_picture(path) and Path(path).is_file():
        raise InputError(f"'{path}' does not end like a picture: for a video use handlens.video('{path}').")
    if Path(path).is_dir():
        raise InputError(
            f"'{path}' is a folder: give a list of its pictures, for example sorted(Path(...).glob('*.jpg'))."
        )
    return Frame(read_picture(path), source=path)


def _rgb(array: npt.NDArray[Any]) -> Image:
    """Return (H, W, 3) uint8 RGB of an array."""
    got = f"{'x'.join(map(str, array.shape)) or 'a single number'} {array.dtype}"
    if array.dtype != np.uint8:
        raise InputError(f"a picture must be uint8, 0 to 255, got {got}{_scaling(array)}.")
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        raise InputError(f"a picture must be (H, W, 3), got {got}: type image.transpose(1, 2, 0).")
    if array.ndim == 4:
        raise InputError(f"a picture must be (H, W, 3), got {got}: for several pictures give list(images).")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise InputError(f"a picture must be (H, W, 3) RGB, (H, W) grey or (H, W, 4) RGBA, got {got}.")
    if array.size == 0:
        raise InputError(f"a picture must have at least one pixel, got {got}.")
    if array.ndim == 2:
        array = array[..., None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        from handlens.io.upright import on_white

        return on_white(np.ascontiguousarray(array))
    return np.ascontiguousarray(array)


def _scaling(array: npt.NDArray[Any]) -> str:
    """Say how the values of another type become bytes."""
    if array.dtype.kind == "f":
        return ": of values from 0 to 1 type (image * 255).round().astype('uint8')"
    if array.dtype == np.uint16:
        return ": of 16 bits type (image >> 8).astype('uint8')"
    if array.dtype == np.bool_:
        return ": type image.astype('uint8') * 255"
    return ""


def _of_pillow(image: PilImage) -> Image:
    from handlens.io.upright import turn

    if image.mode in _DEEP:
        raise InputError(
            f"a Pillow image of mode '{image.mode}' has more than 8 bits: scale it to 0 to 255, mode 'L' or 'RGB'."
        )
    sees_through = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in getattr(image, "info", {})
    pixels = np.asarray(image.convert("RGBA" if sees_through else "RGB"), np.uint8)
    exif: dict[int, Any] = getattr(image, "getexif", dict)()
    return np.ascontiguousarray(turn(_rgb(pixels), int(exif.get(_ORIENTATION, 1) or 1)))


def _kind(given: object) -> str:
    module = type(given).__module__.split(".")[0]
    name = type(given).__name__ if module == "builtins" else f"{module}.{type(given).__name__}"
    if module == "torch":
        return f"{name}: type image.permute(1, 2, 0).cpu().numpy() for (3, H, W)"
    return name
