"""Faces from frame to frame: the detector is asked when it is needed, and a face that it loses is kept.

Between two looks of the detector a face's box follows the parts of the face that the contact model draws, also those
under a hand. So a frame costs one look at each face, and a face that a hand covers does not vanish while it is drawn.
It must not know where frames come from.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handlens.boxes import iou, square
from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.predictor import Predictor
from handlens.preprocess import Geometry
from handlens.result import Result
from handlens.runner import Runner
from handlens.tasks.contact import CROP_SCALE, MAX_FACES, chosen_faces
from handlens.tasks.find_hands import FAINT
from handlens.tasks.tiles import looked_at
from handlens.types import Detections, Floats, Frame

EVERY_S = 0.12
"""The detector is asked at least so often: a new face waits no longer."""
KEPT_S = 1.0
"""A face that the detector does not see is kept for so long, while the contact model draws it."""
REMEMBERS_S = 2.0
"""So long a face counts as sure as the detector once was: a hand before it makes it no less a face."""
PRESENT = 0.6
"""Share of what was drawn of the face when the detector saw it, below which it is gone or moved away."""
SAME = 0.3
"""Intersection over union from which two boxes are of one face."""
MOVED = 0.2
"""Sides of its box by which a face moves between two frames, above which the detector is asked again."""
CHANGED = 24.0
"""Mean change of some pixels, in levels of 255, at a cut to another scene."""
_CELLS = (24, 32)
_STEP = 1.12  # a box grows or shrinks between two frames at most by so much

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Drawn:
    """Where the contact model drew a face: its centre (2,) and spread in source pixels, and its share of the crop."""

    centre: Doubles
    spread: float
    share: float


@dataclass(eq=False)
class _Face:
    """One face. box: (4,) source pixels; seen: when the detector last saw it; best: (when, how sure) it was a face;
    drawn: how the model drew it when the detector last saw it, in `box_then`; now: how it was drawn last."""

    box: Floats
    seen: float
    best: tuple[float, float]
    drawn: _Drawn | None = None
    box_then: Floats | None = None
    now: _Drawn | None = None

    def sure(self, score: float, time: float) -> float:
        """Return how sure this is a face, and remember it."""
        if score >= self.best[1] or time - self.best[0] > REMEMBERS_S:
            self.best = (time, score)
        return self.best[1]

    @property
    def is_there(self) -> bool:
        """Whether as much of it is drawn as was when the detector saw it."""
        return self.drawn is not None and self.now is not None and self.now.share >= PRESENT * self.drawn.share

    def follow(self) -> float:
        """Move the box to where the face is drawn now, and return by how many of its sides it moved."""
        if self.drawn is None or self.now is None or self.box_then is None:
            return 0.0
        before, side = _centre(self.box), float((self.box[2:] - self.box[:2]).mean())
        then = self.box_then[2:] - self.box_then[:2]
        grown = self.now.spread / max(self.drawn.spread, 1e-6)
        size = np.clip(grown * then, (self.box[2:] - self.box[:2]) / _STEP, (self.box[2:] - self.box[:2]) * _STEP)
        centre = self.now.centre + (_centre(self.box_then) - self.drawn.centre) * (size / np.maximum(then, 1e-6))
        self.box = np.concatenate((centre - size / 2, centre + size / 2)).astype(np.float32)
        return float(np.hypot(*(centre - before))) / max(side, 1.0)


class _Listening:
    """A contact model that remembers what it drew of the crops of a frame."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.regions: Floats | None = None

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._runner.card

    def run(self, batch: Floats) -> dict[str, Floats]:
        """Return the arrays of the model."""
        answer = dict(self._runner.run(batch))
        if self.regions is None:  # the first look; the second is in a mirror
            self.regions = answer["regions"]
        return answer


