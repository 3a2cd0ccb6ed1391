"""People's coded files and the results of a study -> who agrees with whom, as numbers, a table and a paragraph."""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from handlens import __version__
from handlens.errors import InputError
from handlens.study.agreement import (
    DRAWS,
    Agreement,
    BlandAltman,
    Counts,
    Estimate,
    Span,
    Unit,
    agreement,
    alpha_of_all,
    binned,
    draws_of,
    estimate_of,
    ratio,
)
from handlens.study.config import MACHINE
from handlens.study.database import CodedEvent
from handlens.study.formats.coding import Coding, bare, understood, without_overlaps
from handlens.study.formats.write import read
from handlens.study.join import NO_PERSON
from handlens.study.results import Results, VideoResult
from handlens.study.review import reviewed_whole
from handlens.study.stretches import judged, progress, shares
from handlens.tasks.touch import REGIONS

ANYBODY = "anybody"
"""The person where a coder names none."""
_FACE = re.compile(r"face \d+")  # of a video in which it has no name
_BEYOND_S = 5.0  # an event that ends so much after the video is of another one
Say = Callable[[str], None]


@dataclass(frozen=True)
class Blind:
    """What a blind review says of the model.

    Attributes:
        shown, confirmed: Events of the model, and how many of them the coder saw, too.
        quiet, touched: Stretches without an event, and in how many of them the coder saw a touch.
        precision: confirmed / shown.
        missed_per_hour: Touches that the model misses in an hour in which it sees a face and no touch.
        recall: confirmed / (confirmed + all that it missed by this rate).
    """

    shown: int
    confirmed: int
    quiet: int
    touched: int
    precision: Estimate
    missed_per_hour: Estimate
    recall: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        told = {name: getattr(self, name) for name in ("shown", "confirmed", "quiet", "touched")}
        return told | {name: getattr(self, name).to_dict() for name in ("precision", "missed_per_hour", "recall")}


@dataclass(frozen=True)
class Pair:
    """Two coders and how they agree: on all touches, on each region, and on each person.

    Attributes:
        blind: Where the second coder reviewed the first one blindly; all else counts the judged stretches only then.
    """

    first: str
    second: str
    videos: int
    all: Agreement
    regions: Mapping[str, Agreement]
    persons: Mapping[str, Agreement]
    blind: Blind | None = None

    def to_dict(self, bin_s: float, tolerance_s: float) -> dict[str, Any]:
        """Return it as it stands in JSON."""
        blind = {} if self.blind is None else {"blind_review": self.blind.to_dict()}
        return {
            "first": self.first,
            "second": self.second,
            "videos": self.videos,
            "all": self.all.to_dict(bin_s, tolerance_s),
            "regions": {name: one.to_dict(bin_s, tolerance_s) for name, one in self.regions.items()},
            "persons": {name: one.to_dict(bin_s, tolerance_s) for name, one in self.persons.items()},
            **blind,
        }


