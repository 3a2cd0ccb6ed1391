"""Finished runs side by side: the best first, what their intervals can tell in words, a figure that one wild run
cannot spoil, numbers as JSON; what is not a run is a sentence."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_models import brightness_model, hand_model

from handlens.cli import run
from handlens.evaluate.compare import read_runs, remarks, table_of
from handlens.evaluate.plots.compare import figure_of

LOG = "epoch,loss,accuracy,val_accuracy,val_log loss\n1,{0},0.5,0.4,0.7\n2,{1},0.8,,\n3,{2},0.9,0.6,0.5\n"


def finished(root: Path, name: str, value: float, half: float = 0.1, n: int = 40, split: str = "val", loss: float = 1):
    folder = root / name
    folder.mkdir()
    hand_model(folder / "hand.onnx", options={"parameters": 1234.0})
    rows = [
        {"name": "accuracy", "value": value, "low": value - half, "high": value + half, "n": n},
        {"name": "balanced accuracy", "value": 1 - value, "low": None, "high": None, "n": n},
    ]
    (folder / "report.json").write_text(json.dumps({"data": "set", "split": split, "rows": rows}))
    (folder / "log.csv").write_text(LOG.format(loss, loss / 2, loss / 4))
    return folder


def test_the_best_comes_first_and_the_table_has_everything(tmp_path, capsys):
    folders = [finished(tmp_path, name, value) for name, value in (("low", 0.5), ("high", 0.9), ("mid", 0.7))]
    ticks = []
    runs = read_runs(folders, progress=lambda: ticks.append(1))
    assert [one.name for one in runs] == ["high", "mid", "low"]
    assert len(ticks) == 9
    assert runs[0].parameters == 1234
    assert runs[0].milliseconds > 0
    assert runs[0].megabytes == pytest.approx((folders[1] / "hand.onnx").stat().st_size / 1e6)
    assert table_of(runs).row_count == 3
    other = read_runs(folders, by="balanced accuracy")
    assert [one.name for one in other] == ["low", "mid", "high"]
    assert np.isnan(other[0].score.low)


def told(tmp_path, *runs, **fields):
    folders = [finished(tmp_path, f"r{n}", value, half, **fields) for n, (value, half) in enumerate(runs)]
    return " ".join(remarks(read_runs(folders)))


def test_overlapping_intervals_are_not_ranked(tmp_path):
    words = told(tmp_path, (0.6, 0.2), (0.7, 0.2), n=18)
    assert words == "With 18 pictures an interval spans up to 0.40, and all overlap the best one's: these runs" \
        " cannot be ranked."  # fmt: skip


def test_what_lies_wholly_below_is_named(tmp_path):
    words = told(tmp_path, (0.9, 0.05), (0.88, 0.05), (0.5, 0.1))
    assert "Clearly below 'r0', its interval wholly under: r2." in words
    assert "the best 2 overlap" in words


def test_one_clear_winner_needs_no_doubt(tmp_path):
    assert told(tmp_path, (0.9, 0.05), (0.5, 0.1)) == "Clearly below 'r0', its interval wholly under: r1."


def test_a_number_that_flatters_is_said_to(tmp_path):
    assert "chose the best epoch" in told(tmp_path, (0.6, 0.2), (0.7, 0.2), split="test")
    (tmp_path / "more").mkdir()
    folders = [finished(tmp_path / "more", split, 0.5, split=split) for split in ("val", "test")]
    assert "Not measured on the same pictures: set (test), set (val)." in remarks(read_runs(folders))


def ink(path):
    image = cv2.imread(str(path))
    return image.shape[0], float((image < 250).any(axis=2).mean())


@pytest.mark.slow
def test_every_run_has_its_row_in_the_figure(tmp_path):
    folders = [finished(tmp_path, f"r{n}", 0.5 + n / 20, loss=40 if n == 3 else 1) for n in range(5)]
    runs = read_runs(folders)
    tall, share = ink(figure_of(runs, tmp_path / "five.png", remarks(runs)))
    assert tall > 5 * 120
    assert share > 0.03
    one = read_runs(folders[:1])
    (folders[0] / "log.csv").write_text("epoch,loss\n1,nan\n")
    assert ink(figure_of(one, tmp_path / "one.png"))[0] < 600
    assert ink(figure_of(read_runs(folders[:1], by="balanced accuracy"), tmp_path / "none.png"))[1] > 0.01


@pytest.mark.slow
def test_the_verb_leaves_figure_and_numbers(tmp_path, capsys):
    folders = [str(finished(tmp_path, name, value)) for name, value in (("a", 0.5), ("b", 0.9))]
    assert run(["compare", *folders, "--out", str(tmp_path / "out"), "--json", "-"]) == 0
    output = capsys.readouterr()
    numbers = json.loads(output.out)
    assert [one["name"] for one in numbers["runs"]] == ["b", "a"]
    assert numbers["runs"][0]["score"] == {"name": "accuracy", "value": 0.9, "low": 0.8, "high": 1.0, "n": 40}
    assert numbers["notes"] == ["Clearly below 'b', its interval wholly under: a."]
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == numbers
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 10_000
    assert "Clearly below" in output.err
    assert run(["compare", *folders, "--out", str(tmp_path / "one.png")]) == 0
    assert (tmp_path / "one.png").is_file()


def test_mistakes_are_a_sentence(tmp_path, capsys):
    good = finished(tmp_path, "good", 0.5)
    bad = finished(tmp_path, "bad", 0.5)
    cases = [([str(tmp_path)], "is not a finished run"), ([str(good), "--by", "acuracy"], "did you mean 'accuracy'")]
    for line, sentence in cases:
        assert run(["compare", *line]) == 2
        assert sentence in capsys.readouterr().err
    (bad / "report.json").write_text("[]")
    assert run(["compare", str(bad)]) == 2
    assert "is not a report" in capsys.readouterr().err
    brightness_model(bad / "hand.onnx")
    (bad / "report.json").write_text(
        json.dumps({"rows": [{"name": "mAP 0.5", "value": 1, "low": 1, "high": 1, "n": 1}]})
    )
    assert run(["compare", str(good), str(bad)]) == 2
    assert "different kinds" in capsys.readouterr().err
