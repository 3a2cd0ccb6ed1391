"""Labelled sets that are opened once in a training, whoever asks for them."""

from __future__ import annotations

from collections.abc import Sequence

from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set


class OpenedSets:
    """Opens a labelled set when it is first asked for, and keeps it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, tuple[str, ...]], LabelledSet] = {}

    def __call__(self, data: str, kinds: str | Sequence[str]) -> LabelledSet:
        """Return the set at `data`, read as one of that kind, or of the first of several that it has.

        Raises:
            InputError: it cannot be read.
        """
        wanted = (kinds,) if isinstance(kinds, str) else tuple(kinds)
        if (data, wanted) not in self._found:
            found = open_set(data, wanted)
            self._found[data, wanted] = self._found[data, (found.kind,)] = found
        return self._found[data, wanted]
