"""BORIS: the project (.boris, a JSON file) and the tables of events that BORIS exports; only the formats are shared.

A state event stands in a project as two entries, at its start and at its stop. Modifiers are joined by "|" in the order
of their sets, "None" where one is not given.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handlens.errors import InputError
from handlens.study.database import CodedEvent
from handlens.study.formats.coding import HANDS, SIDES, TOUCH, Coding, Mark, bare, need_span, number, read_text
from handlens.study.results import Observation
from handlens.tasks.touch import REGIONS

FORMAT_VERSION = "7.0"
"""Of a project as BORIS 7, 8 and 9 write it."""
_PLAYERS = tuple(str(number) for number in range(1, 9))
_NONE = "None"
_ROW = "row of the file"
_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
_SETS = (("region", REGIONS), ("side", SIDES), ("hand", HANDS))


def project(observations: Sequence[Observation], title: str, description: str) -> str:
    """Return the text of a .boris project with all observations."""
    subjects = sorted({event.subject for one in observations for event in one.events} | _seen(observations))
    modifiers = {
        str(place): {"name": name, "description": "", "type": 0, "ask at stop": False, "values": list(values)}
        for place, (name, values) in enumerate(_SETS)
    }
    touch = {
        "type": "State event",
        "key": "t",
        "code": TOUCH,
        "description": "a hand touches the face",
        "color": "",
        "category": "",
        "excluded": "",
        "coding map": "",
        "modifiers": modifiers,
    }
    made = {
        "time_format": "hh:mm:ss",
        "project_date": _today(),
        "project_name": title,
        "project_description": description,
        "project_format_version": FORMAT_VERSION,
        "subjects_conf": {
            str(place): {"key": "", "name": name, "description": ""} for place, name in enumerate(subjects)
        },
        "behaviors_conf": {"0": touch},
        "observations": {name: _observation(one) for name, one in zip(names(observations), observations, strict=True)},
        "behavioral_categories": [],
        "behavioral_categories_config": {},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def names(observations: Sequence[Observation]) -> list[str]:
    """Return how the observations are called: the coder is named where there are several."""
    several = len({one.coder for one in observations}) > 1
    return [f"{one.name} ({one.coder})" if several else one.name for one in observations]


def _seen(observations: Sequence[Observation]) -> set[str]:
    return {person.subject for one in observations for person in one.persons}


def _today() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def _observation(one: Observation) -> dict[str, Any]:
    paths = [str(film.path.resolve()) for film in one.media]
    files: dict[str, list[str]] = {player: [] for player in _PLAYERS}
    for player, path in zip(_PLAYERS, paths, strict=False):
        files[player] = [path]
    films = dict(zip(paths, one.media, strict=True))
    return {
        "file": files,
        "type": "MEDIA",
        "date": one.start.replace(tzinfo=None).isoformat(timespec="milliseconds") if one.start else _today(),
        "description": f"coded by {one.coder}",
        "time offset": one.time_offset,
        "events": entries(one),
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {path: film.duration for path, film in films.items()},
            "fps": {path: film.fps or 0.0 for path, film in films.items()},
            "hasVideo": dict.fromkeys(films, True),
            "hasAudio": dict.fromkeys(films, False),
            "offset": {player: round(film.offset, 3) for player, film in zip(_PLAYERS, one.media, strict=False)},
            "display": dict.fromkeys(films, "Nothing"),
        },
    }


def entries(one: Observation) -> list[list[Any]]:
    """Return the entries of an observation by time: [seconds, subject, behaviour, modifiers, comment, frame].

    Where one touch ends as another of the same kind begins, BORIS would pair them wrongly: the first ends a
    millisecond before.
    """
    rate = one.media[0].fps if one.media else None
    rows = []
    for event in _apart(one.events):
        for seconds, comment in ((event.start, comment_of(event)), (event.stop, "")):
            frame: int | str = round(seconds * rate) if rate else "NA"
            rows.append([round(seconds, 3), event.subject, TOUCH, modifiers_of(event), comment, frame])
    return sorted(rows, key=lambda row: float(str(row[0])))


def _apart(events: Sequence[CodedEvent]) -> Iterator[CodedEvent]:
    last: dict[tuple[str, str], CodedEvent] = {}
    for event in sorted(events, key=lambda each: (each.start, each.stop)):
        key = (event.subject, modifiers_of(event))
        before = last.get(key)
        if before is not None:
            if event.start <= before.stop and event.stop > before.stop:
                before = replace(before, stop=max(before.start, round(event.start - 0.001, 6)))
            elif event.start <= before.stop:
                continue  # inside the one before, of the same person at the same place: one touch
            yield before
        last[key] = event
    yield from last.values()


def modifiers_of(event: CodedEvent) -> str:
    """Return the modifiers of an event as BORIS joins them."""
    hand = f"{event.hand} hand" if event.hand in SIDES else _NONE
    return "|".join((event.region or _NONE, event.side or _NONE, hand))


def comment_of(event: CodedEvent) -> str:
    """Return how sure the model was, or the comment of a person."""
    return event.comment if event.peak is None else f"p={event.peak:.2f}"


_TABLE = (
    "Observation id",
    "Observation date",
    "Description",
    "Observation duration",
    "Observation type",
    "Source",
    "Time offset (s)",
    "Media duration (s)",
    "FPS",
    "Subject",
    "Behavior",
    "Behavioral category",
    "Modifier #1",
    "Modifier #2",
    "Modifier #3",
    "Behavior type",
    "Time",
    "Media file name",
    "Image index",
    "Image file path",
    "Comment",
)


def table(observations: Sequence[Observation]) -> str:
    """Return the events of all observations as the CSV of BORIS' "Export events > Tabular events"."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_TABLE)
    for name, one in zip(names(observations), observations, strict=True):
        film = one.media[0]
        source = f"player #1:{film.path.name}"
        head = [name, _observation(one)["date"].replace("T", " "), f"coded by {one.coder}", f"{one.duration:.3f}"]
        head += ["Media file(s)", source, f"{one.time_offset:g}", f"{film.duration:.3f}", f"{film.fps or 0:.3f}"]
        open_ones: set[tuple[str, str]] = set()
        for seconds, subject, behaviour, modifiers, comment, frame in entries(one):
            key = (subject, modifiers)
            kind = "STOP" if key in open_ones else "START"
            open_ones ^= {key}
            own = [subject, behaviour, "", *modifiers.split("|"), kind, f"{seconds:.3f}", film.path.name, frame, "NA"]
            writer.writerow([*head, *own, comment])
    return text.getvalue()


