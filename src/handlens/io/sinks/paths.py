"""Where what is drawn of a source and its masks are written: names that hide no input; it must not write anything."""

import os
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from handlens.io.sources.base import is_address, is_picture

_HANDS = tuple(f"_hand{number}" for number in range(1, 10))
MASKS = {"segment": ("_mask",), "combined": _HANDS, "hands": _HANDS}
"""Task -> what the names of its masks end in."""
MASKS_WHEN_ASKED = ("hands",)
"""Tasks whose answer is something else; their masks are written only where the user asks for them."""

_JPEG_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe"})


class OutputPaths:
    """The paths in a folder that belong to each source; any thread may ask.

    A picture becomes NAME.jpg or NAME.png with its masks beside it (NAME_mask.png, NAME_hand1.png, ...), and its second
    page NAME_page2.png with NAME_page2_mask.png; anything else NAME.mp4 with its masks in NAME_masks/000123.png. Where
    that would hide an input or another output, NAME is marked: NAME-2. All threads that ask for the same sources in the
    same order get the same names.

    Args:
        inputs: Paths that must not be overwritten (a source's own path never is).
        task: Says which masks there may be.
        fresh: Overwrite nothing that is there when a source begins.
    """

    def __init__(
        self, folder: str | Path, inputs: Iterable[str] = (), task: str = "touch", fresh: bool = False
    ) -> None:
        self.folder = Path(folder)
        self._fresh = fresh
        self._endings = MASKS.get(task, ())
        self._kept = {_key(path) for path in inputs}
        self._taken: set[str] = set()
        self._stems: dict[tuple[str, int], str] = {}  # (source, page) -> its name in the folder
        self._lock = threading.RLock()

    def drawing(self, source: str, index: int = 0) -> Path:
        """Return where the annotated picture or video of a source goes: JPEG stays JPEG, other pictures become PNG.

        Args:
            index: Of the page of a picture; the first one has no number in its name.
        """
        return self.folder / f"{self._stem(source, index)}{_ending(source)}"

    def mask(self, source: str, index: int, ending: str = "_mask") -> Path:
        """Return where a mask of a frame goes. ending: one of `MASKS`, to tell several masks of a frame apart."""
        stem = self._stem(source, index)
        if is_picture(source):
            return self.folder / f"{stem}{ending}.png"
        return self.folder / f"{stem}_masks" / f"{index:06d}{'' if ending == '_mask' else ending}.png"

    def _stem(self, source: str, index: int = 0) -> str:
        """Return the name of a source, or of a further page of a picture, without its ending."""
        page = index if is_picture(source) else 0
        with self._lock:
            if (source, page) not in self._stems:
                plain = f"{self._stem(source)}_page{page + 1}" if page else _plain_stem(source)
                self._stems[source, page] = self._free_stem(source, plain)
            return self._stems[source, page]

    def _free_stem(self, source: str, plain: str) -> str:
        number = 1
        while True:
            stem = plain if number == 1 else f"{plain}-{number}"
            paths = [self.folder / name for name in self._names(stem, source)]
            keys = [_key(path) for path in paths]
            there = self._fresh and any(map(os.path.lexists, paths))
            if not there and not any(self._is_used(key, source) for key in keys):
                self._taken.update(keys)
                return stem
            number += 1

    def _names(self, stem: str, source: str) -> Iterator[str]:
        """Yield all that may be written for a source."""
        yield f"{stem}{_ending(source)}"
        if is_picture(source):
            yield from (f"{stem}{ending}.png" for ending in self._endings)
        elif self._endings:
            yield f"{stem}_masks"

    def _is_used(self, key: str, source: str) -> bool:
        below = key + os.sep
        return (
            key in self._taken
            or key == _key(source)
            or any(kept == key or kept.startswith(below) for kept in self._kept)
        )


def _key(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path)).lower()  # two names that differ only in case may be one file


def _ending(source: str) -> str:
    if not is_picture(source):
        return ".mp4"
    return ".jpg" if Path(source).suffix.lower() in _JPEG_ENDINGS else ".png"


def _plain_stem(source: str) -> str:
    if source.isdigit():
        return f"camera-{source}"
    if is_address(source):
        return re.sub(r"[^A-Za-z0-9]+", "-", source).strip("-") or "stream"
    return Path(source).stem or "video"
