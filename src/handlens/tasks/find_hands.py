"""Which hands a picture shows, one answer for every task: touch, signs and hold; it must not know files or drawing.

The detector finds faces and hands. The contact model adds hands at faces, which the detector loses. Where neither a
face nor a hand is sure, the model of signs confirms a hand that is seen close up.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from handlens.boxes import area, intersection
from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.preprocess import Geometry
from handlens.runner import Runner
from handlens.tasks import contact
from handlens.tasks.base import Seen
from handlens.tasks.contact import ONE_HAND
from handlens.tasks.tiles import looked_at
from handlens.types import Detections, Floats, Frame, Image, Ints

SMALLEST = 8.0  # pixels: in less than that nobody tells what a hand does
FAINT = 0.2  # the best box of a hand close up scored more in 449 of 450 photographs of five sources
CONTRAST = 16  # of 255 levels: in less there is nothing to see

Look = Callable[[Frame, Runner], tuple[dict[str, Floats], Geometry]]
"""Takes a frame and the detector; returns the arrays of the detector and the way back to source pixels."""
Confirm = Callable[[Frame, Floats], tuple[Floats, float] | None]
"""Takes a frame and the faint box of a hand (1, 4); returns the box (4,) of the hand and its probability, or None."""


@dataclass(frozen=True, eq=False)
class Finder:
    """The models that find hands.

    Attributes:
        detector: Finds faces and hands.
        contact: Looks at each face; None where there is no such model.
        confirm: Confirms a hand close up, see `Confirm`; None: such hands are not looked for.
        look: Asks the detector.
        hands_only: Only hands are asked for, not what they touch: a face in doubt is looked at once more only where a
            hand is at stake.
    """

    detector: Runner
    contact: Runner | None = None
    confirm: Confirm | None = None
    look: Look = looked_at
    hands_only: bool = False

    def find(self, frame: Frame, min_score: float | None = None) -> Seen:
        """Return what is seen in a picture. min_score: as in `contact.composed`."""
        outputs, geometry = self.look(frame, self.detector)
        faint = detect.decode(outputs, self.detector.card, geometry, FAINT)
        found = without_twins(_sure(faint, outputs, self.detector.card, geometry))
        shown = found
        if self.contact is not None:
            shown, own = self._judged(frame, self.contact, found, faint, min_score)
            found = shown if own is None else own
        seen = Seen(found, shown, faint)
        if self.confirm is None or len(seen.hands) or seen.has_sure_face or is_blank(frame.image):
            return seen
        boxes = single(faint)[:1]
        confirmed = self.confirm(frame, boxes) if len(boxes) else None
        if confirmed is None:
            return seen
        found = _with_hand(found, *confirmed)
        if min_score is None:
            return Seen(found, found, faint)
        return Seen(found, _with_hand(shown, *confirmed) if confirmed[1] >= min_score else shown, faint)

    def _judged(
        self, frame: Frame, model: Runner, found: Detections, faint: Detections, min_score: float | None
    ) -> tuple[Detections, Detections | None]:
        """Return what the contact model says of the faces, as `contact.composed`.

        Where no face is sure, the surest faint one is looked at from the score on that the card's option "faint_face"
        says: a hand may hide it. It is a face if it is touched.
        """
        least = model.card.options.get("faint_face", 1.0)
        rows = np.flatnonzero(faint.of("face") & (faint.score >= least))
        if len(rows) and not found.of("face").any():
            every = joined(found, faint.select(rows[:1]))
            shown, own = contact.composed(frame, model, every, min_score, self.hands_only)
            if shown.best_touch >= model.card.threshold("touch", 0.5):
                return shown, own
        return contact.composed(frame, model, found, min_score, self.hands_only)


def _sure(faint: Detections, outputs: dict[str, Floats], card: ModelCard, geometry: Geometry) -> Detections:
    """Return the boxes that reach the card's thresholds: what is faint among boxes changes nothing of surer ones."""
    floors = np.array([card.threshold(name) for name in card.names], np.float32)
    if floors.min(initial=1.0) < FAINT:
        return detect.decode(outputs, card, geometry)
    return faint.select(faint.score >= floors[faint.label])


def joined(first: Detections, second: Detections) -> Detections:
    """Return the boxes of both, which have the same labels."""
    return Detections(
        np.concatenate([first.xyxy, second.xyxy]),
        np.concatenate([first.score, second.score]),
        np.concatenate([first.label, second.label]),
        first.names,
    )


def single(found: Detections) -> Floats:
    """Return (n, 4): the boxes of hands, one for each hand, the surest first.

    Of two boxes that mostly share the smaller one, the larger and surer stays: a detector that looks closely sees a
    hand and once more a part of it. Boxes of a few pixels go.
    """
    return found.xyxy[_single_rows(found)]


def without_twins(found: Detections) -> Detections:
    """Return the same boxes with one box for each hand, as `single` has them."""
    kept = ~found.of("hand")
    kept[_single_rows(found)] = True
    return found.select(kept)


def is_blank(image: Image) -> bool:
    """Return whether a picture shows nothing: its brightest and its darkest spot are as good as alike."""
    return int(image.max()) - int(image.min()) < CONTRAST


def _single_rows(found: Detections) -> Ints:
    rows = np.flatnonzero(found.of("hand"))
    boxes, score = found.xyxy[rows], found.score[rows]
    size = area(boxes)
    kept: list[int] = []
    for row in np.argsort(-size * score, kind="stable"):
        shared = intersection(boxes[row : row + 1], boxes[kept])[0]
        large_enough = float((boxes[row, 2:] - boxes[row, :2]).max()) >= SMALLEST
        if large_enough and (shared <= ONE_HAND * np.minimum(size[row], size[kept])).all():
            kept.append(int(row))
    return rows[np.array(sorted(kept, key=lambda row: (-float(score[row]), row)), np.int64)]


def _with_hand(found: Detections, box: Floats, score: float) -> Detections:
    """Return the boxes and one more hand."""
    names = tuple(dict.fromkeys((*found.names, "hand")))
    by_face, things = found.face_touch, found.face_thing
    return replace(
        found,
        xyxy=np.concatenate([found.xyxy, box[None]]),
        score=np.append(found.score, np.float32(score)),
        label=np.append(found.label, names.index("hand")),
        names=names,
        face=np.append(found.face, -1),
        hand=np.append(found.hand, -1),
        id=np.append(found.id, -1),
        face_touch=None if by_face is None else np.append(by_face, np.float32(np.nan)),
        face_thing=None if things is None else np.concatenate([things, np.full((1, 2), np.nan, np.float32)]),
        side=(*found.side, ""),
    )