@dataclass(frozen=True)
class AgreeReport:
    """How all coders of a study agree.

    Attributes:
        alpha_of_all: Of more than two coders together, or None.
        left_out: A sentence for each review that does not count because it is not finished.
    """

    pairs: tuple[Pair, ...]
    coders: tuple[str, ...]
    bin_s: float
    tolerance_s: float
    alpha_of_all: Estimate | None
    left_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as it stands in JSON: the first pair on top, all pairs beneath."""
        first = self.pairs[0].to_dict(self.bin_s, self.tolerance_s)
        told = {"coders": list(self.coders), "bin_s": self.bin_s, "tolerance_s": self.tolerance_s, **first}
        told["pairs"] = [pair.to_dict(self.bin_s, self.tolerance_s) for pair in self.pairs]
        if self.alpha_of_all is not None:
            told["alpha_of_all_coders"] = self.alpha_of_all.to_dict()
        return told


def import_coded(results: Results, files: Sequence[str], say: Say = lambda sentence: None) -> list[str]:
    """Read people's files into the database, in place of what the same coders had, and return the coders.

    Args:
        files: Paths, or NAME=PATH to name the coder.
        say: Is told what could not be used.

    Raises:
        InputError: a file that cannot be read, of another video, or without a touch.
    """
    taken: set[tuple[str, str]] = set()
    coders: list[str] = []
    others: dict[str, int] = {}
    made: list[tuple[VideoResult, str, str, list[CodedEvent]]] = []
    for text in files:
        named, path = _split(text)
        codings = read(path)
        matched = 0
        for coding in codings:
            video = _video_of(results, coding, path, alone=len(codings) == 1)
            if video is None:
                continue
            matched += 1
            coder = named or (coding.coder if coding.coder != MACHINE else "")
            coder = coder or _free_name(taken, video.entry.name)
            if coder == MACHINE:
                raise InputError(f"a person cannot be called '{MACHINE}': type NAME={path}.")
            taken.add((coder, video.entry.name))
            events, unknown_ones = understood(coding, coder, video.entry.name, results.config.behaviours)
            for name, count in unknown_ones.items():
                others[name] = others.get(name, 0) + count
            for problem in coding.problems:
                say(problem)
            if coding.marks and not events:
                raise InputError(_no_touch(path, unknown_ones))
            made.append((video, coder, str(path), _checked(results, video, events, path, say)))
            coders.append(coder)
        if not matched:
            known = ", ".join(video.entry.name for video in results.videos[:8])
            about = ", ".join(sorted({coding.video for coding in codings})[:3])
            raise InputError(
                f"'{path}' is about '{about}', which is not a video of this study ({known}): give a file that was coded"
                " on one of its videos."
            )
    if others:
        which = ", ".join(f"'{name}' ({count})" for name, count in sorted(others.items())[:6])
        say(
            f"left out, for they are not touches: {which}; what of this is a touch is said in study.toml under [coding]"
            " behaviours."
        )
    for video, coder, origin, events in made:
        results.base.put_coded(video.row.id, coder, origin, events)
    return list(dict.fromkeys(coders))


def _split(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if equals and not Path(text).exists():
        return name.strip(), Path(path)
    return "", Path(text)


def _free_name(taken: set[tuple[str, str]], video: str) -> str:
    return next(name for n in itertools.count(1) if ((name := f"person {n}"), video) not in taken)


def _no_touch(path: Path, others: Mapping[str, int]) -> str:
    names = ", ".join(f"'{name}'" for name in sorted(others)[:6])
    return (
        f"'{path}' codes no touch that is known, only {names}: say in study.toml under [coding] what they mean, such as"
        f' behaviours = {{ "{next(iter(sorted(others)))}" = "touch" }}.'
    )


def _video_of(results: Results, coding: Coding, path: Path, alone: bool) -> VideoResult | None:
    """Return the video that a coding is about: by the name of its file, else by its own name or the observation's."""
    wanted = bare(coding.video).casefold()
    same = [video for video in results.videos if bare(video.entry.path).casefold() == wanted]
    if not same:
        names = {name.casefold() for name in (coding.video, *coding.names)} | {Path(wanted).stem}
        same = [
            video
            for video in results.videos
            if names & {video.entry.name.casefold(), bare(video.entry.path).casefold(), Path(video.entry.path).stem}
        ]
    if len(same) > 1:
        called = [video for video in same if video.entry.name in (coding.video, *coding.names, path.stem)]
        if len(called) != 1:
            which = ", ".join(f"'{video.entry.name}'" for video in same)
            raise InputError(
                f"'{path}' is about '{coding.video}', and {which} are files of that name: call the coded file as one of"
                " these."
            )
        same = called
    return same[0] if same else None


def _checked(results: Results, video: VideoResult, events: list[CodedEvent], path: Path, say: Say) -> list[CodedEvent]:
    """Return the events of one coder in one video, overlaps joined, persons called as in the study.

    Raises:
        InputError: they end after the video, or persons that the study does not know.
    """
    end = max(video.analysis.stop, video.row.duration or 0.0)
    late = max((event.stop for event in events), default=0.0)
    if late > end + _BEYOND_S:
        raise InputError(
            f"'{path}' has an event at {late:.1f} s, and the video '{video.entry.name}' ends at {end:.1f} s: the file"
            " was coded on another video."
        )
    called = {name: _subject(results, video, name, path, say) for name in sorted({event.subject for event in events})}
    events = [replace(event, subject=called[event.subject]) for event in events]
    kept, joined = without_overlaps(events)
    if joined:
        say(f"'{path}': {joined} overlapping events of one person at one place were joined with those before them.")
    return kept


