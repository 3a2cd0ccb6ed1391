"""One line for each touch: the tidy CSV for R, pandas and spreadsheets, and the event files of `handlens predict`."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from handlens.errors import InputError
from handlens.study.formats.coding import Coding, Mark, bare, need_span, number, read_text
from handlens.study.results import Observation, clock_of

FIELDS = (
    "video",
    "coder",
    "subject",
    "behaviour",
    "region",
    "side",
    "hand",
    "start",
    "stop",
    "duration",
    "start_frame",
    "stop_frame",
    "peak",
    "regions",
    "cut",
    "clock",
    "comment",
)
_OTHERS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_VIDEO, _LABEL = ("video", "source", "media", "file"), ("behaviour", "behavior", "label", "region")


def rows(observations: Sequence[Observation]) -> list[dict[str, object]]:
    """Return one row for each event, in the order of videos and times; numbers are numbers, None where unknown."""
    return [
        {
            "video": one.name,
            "coder": one.coder,
            "subject": event.subject,
            "behaviour": event.behaviour,
            "region": event.region,
            "side": event.side,
            "hand": event.hand,
            "start": round(event.start, 3),
            "stop": round(event.stop, 3),
            "duration": round(event.seconds, 3),
            "start_frame": event.start_frame,
            "stop_frame": event.stop_frame,
            "peak": event.peak,
            "regions": event.regions,
            "cut": int(event.cut),
            "clock": clock_of(one, event.start),
            "comment": event.comment,
        }
        for one in observations
        for event in one.events
    ]


def document(observations: Sequence[Observation]) -> str:
    """Return the text of the CSV, with a heading."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    for row in rows(observations):
        writer.writerow({key: f"{row[key]:.3f}" if isinstance(row[key], float) else row[key] for key in FIELDS})
    return text.getvalue()


def looks_like_one(text: str) -> bool:
    """Return whether the first line names a start and a stop, and a video or a label."""
    return _names_them(text.split("\n", 1)[0].split(","))


def other_separator(text: str) -> str:
    """Return what separates the columns of such a table in place of commas, in a word; "" where this is none."""
    first = text.split("\n", 1)[0]
    return next((word for sign, word in _OTHERS.items() if _names_them(first.split(sign))), "")


def _names_them(cells: Sequence[str]) -> bool:
    heads = [head.strip().strip('"').casefold() for head in cells]
    return {"start", "stop"} <= set(heads) and any(name in heads for name in (*_VIDEO, *_LABEL))


def read(path: Path) -> list[Coding]:
    """Return what the file holds, one coding for each video and coder.

    Raises:
        InputError: a column is missing, a time is not a number, or times are not possible.
    """
    found: dict[tuple[str, str], list[Mark]] = {}
    lines = csv.DictReader(read_text(path).splitlines())
    for row in lines:
        told = {key.strip().casefold(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        if "start" not in told or "stop" not in told:
            raise InputError(f"'{path}' needs the columns start and stop, in seconds.")
        start, stop = number(told["start"], path, "start"), number(told["stop"], path, "stop")
        need_span(start, stop, path, f"row {lines.line_num}")
        video = next((told[name] for name in _VIDEO if told.get(name)), path.stem)
        words = [told[name] for name in (*_LABEL, "side") if told.get(name)]
        if told.get("hand") in ("left", "right"):
            words.append(f"{told['hand']} hand")
        mark = Mark(told.get("subject", ""), tuple(words), start, stop, told.get("comment", ""))
        found.setdefault((bare(video), told.get("coder", "")), []).append(mark)
    return [
        Coding(video, coder, tuple(sorted(marks, key=lambda mark: mark.start)), names=(path.stem,))
        for (video, coder), marks in found.items()
    ]