# -- reading


def read_project(path: Path) -> list[Coding]:
    """Return what a .boris project holds.

    Raises:
        InputError: it is not a project of BORIS, or an entry has no time or one before the video.
    """
    try:
        told = json.loads(read_text(path))
        kinds = {each["code"]: str(each["type"]) for each in told["behaviors_conf"].values()}
        observations = dict(told["observations"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"'{path}' is not a project of BORIS: it has no observations or no behaviours.") from error
    return [_read_observation(path, name, one, kinds) for name, one in observations.items()]


def _read_observation(path: Path, name: str, one: Mapping[str, Any], kinds: Mapping[str, str]) -> Coding:
    files = one.get("file") or {}
    players = [files[player] for player in sorted(files)] if isinstance(files, dict) else []
    media = next((bare(film) for films in players for film in films), name)
    rows = []
    for place, entry in enumerate(one.get("events", []), 1):
        if not isinstance(entry, list) or len(entry) < 4:
            raise InputError(f"'{path}', observation '{name}': an event of fewer than four fields.")
        seconds = number(str(entry[0]), path, f"the time of an event of '{name}'")
        need_span(seconds, seconds, path, f"observation '{name}', event {place}")
        rows.append((seconds, *map(str, entry[1:5])))
    marks, problems = paired(
        rows, lambda code: kinds.get(code, "State event").upper().startswith("POINT"), f"'{path}', '{name}'"
    )
    return Coding(media, "", tuple(marks), tuple(problems), names=(name,))


def paired(rows: Sequence[tuple[Any, ...]], is_point: Any, where: str) -> tuple[list[Mark], list[str]]:
    """Return marks from entries (seconds, subject, behaviour, modifiers[, comment]), starts and stops alternating."""
    marks, problems = [], []
    begun: dict[tuple[str, str, str], tuple[float, str]] = {}
    for seconds, subject, code, modifiers, *more in sorted(rows, key=lambda row: float(row[0])):
        comment = more[0] if more else ""
        words = (code, *(word for set_ in modifiers.split("|") for word in set_.split(",") if word != _NONE))
        key = (subject, code, modifiers)
        if is_point(code):
            marks.append(Mark(subject, words, seconds, seconds, comment))
        elif key in begun:
            start, said = begun.pop(key)
            marks.append(Mark(subject, words, start, seconds, said))
        else:
            begun[key] = (seconds, comment)
    for (subject, code, _), (seconds, _comment) in begun.items():
        who = f" of '{subject}'" if subject else ""
        problems.append(f"{where}: the event '{code}'{who} that begins at {seconds:.2f} s has no end and is left out.")
    return sorted(marks, key=lambda mark: mark.start), problems


def read_table(path: Path) -> list[Coding]:
    """Return what a table of events of BORIS holds: tabular or aggregated events, CSV or TSV, of old and new versions.

    Raises:
        InputError: it is not such a table, a time is not a number, or times are not possible.
    """
    lines = read_text(path).splitlines()
    place = next((row for row, line in enumerate(lines) if _is_heading(line)), None)
    if place is None:
        raise InputError(
            f"'{path}' is no table of events: a table of handlens is separated by commas and names start, stop, and"
            " video or behaviour in its first line; one of BORIS, separated by commas, semicolons or tabs, names"
            f" Subject, Behavior and a time; here {_separated(lines)}."
        )
    delimiter = max(_SEPARATORS, key=lines[place].count)
    before = dict(_pairs(lines[:place], delimiter))
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    table = csv.DictReader(lines[place:], delimiter=delimiter)
    for row in table:
        kept = {key.strip(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        kept[_ROW] = str(place + table.line_num)
        name = kept.get("Observation id", before.get("Observation id", path.stem))
        media = kept.get("Media file name") or kept.get("Media file path") or kept.get("Media file") or name
        groups.setdefault((name, bare(media)), []).append(kept)
    made = []
    for (name, media), rows in groups.items():
        marks, problems = _read_rows(path, rows)
        made.append(Coding(media, "", tuple(marks), tuple(problems), names=(name,)))
    return made


def _separated(lines: Sequence[str]) -> str:
    """Say what separates the columns of the first line that is not empty."""
    first = next((line for line in lines if line.strip()), "")
    counts = {word: first.count(sign) for sign, word in _SEPARATORS.items()}
    most = max(counts, key=counts.__getitem__)
    begin = f"the first line is '{first[:60]}'"
    return f"{begin}, separated by {most}" if counts[most] else begin


def _is_heading(line: str) -> bool:
    return "Behavior" in line and "Subject" in line and ("Time" in line or "Start (s)" in line)


def _pairs(lines: Sequence[str], delimiter: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        cells = line.split(delimiter)
        if len(cells) > 1:
            yield cells[0].strip(), cells[1].strip()


def _read_rows(path: Path, rows: Sequence[Mapping[str, str]]) -> tuple[list[Mark], list[str]]:
    def modifiers(row: Mapping[str, str]) -> str:
        if "Modifiers" in row:
            return row["Modifiers"]
        return "|".join(row[key] for key in sorted(row) if key.startswith("Modifier #"))

    if "Start (s)" in rows[0]:
        marks = []
        for row in rows:
            start = number(row["Start (s)"], path, "Start (s)")
            stop = number(row["Stop (s)"], path, "Stop (s)") if row.get("Stop (s)") not in ("", "NA", None) else start
            need_span(start, stop, path, f"row {row[_ROW]}")
            words = (row["Behavior"], *modifiers(row).split("|"))
            comment = row.get("Comment start", row.get("Comment", ""))
            marks.append(Mark(row["Subject"].replace("No focal subject", ""), words, start, stop, comment))
        return marks, []
    told = [
        (
            number(row["Time"], path, "Time"),
            row["Subject"].replace("No focal subject", ""),
            row["Behavior"],
            modifiers(row),
            row.get("Comment", ""),
        )
        for row in rows
    ]
    for row, (seconds, *_) in zip(rows, told, strict=True):
        need_span(seconds, seconds, path, f"row {row[_ROW]}")
    points = {row["Behavior"] for row in rows if (row.get("Behavior type") or row.get("Status", "")) == "POINT"}
    return paired(told, points.__contains__, f"'{path}'")
