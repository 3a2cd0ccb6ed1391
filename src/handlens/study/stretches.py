"""Stretches of a video for a blind review: those with an event of the model, and others that look just the same.

A person who only sees events of the model can say which are wrong, and never which are missing. So as many stretches
without an event are drawn at random from the time in which the persons were seen, of the same lengths, and all are
shown in a random order.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from handlens.errors import InputError
from handlens.study.agreement import Span, union
from handlens.study.database import CodedEvent, PersonRow, StretchRow
from handlens.study.results import Results, VideoResult

LEAST = 3
"""Stretches without an event that are drawn for each video, at least."""
_WAYS = ((2.5, 1.0), (1.5, 0.75), (1.0, 0.5))
"""How stretches are drawn, from long to short, until there are enough without an event: the longest time before and
behind an event, and the time between a stretch without an event and the next event of anybody; seconds."""
_BEFORE_S = 0.5  # the shortest time before and behind an event; it is drawn anew for each: no onset is at a known place
_SHORTEST_S = 1.5  # of a stretch that is made shorter to fit between two events
_GAP_S = 1.0  # a face that was lost for so long is still there
_ALONE_S = (2.0, 6.0)  # how long stretches are where there are no events to take the length from
_TRIES = 50


def draw(results: Results, video: VideoResult, coder: str, count: int | None = None) -> list[StretchRow]:
    """Return the stretches of a video that a person is to judge, in a random order.

    The same person gets the same stretches again.

    Args:
        count: Stretches without an event; left out, as many as there are events, and LEAST at least. Fewer are given
            where the video has no room for them.
    """
    events = results.events(video)
    persons = results.base.persons(video.analysis.id)
    chance = random.Random(f"{coder} {video.row.fingerprint} {video.analysis.id}")
    wanted = max(LEAST, len(events)) if count is None else count
    shown: list[StretchRow] = []
    quiet: list[StretchRow] = []
    for before, apart in _WAYS:
        cut = (before, apart) == _WAYS[-1]
        shown = _around(video, events, before, chance)
        lengths = [one.stop - one.start for one in shown] or [chance.uniform(*_ALONE_S) for _ in range(LEAST)]
        quiet = _quiet(persons, events, lengths, wanted, chance, apart, cut)
        longest = max((one.stop - one.start for one in quiet), default=0.0)
        if before < _WAYS[0][0] and longest >= before + _BEFORE_S:  # a longer stretch would tell that it has an event
            shown = [replace(one, stop=round(min(one.stop, one.start + longest), 3)) for one in shown]
        if len(quiet) >= wanted:
            break
    made = shown + quiet
    chance.shuffle(made)
    return made


def _around(video: VideoResult, events: Sequence[CodedEvent], before: float, chance: random.Random) -> list[StretchRow]:
    """Return a stretch for each event, with up to so many seconds before and behind it."""
    end = max(video.analysis.stop, video.row.duration or 0.0)
    made = []
    for event in events:
        start = max(video.analysis.start, event.start - chance.uniform(_BEFORE_S, before))
        stop = min(end, event.stop + chance.uniform(_BEFORE_S, before))
        made.append(StretchRow(0, event.id, event.subject, round(start, 3), round(stop, 3), "", {}))
    return made


def _quiet(
    persons: Sequence[PersonRow],
    events: Sequence[CodedEvent],
    lengths: Sequence[float],
    count: int,
    chance: random.Random,
    apart: float,
    cut: bool,
) -> list[StretchRow]:
    """Return stretches without an event; `cut`: shorter than `lengths` where there is no room for these."""
    taken: list[Span] = [(event.start - apart, event.stop + apart) for event in events]
    observed = [person for person in persons if person.observed > 0]
    made: list[StretchRow] = []
    for _ in range(count * _TRIES):
        if len(made) >= count or not observed:
            break
        (person,) = chance.choices(observed, [each.observed for each in observed])
        length = chance.choice(lengths)
        left = free(together(person.seen), taken)
        longest = max((stop - start for start, stop in left), default=0.0)
        if cut and _SHORTEST_S <= longest < length:
            length = longest
        room = [(start, stop - length) for start, stop in left if stop - start >= length]
        if not room:
            continue
        ((first, last),) = chance.choices(room, [stop - start + 1e-3 for start, stop in room])
        start = round(chance.uniform(first, last), 3)
        taken.append((start, start + length))
        made.append(StretchRow(0, None, person.subject, start, round(start + length, 3), "", {}))
    return made


def together(seen: Sequence[Span]) -> list[Span]:
    """Return the times in which a face was seen, with short losses of it filled."""
    return [(start, stop - _GAP_S) for start, stop in union([(start, stop + _GAP_S) for start, stop in seen])]


def free(inside: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    """Return what is left of some times without others."""
    left = []
    busy = union(taken)
    for start, stop in inside:
        for first, last in busy:
            if last <= start or first >= stop:
                continue
            if first > start:
                left.append((start, first))
            start = max(start, last)
        if stop > start:
            left.append((start, stop))
    return left


def is_answer(verdict: str, change: Mapping[str, Any]) -> bool:
    """Return whether this says what there is: a touch without a region, as after a mark of its onset, does not yet."""
    return bool(verdict) and not (verdict == "change" and change.get("region") == "")


def is_answered(stretch: StretchRow, said: Mapping[int, tuple[str, Mapping[str, Any]]]) -> bool:
    """Return whether a person answered what is in a stretch; `said`: number of the event -> what was said of it."""
    if stretch.event_id is None:
        return is_answer(stretch.verdict, stretch.change)
    return stretch.event_id in said and is_answer(*said[stretch.event_id])


def progress(results: Results, video: VideoResult, coder: str) -> tuple[int, int] | None:
    """Return how much of a review of a video is done, and of how much; None for who did not review it."""
    said = results.base.reviews(coder)
    rows = results.base.stretches(coder, video.analysis.id)
    if rows:
        return sum(is_answered(row, said) for row in rows), len(rows)
    events = [event.id for event in results.events(video)]
    if not any(event in said for event in events):
        return None
    return sum(event in said and is_answer(*said[event]) for event in events), len(events)


def judged(results: Results, video: VideoResult, coder: str) -> dict[str, list[Span]]:
    """Return person -> the times that a coder judged in a blind review; empty for anybody else."""
    found: dict[str, list[Span]] = {}
    for one in results.base.stretches(coder, video.analysis.id):
        found.setdefault(one.subject, []).append((one.start, one.stop))
    return {subject: union(spans) for subject, spans in found.items()}


@dataclass(frozen=True)
class Share:
    """What a blind review found of one person in one video.

    Attributes:
        shown, confirmed: Events of the model, and how many of them the coder saw, too.
        quiet, touched: Stretches without an event, and in how many of them the coder saw a touch.
        quiet_s: Seconds that these stretches stand for: each reaches back by the length of a touch.
        whole_s: Seconds in which the person was seen and the model saw no touch.
    """

    person: str
    shown: int
    confirmed: int
    quiet: int
    touched: int
    quiet_s: float
    whole_s: float


def shares(results: Results, video: VideoResult, coder: str) -> list[Share]:
    """Return what a blind review found of each person of a video.

    Raises:
        InputError: it is not finished.
    """
    said = results.base.reviews(coder)
    events = {event.id: event for event in results.events(video)}
    persons = {person.subject: person for person in results.base.persons(video.analysis.id)}
    of: dict[str, list[StretchRow]] = {}
    for one in results.base.stretches(coder, video.analysis.id):
        if not is_answered(one, said):
            raise InputError(f"the blind review of '{video.entry.name}' by {coder} is not finished.")
        of.setdefault(one.subject, []).append(one)
    made = []
    for subject, rows in sorted(of.items()):
        mine = [event for event in events.values() if event.subject == subject]
        mean = sum(event.seconds for event in mine) / len(mine) if mine else 0.0
        quiet = [row for row in rows if row.event_id is None]
        shown = [row for row in rows if row.event_id is not None]
        seen = persons[subject].observed if subject in persons else 0.0
        made.append(
            Share(
                subject,
                len(shown),
                sum(said[row.event_id][0] != "wrong" for row in shown if row.event_id is not None),
                len(quiet),
                sum(row.verdict != "wrong" for row in quiet),
                sum(row.stop - row.start + mean for row in quiet),
                max(0.0, seen - sum(event.seconds for event in mine)),
            )
        )
    return made