class Following:
    """Answers the frames of one film or camera after another (see handlens.loop.Predicts).

    Args:
        predictor: Of kind "contact".
        every_s: Seconds after which the detector is asked again, or what returns them; 0: at every frame.
    """

    def __init__(self, predictor: Predictor, every_s: float | Callable[[], float] = EVERY_S) -> None:
        self._contact = _Listening(predictor.runner)
        self._predictor = predictor.with_runner(self._contact).with_look(self._look)
        self._every = every_s if callable(every_s) else lambda: every_s
        self.looks = 0
        self._begin("")

    def _begin(self, source: str) -> None:
        self._source, self._time = source, -np.inf
        self._asked = -np.inf
        self._faces: list[_Face] = []
        self._boxes: Detections | None = None
        self._small: npt.NDArray[np.float32] | None = None
        self._again = True

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._predictor.card

    @property
    def task(self) -> str:
        """The task it answers."""
        return self._predictor.task

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        """Return what is said of one frame."""
        if frame.source != self._source or frame.time <= self._time:
            self._begin(frame.source)
        self._contact.regions = None
        result = self._predictor.predict(frame, min_score, crop)
        self._time = frame.time
        self._follow(result)
        return result

    def _look(self, frame: Frame, detector: Runner) -> tuple[dict[str, Floats], Geometry]:
        """Return the detector's arrays for a frame, or those of the boxes that it found before, moved on."""
        high, wide = (max(1, side // cells) for side, cells in zip(frame.image.shape[:2], _CELLS, strict=True))
        small = frame.image[::high, ::wide].astype(np.float32)
        before = self._small
        cut = before is not None and before.shape == small.shape and float(np.abs(small - before).mean()) > CHANGED
        self._small = small
        if cut:
            self._faces = []
        waited = frame.time - self._asked
        if self._again or cut or not self._faces or waited >= self._every() - 1e-6 or self._boxes is None:
            self.looks += 1
            outputs, geometry = looked_at(frame, detector)
            found = detect.decode(outputs, detector.card, geometry, FAINT)
            self._boxes = self._known(found, frame.time, detector.card.threshold("face"))
            self._asked, self._again = frame.time, False
        else:
            self._boxes = self._moved(self._boxes)
        height, width = frame.image.shape[:2]
        geometry = Geometry(1.0, 1.0, 0.0, 0.0, width, height, width, height)  # the boxes are in source pixels
        return detect.encode(self._boxes, geometry), geometry

    def _known(self, found: Detections, time: float, least: float) -> Detections:
        """Return what the detector found, faces as sure as they once were, and with those that it lost.

        Args:
            least: The score from which a box is a face.
        """
        known, self._faces = self._faces, []
        score, free = found.score.copy(), np.ones(len(known), bool)
        for row in np.flatnonzero(found.of("face")):  # the surest first
            shared = iou(found.xyxy[row : row + 1], np.stack([face.box for face in known]))[0] * free if known else None
            if shared is not None and shared.max() >= SAME:
                face = known[int(shared.argmax())]
                free[int(shared.argmax())] = False
                face.box, face.seen = found.xyxy[row], time
                score[row] = face.sure(float(score[row]), time)
            elif score[row] >= least:
                face = _Face(found.xyxy[row], time, (time, float(score[row])))
            else:
                continue
            face.drawn = face.now = None
            self._faces.append(face)
        lost = [face for face, alone in zip(known, free, strict=True) if alone]
        lost = [face for face in lost if face.is_there and time - face.seen <= KEPT_S]
        self._faces += lost
        return _with(dataclasses.replace(found, score=score), lost)

    def _moved(self, found: Detections) -> Detections:
        """Return the boxes of hands as they were, and the faces where they are now."""
        return _with(found.select(~found.of("face")), self._faces)

    def _follow(self, result: Result) -> None:
        """Learn from what the contact model drew where the faces are now."""
        value, card, regions = result.basis or result.value, self._predictor.card, self._contact.regions
        if regions is None or not isinstance(value, Detections):
            return
        judged = chosen_faces(value, int(card.options.get("max_faces", MAX_FACES)))
        if len(judged) != len(regions):  # a faint face was looked at, and was none
            return
        squares = square(value.xyxy[judged], card.options.get("crop_scale", CROP_SCALE))
        for row, crop, maps in zip(judged, squares, regions, strict=True):
            face = max(self._faces, key=lambda face: _overlap(face.box, value.xyxy[row]), default=None)
            if face is None or _overlap(face.box, value.xyxy[row]) < 0.5:
                continue
            face.now = _drawn(maps, crop)
            if face.drawn is None:
                face.drawn, face.box_then = face.now, face.box
            elif not face.is_there or face.follow() > MOVED:
                self._again = True


def followed(predictor: Predictor, every_s: float | Callable[[], float] = EVERY_S) -> Predictor | Following:
    """Return what answers the frames of films and cameras: models that do not look at faces answer as they are."""
    if predictor.card.kind != "contact" or "detector" not in predictor.parts:
        return predictor
    return Following(predictor, every_s)


def _overlap(first: Floats, second: Floats) -> float:
    return float(iou(first[None], second[None])[0, 0])


def _centre(box: Floats) -> Doubles:
    return np.asarray(box[:2] + box[2:], np.float64) / 2


def _drawn(maps: Floats, crop: Floats) -> _Drawn:
    """Return where a face is drawn in maps (r + 1, s, s) of a crop (4,) in source pixels."""
    mass = 1.0 - np.asarray(maps[0], np.float64)
    side = len(mass)
    place = (np.arange(side) + 0.5) / side
    total = max(float(mass.sum()), 1e-6)
    across, down = mass.sum(0) / total, mass.sum(1) / total
    middle = np.array([across @ place, down @ place])
    spread = float(np.sqrt(across @ (place - middle[0]) ** 2 + down @ (place - middle[1]) ** 2))
    size = np.asarray(crop[2:] - crop[:2], np.float64)
    return _Drawn(crop[:2] + middle * size, spread * float(size.mean()), float(mass.mean()))


def _with(found: Detections, faces: list[_Face]) -> Detections:
    """Return the boxes of the detector and those of more faces."""
    if not faces:
        return found
    label = found.names.index("face")
    return Detections(
        np.concatenate([found.xyxy, np.stack([face.box for face in faces])]),
        np.append(found.score, [np.float32(face.best[1]) for face in faces]).astype(np.float32),
        np.append(found.label, [label] * len(faces)),
        found.names,
    )
