"""`handlens stats` shows, exports and deletes the history, and says so when there is none."""

import csv
import datetime as dt
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlens.cli import run
from handlens.live.folders import data_dir
from handlens.live.history import FILE, History, local_offset
from handlens.live.spans import Span, Touch


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[float]:
    """A history of this morning and of ten days ago; returns this morning at nine."""
    monkeypatch.setenv("TZ", "UTC")  # no change of the clocks between the two
    time.tzset()
    nine = dt.datetime.now().replace(hour=9, minute=0, second=0, microsecond=0).timestamp()
    touches, spans = [], []
    for start, count in ((nine, 12), (nine - 10 * 86400, 6)):
        spans.append(Span(start, local_offset(start), 7200.0))
        touches += [Touch(start + 60.0 * n, local_offset(start), 2.0, "chin" if n else "eye") for n in range(count)]
    with History() as history:
        history.add(history.begin(nine, "0", "touch"), touches, spans)
    yield nine
    monkeypatch.delenv("TZ")
    time.tzset()


def test_it_shows_today_hours_weekdays_weeks_regions_and_observed_time(kept, capsys):
    assert run(["stats"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert "12 touches in 2 h 00 min observed, 6.0 an hour" in lines[0]
    assert lines[1].index("█") == 27  # nine o'clock: three characters an hour
    told = {line.split()[0]: line for line in lines if line.strip()}
    assert "9.0 an hour  18 touches in 2 h 00 min" in told["9:00"]
    assert "16 times, 32 s" in told["chin"]
    assert "2 times, 4 s" in told["eye"]
    assert "18 touches in 4 h 00 min observed, 4.5 an hour" in out
    assert "longest time without a touch: 1 h 5" in out
    assert len([line for line in lines if "an hour" in line and " touches in" in line]) >= 6


def test_it_counts_from_a_day_on(kept, capsys):
    assert run(["stats", "--since", "yesterday", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["touches"], told["observed_seconds"], told["per_hour"]) == (12, 7200.0, 6.0)
    assert len(told["today"]["touches"]) == 12
    assert told["regions"] == {"chin": {"count": 11, "seconds": 22.0}, "eye": {"count": 1, "seconds": 2.0}}
    assert sum(map(sum, told["hours"]["touches"])) == 12
    assert run(["stats", "--since", "soon"]) == 2
    assert "'soon' is not a date" in capsys.readouterr().err


def test_it_exports_each_touch(kept, capsys, tmp_path):
    assert run(["stats", "--csv", str(tmp_path / "t.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert len(rows) == 18
    assert dt.datetime.fromisoformat(rows[-1]["start"]).timestamp() == kept + 660.0
    assert capsys.readouterr().out == ""
    assert run(["stats", "--csv", "-", "--since", "today"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 12
    (tmp_path / "no").touch()
    assert run(["stats", "--csv", str(tmp_path / "no" / "t.csv")]) == 2


def test_without_a_history_it_says_so_and_makes_none(capsys):
    assert run(["stats"]) == 0
    assert "the history is empty" in capsys.readouterr().err
    assert run(["stats", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["touches"] == 0
    assert not data_dir().exists()


def test_it_deletes_everything_once_that_is_sure(kept, capsys, monkeypatch):
    file = data_dir() / FILE
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["stats", "--delete"]) == 2
    assert "type --delete --yes" in capsys.readouterr().err
    assert run(["stats", "--delete", "--yes", "--csv", "x.csv"]) == 2
    assert file.exists()
    assert not Path("x.csv").exists()
    capsys.readouterr()
    assert run(["stats", "--delete", "--yes"]) == 0
    err = capsys.readouterr().err
    assert "deleted: 18 touches" in err
    assert "judged" not in err
    assert list(data_dir().iterdir()) == []
    for kind in ("images", "labels"):
        (data_dir() / "alarms" / kind / "train").mkdir(parents=True)
    (data_dir() / "alarms/images/train/20260131-120000-1-wrong.jpg").write_bytes(b"a picture")
    (data_dir() / "alarms/labels/train/20260131-120000-1-wrong.txt").write_text("0 0.5 0.5 0.5 0.5\n", "utf-8")
    (data_dir() / "alarms/data.yaml").write_text("names: [face]\n", "utf-8")
    assert run(["stats", "--delete", "--yes"]) == 0
    assert "deleted: 0 touches, 1 judged picture, and the file" in capsys.readouterr().err
    assert not [file for file in (data_dir() / "alarms").rglob("*") if file.is_file()]


def test_a_damaged_history_is_a_sentence(capsys):
    data_dir().mkdir(parents=True)
    (data_dir() / FILE).write_bytes(b"what is this" * 100)
    assert run(["stats"]) == 2
    assert "the file is damaged; 'handlens stats --delete' removes it" in capsys.readouterr().err
    assert run(["stats", "--delete", "--yes"]) == 0


def test_a_terminal_without_blocks_gets_plain_signs(kept, monkeypatch):
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", screen)
    assert run(["stats"]) == 0
    screen.flush()
    shown = screen.buffer.getvalue().decode("ascii")
    assert "####" in shown
