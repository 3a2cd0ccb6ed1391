"""Masks as files: 8-bit PNG, the number of its class for every pixel; it must not know models or what classes mean."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from handlens.errors import OutputError
from handlens.io.atomic import AtomicFile, output_error
from handlens.io.sinks.base import JsonLines, Sink
from handlens.io.sinks.paths import OutputPaths
from handlens.result import Result
from handlens.types import Frame, Image, Mask


def write_mask(path: str | Path, mask: Image | npt.NDArray[np.bool_]) -> None:
    """Write a mask (H, W), uint8 or bool, as a grey PNG of 8 bits that holds the numbers as they are.

    The file appears whole or not at all. Folders that are missing are made.

    Raises:
        OutputError: it cannot be written.
    """
    path = Path(path)
    good, data = cv2.imencode(".png", np.ascontiguousarray(mask, np.uint8))
    if not good:
        raise OutputError(f"'{path}' was not written: the mask cannot be encoded.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise OutputError(f"'{path}' was not written: '{path.parent}' is a file and no folder.") from error
    except OSError as error:
        raise output_error(error, path) from error
    with AtomicFile(path) as draft:
        draft.write(data.tobytes())


class MaskFiles(Sink):
    """Writes the masks of each frame into a folder, and then its JSON line, which names them.

    Args:
        lines: Where the JSON line goes; both are one sink, so that no line names a mask that was not written.
    """

    def __init__(self, places: OutputPaths, lines: JsonLines | None = None) -> None:
        self._paths, self._lines = places, lines
        self._count = 0
        self._last: Path | None = None

    @property
    def written(self) -> tuple[int, Path | None]:
        """How many masks were written, and the last of them."""
        return self._count, self._last

    def write(self, frame: Frame, result: Result) -> None:
        """Write what belongs to one frame."""
        paths = []
        for ending, mask in _masks_of(result):
            paths.append(self._paths.mask(frame.source, frame.index, ending))
            write_mask(paths[-1], mask)
        if paths:
            self._count, self._last = self._count + len(paths), paths[-1]
        if self._lines is not None:
            self._lines.write(frame, result, [str(path) for path in paths])

    def checkpoint(self) -> dict[str, int]:
        """Make the lines safe; each mask is when it is written."""
        return {} if self._lines is None else self._lines.checkpoint()

    def __enter__(self) -> Self:
        if self._lines is not None:
            self._lines.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.__exit__(kind, error, trace)


def _masks_of(result: Result) -> Iterator[tuple[str, Image | npt.NDArray[np.bool_]]]:
    """Yield each mask of a result with the ending of its name, as `places.MASKS` has them."""
    if isinstance(result.value, Mask):
        yield "_mask", result.value.classes
    elif isinstance(result.value, tuple):
        for number, hand in enumerate(result.value, 1):
            mask = hand.whole_mask(result.height, result.width)
            if mask is not None:
                yield f"_hand{number}", mask
