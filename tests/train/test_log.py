"""The log of a run while it runs: rows, curves that are drawn again but not all the time, bars on a terminal."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from handlens.train import log
from handlens.train.log import Log, bars


def noted(path: Path, epochs: int = 4) -> Log:
    book = Log(path / "log.csv", epochs)
    for epoch in range(epochs):
        book.note(epoch, {"rate": 0.1, "minutes": epoch / 60, "loss": 2.0 - epoch / 4, "val_accuracy": epoch / 4})
    return book


@pytest.mark.slow
def test_curves_are_drawn_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "FIRST", 0.0)
    noted(tmp_path, 2)
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "log.csv"]


def test_drawing_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(log, "FIRST", 0.0)
    monkeypatch.setattr(log, "plot_log", lambda *paths: drawn.append(paths))
    clock = iter(range(100))  # a second goes by at every look at it, so a drawing takes one
    monkeypatch.setattr(log.time, "monotonic", lambda: next(clock))
    noted(tmp_path, 30)
    assert 1 <= len(drawn) <= 3


def test_a_short_run_is_not_drawn_before_its_end(tmp_path):
    noted(tmp_path)
    assert not (tmp_path / "curves.png").exists()


def test_without_matplotlib_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "FIRST", 0.0)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert len(noted(tmp_path).rows) == 4
    assert not (tmp_path / "curves.png").exists()


def test_bars_go_from_the_lowest_to_the_highest():
    assert bars([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert bars([5, 5]) == "▁▁"
    assert bars([1, float("nan"), 2]) == "▁ █"
    assert bars([float("nan")]) == ""
    assert len(bars(list(range(99)))) == 24


def test_bars_are_for_terminals(tmp_path, capsys, monkeypatch):
    noted(tmp_path)
    assert "█" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    noted(tmp_path)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "epoch 4/4  minutes 0.05  loss 1.25 █▆▃▁  val_accuracy 0.75 ▁▃▆█"
