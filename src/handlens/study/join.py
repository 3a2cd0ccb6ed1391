"""Frames of all segments -> tracks, persons and events, in one pass from the first frame to the last.

The model answers each frame on its own; whatever needs the frames before it (who is who, when a touch begins) happens
here, over the joined frames. So the result is the same however the video was cut.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handlens.errors import HandlensError
from handlens.events import EventTracker, event_fields
from handlens.pace import Pace
from handlens.result import Result
from handlens.study.config import MACHINE, ZONES, EventRule, StudyConfig, VideoEntry
from handlens.study.database import AnalysisRow, CodedEvent, Database, FrameRow, PersonRow, VideoRow
from handlens.study.packing import Layout
from handlens.study.segments import digest
from handlens.tasks.touch import REGIONS
from handlens.track import Tracker
from handlens.types import Detections, Event

DARK = 40.0
"""Mean lightness, 0 to 255, below which a picture counts as too dark."""
SMALL = 40.0
"""Pixels: faces of a smaller side, the root of the area of the box, count as too small."""
SIDEWAYS = 1.15
"""Faces whose box is so many times wider than high count as lying on the side."""
STEPS = 20
"""Of the distribution of certainty, from 0 to 1."""
HEAT = (32, 24)
"""Rows and columns of the map of a face; the face box is its middle part, with half a box around it."""
_AROUND = 0.25  # of the face box on each side that the map shows
_APART_S = 1e-3  # times that lie nearer to each other are one
NO_PERSON = "nobody named"
"""The subject of events that belong to no numbered face."""


def analysis_settings(config: StudyConfig, video: VideoEntry) -> dict[str, object]:
    """Return what decides persons and events, beside the answers of the model."""
    return {
        "events": dataclasses.asdict(config.events),
        "regions": list(config.regions),
        "subjects": dict(sorted(video.subjects.items())),
        "version": 2,  # of this file: raised when the same settings give other results
    }


def analysis_key(settings: Mapping[str, object]) -> str:
    """Return the key under which results of these settings are kept."""
    return json.dumps(settings, sort_keys=True)


class SegmentsDiffer(HandlensError):
    """Two segments saw other pictures where they overlap: the file cannot be read exactly from its middle."""


def check_overlaps(base: Database, run_id: int, video: VideoRow) -> None:
    """Compare what neighbouring segments saw in their overlap.

    Raises:
        SegmentsDiffer: it is not the same.
    """
    for segment in base.segments(run_id, video.id):
        packed = base.digests_of(run_id, video.id, list(segment.tail))
        for frame, expected in segment.tail.items():
            if frame not in packed or digest(packed[frame]) != expected:
                raise SegmentsDiffer(
                    f"'{video.name}' cannot be read exactly from its middle (frame {frame} differs): it is read in one"
                    " piece instead."
                )


@dataclass
class _Person:
    """Sums over the frames of one person."""

    observed: float = 0.0
    frames: int = 0
    side: float = 0.0
    small: float = 0.0
    sideways: float = 0.0
    certainty: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(STEPS, np.int64))
    heat: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(HEAT))
    seen: list[tuple[float, float]] = field(default_factory=list)

    def see(self, start: float, stop: float) -> None:
        """Add a time in which the face was seen, after all those before."""
        if self.seen and start <= self.seen[-1][1] + _APART_S:
            start = self.seen.pop()[0]
        self.seen.append((start, stop))

    def row(self, subject: str) -> PersonRow:
        """Return it as it is stored."""
        return PersonRow(
            subject,
            round(self.observed, 6),
            self.frames,
            round(self.side / max(1, self.frames), 2),
            round(self.small, 6),
            round(self.sideways, 6),
            tuple(int(count) for count in self.certainty),
            tuple(tuple(round(float(cell), 4) for cell in line) for line in self.heat),
            tuple((round(start, 3), round(stop, 3)) for start, stop in self.seen),
        )


@dataclass(frozen=True)
class Joined:
    """What one video gives."""

    row: AnalysisRow
    persons: tuple[PersonRow, ...]
    events: tuple[CodedEvent, ...]
    raw: tuple[Event, ...]


def results(
    frames: Iterator[FrameRow], layout: Layout, video: VideoRow, width: int, height: int, model: str
) -> Iterator[tuple[FrameRow, Result]]:
    """Yield each frame with the answer that the model gave, as `loop.run` has it before tracking."""
    for row in frames:
        found = layout.unpack(row.value)
        yield (
            row,
            Result("touch", row.frame, row.time, found, video.path, width, height, model, duration=row.duration),
        )


class Join:
    """One pass over the frames of a video.

    Args:
        rule: When events begin and end.
        subjects: As in `VideoEntry`.
        regions: Labels of events that are kept; events without a region ("touch") always are.
    """

    def __init__(
        self, rule: EventRule, subjects: Mapping[str, str], regions: Sequence[str], width: int, height: int
    ) -> None:
        self._events = EventTracker(rule.open, rule.close, rule.min_time, rule.gap)
        self._close = rule.close
        self._tracker = Tracker()
        self._pace = Pace()
        self._subjects = dict(subjects)
        self._names = dict(enumerate(dict.fromkeys(subjects.values()), 1))
        self._regions = frozenset(regions)
        self._size = (width, height)
        self.persons: dict[str, _Person] = {}
        self.events: list[Event] = []
        self.boxes: list[str] = []
        self._open_boxes: dict[str, str] = {}
        self.frames, self.start, self.stop, self.observed, self.dark = 0, 0.0, 0.0, 0.0, 0.0

    def take(self, frame: FrameRow, result: Result) -> None:
        """Take the next frame."""
        self._pace.take(result.source, result.time, result.duration)
        counted = self._pace.counted(result.duration)
        result = self._tracker.update(result)
        if self._subjects and isinstance(result.value, Detections):
            result = dataclasses.replace(result, value=self._assigned(result.value))
        if isinstance(result.value, Detections):
            self._count(result.value, result.time, counted)
        self.frames += 1
        self.start = result.time if self.frames == 1 else self.start
        self.stop = max(self.stop, result.time + counted)
        self.dark += counted if frame.light < DARK else 0.0
        self._keep(self._events.update(result))
        for event in self._events.opened:
            self._open_boxes[event.subject] = self._box_of(result, event.subject)

    def finish(self) -> None:
        """Close what is open."""
        self._keep(self._events.finish())

    def subject_of(self, event: Event) -> str:
        """Return the name of the person of an event."""
        return self._named(event.subject) if event.subject else self._alone()

    def _alone(self) -> str:
        return self._names[1] if "*" in self._subjects else NO_PERSON

    def _named(self, face: str) -> str:
        number = int(face.split()[-1])
        if not self._subjects:
            return face
        if any(key in ZONES or key == "*" for key in self._subjects):
            return self._names.get(number, face)
        return self._subjects.get(face, face)

    def _assigned(self, found: Detections) -> Detections:
        """Give the faces the numbers of the subjects; faces that are nobody's count for nothing."""
        if not any(key in ZONES or key == "*" for key in self._subjects):
            return found
        faces = found.of("face")
        sizes = _areas(found) * faces
        ids = np.where(faces, -1, found.id)
        judged = None if found.face_touch is None else np.where(faces, np.nan, found.face_touch).astype(np.float32)
        for key, name in self._subjects.items():
            inside = sizes * (self._zone(found) == key) if key in ZONES else sizes
            row = int(np.argmax(inside)) if len(inside) else 0
            if len(inside) == 0 or inside[row] <= 0:
                continue
            ids[row] = next(number for number, known in self._names.items() if known == name)
            if judged is not None and found.face_touch is not None:
                judged[row] = found.face_touch[row]
        return dataclasses.replace(found, id=ids, face_touch=judged)

    def _zone(self, found: Detections) -> npt.NDArray[np.str_]:
        """Return for each row the part of the picture where its middle lies; thirds only where "middle" is named."""
        centre = (found.xyxy[:, 0] + found.xyxy[:, 2]) / 2 / max(1, self._size[0])
        if "middle" in self._subjects:
            return np.asarray(np.array(ZONES)[np.clip((centre * 3).astype(int), 0, 2)], np.str_)
        return np.where(centre < 0.5, "left", "right")

    def _count(self, found: Detections, time: float, seconds: float) -> None:
        """Add one frame to the sums of the persons that are in it."""
        faces = np.flatnonzero(found.of("face"))
        seen: set[str] = set()
        for row in faces:
            if found.id[row] < 0:
                continue
            name = self._named(f"face {int(found.id[row])}")
            person = self.persons.setdefault(name, _Person())
            if name in seen:
                continue
            seen.add(name)
            wide, high = (found.xyxy[row, 2:] - found.xyxy[row, :2]).astype(float)
            side = float(np.sqrt(max(0.0, wide * high)))
            person.frames += 1
            person.observed += seconds
            person.see(time, time + seconds)
            person.side += side
            person.small += seconds if side < SMALL else 0.0
            person.sideways += seconds if wide > SIDEWAYS * high else 0.0
            sure = found.best_touch if found.face_touch is None else float(found.face_touch[row])
            if np.isfinite(sure):
                person.certainty[min(STEPS - 1, int(sure * STEPS))] += 1
                if sure >= self._close:
                    _warm(person.heat, found, int(row), seconds)
        self.observed += seconds if len(faces) else 0.0

    def _keep(self, closed: Sequence[Event]) -> None:
        for event in closed:
            box = self._open_boxes.pop(event.subject, "")
            if event.label in self._regions or event.label not in _ALL:
                self.events.append(event)
                self.boxes.append(box)

    def _box_of(self, result: Result, subject: str) -> str:
        """Return the face box of an event as it opens, as a text; "" where no face is known."""
        if not isinstance(result.value, Detections) or not subject:
            return ""
        rows = np.flatnonzero(result.value.of("face") & (result.value.id == int(subject.split()[-1])))
        return " ".join(f"{side:.0f}" for side in result.value.xyxy[rows[0]]) if len(rows) else ""


