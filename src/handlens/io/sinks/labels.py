"""What a model finds in pictures, as a labelled set that a person corrects in a labelling program."""

from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.labelstudio import write_labelstudio
from handlens.data.write import writer
from handlens.errors import InputError, OutputError
from handlens.io.sinks.base import Sink
from handlens.io.sources.base import is_picture
from handlens.result import Result
from handlens.types import Frame, Label, Mask


def gives_boxes(card: ModelCard, crop: str) -> bool:
    """Return whether a model's answers have boxes, where judged hands are cut out as `crop` says (hand or whole)."""
    if card.kind == "segment":
        return False
    alone = "detector" not in card.parts or card.options.get("whole")
    return card.kind != "classify" or not (alone or crop == "whole")


class PreLabels(Sink):
    """The boxes of all pictures of a run, written as one set when the run ends.

    A box is kept where it is drawn, that is from the threshold of its name on. Faces, hands and regions have their
    names, judged hands the name of what they hold or show. Of files of several pages the first page counts.

    Args:
        dest: The folder of the set; it appears whole at the end, or not at all.
        form: yolo, voc, coco or labelstudio. Label Studio shows the boxes as predictions.
        names: The names in the order of the model; the set has those that were found.
        model: Its name and version, for Label Studio.

    Raises:
        InputError: there is no such format; on writing, an answer without boxes.
        OutputError: the folder is not empty; at the end, it cannot be written.
    """

    def __init__(self, dest: Path, form: str, names: tuple[str, ...], model: str) -> None:
        self._writer, self._dest, self._names = writer(form), dest, names
        if self._writer is write_labelstudio:
            self._writer = partial(write_labelstudio, prediction=model)
        self._pictures: dict[Path, tuple[Result, list[tuple[str, tuple[float, float, float, float]]]]] = {}
        if dest.exists() and (not dest.is_dir() or any(dest.iterdir())):
            raise OutputError(f"'{dest}' exists: give another --out, or remove it.")

    @property
    def written(self) -> tuple[int, Path | None]:
        """How many pictures the set has, and its folder."""
        return len(self._pictures), self._dest

    def write(self, frame: Frame, result: Result) -> None:
        """Keep the boxes of one picture."""
        path = Path(result.source)
        if isinstance(result.value, Label | Mask):
            raise InputError(f"'{result.model}' answers without boxes, so --labels has nothing to write.")
        if path in self._pictures or not is_picture(result.source):
            return
        least = result.thresholds
        kept = [
            (box.label, box.xyxy) for box in result.boxes if box.score >= least.get(box.label, least.get("score", 0))
        ]
        self._pictures[path] = result, kept

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._pictures or (kind is not None and not issubclass(kind, KeyboardInterrupt)):
            return
        found = {name for _, boxes in self._pictures.values() for name, _ in boxes}
        names = tuple(dict.fromkeys((*(name for name in self._names if name in found), *sorted(found)))) or self._names
        pictures = []
        for path, (result, boxes) in self._pictures.items():
            corners = np.array([xyxy for _, xyxy in boxes], np.float32).reshape(-1, 4)
            labels = np.array([names.index(name) for name, _ in boxes], np.int64)
            pictures.append(Labelled(path, result.width, result.height, corners, labels))
        self._writer(LabelledSet("detect", names, tuple(pictures)), self._dest, True, None)