def _subject(results: Results, video: VideoResult, name: str, path: Path, say: Say) -> str:
    persons = [person.subject for person in results.base.persons(video.analysis.id)]
    if not name or name.casefold() in ("no focal subject", ANYBODY):
        return persons[0] if len(persons) == 1 else ""
    for person in persons:
        if person.casefold() == name.casefold() or _plain(person) == _plain(name):
            return person
    if name in video.entry.subjects.values() or not persons:
        return name
    if len(persons) == 1 and not video.entry.subjects:
        say(
            f"'{path}' codes the person '{name}' and '{video.entry.name}' shows one face: they count as one person;"
            f' where the same person is in several videos, say subjects = "{name}" in study.toml.'
        )
        return persons[0]  # one person was seen, and one was coded: they are the same under two names
    known = ", ".join(f"'{person}'" for person in persons[:8])
    raise InputError(
        f"'{path}' codes the person '{name}', and in '{video.entry.name}' there are {known}: say in study.toml who is"
        f' who, such as subjects = "{name}" or subjects = {{ left = "{name}" }}, and type handlens study run.'
    )


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def compare(
    results: Results, coders: Sequence[str], bin_s: float | None = None, tolerance_s: float | None = None
) -> AgreeReport:
    """Return how the coders agree with the model, and with each other.

    Args:
        coders: Of the database.
        bin_s, tolerance_s: Seconds; left out, those of study.toml.

    Raises:
        InputError: no coder, or one who coded no video of this study.
    """
    config = results.config
    width = config.bin_s if bin_s is None else bin_s
    tolerance = config.tolerance_s if tolerance_s is None else tolerance_s
    if not coders:
        raise InputError("nobody coded this study yet: give people's files with --coded FILE.")
    everyone = [MACHINE, *(coder for coder in coders if coder != MACHINE)]
    left_out = _unfinished(results, everyone)
    pairs = []
    for first, second in itertools.combinations(everyone, 2):
        common = [
            video
            for video in results.videos
            if all(_coded(results, video, one) and reviewed_whole(results, video, one) for one in (first, second))
        ]
        if common:
            pairs.append(_pair(results, common, first, second, width, tolerance))
    if not pairs:
        raise InputError(
            f"no video was coded to its end by two of {', '.join(everyone)}: nothing can be compared (a review"
            f" counts when all events of a video are reviewed){''.join(f'; {one}' for one in left_out[:8])[:-1]}."
        )
    together = None
    whole = [one for one in everyone if not any(judged(results, video, one) for video in results.videos)]
    if len(whole) > 2:  # who judged stretches only has no bins for the rest
        bins = [
            {
                (unit.video, unit.person): binned(unit.first, unit.start, unit.stop, width)
                for video in results.videos
                if _coded(results, video, coder)
                for unit in _units(results, video, coder, coder)
            }
            for coder in whole
        ]
        together = alpha_of_all(bins)
    return AgreeReport(tuple(pairs), tuple(everyone), width, tolerance, together, left_out)


def people(results: Results) -> list[str]:
    """Return who coded or reviewed a video of the study, by name."""
    return sorted(
        {
            name
            for video in results.videos
            for name in (*results.base.coders(video.row.id), *results.base.reviewers(video.analysis.id))
        }
    )


