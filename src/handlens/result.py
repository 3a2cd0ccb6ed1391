"""What a model says of one frame: its rows, its JSON object (docs/reference/formats.md), its drawing.

It must not know models.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.errors import InputError
from handlens.pace import wall_clock
from handlens.tasks import task_of
from handlens.types import FINGERS, LANDMARKS, OWNERS, Box, Detections, Floats, Hand, Image, Label, Mask, Value

if TYPE_CHECKING:
    from handlens.given import ImageLike


@dataclass(frozen=True, eq=False)
class Result:
    """What a model says of one frame; iterate over it for the boxes, `len` counts them.

    Attributes:
        value: Detections (touch), Mask (segment), Label or a tuple of Hand (hold, gesture, combined).
        time: Seconds.
        width, height: Of the source, in pixels.
        model: The model's name, as its card says.
        duration, clock: As in Frame.
        basis: Where a minimum score of the user changed `value`, what the model says at its own thresholds: identities
            and events are made of it, so that a minimum score changes none of them; else None.
        thresholds: Label -> the score from which a face or a hand is drawn, "score" for judged hands; what scores less
            is in the answer, but not in pictures.
    """

    task: str
    index: int
    time: float
    value: Value
    source: str
    width: int
    height: int
    model: str
    duration: float = 0.0
    clock: float | None = None
    basis: Value | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Box]:
        """Yield each box: faces, hands and touched regions, judged hands, or the connected parts of a mask."""
        return iter(self.boxes)

    def __len__(self) -> int:
        """Return how many boxes there are; a result without any is false."""
        return len(self.boxes)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Everything that was found, as rows, in the order of `value`."""
        return boxes_of(self)

    @property
    def landmarks(self) -> Floats:
        """The landmarks of all hands, (n, 21, 3) float32: x and y in source pixels, and how sure each place is.

        n counts the hands whose landmarks the model tells, in the order of `value`; 0 for models without any. The order
        of the 21 points is that of `handlens.types.LANDMARKS`.
        """
        hands = self.value if isinstance(self.value, tuple) else ()
        points = [hand.landmarks for hand in hands if hand.landmarks is not None]
        return np.stack(points) if points else np.zeros((0, len(LANDMARKS), 3), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the object of one JSON line, as `handlens predict --json` writes it (docs/reference/formats.md)."""
        return self.to_json()

    def draw(self, image: "ImageLike") -> Image:
        """Return a copy of a picture with what was found drawn on it.

        Args:
            image: the picture that the result is about, in any form that `Predictor.predict` takes.

        Returns:
            (H, W, 3) uint8 RGB. Small pictures of judged hands come back enlarged by a whole number.

        Raises:
            InputError: it is not a picture, or one of another size.
        """
        from handlens.given import as_frame
        from handlens.io.draw import draw

        frame = as_frame(image)
        if (frame.width, frame.height) != (self.width, self.height):
            raise InputError(
                f"the result is about a picture of {self.width} x {self.height} pixels,"
                f" but this one has {frame.width} x {frame.height}: give the same picture."
            )
        return draw(frame, self)

    def to_json(self, mask: str | Sequence[str] | None = None) -> dict[str, Any]:
        """Return the object of one JSON line (CONTRACT.md); `mask` is the path that each mask was written to, if so."""
        return to_json(self, mask)


def boxes_of(result: Result) -> tuple[Box, ...]:
    """Return everything that was found, in the order of the value."""
    value = result.value
    if isinstance(value, Detections):
        return tuple(_detection(value, row, name) for row, name in enumerate(value.label_names))
    if isinstance(value, Mask):
        return tuple(
            Box(name, float(score), _corners(xyxy))
            for name in value.parts
            for xyxy, score in zip(value.blobs(name).xyxy, value.blobs(name).score, strict=True)
        )
    if isinstance(value, Label):
        return (_label_box(value, (0.0, 0.0, float(result.width), float(result.height))),)
    return tuple(_label_box(hand.gesture, _corners(hand.xyxy), hand) for hand in value)


def _detection(found: Detections, row: int, name: str) -> Box:
    by_face = math.nan if found.face_touch is None else float(found.face_touch[row])
    at_mouth, at_face = _things(found, row) or (None, None)
    return Box(
        name,
        float(found.score[row]),
        _corners(found.xyxy[row]),
        int(found.id[row]),
        face=int(found.face[row]),
        hand=int(found.hand[row]),
        touch=None if math.isnan(by_face) else by_face,
        side=found.side[row],
        object_at_mouth=at_mouth,
        object_at_face=at_face,
    )


def _things(found: Detections, row: int) -> tuple[float, float] | None:
    """Return the probabilities of a thing at the mouth and of one elsewhere at a face, or None where nobody looked."""
    if found.face_thing is None or not np.isfinite(found.face_thing[row]).all():
        return None
    at_mouth, at_face = (float(value) for value in found.face_thing[row])
    return at_mouth, at_face


def _label_box(label: Label, xyxy: tuple[float, float, float, float], hand: Hand | None = None) -> Box:
    angle = label.angle if hand is None or hand.angle is None else hand.angle
    if hand is None:
        return Box(label.name, label.score, xyxy, scores=label.scores, angle=angle)
    points = () if hand.landmarks is None else tuple((float(x), float(y), float(s)) for x, y, s in hand.landmarks)
    return Box(label.name, label.score, xyxy, hand.id, hand.side, scores=label.scores, angle=angle, landmarks=points)


def _corners(xyxy: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(side) for side in xyxy)
    return x1, y1, x2, y2


SPECK = 1 / 5000  # of the picture: blobs of a mask that are smaller have no box; 60 pixels of 640 x 480


def to_json(result: Result, mask: str | Sequence[str] | None = None, unobserved: float = 0.0) -> dict[str, Any]:
    """Return the object of one line.

    Args:
        mask: The path its mask was written to, or those of its hands, in their order.
        unobserved: Seconds before this frame in which no frame came.
    """
    masks = [mask] if isinstance(mask, str) else list(mask or ())
    timing: dict[str, Any] = {"duration": round(float(result.duration), 6)} if result.duration > 0 else {}
    if result.clock is not None:
        timing["clock"] = wall_clock(result.clock)
    if unobserved > 0:
        timing["unobserved"] = round(unobserved, 3)
    return {
        "source": result.source,
        "frame": int(result.index),
        "time": round(float(result.time), 6),
        "width": int(result.width),
        "height": int(result.height),
        "model": result.model,
        "task": result.task,
        "value": _value(result, masks),
        **timing,
    }


def _value(result: Result, masks: Sequence[str]) -> dict[str, Any]:
    value = result.value
    if isinstance(value, Detections):
        return _detections(value)
    if isinstance(value, Mask):
        return _mask(value, masks[0] if masks else None)
    if isinstance(value, Label):  # said of the whole picture: it is the one hand
        value = (Hand([0, 0, result.width, result.height], value, value.angle),)  # type: ignore[arg-type]
    return _HANDS.get(result.task, _hands)(result.task, value, masks)


def _hands(task: str, hands: tuple[Hand, ...], masks: Sequence[str]) -> dict[str, Any]:
    return {"hands": [_hand(hand, with_angle=task_of(task).angle) for hand in hands]}


def _masked_hands(task: str, hands: tuple[Hand, ...], masks: Sequence[str]) -> dict[str, Any]:
    return {"hand_found": bool(hands), "hands": list(map(_combined, hands, [*masks, *[None] * len(hands)]))}


def _posed_hands(task: str, hands: tuple[Hand, ...], masks: Sequence[str]) -> dict[str, Any]:
    return {"hands": list(map(_posed, hands, [*masks, *[None] * len(hands)]))}


_HANDS: dict[str, Callable[[str, tuple[Hand, ...], Sequence[str]], dict[str, Any]]] = {
    "combined": _masked_hands,
    "hands": _posed_hands,
}
"""Task -> what writes its hands; those of other tasks have no mask."""


def _score(value: float) -> float:
    return round(float(value), 4)


def _box(xyxy: Any) -> list[float]:
    return [round(float(v), 2) for v in xyxy]


def _angle(hand: Hand) -> float | None:
    angle = hand.gesture.angle if hand.angle is None else hand.angle
    return None if angle is None else round(float(angle), 2)


def _detections(found: Detections) -> dict[str, Any]:
    boxes: list[dict[str, Any]] = []
    for row, name in enumerate(found.label_names):
        box: dict[str, Any] = {"label": name, "score": _score(found.score[row]), "xyxy": _box(found.xyxy[row])}
        if name in OWNERS:
            box["id"] = int(found.id[row])
            if found.face_touch is not None and np.isfinite(found.face_touch[row]):
                box["touch"] = _score(found.face_touch[row])
            if (things := _things(found, row)) is not None:
                box["object_at_mouth"], box["object_at_face"] = map(_score, things)
        else:
            box["face"], box["hand"] = int(found.face[row]), int(found.hand[row])
            if found.side[row]:
                box["side"] = found.side[row]
        boxes.append(box)
    told = {} if found.unsure is None else {"unsure": found.unsure}
    return {"touch": _score(found.best_touch), **told, "boxes": boxes}


def _mask(found: Mask, path: str | None) -> dict[str, Any]:
    boxes = [box for name in found.parts for box in _blobs(found, name)]
    fraction = {name: _score(found.fraction(name)) for name in found.parts}
    record: dict[str, Any] = {"mask": path, "names": list(found.names), "fraction": fraction, "boxes": boxes}
    if found.covered is not None:
        hidden = found.hidden()
        record["covered"] = {found.under: None if hidden is None else _score(hidden)}
    return record


def _blobs(found: Mask, name: str) -> Iterator[dict[str, Any]]:
    """Yield the boxes of a class, specks left out; their scores where a model gave them."""
    blobs = found.blobs(name)
    for xyxy, pixels, score in zip(blobs.xyxy, blobs.pixels, blobs.score, strict=True):
        if pixels >= SPECK * found.classes.size:
            record = {} if found.score is None else {"score": _score(score)}
            yield {"label": name, **record, "xyxy": _box(xyxy)}


def _hand(hand: Hand, with_angle: bool) -> dict[str, Any]:
    record: dict[str, Any] = {
        "xyxy": _box(hand.xyxy),
        "label": hand.gesture.name,
        "score": _score(hand.gesture.score),
        "scores": {name: _score(score) for name, score in hand.gesture.scores.items()},
    }
    if with_angle:
        record["angle"] = _angle(hand)
    return {**record, **_points(hand), **_identity(hand)}


def _posed(hand: Hand, mask: str | None) -> dict[str, Any]:
    """Return a hand of the landmark model: what it always tells, then what it tells besides, and where its mask is."""
    told: dict[str, Any] = {
        "xyxy": _box(hand.xyxy),
        "side": hand.side,
        "score": _score(hand.gesture.score),
        **_points(hand),
        "side_score": _score(hand.gesture.scores.get(hand.side, 1.0)),
        "angle": _angle(hand),
    }
    for what, label in hand.pose.items():
        told[what] = {"label": label.name, "score": _score(label.score)}
    if hand.fingers is not None:
        told["fingers"] = {name: _score(p) for name, p in zip(FINGERS, hand.fingers, strict=True)}
        told["number"] = int((hand.fingers >= 0.5).sum())
    if mask is not None:
        told["mask"] = mask
    return {**told, **_identity(hand)}


def _points(hand: Hand) -> dict[str, Any]:
    if hand.landmarks is None:
        return {}
    told: dict[str, Any] = {"side": hand.side} if hand.side else {}
    return {**told, "landmarks": [[round(float(x), 2), round(float(y), 2), _score(s)] for x, y, s in hand.landmarks]}


def _identity(hand: Hand) -> dict[str, Any]:
    return {"id": hand.id} if hand.id >= 0 else {}


def _combined(hand: Hand, mask: str | None) -> dict[str, Any]:
    return {**_hand(hand, with_angle=True), "mask": mask}
