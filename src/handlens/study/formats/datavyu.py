"""Datavyu CSV: the spreadsheet as Datavyu saves it, a column for each person; tables made by scripts are read, too."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from handlens.errors import InputError
from handlens.study.formats.coding import SIDES, Coding, Mark, need_span, read_text
from handlens.study.results import Observation

_CODES = ("region", "side", "hand")
_HEAD = "#4"  # the version of Datavyu's own CSV
_COLUMN = re.compile(r"(.+?) \((\w+),(true|false),(.*?)\)(?:-(.*))?$")
_CELL = re.compile(r"(\d+:\d{2}:\d{2}:\d{3}),(\d+:\d{2}:\d{2}:\d{3}),\((.*)\)$")


def document(one: Observation) -> str:
    """Return the text of a Datavyu spreadsheet."""
    lines = [_HEAD]
    for subject in one.subjects:
        codes = ",".join(f"{code}|NOMINAL" for code in _CODES)
        lines.append(f"{column_name(subject)} (MATRIX,true,)-{codes}")
        for event in (each for each in one.events if each.subject == subject):
            hand = event.hand if event.hand in SIDES else ""
            values = ",".join((event.region or "touch", event.side, hand))
            lines.append(f"{_time(event.start)},{_time(event.stop)},({values})")
    return "\n".join(lines) + "\n"


def column_name(subject: str) -> str:
    """Return a name that Datavyu takes for a column: letters, digits and underscores, beginning with a letter."""
    name = re.sub(r"\W+", "_", subject).strip("_") or "nobody"
    return name if name[0].isalpha() else f"p_{name}"


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}:{rest % 1000:03}"


def _seconds(text: str) -> float:
    hours, minutes, seconds, milliseconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def read(path: Path) -> list[Coding]:
    """Return what a Datavyu file holds; times of tables are milliseconds.

    Raises:
        InputError: it is neither a spreadsheet nor a table with onset and offset, or times are not possible.
    """
    text = read_text(path)
    marks = list(_spreadsheet(path, text) if text.startswith("#") else _table(path, text))
    return [Coding(path.stem, "", tuple(sorted(marks, key=lambda mark: mark.start)))]


def looks_like_one(text: str) -> bool:
    """Return whether this is a Datavyu file."""
    first = text.split("\n", 1)[0].casefold()
    return bool(re.match(r"#\d", first)) or ("onset" in first and "offset" in first and "ordinal" in first)


def _spreadsheet(path: Path, text: str) -> Iterator[Mark]:
    subject = ""
    for row, line in enumerate(text.splitlines()[1:], 2):
        cell = _CELL.match(line)
        if cell:
            values = [value.replace("\\,", ",").strip() for value in re.split(r"(?<!\\),", cell[3])]
            yield _mark(subject, values, *_span(path, f"row {row}", _seconds(cell[1]), _seconds(cell[2])))
            continue
        column = _COLUMN.match(line)
        if column:
            subject = column[1]


def _mark(subject: str, values: list[str], start: float, stop: float) -> Mark:
    hand = [f"{value} hand" for value in values[2:3] if value in ("left", "right")]
    return Mark(subject, (*values[:2], *values[3:], *hand, subject), start, stop)


def _span(path: Path, where: str, start: float, stop: float) -> tuple[float, float]:
    """Return the times of a cell; Datavyu leaves the offset of a moment at 0."""
    stop = stop or start
    need_span(start, stop, path, where)
    return start, stop


def _table(path: Path, text: str) -> Iterator[Mark]:
    """Yield the marks of a table: one column of Datavyu a row (file, column, onset ...), or all side by side."""
    table = csv.DictReader(text.splitlines())
    rows = [(table.line_num, row) for row in table]
    if not rows:
        raise InputError(f"'{path}' has no rows, only a heading: an event is a row.")
    heads = [head for head in rows[0][1] if isinstance(head, str)]
    columns = {head.rpartition(".")[0] for head in heads if head.endswith(".onset")} or {""}
    if not any(head.endswith("onset") for head in heads):
        raise InputError(f"'{path}' is not a file of Datavyu: it has no column onset.")
    for place, row in rows:
        for column in columns:
            dot = f"{column}." if column else ""
            start, stop = row.get(f"{dot}onset", ""), row.get(f"{dot}offset", "")
            if not start or not stop:
                continue
            known = ("ordinal", "onset", "offset", "file", "column")
            own = [head for head in heads if head.startswith(dot) and head.removeprefix(dot) not in known]
            values = [row[head] or "" for head in own]
            times = _span(path, f"row {place}", _milliseconds(path, start), _milliseconds(path, stop))
            yield _mark(column or row.get("column", ""), values, *times)


def _milliseconds(path: Path, text: str) -> float:
    try:
        return _seconds(text) if ":" in text else float(text) / 1000
    except ValueError as error:
        raise InputError(f"'{path}': a time of Datavyu is written in milliseconds, got '{text}'.") from error
