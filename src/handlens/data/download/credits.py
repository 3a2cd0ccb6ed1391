"""Who made each downloaded picture and under which licence, kept as a CSV beside them; it must not use the network."""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from handlens.errors import InputError, OutputError, unknown
from handlens.io.atomic import AtomicFile, output_error

LICENCES = ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm")
"""Creative Commons by their short names, and pdm: the public domain mark."""
FREE = ("by", "by-sa", "cc0", "pdm")
"""Those that allow changed copies and any use: what a training set that is passed on needs."""


@dataclass(frozen=True)
class Credit:
    """One row: what must be said of a picture. address: where it lies on the net; page: where people look at it."""

    file: str = ""
    keyword: str = ""
    source: str = ""
    title: str = ""
    creator: str = ""
    licence: str = ""
    licence_url: str = ""
    address: str = ""
    page: str = ""


@dataclass(frozen=True)
class Offer:
    """A picture that a gallery offers. fetch: the address to take it from; side: its shorter side in pixels, or 0."""

    credit: Credit
    fetch: str
    side: int = 0


COLUMNS = tuple(column.name for column in fields(Credit))


class Credits:
    """The rows of FOLDER/credits.csv; a new one is on the disk as soon as `add` returns.

    Raises:
        InputError: there is a credits.csv that is not ours.
        OutputError: it cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "credits.csv"
        self.rows = self._read() if self.path.exists() else []
        self._addresses = {row.address for row in self.rows}
        self._digests = {digest_of(row.file) for row in self.rows}

    def lists(self, address: str, digest: str = "") -> bool:
        """Return whether a picture with this address or content is listed, even if its file was taken away since."""
        return address in self._addresses or (digest != "" and digest in self._digests)

    def there(self, keyword: str) -> int:
        """Return how many pictures of this keyword are listed and lie in the folder."""
        return sum(row.keyword == keyword and (self.path.parent / row.file).exists() for row in self.rows)

    def add(self, row: Credit) -> None:
        """Append one row.

        Raises:
            OutputError: it cannot be written.
        """
        lines = [astuple(row)] if self.path.exists() else [COLUMNS, astuple(row)]
        data = _encode(lines)
        try:
            with self.path.open("ab", buffering=0) as file:  # one write: a kill leaves the row whole or not at all
                if file.write(data) != len(data):
                    raise OutputError(f"'{self.path}' was not written: the disk is full. Free some space.")
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(error, self.path) from error
        self.rows.append(row)
        self._addresses.add(row.address)
        self._digests.add(digest_of(row.file))

    def _read(self) -> list[Credit]:
        """Read the rows; the last one, which a power cut left half, is taken off the file: its picture comes again."""
        header = _encode([COLUMNS])
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise output_error(error, self.path) from error
        complete = data[: data.rfind(b"\n") + 1] or (header if header.startswith(data) else data)
        try:
            lines = [line for line in csv.reader(io.StringIO(complete.decode("utf-8-sig"))) if line]
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"'{self.path}' is not a CSV in UTF-8: save it as one, or give another folder.") from error
        if tuple(lines[0]) != COLUMNS or any(len(line) != len(COLUMNS) for line in lines):
            wanted = header.decode().strip()
            raise InputError(f"'{self.path}' is not a list of ours: it must have the columns {wanted}.")
        if complete != data:
            with AtomicFile(self.path) as draft:
                draft.write(complete)
        return [Credit(*line) for line in lines[1:]]


def licences_of(text: str) -> tuple[str, ...]:
    """Return the licences named in "by,by-sa,cc0".

    Raises:
        InputError: one of them is none, or there is none.
    """
    names = tuple(dict.fromkeys(name for name in text.lower().replace(" ", "").split(",") if name))
    for name in names:
        if name not in LICENCES:
            raise InputError(unknown("licence", name, LICENCES))
    if not names:
        raise InputError(f"no licence was named; known are: {', '.join(LICENCES)}.")
    return names


def digest_of(file: str) -> str:
    """Return the digest of the content that a file's name ends in: chin-leaning_0123456789abcdef.jpg."""
    return file.rpartition(".")[0].rpartition("_")[2]


def _encode(lines: Iterable[Iterable[str]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([" ".join(value.split()) for value in line] for line in lines)
    return buffer.getvalue().encode("utf-8")
