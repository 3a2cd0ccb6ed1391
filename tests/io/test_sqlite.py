"""A connection to a file of SQLite holds references, and a transaction is written whole or not at all."""

import sqlite3

import pytest

from handlens.io.sqlite import connected, transaction, version_of


@pytest.fixture
def base(tmp_path):
    base = connected(tmp_path / "a.sqlite", 1.0, "FULL")
    base.execute("CREATE TABLE person (id INTEGER PRIMARY KEY)")
    base.execute("CREATE TABLE touch (person INTEGER NOT NULL REFERENCES person)")
    yield base
    base.close()


def test_a_reference_to_nothing_is_refused(base):
    with pytest.raises(sqlite3.IntegrityError):
        base.execute("INSERT INTO touch VALUES (7)")


def test_a_transaction_is_written_whole_or_not_at_all(base, tmp_path):
    with transaction(base):
        base.execute("INSERT INTO person VALUES (1)")
    with pytest.raises(sqlite3.IntegrityError), transaction(base):
        base.executemany("INSERT INTO person VALUES (?)", [(2,), (1,)])
    other = connected(tmp_path / "a.sqlite", 1.0, "NORMAL")
    assert other.execute("SELECT id FROM person").fetchall() == [(1,)]
    other.close()


def test_how_much_a_power_cut_may_lose_is_as_asked(base, tmp_path):
    assert base.execute("PRAGMA synchronous").fetchone() == (2,)
    other = connected(tmp_path / "a.sqlite", 1.0, "NORMAL")
    assert other.execute("PRAGMA synchronous").fetchone() == (1,)
    other.close()


def test_the_version_of_a_file(base):
    assert version_of(base) == 0
    base.execute("PRAGMA user_version = 3")
    assert version_of(base) == 3
