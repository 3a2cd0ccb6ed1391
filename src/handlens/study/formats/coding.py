"""What people's files say, in one form, and how their words become touches and regions; it knows no format."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath

from handlens.errors import InputError, unknown
from handlens.study.database import CodedEvent
from handlens.tasks.touch import REGIONS

SIDES = ("left", "right")
HANDS = ("left hand", "right hand")
TOUCH = "touch"


@dataclass(frozen=True)
class Mark:
    """One entry of a coded file as it stands there. words: all texts that may name behaviour, region, side or hand."""

    subject: str
    words: tuple[str, ...]
    start: float
    stop: float
    comment: str = ""


@dataclass(frozen=True)
class Coding:
    """What one coder wrote of one video.

    Attributes:
        video: The media file or the observation as the file names it.
        coder: "" where the file does not say.
        problems: A sentence for each entry that could not be used.
    """

    video: str
    coder: str
    marks: tuple[Mark, ...]
    problems: tuple[str, ...] = ()
    names: tuple[str, ...] = field(default=())
    """Other names under which the video may be known, such as the observation's."""


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 or UTF-16, without its byte order mark.

    Raises:
        InputError: it cannot be read, or is not text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the coded file '{path}' cannot be read: {(error.strerror or str(error)).lower()}."
        ) from error
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"the coded file '{path}' is not text in UTF-8 or UTF-16.")


def bare(media: str) -> str:
    """Return the name of a media file without its folders, of any system."""
    return PureWindowsPath(media.removeprefix("file:")).name


def number(text: str, path: Path, what: str) -> float:
    """Return a number of a coded file.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(text)
    except ValueError as error:
        hint = "; write decimals with a point" if re.fullmatch(r"\s*-?\d+,\d+\s*", text) else ""
        raise InputError(f"'{path}': {what} must be a number of seconds, got '{text}'{hint}.") from error
    if value != value or abs(value) == float("inf"):
        raise InputError(f"'{path}': {what} must be a number of seconds, got '{text}'.")
    return value


def need_span(start: float, stop: float, path: Path, where: str) -> None:
    """Return when the times of an event are possible.

    Args:
        start, stop: Seconds of the video.
        where: The row, or what else names the event in its file.

    Raises:
        InputError: a time before the video, or a stop before the start.
    """
    if not 0 <= start <= stop < math.inf:
        raise InputError(
            f"'{path}', {where}: an event cannot last from {start:g} to {stop:g} s; times are 0 s or later, and a stop"
            " is not before its start."
        )


def understood(
    coding: Coding, coder: str, video: str, behaviours: Mapping[str, str]
) -> tuple[list[CodedEvent], dict[str, int]]:
    """Return the touches of a coding, and how often each behaviour came that is not a touch.

    Args:
        behaviours: What people call a touch -> "touch" or a region.

    Raises:
        InputError: `behaviours` leads to something else than "touch" or a region.
    """
    meanings = {name.casefold(): meaning for name, meaning in behaviours.items()}
    for meaning in meanings.values():
        if meaning not in (TOUCH, *REGIONS):
            raise InputError(f"[coding] behaviours: {unknown('meaning', meaning, (TOUCH, *REGIONS))}")
    meanings = {TOUCH: TOUCH, "face touch": TOUCH, "facetouch": TOUCH, **{name: name for name in REGIONS}, **meanings}
    events, others = [], dict[str, int]()
    for mark in coding.marks:
        words = [word for phrase in mark.words for word in _words(phrase)]
        found = [meanings[word] for word in words if word in meanings]
        if not found:
            name = next((word.strip() for word in mark.words if word.strip()), "")
            others[name] = others.get(name, 0) + 1
            continue
        region = next((meaning for meaning in found if meaning != TOUCH), "")
        side = next((word for word in words if word in SIDES), "")
        hand = next((word for word in words if word in HANDS), "")
        events.append(
            CodedEvent(
                video,
                coder,
                mark.subject,
                TOUCH,
                region,
                round(mark.start, 6),
                round(mark.stop, 6),
                side=side,
                hand=hand.removesuffix(" hand"),
                comment=mark.comment,
            )
        )
    return events, others


def _words(phrase: str) -> list[str]:
    """Return a phrase, the hands that it names, and its other words one by one, in small letters."""
    text = phrase.strip().casefold()
    hands = [hand for hand in HANDS if hand in text]
    rest = text
    for hand in hands:
        rest = rest.replace(hand, " ")
    return [text, *hands, *re.split(r"[\s,;|]+", rest)]


def without_overlaps(events: Sequence[CodedEvent]) -> tuple[list[CodedEvent], int]:
    """Return the events of one coder with those joined that overlap, of one person at one region; and how many were."""
    kept: list[CodedEvent] = []
    last: dict[tuple[str, str], int] = {}
    joined = 0
    for event in sorted(events, key=lambda each: (each.start, each.stop)):
        key = (event.subject, event.region)
        place = last.get(key)
        if place is not None and event.start < kept[place].stop:
            kept[place] = replace(kept[place], stop=max(kept[place].stop, event.stop))
            joined += 1
        else:
            last[key] = len(kept)
            kept.append(event)
    return kept, joined


def words_of(event: CodedEvent) -> list[str]:
    """Return what is known of an event in words: the region (or "touch"), the side, the hand."""
    hand = f"{event.hand} hand" if event.hand in SIDES else ""
    return [word for word in (event.region or TOUCH, event.side, hand) if word]


def layers(events: Iterable[CodedEvent]) -> list[list[CodedEvent]]:
    """Return the events in as few layers as needed that none overlaps another, for formats that allow no overlap."""
    made: list[list[CodedEvent]] = []
    for event in sorted(events, key=lambda each: (each.start, each.stop)):
        for layer in made:
            if layer[-1].stop <= event.start:
                layer.append(event)
                break
        else:
            made.append([event])
    return made
