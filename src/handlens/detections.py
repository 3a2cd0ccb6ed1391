"""Boxes of one frame as checked numpy arrays; the other values are in types, and boxes must not know them."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | Sequence[int] | Sequence[bool]


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


def shaped(value: Any, dtype: npt.DTypeLike, shape: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    """Return `value` as an array of that type, or raise ValueError naming the expected and the actual shape."""
    array = np.asarray(value, dtype)
    if array.size == 0 and 0 in shape:
        return array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, got {array.shape}")
    return array


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of one frame; nothing found is n = 0, never None.

    xyxy: (n, 4) float32, source pixels, x1 y1 x2 y2. score: (n,) float32 in [0, 1]. label: (n,) int64 into `names`.
    face, hand: (n,) int64, the row of the owner in these boxes, or -1. id: (n,) int64, identity over frames, or -1.
    Left out, the last three are all -1. touch: the calibrated probability that some hand touches some face in this
    frame, or None from a model that gives none. face_touch: (n,) float32, for each face the probability that it is
    touched, NaN for other rows and for faces that were not judged; None from a model that does not judge single faces.

    Raises:
        ValueError: shapes that do not agree, a label without a name, an owner that is not a row.
    """

    xyxy: Floats
    score: Floats
    label: Ints
    names: tuple[str, ...]
    face: Ints = field(default_factory=_no_ints)
    hand: Ints = field(default_factory=_no_ints)
    id: Ints = field(default_factory=_no_ints)
    touch: float | None = None
    face_touch: Floats | None = None

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        put = object.__setattr__
        put(self, "names", tuple(self.names))
        put(self, "xyxy", shaped(self.xyxy, np.float32, (n, 4), "Detections.xyxy"))
        put(self, "score", shaped(self.score, np.float32, (n,), "Detections.score"))
        put(self, "label", shaped(self.label, np.int64, (n,), "Detections.label"))
        if n and not (self.label.min() >= 0 and self.label.max() < len(self.names)):
            raise ValueError(f"Detections.label: expected 0 to {len(self.names) - 1}, got {self.label.tolist()}")
        for name in ("face", "hand", "id"):
            given = np.asarray(getattr(self, name), np.int64)
            filled = np.full(n, -1, np.int64) if given.size == 0 else given
            put(self, name, shaped(filled, np.int64, (n,), f"Detections.{name}"))
        for name in ("face", "hand"):
            owner = getattr(self, name)
            if n and not (owner.min() >= -1 and owner.max() < n):
                raise ValueError(f"Detections.{name}: expected rows -1 to {n - 1}, got {owner.tolist()}")
        if self.face_touch is not None:
            put(self, "face_touch", shaped(self.face_touch, np.float32, (n,), "Detections.face_touch"))
        if self.touch is not None and not 0.0 <= self.touch <= 1.0:
            raise ValueError(f"Detections.touch: expected 0 to 1, got {self.touch}")

    @classmethod
    def empty(cls, names: Sequence[str], touch: float | None = None) -> "Detections":
        """Return no boxes, of a model with these label names."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), _no_ints(), tuple(names), touch=touch)

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def label_names(self) -> list[str]:
        """The name of each row's label."""
        return [self.names[i] for i in self.label]

    @property
    def best_touch(self) -> float:
        """The probability of a touch: `touch`, or from a model without one the best score of a touched region, or 0."""
        if self.touch is not None:
            return self.touch
        regions = self.score[~self.of("face", "hand")]
        return float(regions.max()) if len(regions) else 0.0

    def of(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: which rows carry one of these label names."""
        wanted = [i for i, name in enumerate(self.names) if name in names]
        return np.isin(self.label, wanted)

    def select(self, rows: Rows) -> "Detections":
        """Return the rows of a mask or a list of row numbers; owners follow, -1 where the owner was dropped."""
        chosen = np.asarray(rows)
        picked = np.arange(len(self))[chosen if chosen.size else _no_ints()]
        place = np.full(len(self) + 1, -1, np.int64)  # one more: the owner -1 stays -1
        place[picked] = np.arange(len(picked))
        return dataclasses.replace(
            self,
            xyxy=self.xyxy[picked],
            score=self.score[picked],
            label=self.label[picked],
            face=place[self.face[picked]],
            hand=place[self.hand[picked]],
            id=self.id[picked],
            face_touch=None if self.face_touch is None else self.face_touch[picked],
        )
