"""Labelled sets that are opened once in a training, whoever asks for them."""

from __future__ import annotations

from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set


class OpenedSets:
    """Opens a labelled set when it is first asked for, and keeps it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], LabelledSet] = {}

    def __call__(self, data: str, kind: str) -> LabelledSet:
        """Return the set at `data`, read as one of that kind.

        Raises:
            InputError: it cannot be read.
        """
        if (data, kind) not in self._found:
            self._found[data, kind] = open_set(data, kind)
        return self._found[data, kind]