_ALL = frozenset(REGIONS)


def join(base: Database, config: StudyConfig, entry: VideoEntry, video: VideoRow, run_id: int) -> Joined:
    """Make persons and events of the frames of a video.

    Raises:
        SegmentsDiffer: the segments do not fit together.
    """
    check_overlaps(base, run_id, video)
    text = base.layout(run_id)
    pass_over = Join(config.events, entry.subjects, config.regions, video.width or 1, video.height or 1)
    if text is not None:
        rows = base.frames(run_id, video.id)
        told = results(rows, Layout.from_text(text), video, video.width or 1, video.height or 1, config.model)
        for frame, result in told:
            pass_over.take(frame, result)
    pass_over.finish()
    problem = " ".join(dict.fromkeys(each.problem for each in base.segments(run_id, video.id) if each.problem))
    row = AnalysisRow(
        0,
        run_id,
        video.id,
        analysis_settings(config, entry),
        "",
        pass_over.frames,
        round(pass_over.start, 6),
        round(pass_over.stop, 6),
        round(pass_over.observed, 6),
        round(pass_over.dark, 6),
        problem,
    )
    events = [
        coded(event, video.name, pass_over.subject_of(event), box)
        for event, box in zip(pass_over.events, pass_over.boxes, strict=True)
    ]
    persons = tuple(person.row(name) for name, person in sorted(pass_over.persons.items()))
    return Joined(row, persons, tuple(events), tuple(pass_over.events))


