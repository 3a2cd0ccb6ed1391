"""What a study knows now: for each video its latest results under the present study.toml; it computes nothing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from handlens.errors import InputError
from handlens.study.agreement import union
from handlens.study.config import MACHINE, StudyConfig, VideoEntry
from handlens.study.database import AnalysisRow, CodedEvent, Database, PersonRow, VideoRow
from handlens.study.join import analysis_key, analysis_settings


@dataclass(frozen=True)
class RunRow:
    """With what a video was coded: the version of handlens, the model, the SHA-256 of its files, and the settings."""

    id: int
    handlens: str
    model: str
    digests: Mapping[str, str]
    settings: Mapping[str, Any]
    began: str


@dataclass(frozen=True)
class VideoResult:
    """One coded video."""

    entry: VideoEntry
    row: VideoRow
    run: RunRow
    analysis: AnalysisRow


@dataclass(frozen=True)
class Media:
    """A film of an observation. offset: seconds from the start of the observation to the start of the film."""

    path: Path
    fps: float | None
    duration: float
    width: int
    height: int
    offset: float


@dataclass(frozen=True)
class Observation:
    """What one coder saw in one video, or in all cameras of one scene.

    Attributes:
        name: Of the video or the scene.
        media: The first one is the film by which the times count.
        time_offset: Seconds to add to get to the clock that all videos of the study share.
        start: When it began, or None.
        persons: Sums of each person. In a scene a person is observed while any camera sees the face; the other sums are
            those of the camera that saw the person longest.
    """

    name: str
    coder: str
    media: tuple[Media, ...]
    time_offset: float
    start: datetime | None
    events: tuple[CodedEvent, ...]
    persons: tuple[PersonRow, ...]

    @property
    def duration(self) -> float:
        """Seconds from the start of the first film to the end of the last."""
        ends = [film.offset + film.duration for film in self.media]
        return max([*ends, *(event.stop for event in self.events)], default=0.0)

    @property
    def subjects(self) -> list[str]:
        """All persons who were seen or to whom something happened, by name."""
        return sorted({event.subject for event in self.events} | {person.subject for person in self.persons})


class Results:
    """The results of a study; a view of an open database.

    Attributes:
        videos: The coded videos in the order of study.toml.
        missing: The names of those that are not coded yet, or not with the present settings.
    """

    def __init__(self, config: StudyConfig, base: Database) -> None:
        self.config, self.base = config, base
        known = base.videos()
        runs = _runs(base)
        self.videos: list[VideoResult] = []
        self.missing: list[str] = []
        for entry in config.videos:
            found = _latest(config, base, entry, known.get(entry.name), runs)
            if found is None:
                self.missing.append(entry.name)
            else:
                self.videos.append(found)

    def remarks(self) -> list[str]:
        """Return sentences on what a reader should know: videos that are missing, results of several versions."""
        said = []
        if self.missing:
            which = ", ".join(self.missing[:5]) + (
                f" and {len(self.missing) - 5} more" if len(self.missing) > 5 else ""
            )
            said.append(f"not coded with the present settings: {which}; type handlens study run {self.config.folder}.")
        made = {(one.run.handlens, json.dumps(one.run.digests, sort_keys=True)) for one in self.videos}
        if len(made) > 1:
            said.append(
                f"the videos were coded by {len(made)} different versions of handlens or of the model: type handlens"
                f" study run {self.config.folder} to code all with this one."
            )
        return said

    def need_all(self) -> None:
        """Return when there is something to show.

        Raises:
            InputError: no video is coded with the present settings.
        """
        if not self.videos:
            raise InputError(
                f"no video of '{self.config.folder}' is coded with the present settings: type handlens study run"
                f" {self.config.folder}."
            )

    def events(self, video: VideoResult, coder: str = MACHINE) -> list[CodedEvent]:
        """Return the events of a coder in a video, in its own time."""
        return self.base.events(video.row.id, coder, video.analysis.id if coder == MACHINE else None)

    def observations(self, coder: str = MACHINE) -> Iterator[Observation]:
        """Yield what a coder saw, one video or scene after the other, without those that the coder did not code."""
        scenes: dict[tuple[str, str], list[VideoResult]] = {}
        for video in self.videos:
            entry = video.entry
            scenes.setdefault(("scene", entry.scene) if entry.scene else ("video", entry.name), []).append(video)
        for group in scenes.values():
            if coder == MACHINE or any(coder in self.base.coders(video.row.id) for video in group):
                yield self._observation(group, coder)

    def scenes(self) -> Iterator[Observation]:
        """Yield what the model saw in the scenes that have a name."""
        named = {video.entry.scene for video in self.videos if video.entry.scene}
        if named:
            yield from (seen for seen in self.observations() if seen.name in named)

    def _observation(self, group: Sequence[VideoResult], coder: str) -> Observation:
        first = min(group, key=lambda video: clock_difference(group[0].entry, video.entry))
        group = [first, *(video for video in group if video is not first)]
        media, told = [], []
        best: dict[str, PersonRow] = {}
        seen: dict[str, list[tuple[float, float]]] = {}
        for video in group:
            shift = clock_difference(first.entry, video.entry)
            media.append(self._media(video, shift))
            told += [moved(event, shift) for event in self.events(video, coder)]
            for person in self.base.persons(video.analysis.id):
                seen.setdefault(person.subject, []).extend((a + shift, b + shift) for a, b in person.seen)
                if person.subject not in best or best[person.subject].observed < person.observed:
                    best[person.subject] = person
        name = first.entry.scene or first.entry.name
        events = told if len(group) == 1 else merged(told)
        return Observation(
            name,
            coder,
            tuple(media),
            first.entry.offset,
            first.entry.start,
            tuple(replace(event, video=name) for event in events),
            tuple(best[name] if len(group) == 1 else seen_by_any(best[name], seen[name]) for name in sorted(best)),
        )

    def _media(self, video: VideoResult, offset: float) -> Media:
        row = video.row
        path = self.config.file_of(video.entry)
        duration = max(row.duration or 0.0, video.analysis.stop)
        return Media(path, row.fps, round(duration, 3), row.width or 0, row.height or 0, offset)


def clock_difference(first: VideoEntry, other: VideoEntry) -> float:
    """Return by how many seconds a video begins after another: by offsets and, where both have one, by starts."""
    seconds = other.offset - first.offset
    if first.start is not None and other.start is not None:
        seconds += (other.start - first.start).total_seconds()
    return seconds


def moved(event: CodedEvent, seconds: float) -> CodedEvent:
    """Return the event so many seconds later."""
    if not seconds:
        return event
    return replace(event, start=round(event.start + seconds, 6), stop=round(event.stop + seconds, 6))


def merged(events: Sequence[CodedEvent]) -> list[CodedEvent]:
    """Return the events of several cameras as those of one scene.

    Events of one person that share some time are one: it lasts from the first start to the last stop, and the surest
    camera says where.
    """
    joined: list[CodedEvent] = []
    last: dict[str, int] = {}
    for event in sorted(events, key=lambda each: (each.start, each.stop)):
        place = last.get(event.subject)
        if place is None or event.start >= joined[place].stop:
            last[event.subject] = len(joined)
            joined.append(event)
            continue
        other = joined[place]
        surest = event if (event.peak or 0.0) > (other.peak or 0.0) else other
        joined[place] = replace(
            surest, start=other.start, stop=max(other.stop, event.stop), cut=other.cut and event.cut, regions=""
        )
    return joined


def seen_by_any(person: PersonRow, seen: Sequence[tuple[float, float]]) -> PersonRow:
    """Return a person who was observed in these times of several cameras; a time that several saw counts once."""
    joined = union(seen)
    return replace(person, observed=round(sum(stop - start for start, stop in joined), 6), seen=tuple(joined))


def clock_of(observation: Observation, seconds: float) -> str:
    """Return the time of day of a moment as ISO 8601, "" where the start is not known."""
    if observation.start is None:
        return ""
    return (observation.start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def _runs(base: Database) -> list[RunRow]:
    found = base.rows("SELECT id, handlens, model, digests, settings, began FROM runs ORDER BY id DESC")
    return [RunRow(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]), row[5]) for row in found]


def asked_for(sample_fps: float, rotate: int, hand_model: str) -> dict[str, object]:
    """Return the settings of a run as they are stored."""
    asked: dict[str, object] = {"sample_fps": sample_fps, "rotate": rotate}
    return {**asked, "hand_model": Path(hand_model).name} if hand_model else asked


def _latest(
    config: StudyConfig, base: Database, entry: VideoEntry, row: VideoRow | None, runs: Sequence[RunRow]
) -> VideoResult | None:
    """Return the latest results of a video with the present settings, or None."""
    if row is None:
        return None
    key = analysis_key(analysis_settings(config, entry))
    for run in runs:
        asked = asked_for(config.sample_fps, entry.rotate, config.hand_model)
        if run.settings == asked and run.model in (config.model, str(Path(config.model).resolve()), "given"):
            analysis = base.analysis(run.id, row.id, key)
            if analysis is not None:
                return VideoResult(entry, row, run, analysis)
    return None
