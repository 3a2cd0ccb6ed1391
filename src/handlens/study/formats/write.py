"""The formats by their names: write the results of a study, and read any coded file by what it looks like."""

from collections.abc import Sequence
from pathlib import Path

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile, output_error
from handlens.study.formats import boris, datavyu, eaf, textgrid, tidy, vtt
from handlens.study.formats.coding import Coding, read_text
from handlens.study.results import Observation

FORMATS = ("boris", "boris-events", "eaf", "textgrid", "datavyu", "csv", "parquet", "vtt")
_EACH = {"eaf": ".eaf", "textgrid": ".TextGrid", "datavyu": ".csv", "vtt": ".vtt"}
"""Formats with a file for each video."""
ENDINGS = (".boris", ".eaf", ".textgrid", ".vtt", ".csv", ".tsv")


def write(format: str, observations: Sequence[Observation], out: str | Path, title: str, about: str) -> list[Path]:
    """Write observations in a format and return the files.

    Args:
        out: A file; for formats with a file for each video the folder, or the file where there is one video.
        about: How the events were made, for formats that hold a description.

    Raises:
        InputError: an unknown format, or two observations that would be one file.
        OutputError: a file cannot be written.
    """
    if format not in FORMATS:
        raise InputError(unknown("format", format, FORMATS))
    place = Path(out)
    if format in _EACH:
        return _write_each(format, observations, place)
    if format == "parquet":
        from handlens.study.parquet import write_events

        return [write_events(observations, place)]
    text = {
        "boris": lambda: boris.project(observations, title, about),
        "boris-events": lambda: boris.table(observations),
        "csv": lambda: tidy.document(observations),
    }[format]()
    return [_put(place, text.encode("utf-8"))]


def _write_each(format: str, observations: Sequence[Observation], place: Path) -> list[Path]:
    """Write a file for each observation; several coders of one video share an .eaf, else each has a file."""
    several = len({each.coder for each in observations}) > 1
    groups: dict[str, list[Observation]] = {}
    for one in observations:
        name = f"{one.name}.{one.coder}" if several and format != "eaf" else one.name
        groups.setdefault(_safe(name), []).append(one)
    ending = _EACH[format]
    single = len(groups) == 1 and place.suffix.lower() == ending.lower()
    if not single:
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, place) from error
    files = []
    for name, group in groups.items():
        if (format != "eaf" and len(group) > 1) or len({one.name for one in group}) > 1:
            raise InputError(f"two videos would be written to '{name}{ending}': give them other names in study.toml.")
        file = place if single else place / f"{name}{ending}"
        files.append(_put(file, _document(format, group, file.parent)))
    return files


def _document(format: str, group: Sequence[Observation], folder: Path) -> bytes:
    if format == "eaf":
        return eaf.document(group[0], folder, group[1:])
    make = {"textgrid": textgrid.document, "datavyu": datavyu.document, "vtt": vtt.document}[format]
    return make(group[0]).encode("utf-8")


def _safe(name: str) -> str:
    """Return a name that is good for a file on any system."""
    return "".join("_" if sign in '\\/:*?"<>|' or ord(sign) < 32 else sign for sign in name).strip(". ") or "video"


def _put(path: Path, data: bytes) -> Path:
    with AtomicFile(path) as draft:
        draft.write(data)
    return path


def read(path: str | Path) -> list[Coding]:
    """Return what a coded file holds, of whatever format.

    Raises:
        InputError: it cannot be read or is of no known format.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending == ".boris":
        return boris.read_project(file)
    if ending == ".eaf":
        return eaf.read(file)
    if ending == ".textgrid":
        return textgrid.read(file)
    if ending == ".vtt":
        return vtt.read(file)
    if ending not in (".csv", ".tsv", ".txt"):
        raise InputError(f"the coded file '{path}' has an unknown ending: {', '.join(ENDINGS)} are read.")
    text = read_text(file)
    if datavyu.looks_like_one(text):
        return datavyu.read(file)
    if not text.strip():
        raise InputError(f"'{path}' is empty: it has no heading and has no rows.")
    if other := tidy.other_separator(text):
        raise InputError(
            f"the columns of '{path}' are separated by {other}: separate them by commas, and write decimals with a"
            " point (1.5)."
        )
    codings = tidy.read(file) if tidy.looks_like_one(text) else boris.read_table(file)
    if not codings:
        raise InputError(f"'{path}' has no rows, only a heading: an event is a row.")
    return codings