def coded(event: Event, video: str, subject: str, box: str = "") -> CodedEvent:
    """Return an event of the model as it is stored; times as in the files of `predict`."""
    told = event_fields(event)
    return CodedEvent(
        video=video,
        coder=MACHINE,
        subject=subject,
        behaviour="touch",
        region=event.label if event.label in _ALL else "",
        start=float(told["start"]),
        stop=float(told["stop"]),
        side=event.side,
        hand=event.hand,
        start_frame=event.start_frame,
        stop_frame=event.stop_frame,
        peak=round(float(event.peak), 4),
        regions=str(told["regions"]),
        cut=event.cut,
        box=box,
    )


def _areas(found: Detections) -> npt.NDArray[np.float64]:
    sides = np.maximum(0.0, (found.xyxy[:, 2:] - found.xyxy[:, :2]).astype(np.float64))
    return np.asarray(sides[:, 0] * sides[:, 1], np.float64)


def _warm(heat: npt.NDArray[np.float64], found: Detections, face: int, seconds: float) -> None:
    """Add where a face is touched to its map; the box of a region is spread over the cells that it covers."""
    x1, y1, x2, y2 = (float(side) for side in found.xyxy[face])
    wide, high = max(1e-6, x2 - x1), max(1e-6, y2 - y1)
    rows, columns = heat.shape
    for row in np.flatnonzero((found.face == face) & ~found.of("face", "hand")):
        box = (found.xyxy[row].astype(float) - [x1, y1, x1, y1]) / [wide, high, wide, high]
        left, top, right, bottom = (box + _AROUND) / (1 + 2 * _AROUND) * [columns, rows, columns, rows]
        first, last = int(np.clip(left, 0, columns - 1)), int(np.clip(np.ceil(right), 1, columns))
        upper, lower = int(np.clip(top, 0, rows - 1)), int(np.clip(np.ceil(bottom), 1, rows))
        if last > first and lower > upper:
            heat[upper:lower, first:last] += seconds / ((last - first) * (lower - upper))