def _unfinished(results: Results, coders: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each review that is not finished and does not count."""
    told = []
    for coder in coders:
        for video in results.videos:
            done = progress(results, video, coder)
            if done is not None and done[0] < done[1]:
                told.append(f"left out: the review of '{video.entry.name}' by {coder}, {done[0]} of {done[1]} done.")
    return tuple(told)


def remember(results: Results, report: AgreeReport) -> None:
    """Keep the figures with their settings in the database, for the report of the study."""
    results.base.note("agreement", json.dumps(report.to_dict()))


def _coded(results: Results, video: VideoResult, coder: str) -> bool:
    known = coder == MACHINE or coder in results.base.coders(video.row.id)
    return known or progress(results, video, coder) is not None  # who found all events wrong has none


def _pair(
    results: Results, videos: Sequence[VideoResult], first: str, second: str, width: float, tolerance: float
) -> Pair:
    def units(region: str = "") -> list[Unit]:
        return [unit for video in videos for unit in _units(results, video, first, second, region)]

    everything = units()
    told = {
        event.region
        for video in videos
        for coder in (first, second)
        for event in results.events(video, coder)
        if event.region
    }
    persons = sorted({unit.person for unit in everything})
    return Pair(
        first,
        second,
        len(videos),
        agreement(everything, width, tolerance),
        {name: agreement(units(name), width, tolerance) for name in REGIONS if name in told},
        {name: agreement([unit for unit in everything if unit.person == name], width, tolerance) for name in persons},
        _blind(results, videos, second) if first == MACHINE else None,
    )


def _blind(results: Results, videos: Sequence[VideoResult], coder: str) -> Blind | None:
    """Return what a coder's blind review says of the model, None where there was none."""
    found = [
        replace(share, person=person_of(video, share.person))
        for video in videos
        for share in shares(results, video, coder)
    ]
    if not found:
        return None
    persons = sorted({share.person for share in found})
    names = ("shown", "confirmed", "quiet", "touched", "quiet_s", "whole_s")
    parts = np.array(
        [[sum(getattr(one, key) for one in found if one.person == name) for key in names] for name in persons], float
    )
    shown, confirmed, quiet, touched = (round(number) for number in parts.sum(axis=0)[:4])
    drawn = draws_of(len(persons))

    def missed(sums: Counts) -> float | None:
        return ratio(sums[3] * sums[5], sums[4])

    def recall(sums: Counts) -> float | None:
        lost = missed(sums)
        return None if lost is None else ratio(sums[1], sums[1] + lost)

    return Blind(
        shown,
        confirmed,
        quiet,
        touched,
        estimate_of(lambda sums: ratio(sums[1], sums[0]), parts, drawn, shown),
        estimate_of(lambda sums: ratio(3600 * sums[3], sums[4]), parts, drawn, quiet),
        estimate_of(recall, parts, drawn, shown + quiet),
    )


def _units(results: Results, video: VideoResult, first: str, second: str, region: str = "") -> list[Unit]:
    """Return one unit for each person of a video; one for all of them where a coder names no persons."""
    one, two = (results.events(video, coder) for coder in (first, second))
    pooled = any(not event.subject for event in (*one, *two))
    seen = [person.subject for person in results.base.persons(video.analysis.id)]
    names = [ANYBODY] if pooled else sorted({*seen, *(event.subject for event in (*one, *two))}) or [ANYBODY]

    def spans(events: Sequence[CodedEvent], person: str) -> tuple[tuple[float, float], ...]:
        mine = (event for event in events if pooled or event.subject == person)
        return tuple((event.start, event.stop) for event in mine if not region or event.region == region)

    windows = _windows(results, video, first, second)
    if windows is not None:
        made = []
        for name, stretches in sorted(windows.items()):
            mine, other = spans(one, name), spans(two, name)
            for low, high in stretches:
                both = _within(mine, low, high), _within(other, low, high)
                made.append(Unit(person_of(video, name), video.entry.name, low, high, *both, sampled=True))
        return made
    start, stop = video.analysis.start, max(video.analysis.stop, video.row.duration or 0.0)
    return [
        Unit(person_of(video, name), video.entry.name, start, stop, spans(one, name), spans(two, name))
        for name in names
    ]


def person_of(video: VideoResult, name: str) -> str:
    """Return the name of a person among all videos: face 1 of one video is not face 1 of another."""
    nobody = bool(_FACE.fullmatch(name)) or (name in (ANYBODY, NO_PERSON) and not video.entry.subjects)
    return f"{video.entry.name}, {name}" if nobody else name


def _windows(results: Results, video: VideoResult, first: str, second: str) -> dict[str, list[Span]] | None:
    """Return person -> the stretches that both coders judged, None where both saw the whole video."""
    one, two = (judged(results, video, coder) for coder in (first, second))
    if not one or not two:
        return one or two or None
    return {
        name: [
            (max(start, other), min(stop, last))
            for start, stop in one[name]
            for other, last in two[name]
            if max(start, other) < min(stop, last)
        ]
        for name in one.keys() & two.keys()
    }


def _within(events: Sequence[Span], start: float, stop: float) -> tuple[Span, ...]:
    return tuple((max(start, first), min(stop, last)) for first, last in events if first < stop and last > start)


_ROWS = (
    ("Cohen's kappa", "kappa"),
    ("Krippendorff's alpha", "alpha"),
    ("Precision", "precision"),
    ("Recall", "recall"),
    ("F1", "f1"),
    ("Onset error (s)", "onset_error_s"),
    ("Offset error (s)", "offset_error_s"),
)


def apa_table(pair: Pair, number: int = 1) -> str:
    """Return a table in APA style, as text: no vertical lines, no leading zero of figures that cannot exceed 1."""
    groups = [("All touches", pair.all), *((name.capitalize(), one) for name, one in pair.regions.items())]
    head = ["Measure", "Estimate", "95% CI", "n"]
    lines = [f"Table {number}", "", f"Agreement of {pair.first} and {pair.second}", ""]
    rows: list[list[str]] = []
    for name, one in groups:
        rows.append([name, "", "", ""])
        for title, key in _ROWS:
            estimate: Estimate = getattr(one, key)
            bounded = not key.endswith("_s")
            rows.append([f"  {title}", apa(estimate.value, bounded), _interval(estimate, bounded), f"{estimate.n:,}"])
    wide = [max(len(row[column]) for row in [head, *rows]) for column in range(4)]
    rule = "-" * (sum(wide) + 6)

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(wide[0]), *(row[column].rjust(wide[column]) for column in (1, 2, 3))]
        return "  ".join(cells).rstrip()

    lines += [rule, line(head), rule, *map(line, rows), rule]
    few = "" if pair.all.persons > 1 else " With one person there is no interval."
    lines.append(f"Note. CI = bootstrap interval over persons ({pair.all.persons}).{few}")
    if pair.blind is not None:
        lines.append(_told_blindly(pair, pair.blind))
        return "\n".join(lines) + "\n"
    lines.append(f"Touches per hour, {_limits(pair.all.rate, 1.0)}; time touched, {_limits(pair.all.share, 100.0)} %.")
    return "\n".join(lines) + "\n"


