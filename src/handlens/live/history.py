"""The history of touches in one SQLite file: what was touched when, and when it could have been seen; no pictures.

It must not know models or how it is shown. Times are seconds since 1970 with the offset of the local time at that
moment, so a touch keeps its hour of the day when the clock or the time zone changes. Durations are those of the
source's own clock.
"""

import contextlib
import csv
import datetime as dt
import io
import json
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from handlens.errors import InputError, OutputError
from handlens.io.atomic import AtomicFile
from handlens.io.sqlite import connected, transaction, version_of
from handlens.live.folders import data_dir, made, set_aside
from handlens.live.spans import (
    Change,
    Day,
    Grid,
    Pause,
    RegionTotal,
    Span,
    Touch,
    Week,
    change,
    grid,
    longest,
    rate,
    rounded,
    trend,
)

FILE = "history.sqlite"
VERSION = 1
FIELDS = ("start", "stop", "seconds", "region", "side", "probability", "source", "model", "regions")
"""The columns of the CSV export."""
_BUSY_S = 5.0  # another process may write for so long
_DAY_S = 86400.0
_TABLES = """
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, start REAL NOT NULL, source TEXT NOT NULL, model TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS touches (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    start REAL NOT NULL, offset INTEGER NOT NULL, seconds REAL NOT NULL, region TEXT NOT NULL, side TEXT NOT NULL,
    regions TEXT NOT NULL, probability REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS observed (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    start REAL NOT NULL, offset INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS touches_start ON touches (start);
CREATE INDEX IF NOT EXISTS observed_start ON observed (start);
"""


class HistoryError(OutputError):
    """The history cannot be read or written: damaged, of a newer handlens, locked for long, or the disk is full."""


class DamagedHistory(HistoryError):
    """The file is no history, or not a whole one."""


