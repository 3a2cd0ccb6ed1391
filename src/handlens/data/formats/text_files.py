"""Small text files of a set: lines, names, groups; it must not know what the lines mean to a format."""

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from handlens.data.dataset import Labelled
from handlens.data.pictures import below
from handlens.errors import InputError
from handlens.io.atomic import AtomicFile

GROUPS = "groups.csv"


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Raises:
        InputError: it cannot be read, or is not text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not a text in UTF-8: byte {error.start} is none; save it as UTF-8.") from error


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: it cannot be read or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"'{path}' line {error.lineno} is not JSON: {error.msg}.") from error
    except RecursionError as error:
        raise InputError(f"'{path}' is not JSON of a labelled set: it is nested too deep.") from error


def write_text(path: Path, lines: Iterable[str]) -> None:
    """Write lines as UTF-8, in every system with the same ends."""
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def read_names(path: Path) -> tuple[str, ...]:
    """Return the names of a file with one name per line; empty lines at its end do not count.

    Raises:
        InputError: it cannot be read, has no name, an empty line between names, or a name twice.
    """
    return check_names([line.strip() for line in read_text(path).rstrip().splitlines()], path)


def read_labels(names: str) -> tuple[str, ...]:
    """Return label names, from a text with commas between them or from a file with one in a line.

    Raises:
        InputError: a name is empty, or there twice.
    """
    return read_names(Path(names)) if names.strip() and os.path.isfile(names) else split_names(names)


def split_names(names: str) -> tuple[str, ...]:
    """Return label names from a text with commas between them.

    Raises:
        InputError: a name is empty, or there twice.
    """
    if not names.strip():
        return ()
    labels = tuple(name.strip() for name in names.split(","))
    if "" in labels:
        kept = ",".join(filter(None, labels)) or "cheek,chin"
        raise InputError(
            f"name {labels.index('') + 1} of '{names}' is empty: give every class a name, with one comma between two,"
            f" such as '{kept}'."
        )
    twice = next((name for name in labels if labels.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"'{names}' has the name '{twice}' twice: names must differ.")
    return labels


def check_names(names: Iterable[object], path: Path) -> tuple[str, ...]:
    """Return the names as text.

    Raises:
        InputError: there is none, one is empty, or one is there twice.
    """
    cleaned = tuple(str(name).strip() for name in names)
    if not cleaned:
        raise InputError(f"'{path}' names no class: it needs at least one name.")
    if "" in cleaned:
        raise InputError(f"'{path}': name {cleaned.index('')} is empty; give every class a name.")
    twice = next((name for name in cleaned if cleaned.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"'{path}' has the name '{twice}' twice; names must differ.")
    return cleaned


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the column names of a CSV file; none where it cannot be read as one."""
    try:
        return tuple(name.strip() for name in next(csv.reader(read_text(path).splitlines()[:1]), []))
    except (csv.Error, InputError):
        return ()


def read_rows(path: Path, needed: Iterable[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header.

    Raises:
        InputError: it cannot be read, lacks one of the columns, or a row is shorter than the header.
    """
    reader = csv.DictReader(read_text(path).splitlines())
    try:
        columns = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        missing = [name for name in needed if name not in columns]
        if missing:
            there = ", ".join(columns) or "none"
            raise InputError(f"'{path}' has no column '{missing[0]}'; its columns are: {there}.")
        rows: list[dict[str, str]] = []
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"'{path}' line {reader.line_num}: expected {len(columns)} columns.")
            rows.append({name: value.strip() for name, value in row.items()})
    except csv.Error as error:
        raise InputError(f"'{path}' line {reader.line_num} is not CSV: {error}.") from error
    return rows


def read_groups(root: Path) -> Mapping[str, str]:
    """Return the group of each picture, by its path relative to `root` with `/`; empty where there is no groups.csv.

    Raises:
        InputError: groups.csv is there and is not a CSV file with the columns file and group.
    """
    path = root / GROUPS
    if not path.is_file():
        return {}
    return {Path(row["file"]).as_posix(): row["group"] for row in read_rows(path, ("file", "group"))}


def write_groups(root: Path, pictures: Iterable[tuple[Path, Labelled]]) -> None:
    """Write groups.csv for pictures that now lie at these paths; nothing where no picture has a group."""
    pairs = [(below(path, root), picture.group) for path, picture in pictures if picture.group]
    if pairs:
        write_rows(root / GROUPS, ("file", "group"), pairs)


def write_rows(path: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a CSV file with a header.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    with AtomicFile(path) as draft:
        draft.write(text.getvalue().encode())


def number_of(given: Any) -> float | None:
    """Return a number, also one that is written as a text, or None."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        return None
    try:
        value = float(given)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None
