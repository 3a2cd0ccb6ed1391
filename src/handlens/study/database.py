"""The database of a study: one SQLite file with videos, runs, frames, persons and events; it knows no models.

Everything is written in short transactions by one process. Readers take rows in portions, so that memory stays
constant and nobody waits long. A row of results points to the run that made it, and the run to its model and settings.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from handlens.errors import HandlensError, InputError, OutputError
from handlens.io.sqlite import connected, transaction, version_of
from handlens.study.config import MACHINE

SCHEMA = 2
"""The version of the tables below; a newer file is refused, and an older one is converted."""

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE videos (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, fingerprint TEXT NOT NULL, width INTEGER, height INTEGER, fps REAL, duration REAL
);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, handlens TEXT NOT NULL, model TEXT NOT NULL,
    digests TEXT NOT NULL, settings TEXT NOT NULL, layout TEXT, began TEXT NOT NULL
);
CREATE TABLE segments (
    run_id INTEGER NOT NULL REFERENCES runs(id), video_id INTEGER NOT NULL REFERENCES videos(id),
    number INTEGER NOT NULL, start REAL NOT NULL, stop REAL, frames INTEGER NOT NULL, seconds REAL NOT NULL,
    tail TEXT NOT NULL, problem TEXT NOT NULL DEFAULT '', PRIMARY KEY (run_id, video_id, number)
);
CREATE TABLE frames (
    run_id INTEGER NOT NULL, video_id INTEGER NOT NULL, frame INTEGER NOT NULL, time REAL NOT NULL,
    duration REAL NOT NULL, light REAL NOT NULL, value BLOB NOT NULL, PRIMARY KEY (run_id, video_id, frame)
) WITHOUT ROWID;
CREATE TABLE analyses (
    id INTEGER PRIMARY KEY, run_id INTEGER NOT NULL REFERENCES runs(id),
    video_id INTEGER NOT NULL REFERENCES videos(id), key TEXT NOT NULL, settings TEXT NOT NULL, made TEXT NOT NULL,
    frames INTEGER NOT NULL, start REAL NOT NULL, stop REAL NOT NULL, observed REAL NOT NULL, dark REAL NOT NULL,
    problem TEXT NOT NULL, UNIQUE (run_id, video_id, key)
);
CREATE TABLE persons (
    id INTEGER PRIMARY KEY, analysis_id INTEGER NOT NULL REFERENCES analyses(id), subject TEXT NOT NULL,
    observed REAL NOT NULL, frames INTEGER NOT NULL, face_side REAL NOT NULL, small REAL NOT NULL,
    sideways REAL NOT NULL, certainty TEXT NOT NULL, heat TEXT NOT NULL, seen TEXT NOT NULL DEFAULT '[]',
    UNIQUE (analysis_id, subject)
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, video_id INTEGER NOT NULL REFERENCES videos(id),
    analysis_id INTEGER REFERENCES analyses(id), coder TEXT NOT NULL, origin TEXT NOT NULL DEFAULT '',
    subject TEXT NOT NULL, behaviour TEXT NOT NULL, region TEXT NOT NULL, side TEXT NOT NULL DEFAULT '',
    hand TEXT NOT NULL DEFAULT '', start REAL NOT NULL, stop REAL NOT NULL, start_frame INTEGER, stop_frame INTEGER,
    peak REAL, regions TEXT NOT NULL DEFAULT '', cut INTEGER NOT NULL DEFAULT 0, comment TEXT NOT NULL DEFAULT '',
    box TEXT NOT NULL DEFAULT ''
);
CREATE INDEX events_of_video ON events (video_id, coder, start);
CREATE TABLE reviews (
    coder TEXT NOT NULL, event_id INTEGER NOT NULL REFERENCES events(id), verdict TEXT NOT NULL, change TEXT NOT NULL,
    made TEXT NOT NULL, PRIMARY KEY (coder, event_id)
);
"""
_STRETCHES = """
CREATE TABLE stretches (
    id INTEGER PRIMARY KEY, coder TEXT NOT NULL, analysis_id INTEGER NOT NULL REFERENCES analyses(id),
    event_id INTEGER REFERENCES events(id), subject TEXT NOT NULL, start REAL NOT NULL, stop REAL NOT NULL,
    verdict TEXT NOT NULL DEFAULT '', change TEXT NOT NULL DEFAULT '{}', made TEXT NOT NULL DEFAULT ''
);
CREATE INDEX stretches_of_coder ON stretches (coder, analysis_id);
"""
_FROM_1 = "ALTER TABLE persons ADD COLUMN seen TEXT NOT NULL DEFAULT '[]';" + _STRETCHES

