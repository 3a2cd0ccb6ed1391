"""The numbers of a report: for each person and video times, rates, durations, regions, and what to beware of."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from handlens.study.database import CodedEvent, PersonRow
from handlens.study.join import DARK, SIDEWAYS, SMALL, STEPS
from handlens.study.results import Observation, Results, VideoResult
from handlens.tasks.touch import REGIONS

_MOMENT_S = 2.0
_WORTH_SAYING = 0.1  # of the time
RATE_S = 300.0  # observed seconds below which a rate per hour says little


@dataclass(frozen=True)
class PersonFigures:
    """One person in one video. Times in seconds; rates refer to the observed time."""

    video: str
    subject: str
    duration: float
    observed: float
    touches: int
    touched: float
    mean: float | None
    median: float | None
    longest: float | None
    regions: dict[str, tuple[int, float]]
    sides: dict[str, int]
    hands: dict[str, int]
    unsure: int
    person: PersonRow | None

    @property
    def unobserved(self) -> float:
        """Seconds of the video in which the face of the person was not seen."""
        return max(0.0, self.duration - self.observed)

    @property
    def per_hour(self) -> float | None:
        """Touches in an observed hour, None where the person was never seen."""
        return self.touches * 3600 / self.observed if self.observed > 0 else None

    @property
    def share(self) -> float | None:
        """The share of the observed time in which the face was touched, 0 to 1."""
        return min(1.0, self.touched / self.observed) if self.observed > 0 else None

    def row(self) -> dict[str, Any]:
        """Return it as a row of a table."""
        told: dict[str, Any] = {
            "video": self.video,
            "subject": self.subject,
            "duration_s": self.duration,
            "observed_s": self.observed,
            "unobserved_s": self.unobserved,
            "touches": self.touches,
            "touches_per_observed_hour": self.per_hour,
            "touched_s": self.touched,
            "share_of_observed_time": self.share,
            "mean_duration_s": self.mean,
            "median_duration_s": self.median,
            "longest_s": self.longest,
            "unsure": self.unsure,
        }
        for name in REGIONS:
            count, seconds = self.regions.get(name, (0, 0.0))
            told[f"{name}_touches"], told[f"{name}_s"] = count, seconds
        for name in ("left", "right"):
            told[f"{name}_side"] = self.sides.get(name, 0)
        for name in ("left", "right"):
            told[f"{name}_hand"] = self.hands.get(name, 0)
        return told


def persons_of(results: Results, video: VideoResult) -> tuple[list[PersonFigures], list[CodedEvent]]:
    """Return the figures of each person of a video, and all events of the model in it."""
    events = results.events(video)
    persons = {person.subject: person for person in results.base.persons(video.analysis.id)}
    duration = max(video.row.duration or 0.0, video.analysis.stop)
    names = sorted({*persons, *(event.subject for event in events)})
    return [
        of_person(video.entry.name, name, duration, persons.get(name), [e for e in events if e.subject == name])
        for name in names
    ], events


def persons_of_scene(seen: Observation) -> list[PersonFigures]:
    """Return the figures of each person of a scene that several cameras saw, each touch and each second once."""
    persons = {person.subject: person for person in seen.persons}
    return [
        of_person(seen.name, name, seen.duration, persons.get(name), [e for e in seen.events if e.subject == name])
        for name in seen.subjects
    ]


def worth_showing(persons: Sequence[PersonFigures]) -> tuple[list[PersonFigures], int]:
    """Return the persons with a touch or two seconds of observed time, and how many others there are.

    Where nobody is named, each face that comes back is a person of its own, and many are seen for a moment only.
    """
    shown = [one for one in persons if one.touches or one.observed >= _MOMENT_S]
    return shown, len(persons) - len(shown)


def of_person(
    video: str, subject: str, duration: float, person: PersonRow | None, events: Sequence[CodedEvent]
) -> PersonFigures:
    """Return the figures of one person from the sums over the frames and the events."""
    lengths = [event.seconds for event in events]
    regions: dict[str, tuple[int, float]] = {}
    for event in events:
        told = event.regions or f"{event.region or 'touch'}:{event.seconds:.3f}"
        for part in told.split(";"):
            name, _, seconds = part.rpartition(":")
            count, total = regions.get(name, (0, 0.0))
            regions[name] = (count, total + float(seconds))
        first = event.region or "touch"
        count, total = regions.get(first, (0, 0.0))
        regions[first] = (count + 1, total)
    return PersonFigures(
        video,
        subject,
        round(duration, 3),
        round(person.observed if person else 0.0, 3),
        len(events),
        round(sum(lengths), 3),
        round(statistics.fmean(lengths), 3) if lengths else None,
        round(statistics.median(lengths), 3) if lengths else None,
        round(max(lengths), 3) if lengths else None,
        {name: (count, round(seconds, 3)) for name, (count, seconds) in regions.items()},
        dict(Counter(event.side for event in events if event.side)),
        dict(Counter(event.hand for event in events if event.hand in ("left", "right"))),
        sum(1 for event in events if event.peak is not None and event.peak < 0.7),
        person,
    )


def warnings_of(video: VideoResult, persons: Sequence[PersonFigures]) -> list[str]:
    """Return sentences on what makes the results of a video less reliable."""
    said = []
    if video.analysis.problem:
        said.append(video.analysis.problem)
    seconds = max(1e-9, video.analysis.stop - video.analysis.start)
    if video.analysis.dark > _WORTH_SAYING * seconds:
        said.append(
            f"{video.analysis.dark / seconds:.0%} of the time is too dark (mean lightness below {DARK:g} of 255)."
        )
    if video.analysis.observed < 0.5 * seconds:
        said.append(f"A face was seen in {video.analysis.observed / seconds:.0%} of the time only.")
    for one in persons:
        person = one.person
        if person is None or person.observed <= 0:
            continue
        if person.small > _WORTH_SAYING * person.observed:
            part = person.small / person.observed
            said.append(f"The face of {one.subject} is smaller than {SMALL:g} pixels in {part:.0%} of its time.")
        if person.sideways > _WORTH_SAYING * person.observed:
            part = person.sideways / person.observed
            said.append(
                f"The face of {one.subject} lies on the side in {part:.0%} of its time (its box is {SIDEWAYS:g} times"
                " as wide as high): set rotate in study.toml if the film is turned."
            )
        middle = sum(person.certainty[STEPS * 3 // 10 : STEPS * 7 // 10])
        if middle > 0.2 * max(1, sum(person.certainty)):
            part = middle / sum(person.certainty)
            said.append(f"The model is unsure (30 to 70 %) of {one.subject} in {part:.0%} of frames.")
        if person.observed < RATE_S:
            said.append(f"{one.subject} was seen for less than five minutes: a rate per hour says little.")
    return said


def together(rows: Sequence[PersonFigures]) -> list[PersonFigures]:
    """Return one row for each person over all videos, by name; medians and the longest are of single videos."""
    made = []
    for name in sorted({row.subject for row in rows}):
        mine = [row for row in rows if row.subject == name]
        touches = sum(row.touches for row in mine)
        regions: dict[str, tuple[int, float]] = {}
        for row in mine:
            for region, (count, seconds) in row.regions.items():
                before = regions.get(region, (0, 0.0))
                regions[region] = (before[0] + count, round(before[1] + seconds, 3))
        touched = sum(row.touched for row in mine)
        sides: Counter[str] = Counter()
        hands: Counter[str] = Counter()
        for row in mine:
            sides.update(row.sides)
            hands.update(row.hands)
        made.append(
            PersonFigures(
                f"{len(mine)} video{'' if len(mine) == 1 else 's'}",
                name,
                round(sum(row.duration for row in mine), 3),
                round(sum(row.observed for row in mine), 3),
                touches,
                round(touched, 3),
                round(touched / touches, 3) if touches else None,
                None if len(mine) > 1 else mine[0].median,
                max((row.longest for row in mine if row.longest is not None), default=None),
                regions,
                dict(sides),
                dict(hands),
                sum(row.unsure for row in mine),
                None,
            )
        )
    return made