class History:
    """The file of the history, opened; a context manager. One object for each thread.

    Args:
        path: The file; None: history.sqlite in the platform's folder; ":memory:": kept nowhere.

    Raises:
        HistoryError: it is damaged, or was written by a newer handlens; it is left as it is.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = str(data_dir() / FILE if path is None else path)
        if not self.in_memory:
            made(Path(self.path).parent)
        self._open()

    @property
    def in_memory(self) -> bool:
        """Whether it is kept nowhere."""
        return self.path == ":memory:"

    def _open(self) -> None:
        with explained(self.path):
            self._data = connected(self.path, _BUSY_S, "NORMAL")
        try:
            with explained(self.path):
                self._prepare()
        except BaseException:
            self._data.close()
            raise
        self._file = self._identity()

    def _prepare(self) -> None:
        if not self.in_memory:
            Path(self.path).chmod(0o600)
        self._data.execute("PRAGMA journal_mode = WAL")  # readers never wait; where it is refused the old way works
        self._data.execute("PRAGMA secure_delete = ON")
        version = version_of(self._data)
        if version > VERSION:
            raise HistoryError(
                f"the history '{self.path}' was written by a newer handlens (version {version} of the file, known is"
                f" {VERSION}): install that one."
            )
        if version < VERSION:
            with transaction(self._data):
                for statement in _TABLES.split(";"):
                    self._data.execute(statement)
                self._data.execute(f"PRAGMA user_version = {VERSION}")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- writing

    @property
    def is_replaced(self) -> bool:
        """Whether the file was deleted, or replaced by another, since it was opened."""
        return not self.in_memory and self._identity() != self._file

    def reopen(self) -> None:
        """Open the file that has the name now, a new one where there is none.

        Raises:
            HistoryError: it cannot be opened.
        """
        self._data.close()
        self._open()

    def begin(self, start: float, source: str, model: str) -> int:
        """Note that watching begins and return the number of the session.

        Raises:
            HistoryError: it cannot be written.
        """
        with explained(self.path), transaction(self._data):
            return self._begin(start, source, model)

    def _begin(self, start: float, source: str, model: str) -> int:
        row = self._data.execute(
            "INSERT INTO sessions (start, source, model) VALUES (?, ?, ?)", (start, _plain(source), _plain(model))
        )
        return int(row.lastrowid or 0)

    def add(self, session: int, touches: Sequence[Touch], observed: Sequence[Span]) -> bool:
        """Write touches and observed time together, or nothing of them.

        A span that begins as one of this session that is there replaces it: spans grow. False, and nothing is written,
        where the session was deleted.

        Raises:
            HistoryError: it cannot be written.
        """
        with explained(self.path), transaction(self._data):
            if self._data.execute("SELECT 1 FROM sessions WHERE id = ?", (session,)).fetchone() is None:
                return False
            self._data.executemany(
                "INSERT INTO touches (session, start, offset, seconds, region, side, regions, probability)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (session, t.start, t.offset, t.seconds, t.region, t.side, json.dumps(t.regions), t.probability)
                    for t in touches
                ],
            )
            for span in observed:
                grown = self._data.execute(
                    "UPDATE observed SET seconds = ? WHERE session = ? AND start = ?",
                    (span.seconds, session, span.start),
                )
                if not grown.rowcount:
                    self._data.execute(
                        "INSERT INTO observed (session, start, offset, seconds) VALUES (?, ?, ?, ?)",
                        (session, span.start, span.offset, span.seconds),
                    )
        return True

    def forget_before(self, moment: float) -> int:
        """Delete what ended before a moment (seconds since 1970) and return the number of touches that went.

        Raises:
            HistoryError: it cannot be written.
        """
        with explained(self.path), transaction(self._data):
            gone = self._data.execute("DELETE FROM touches WHERE start + seconds < ?", (moment,)).rowcount
            self._data.execute("DELETE FROM observed WHERE start + seconds < ?", (moment,))
            self._data.execute(
                "DELETE FROM sessions WHERE start < ? AND id NOT IN (SELECT session FROM touches)"
                " AND id NOT IN (SELECT session FROM observed)",
                (moment,),
            )
        return gone

    def delete_all(self) -> int:
        """Delete everything, the file as well, and return the number of touches that went; it is closed then.

        The rows are overwritten before, for a file that another process has open is emptied only.

        Raises:
            HistoryError: another process does not let it be written.
        """
        with explained(self.path):
            (gone,) = self._data.execute("SELECT count(*) FROM touches").fetchone()
            with transaction(self._data):
                for table in ("touches", "observed", "sessions"):
                    self._data.execute(f"DELETE FROM {table}")
            self._data.execute("VACUUM")
            self._data.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()
        if not self.in_memory:
            remove_files(Path(self.path))
        return int(gone)

    # ---- reading

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a touch nor observed time."""
        with explained(self.path):
            query = "SELECT EXISTS (SELECT 1 FROM touches) OR EXISTS (SELECT 1 FROM observed)"
            return not self._data.execute(query).fetchone()[0]

    def touches(self, since: float = -math.inf, until: float = math.inf) -> list[Touch]:
        """Return the touches that begin from `since` on and before `until`, in order."""
        rows = self._rows(
            "SELECT t.start, t.offset, t.seconds, t.region, t.side, t.probability, s.source, s.model, t.regions"
            " FROM touches t"
            " JOIN sessions s ON s.id = t.session WHERE t.start >= ? AND t.start < ? ORDER BY t.start, t.id",
            since,
            until,
        )
        return [_touch(row) for row in rows]

    def observed(self, since: float = -math.inf, until: float = math.inf) -> list[Span]:
        """Return the stretches of time in which a touch could be seen, cut at `since` and `until`, in order."""
        rows = self._rows(
            "SELECT start, offset, seconds FROM observed WHERE start + seconds > ? AND start < ? ORDER BY start, id",
            since,
            until,
        )
        return [span.cut(since, until) for span in (Span(*row) for row in rows)]

    def _rows(self, query: str, since: float, until: float) -> list[Any]:
        with explained(self.path):
            return self._data.execute(query, (since, until)).fetchall()

    def day(self, date: dt.date | None = None) -> Day:
        """Return one day as a timeline; None: today."""
        date = dt.date.today() if date is None else date
        around = _local_midnight(date)
        since, until = around - _DAY_S, around + 2 * _DAY_S  # the clock of that day may have stood elsewhere
        touches = [touch for touch in self.touches(since, until) if touch.local.date() == date]
        return Day(date, touches, [part for span in self.observed(since, until) for part in span.of_day(date)])

    def grid(self, since: float = -math.inf, until: float = math.inf) -> Grid:
        """Return touches and observed time by weekday and hour."""
        return grid(self.touches(since, until), self.observed(since, until))

    def trend(self, weeks: int = 12, today: dt.date | None = None) -> list[Week]:
        """Return the last weeks, from Monday to Sunday, the oldest first, each with touches and observed time."""
        today = dt.date.today() if today is None else today
        first = today - dt.timedelta(days=today.weekday() + 7 * (weeks - 1))
        since = _local_midnight(first) - _DAY_S
        return trend(self.touches(since), self.observed(since), first, weeks)

    def regions(self, since: float = -math.inf, until: float = math.inf) -> dict[str, RegionTotal]:
        """Return for each touched region how often and how long, the most frequent first.

        A touch that moves over the face counts once for each region that it reached.
        """
        totals: dict[str, RegionTotal] = {}
        for touch in self.touches(since, until):
            for name, seconds in touch.by_region.items():
                total = totals.get(name, RegionTotal())
                totals[name] = RegionTotal(total.count + 1, total.seconds + seconds)
        return dict(sorted(totals.items(), key=lambda item: (-item[1].count, item[0])))

    def longest_pause(self, since: float = -math.inf, until: float = math.inf) -> Pause | None:
        """Return the longest observed time without a touch; breaks of more than half an hour end it."""
        return longest(self.touches(since, until), self.observed(since, until))

    def change(self, now: float | None = None, days: int = 7) -> Change:
        """Return the touches per observed hour of the last days beside those of as many days before."""
        now = time.time() if now is None else now
        middle = now - days * _DAY_S
        return change(
            (len(self.touches(middle, now + 1)), sum(span.seconds for span in self.observed(middle, now + 1))),
            (
                len(self.touches(middle - days * _DAY_S, middle)),
                sum(span.seconds for span in self.observed(middle - days * _DAY_S, middle)),
            ),
        )

    def to_csv(self, path: str | Path | None = None, since: float = -math.inf) -> str:
        """Return all touches as CSV with a heading, and write it to a file where one is named.

        Raises:
            OutputError: the file cannot be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(FIELDS)
        for touch in self.touches(since):
            times = (_iso(touch.local), _iso(touch.local + dt.timedelta(seconds=touch.seconds)))
            rest = (touch.region, touch.side, f"{touch.probability:.3f}", touch.source, touch.model)
            parts = ";".join(f"{name}:{seconds:.3f}" for name, seconds in touch.regions)
            table.writerow((*times, f"{touch.seconds:.3f}", *map(_guarded, rest), parts))
        if path is not None:
            with AtomicFile(path) as draft:
                draft.write(text.getvalue().encode("utf-8"))
        return text.getvalue()

    def to_dict(self, since: float = -math.inf, now: float | None = None, weeks: int = 12) -> dict[str, Any]:
        """Return what the page and `handlens stats --json` show, as JSON can hold it."""
        now = time.time() if now is None else now
        touches, observed = self.touches(since), self.observed(since)
        seconds = sum(span.seconds for span in observed)
        today = dt.datetime.fromtimestamp(now).astimezone().date()
        pause = longest(touches, observed)
        return {
            "touches": len(touches),
            "touch_seconds": round(sum(touch.seconds for touch in touches), 3),
            "observed_seconds": round(seconds, 3),
            "per_hour": rounded(rate(len(touches), seconds)),
            "today": self.day(today).to_dict(),
            "hours": grid(touches, observed).to_dict(),
            "weeks": [week.to_dict() for week in self.trend(weeks, today)],
            "regions": {
                name: {"count": total.count, "seconds": round(total.seconds, 3)}
                for name, total in self.regions(since).items()
            },
            "longest_pause": None if pause is None else pause.to_dict(),
            "change": self.change(now).to_dict(),
        }


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn errors of SQLite into one sentence.

    Raises:
        HistoryError: with that sentence.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        text = str(error).lower()
        if "full" in text or "no space" in text or "disk i/o" in text:
            why = "the disk is full or does not answer"
        elif "locked" in text or "busy" in text:
            why = "another program holds it; try again"
        elif "not a database" in text or "malformed" in text or "no such table" in text:
            raise DamagedHistory(
                f"the history '{path}' cannot be used: the file is damaged; 'handlens stats --delete' removes it."
            ) from error
        elif "readonly" in text or "unable to open" in text or "permission" in text:
            why = "you may not write there"
        else:
            why = text.rstrip(".")
        raise HistoryError(f"the history '{path}' cannot be used: {why}.") from error


def usable(path: str | Path | None = None) -> tuple[History, str]:
    """Open the history, a new one where the file is damaged, and return it with a sentence about that or "".

    A damaged file is kept as history.sqlite.damaged. A file of a newer handlens is left alone.

    Raises:
        HistoryError: it cannot be opened.
    """
    file = Path(data_dir() / FILE if path is None else path)
    try:
        return History(path), ""
    except DamagedHistory:
        place = set_aside(file, "damaged")
        remove_files(file)
        return History(path), f"the history was damaged; it is kept as '{place}', and a new one begins."


def delete_history(path: str | Path | None = None) -> int:
    """Delete the history, also one that is damaged, and return the number of touches that went; 0 where there is none.

    Raises:
        HistoryError: another program holds it.
    """
    file = Path(data_dir() / FILE if path is None else path)
    if not file.exists():
        remove_files(file)
        return 0
    try:
        return History(file).delete_all()
    except DamagedHistory:
        remove_files(file)
        return 0


def remove_files(file: Path) -> None:
    """Remove the file of a history and what SQLite keeps beside it; what another process holds open may stay, empty."""
    for ending in ("-wal", "-shm", "-journal", ""):
        with contextlib.suppress(OSError):
            Path(f"{file}{ending}").unlink(missing_ok=True)


def since_date(text: str, now: dt.datetime | None = None) -> float:
    """Return the moment that a date means: 2026-11-30, today, yesterday, or 30d for the last 30 days.

    Raises:
        InputError: it is not a date.
    """
    today = (now or dt.datetime.now()).date()
    word = text.strip().lower()
    named = {"today": today, "yesterday": today - dt.timedelta(days=1)}
    try:
        if word in named:
            date = named[word]
        elif word.endswith("d") and word[:-1].isdigit():
            date = today - dt.timedelta(days=int(word[:-1]))
        else:
            date = dt.date.fromisoformat(word)
        return _local_midnight(date)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"'{text}' is not a date: type it as 2026-11-30, today, yesterday, or 30d.") from error


def local_offset(moment: float) -> int:
    """Return the seconds by which the local time is ahead of UTC at a moment."""
    offset = dt.datetime.fromtimestamp(moment).astimezone().utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _touch(row: Sequence[Any]) -> Touch:
    """Return the touch of one row: the columns in the order of its fields."""
    regions = tuple((name, seconds) for name, seconds in json.loads(row[8]))
    start, offset, seconds, region, side, probability, source, model = row[:8]
    return Touch(start, offset, seconds, region, side, probability, source, model, regions)


def _local_midnight(date: dt.date) -> float:
    return dt.datetime.combine(date, dt.time()).astimezone().timestamp()


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _guarded(text: str) -> str:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def pruned(history: History, keep_days: int, now: float | None = None) -> int:
    """Delete what is older than so many days, 0: nothing, and return the number of touches that went.

    Raises:
        HistoryError: it cannot be written.
    """
    now = time.time() if now is None else now
    return history.forget_before(now - keep_days * _DAY_S) if keep_days > 0 else 0