def _told_blindly(pair: Pair, blind: Blind) -> str:
    """Return what a blind review found, in words."""
    interval = _interval(blind.recall, True)
    between = "" if interval == "-" else f", 95% CI {interval}"
    return (
        f"{pair.second} judged stretches blindly, and only these count here. Of {_count(blind.shown, 'event')} of"
        f" {pair.first}, {blind.confirmed} were confirmed (precision {apa(blind.precision.value, True)}). In"
        f" {blind.touched} of {_count(blind.quiet, 'stretch')} without an event there was a touch:"
        f" {apa(blind.missed_per_hour.value, False)} an hour are missed, and the recall in the whole videos is"
        f" {apa(blind.recall.value, True)}{between}."
    )


def _limits(told: BlandAltman, scale: float) -> str:
    """Return the mean difference and the limits of agreement of Bland and Altman in words."""
    if told.bias is None:
        return "no difference can be told"
    limits = ""
    if told.low is not None and told.high is not None:
        limits = f" (limits of agreement {told.low * scale:.2f} to {told.high * scale:.2f})"
    return f"first minus second: {told.bias * scale:.2f}{limits}"


def apa(value: float | None, bounded: bool) -> str:
    """Return a figure with two decimals; one that cannot exceed 1 without its leading zero."""
    if value is None:
        return "-"
    text = f"{value:.2f}"
    if text in ("-0.00", "0.00"):
        return ".00" if bounded else "0.00"
    return text.replace("0.", ".", 1) if bounded and abs(value) < 1 and "0." in text[:3] else text


def _interval(estimate: Estimate, bounded: bool) -> str:
    if estimate.low is None or estimate.high is None:
        return "-"
    return f"[{apa(estimate.low, bounded)}, {apa(estimate.high, bounded)}]"


def method_text(results: Results, report: AgreeReport) -> str:
    """Return a paragraph for a method section, with the settings that were used."""
    config, pair = results.config, report.pairs[0]
    run = results.videos[0].run
    minutes = sum(max(v.analysis.stop, v.row.duration or 0.0) - v.analysis.start for v in results.videos) / 60
    rule = config.events
    digest = next(iter(run.digests.values()), "")[:12]
    sampled = "every frame" if not config.sample_fps else f"{config.sample_fps:g} frames per second"
    both = pair.all
    drawn = ""
    if both.persons > 1:
        drawn = f" Intervals come from {both.persons} persons drawn with replacement ({DRAWS:,} samples)."
    blind = "" if pair.blind is None else f" {_told_blindly(pair, pair.blind)}"
    k = apa(both.kappa.value, True) + (f", 95% CI {_interval(both.kappa, True)}" if both.kappa.low is not None else "")
    return (
        f"Face touches in {_count(len(results.videos), 'video')} ({minutes:.1f} min) were coded with handlens"
        f" {run.handlens} (model {Path(run.model).name}, SHA-256 {digest}) at {sampled}. A touch began when its"
        f" probability had been at least {rule.open:g} for {rule.min_time:g} s and ended when it had been below"
        f" {rule.close:g} for {rule.gap:g} s. Of the videos, {pair.videos} were also coded by {pair.second}. Agreement"
        f" was computed for bins of {report.bin_s:g} s, which counted as touched where events covered at least half of"
        f" them, and for single events, which were matched one to one where their onsets differed by at most"
        f" {report.tolerance_s:g} s. Cohen's kappa was {k}; of the events of {pair.first},"
        f" {apa(both.precision.value, True)} were confirmed (precision), and of those of {pair.second},"
        f" {apa(both.recall.value, True)} were found (recall), F1 = {apa(both.f1.value, True)}.{blind}{drawn}"
        f" Agreement was computed with handlens {__version__}.\n"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 'es' if word.endswith('ch') else 's'}"