_PORTION = 2000  # rows that are read at a time
_BUSY_S = 60.0  # another process may write for so long


@dataclass(frozen=True)
class CodedEvent:
    """One touch as one coder saw it.

    Attributes:
        video: The name of the video in the study.
        coder: "handlens", or whoever coded it.
        subject: The person.
        behaviour: What it is called: "touch", or the words of people's own files.
        region: The touched region, or "" where only a touch was coded.
        side, hand: "left", "right" or "" of the person; the hand as it is known.
        start, stop: Seconds of the video's own time.
        peak: The highest probability, for events of a model.
        regions: region:seconds joined by ";", for a touch that slides.
        id: In the database, 0 before.
        start_frame, stop_frame, cut, comment, box: As in the table; box is "x1 y1 x2 y2" of the face at its start.
    """

    video: str
    coder: str
    subject: str
    behaviour: str
    region: str
    start: float
    stop: float
    side: str = ""
    hand: str = ""
    start_frame: int | None = None
    stop_frame: int | None = None
    peak: float | None = None
    regions: str = ""
    cut: bool = False
    comment: str = ""
    box: str = ""
    id: int = 0

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.stop - self.start


@dataclass(frozen=True)
class VideoRow:
    """A video as the database knows it."""

    id: int
    name: str
    path: str
    size: int
    mtime_ns: int
    fingerprint: str
    width: int | None
    height: int | None
    fps: float | None
    duration: float | None


@dataclass(frozen=True)
class FrameRow:
    """One frame: its number, times in seconds, mean lightness 0 to 255 and packed detections."""

    frame: int
    time: float
    duration: float
    light: float
    value: bytes


@dataclass(frozen=True)
class SegmentRow:
    """One segment that is done. tail: frame -> digest of its packed value, of the overlap with the next segment."""

    number: int
    start: float
    stop: float | None
    frames: int
    seconds: float
    tail: Mapping[int, str]
    problem: str


@dataclass(frozen=True)
class PersonRow:
    """One person in one video.

    Attributes:
        observed: Seconds in which the face was seen; `seen` says when, as (start, stop).
        frames, face_side, small, sideways: Looked-at frames with the face, its mean side in pixels, and the seconds in
            which it was too small, or lay on the side.
        certainty: Counts of frames in 20 steps of probability.
        heat: 32 rows of 24 seconds.
    """

    subject: str
    observed: float
    frames: int
    face_side: float
    small: float
    sideways: float
    certainty: tuple[int, ...]
    heat: tuple[tuple[float, ...], ...]
    seen: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class StretchRow:
    """One stretch of a video that a person judges in a blind review.

    Attributes:
        event_id: The event of the model that it shows, or None where the model saw none in it.
        start, stop: Seconds of the video's own time.
        verdict: "" where nothing was said yet; of stretches without an event only.
        change: As in reviews.
    """

    id: int
    event_id: int | None
    subject: str
    start: float
    stop: float
    verdict: str
    change: Mapping[str, Any]


@dataclass(frozen=True)
class AnalysisRow:
    """What one run and one set of event settings made of one video. All times in seconds."""

    id: int
    run_id: int
    video_id: int
    settings: Mapping[str, Any]
    made: str
    frames: int
    start: float
    stop: float
    observed: float
    dark: float
    problem: str


