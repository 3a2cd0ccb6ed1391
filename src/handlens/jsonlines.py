"""Result -> the object of one JSON line, exactly as CONTRACT.md says; it must not know files or where lines go."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handlens.pace import wall_clock
from handlens.types import Detections, Hand, Label, Mask, Result

SPECK = 1 / 5000  # of the picture: blobs of a mask that are smaller have no box; 60 pixels of 640 x 480


def to_json(result: Result, mask: str | Sequence[str] | None = None, unobserved: float = 0.0) -> dict[str, Any]:
    """Return the object of one line.

    mask: the path its mask was written to, or those of its hands, in their order. unobserved: seconds before this frame
    in which no frame came.
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
    if result.task == "combined":
        return {"hand_found": bool(value), "hands": list(map(_combined, value, [*masks, *[None] * len(value)]))}
    return {"hands": [_hand(hand, with_angle=result.task == "gesture") for hand in value]}


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
        if name in ("face", "hand"):
            box["id"] = int(found.id[row])
            if found.face_touch is not None and np.isfinite(found.face_touch[row]):
                box["touch"] = _score(found.face_touch[row])
        else:
            box["face"], box["hand"] = int(found.face[row]), int(found.hand[row])
        boxes.append(box)
    return {"touch": _score(found.best_touch), "boxes": boxes}


def _mask(found: Mask, path: str | None) -> dict[str, Any]:
    boxes = [box for name in found.parts for box in _blobs(found, name)]
    fraction = {name: _score(found.fraction(name)) for name in found.parts}
    told: dict[str, Any] = {"mask": path, "names": list(found.names), "fraction": fraction, "boxes": boxes}
    if found.covered is not None:
        hidden = found.hidden()
        told["covered"] = {found.under: None if hidden is None else _score(hidden)}
    return told


def _blobs(found: Mask, name: str) -> Iterator[dict[str, Any]]:
    """Yield the boxes of a class, specks left out; their scores where a model gave them."""
    blobs = found.blobs(name)
    for xyxy, pixels, score in zip(blobs.xyxy, blobs.pixels, blobs.score, strict=True):
        if pixels >= SPECK * found.classes.size:
            told = {} if found.score is None else {"score": _score(score)}
            yield {"label": name, **told, "xyxy": _box(xyxy)}


def _hand(hand: Hand, with_angle: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "xyxy": _box(hand.xyxy),
        "label": hand.gesture.name,
        "score": _score(hand.gesture.score),
        "scores": {name: _score(score) for name, score in hand.gesture.scores.items()},
    }
    if with_angle:
        told["angle"] = _angle(hand)
    return {**told, "id": hand.id} if hand.id >= 0 else told


def _combined(hand: Hand, mask: str | None) -> dict[str, Any]:
    return {**_hand(hand, with_angle=True), "mask": mask}
