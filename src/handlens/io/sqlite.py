"""How SQLite files are opened and written, whatever they hold; it must not know tables, versions or sentences."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path


def connected(path: str | Path, busy_s: float, keeps: str) -> sqlite3.Connection:
    """Return a connection that begins no transaction by itself and holds references between tables.

    Args:
        path: The file, which is made where it is missing, or ":memory:".
        busy_s: Seconds to wait for another program that writes.
        keeps: "FULL", so that a power cut loses nothing that was committed, or "NORMAL", by which it may lose the last
            moments but does no damage.

    Raises:
        sqlite3.Error: it cannot be opened, or is no database.
    """
    base = sqlite3.connect(path, timeout=busy_s, isolation_level=None)
    try:
        base.execute("PRAGMA foreign_keys = ON")
        base.execute(f"PRAGMA synchronous = {keeps}")
    except BaseException:
        base.close()
        raise
    return base


def version_of(base: sqlite3.Connection) -> int:
    """Return the number of the format that the file has, 0 for a new one."""
    return int(base.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """Write all or nothing."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # after a full disk SQLite has undone it already
            base.execute("ROLLBACK")
        raise