class Database:
    """The file of one study; a context manager.

    Args:
        path: The file; it is made where it is missing and `create` is set.

    Raises:
        InputError: it is missing, no database of a study, or of a newer version of handlens.
        OutputError: it cannot be opened or written.
    """

    def __init__(self, path: Path, create: bool = False) -> None:
        self.path = path
        if not create and not path.exists():
            raise InputError(f"the study '{path.parent}' has no results yet: type handlens study run {path.parent}.")
        with self._explained():
            self._base = connected(path, _BUSY_S, "FULL")
            self._check(create)

    def _check(self, create: bool) -> None:
        version = version_of(self._base)
        (tables,) = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version > SCHEMA:
            raise InputError(
                f"'{self.path}' was written by a newer handlens (its format is {version}, this one reads {SCHEMA}):"
                " update handlens, for example with pip install -U handlens."
            )
        if version == 0 and tables:
            raise InputError(f"'{self.path}' is a database, but not of a study: move it away.")
        if version == 0 and create:
            self._base.executescript(f"BEGIN; {_TABLES} {_STRETCHES} PRAGMA user_version = {SCHEMA}; COMMIT;")
        elif version == 0:
            raise InputError(f"the study '{self.path.parent}' has no results yet: type handlens study run.")
        elif version == 1:
            self._base.executescript(f"BEGIN IMMEDIATE; {_FROM_1} PRAGMA user_version = {SCHEMA}; COMMIT;")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite into ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OutputError(_said(error, self.path)) from error
        except sqlite3.DatabaseError as error:
            if "not a database" in str(error) or "malformed" in str(error):
                raise InputError(
                    f"'{self.path}' is damaged or no database: put back a copy, or move it away and run again."
                ) from error
            raise HandlensError(f"the database '{self.path}' refused a row: {error}.") from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all or nothing.

        Raises:
            OutputError: the disk is full or gone; nothing of it was written then.
        """
        with self._explained(), transaction(self._base):
            yield

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query that gives few."""
        with self._explained():
            return self._base.execute(query, values).fetchall()

    def _put(self, query: str, values: Sequence[Any]) -> int:
        with self._explained():
            return int(self._base.execute(query, values).lastrowid or 0)

    def note(self, key: str, value: str) -> None:
        """Keep a remark."""
        self._put("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def noted(self, key: str) -> str:
        """Return a remark, "" without one."""
        found = self.rows("SELECT value FROM meta WHERE key=?", (key,))
        return str(found[0][0]) if found else ""

    # -- videos

    def videos(self) -> dict[str, VideoRow]:
        """Return name -> video."""
        return {row[1]: VideoRow(*row) for row in self.rows("SELECT * FROM videos ORDER BY id")}

    def put_video(self, row: VideoRow) -> int:
        """Write a new video, or what changed of one, and return its number."""
        if row.id:
            self._put(
                "UPDATE videos SET name=?, path=?, size=?, mtime_ns=?, fingerprint=?, width=?, height=?, fps=?,"
                " duration=? WHERE id=?",
                (*_values(row)[1:], row.id),
            )
            return row.id
        return self._put("INSERT INTO videos VALUES (NULL,?,?,?,?,?,?,?,?,?)", _values(row)[1:])

    def forget(self, video_id: int, run_id: int | None = None) -> None:
        """Remove what was computed for a video, of one run or of all; what people coded stays."""
        which, values = "video_id=?", [video_id]
        if run_id is not None:
            which, values = "video_id=? AND run_id=?", [video_id, run_id]
        with self.transaction():
            inside = f"analysis_id IN (SELECT id FROM analyses WHERE {which})"
            for query in (
                f"DELETE FROM reviews WHERE event_id IN (SELECT id FROM events WHERE {inside})",
                f"DELETE FROM stretches WHERE {inside}",
                f"DELETE FROM events WHERE {inside}",
                f"DELETE FROM persons WHERE {inside}",
                f"DELETE FROM analyses WHERE {which}",
                f"DELETE FROM segments WHERE {which}",
                f"DELETE FROM frames WHERE {which}",
            ):
                self._base.execute(query, values)

    # -- runs and segments

    def run(self, key: str, handlens: str, model: str, digests: Mapping[str, str], settings: Mapping[str, Any]) -> int:
        """Return the number of the run with this key; it is made where there is none."""
        found = self.find_run(key)
        if found is not None:
            return found
        return self._put(
            "INSERT INTO runs VALUES (NULL,?,?,?,?,?,NULL,?)",
            (key, handlens, model, json.dumps(dict(digests)), json.dumps(dict(settings)), now()),
        )

    def find_run(self, key: str) -> int | None:
        """Return the number of the run with this key, or None."""
        found = self.rows("SELECT id FROM runs WHERE key=?", (key,))
        return int(found[0][0]) if found else None

    def layout(self, run_id: int) -> str | None:
        """Return the layout of the frames of a run, None before the first."""
        found = self.rows("SELECT layout FROM runs WHERE id=?", (run_id,))
        return None if not found or found[0][0] is None else str(found[0][0])

    def segments(self, run_id: int, video_id: int) -> list[SegmentRow]:
        """Return the segments of a video that are done, in order."""
        found = self.rows(
            "SELECT number, start, stop, frames, seconds, tail, problem FROM segments"
            " WHERE run_id=? AND video_id=? ORDER BY number",
            (run_id, video_id),
        )
        tails = [{int(frame): digest for frame, digest in json.loads(row[5]).items()} for row in found]
        lines: list[list[Any]] = [[*row[:5], tail, row[6]] for row, tail in zip(found, tails, strict=True)]
        return [SegmentRow(*line) for line in lines]

    def put_segment(
        self, run_id: int, video_id: int, layout: str | None, segment: SegmentRow, frames: Sequence[FrameRow]
    ) -> None:
        """Write a segment with all of its frames, or nothing of it.

        Raises:
            HandlensError: the run has frames of another layout.
        """
        with self.transaction():
            before = self.layout(run_id)
            if before is None and layout is not None:
                self._base.execute("UPDATE runs SET layout=? WHERE id=?", (layout, run_id))
            elif layout is not None and layout != before:
                raise HandlensError("the fields of a frame changed within a run: install one version of handlens.")
            rows = [(run_id, video_id, *_values(frame)) for frame in frames]
            self._base.executemany("INSERT OR REPLACE INTO frames VALUES (?,?,?,?,?,?,?)", rows)
            told = json.dumps({str(frame): digest for frame, digest in segment.tail.items()})
            self._base.execute(
                "INSERT OR REPLACE INTO segments VALUES (?,?,?,?,?,?,?,?,?)",
                (run_id, video_id, *_values(segment)[:5], told, segment.problem),
            )

    def frames(self, run_id: int, video_id: int, after: int = -1) -> Iterator[FrameRow]:
        """Yield the frames of a video in order, in portions."""
        while True:
            portion = self.rows(
                "SELECT frame, time, duration, light, value FROM frames"
                " WHERE run_id=? AND video_id=? AND frame>? ORDER BY frame LIMIT ?",
                (run_id, video_id, after, _PORTION),
            )
            yield from (FrameRow(*row) for row in portion)
            if len(portion) < _PORTION:
                return
            after = int(portion[-1][0])

    def digests_of(self, run_id: int, video_id: int, frames: Sequence[int]) -> dict[int, bytes]:
        """Return frame -> packed value of these frames, as far as they are there."""
        found: dict[int, bytes] = {}
        for frame in frames:
            for row in self.rows(
                "SELECT value FROM frames WHERE run_id=? AND video_id=? AND frame=?", (run_id, video_id, frame)
            ):
                found[frame] = row[0]
        return found

    # -- analyses

    def analysis(self, run_id: int, video_id: int, key: str) -> AnalysisRow | None:
        """Return what was made of a video with these settings, or None."""
        found = self.rows(
            "SELECT id, run_id, video_id, settings, made, frames, start, stop, observed, dark, problem FROM analyses"
            " WHERE run_id=? AND video_id=? AND key=?",
            (run_id, video_id, key),
        )
        if not found:
            return None
        row: list[Any] = list(found[0])
        row[3] = json.loads(row[3])
        return AnalysisRow(*row)

    def put_analysis(
        self, row: AnalysisRow, key: str, persons: Sequence[PersonRow], events: Sequence[CodedEvent]
    ) -> int:
        """Write what was made of one video, or nothing of it, and return its number."""
        with self.transaction():
            number = self._put(
                "INSERT INTO analyses VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?)",
                (row.run_id, row.video_id, key, json.dumps(dict(row.settings)), now(), *_values(row)[5:]),
            )
            for person in persons:
                told = _values(person)
                self._put(
                    "INSERT INTO persons (analysis_id, subject, observed, frames, face_side, small, sideways,"
                    " certainty, heat, seen) VALUES (?,?,?,?,?,?,?,?,?,?)",
                    (number, *told[:6], *(json.dumps(each) for each in (person.certainty, person.heat, person.seen))),
                )
            for event in events:
                self._put_event(event, row.video_id, number, "")
        return number

    def persons(self, analysis_id: int) -> list[PersonRow]:
        """Return the persons of an analysis, by name."""
        found = self.rows(
            "SELECT subject, observed, frames, face_side, small, sideways, certainty, heat, seen FROM persons"
            " WHERE analysis_id=? ORDER BY subject",
            (analysis_id,),
        )
        lines: list[list[Any]] = [
            [*row[:6], tuple(json.loads(row[6])), *(tuple(map(tuple, json.loads(each))) for each in row[7:])]
            for row in found
        ]
        return [PersonRow(*line) for line in lines]

    # -- events

    def _put_event(self, event: CodedEvent, video_id: int, analysis_id: int | None, origin: str) -> int:
        return self._put(
            "INSERT INTO events VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                video_id,
                analysis_id,
                event.coder,
                origin,
                event.subject,
                event.behaviour,
                event.region,
                event.side,
                event.hand,
                event.start,
                event.stop,
                event.start_frame,
                event.stop_frame,
                event.peak,
                event.regions,
                int(event.cut),
                event.comment,
                event.box,
            ),
        )

    def put_coded(self, video_id: int, coder: str, origin: str, events: Sequence[CodedEvent]) -> None:
        """Write what a person coded of a video, in place of what the same coder had."""
        with self.transaction():
            self._base.execute(
                "DELETE FROM events WHERE video_id=? AND coder=? AND analysis_id IS NULL", (video_id, coder)
            )
            for event in events:
                self._put_event(event, video_id, None, origin)

    def events(self, video_id: int, coder: str, analysis_id: int | None = None) -> list[CodedEvent]:
        """Return the events of a coder in a video in the order of their starts; analysis_id: of the model's events."""
        which = "e.analysis_id IS NULL" if analysis_id is None else "e.analysis_id=?"
        values = [video_id, coder] + ([] if analysis_id is None else [analysis_id])
        found = self.rows(
            "SELECT v.name, e.coder, e.subject, e.behaviour, e.region, e.start, e.stop, e.side, e.hand, e.start_frame,"
            " e.stop_frame, e.peak, e.regions, e.cut, e.comment, e.box, e.id FROM events e"
            " JOIN videos v ON v.id=e.video_id"
            f" WHERE e.video_id=? AND e.coder=? AND {which} ORDER BY e.start, e.stop, e.subject, e.id",
            values,
        )
        lines: list[list[Any]] = [[*row[:13], bool(row[13]), *row[14:]] for row in found]
        return [CodedEvent(*line) for line in lines]

    def coders(self, video_id: int) -> list[str]:
        """Return the people who coded a video."""
        return [
            str(row[0])
            for row in self.rows(
                "SELECT DISTINCT coder FROM events WHERE video_id=? AND coder<>? ORDER BY coder", (video_id, MACHINE)
            )
        ]

    def reviewers(self, analysis_id: int) -> list[str]:
        """Return the people who began to review the events of an analysis."""
        found = self.rows(
            "SELECT r.coder FROM reviews r JOIN events e ON e.id=r.event_id WHERE e.analysis_id=?"
            " UNION SELECT coder FROM stretches WHERE analysis_id=? AND verdict<>'' ORDER BY 1",
            (analysis_id, analysis_id),
        )
        return [str(row[0]) for row in found]

    def put_review(self, coder: str, event_id: int, verdict: str, change: Mapping[str, Any]) -> None:
        """Write what a person says of an event of the model, in place of what the same person said before."""
        with self.transaction():
            self._base.execute(
                "INSERT OR REPLACE INTO reviews VALUES (?,?,?,?,?)",
                (coder, event_id, verdict, json.dumps(dict(change)), now()),
            )

    def reviews(self, coder: str) -> dict[int, tuple[str, dict[str, Any]]]:
        """Return number of the event -> (verdict, change) of one person."""
        found = self.rows("SELECT event_id, verdict, change FROM reviews WHERE coder=?", (coder,))
        return {int(row[0]): (str(row[1]), json.loads(row[2])) for row in found}

    def stretches(self, coder: str, analysis_id: int) -> list[StretchRow]:
        """Return the stretches of a video that a person judges blindly, in the order of their starts."""
        found = self.rows(
            "SELECT id, event_id, subject, start, stop, verdict, change FROM stretches"
            " WHERE coder=? AND analysis_id=? ORDER BY start, id",
            (coder, analysis_id),
        )
        lines: list[list[Any]] = [[*row[:6], json.loads(row[6])] for row in found]
        return [StretchRow(*line) for line in lines]

    def put_stretches(self, coder: str, analysis_id: int, stretches: Sequence[StretchRow]) -> None:
        """Write the stretches that a person is to judge in a video."""
        with self.transaction():
            for each in stretches:
                self._put(
                    "INSERT INTO stretches (coder, analysis_id, event_id, subject, start, stop) VALUES (?,?,?,?,?,?)",
                    (coder, analysis_id, each.event_id, each.subject, each.start, each.stop),
                )

    def put_judged(self, stretch_id: int, verdict: str, change: Mapping[str, Any]) -> None:
        """Write what a person says of a stretch without an event."""
        with self.transaction():
            self._base.execute(
                "UPDATE stretches SET verdict=?, change=?, made=? WHERE id=?",
                (verdict, json.dumps(dict(change)), now(), stretch_id),
            )

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def now() -> str:
    """Return the time of day as ISO 8601, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _values(row: Any) -> tuple[Any, ...]:
    """Return the fields of a dataclass as they are."""
    return tuple(getattr(row, name) for name in row.__dataclass_fields__)


def _said(error: sqlite3.OperationalError, path: Path) -> str:
    said = str(error)
    if "full" in said:
        return f"the disk is full: '{path}' keeps all that was done before; make room and type the same command again."
    if "locked" in said:
        return (
            f"'{path}' is being written by another program for a minute: wait for it and type the same command again."
        )
    if "readonly" in said or "unable to open" in said:
        return f"'{path}' cannot be written: check that the folder exists and that you may write to it."
    return f"'{path}' cannot be used: {said}."
