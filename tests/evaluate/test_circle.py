"""Labels and angles over the full circle: numbers by hand, a figure that shows them, and the verb that makes both."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from arrows import arrow, pointing
from tiny_models import hand_model

from handlens.card import ModelCard
from handlens.cli import run
from handlens.data.dataset import Labelled, LabelledSet, evenly
from handlens.data.rotate import turned, upto_half
from handlens.errors import InputError
from handlens.evaluate.angles import SECTORS, Turned, around, lean_apart
from handlens.evaluate.evaluate import evaluate
from handlens.evaluate.plots.angles import plot_circle
from handlens.evaluate.write import as_json, write_measurement
from handlens.predictor import Predictor
from handlens.runner import FakeRunner

NAMES = ("fist", "point")


def compass(bias=0.0, wrong=lambda angle: False, angle=True):
    """A model that reads the arrow's direction off the pixels, `bias` degrees beside it."""

    def answer(batch):
        seen = pointing(batch[0].transpose(1, 2, 0) * 255)
        said = np.deg2rad(seen + bias)
        row = [0.9, 0.1] if wrong(seen) else [0.1, 0.9]
        outputs = {"probabilities": np.array([row], np.float32)}
        return outputs | ({"angle": np.array([[np.cos(said), np.sin(said)]], np.float32)} if angle else {})

    card = ModelCard("compass", "gesture", "classify", NAMES, (96, 96), "letterbox")
    return Predictor(FakeRunner(card, answer))


def arrows(count=6):
    """Arrows on the grey that a letterbox puts around."""
    image = np.where(arrow(60, 60) > 127, 255, 114).astype(np.uint8)
    pictures = [Labelled(Path(f"{n}.png"), labels=[1], pixels=lambda: image, split="val") for n in range(count)]
    return LabelledSet("classify", NAMES, pictures, Path("arrows"))


def measured(turns=24, **model):
    return evaluate(compass(**model), turned(arrows(), turns), resamples=20)


def test_a_good_compass_is_right_all_around():
    found = measured()
    assert found.report["accuracy"].value == 1
    assert found.report["angle error 90th percentile, degrees"].value < 3
    assert found.report["angle within 10 degrees"].value == 1
    assert found.report["accuracy"].n == 144
    assert "144 pictures of 6 groups" in found.report.notes[0]
    assert [row.n for row in found.circle.accuracy] == [6] * SECTORS
    assert max(row.high for row in found.circle.error) < 3


@pytest.mark.parametrize(("bias", "error"), [(20, 20), (-20, 20), (180, 180)])
def test_a_biased_one_is_found_out(bias, error):
    found = measured(bias=bias)
    assert found.report["angle error median, degrees"].value == pytest.approx(error, abs=2)
    assert found.report["angle within 10 degrees"].value == 0
    assert all(row.value == pytest.approx(error, abs=3) for row in found.circle.error)


def test_the_sector_where_it_fails_is_the_sector_that_shows_it():
    found = measured(wrong=lambda angle: 90 < upto_half(angle) < 180)
    shares = np.array([row.value for row in found.circle.accuracy])
    assert shares[7:11].max() == 0  # 105 to 165 degrees
    assert shares[:5].min() == shares[13:].min() == 1
    assert found.report["accuracy"].value == pytest.approx(0.75, abs=0.02)


def test_a_model_without_an_angle_has_labels_only():
    found = measured(turns=5, angle=False)
    assert "angle error median, degrees" not in [row.name for row in found.report]
    assert found.circle.error == ()
    assert "angle_error" not in found.circle.to_json()[0]


def test_pictures_that_nobody_turned_have_no_circle():
    found = evaluate(compass(), arrows(), resamples=0)
    assert found.circle is None
    assert "sectors" not in as_json(found, "compass", "arrows", "val")


def test_a_sector_without_pictures_is_not_told():
    circle = around(Turned(np.array([5.0]), np.array([7.0]), np.array([True])), ["a"], resamples=5)
    assert circle.to_json()[0] == {
        "from": 0, "to": 15, "n": 1, "accuracy": [1.0, 1.0, 1.0], "angle_error": [2.0, 2.0, 2.0],
    }  # fmt: skip
    assert circle.to_json()[1]["accuracy"] == [None, None, None]
    assert circle.to_json()[23]["angle_error"] == [None, None, None]


def test_what_pictures_lean_is_told_apart_from_what_the_model_is_off():
    assert "0." in measured(bias=20).report.notes[1].split("angle is ")[1][:2]
    assert len(measured(turns=3, bias=20).report.notes) == 1
    truth = np.tile(np.arange(0, 360, 45.0), 2)
    lean = np.repeat([15.0, -20.0], 8)
    told = Turned(truth, truth + lean + np.tile([4.0, -4.0], 8), np.ones(16, bool))
    assert "4.0 degrees" in lean_apart(told, np.repeat(["a", "b"], 8))
    assert lean_apart(Turned(truth, np.full(16, np.nan), told.right), truth) == ""


@pytest.mark.slow
@pytest.mark.parametrize("angle", [True, False])
def test_the_circle_is_a_picture(angle, tmp_path):
    found = measured(turns=4, angle=angle)
    files = write_measurement(found, compass(), turned(arrows(), 4), tmp_path)
    assert tmp_path / "circle.png" in files
    image = cv2.imread(str(tmp_path / "circle.png"))
    assert image.shape[1] > (1500 if angle else 500)
    assert (image < 250).any(axis=2).mean() > 0.02
    assert len(json.loads((tmp_path / "report.json").read_text())["sectors"]) == SECTORS


def test_one_picture_alone_can_be_drawn(tmp_path):
    circle = around(Turned(np.array([5.0]), np.array([np.nan]), np.array([False])), ["a"], resamples=0)
    assert plot_circle(circle, "one", tmp_path / "one.png").stat().st_size > 5000


def crowd():
    """Label 0: ann with 6, bob with 2 pictures; label 1: cid with 2."""
    rows = [(0, "ann")] * 6 + [(0, "bob")] * 2 + [(1, "cid")] * 2
    pictures = [Labelled(Path(f"{n}.png"), labels=[k], group=g) for n, (k, g) in enumerate(rows)]
    return LabelledSet("classify", NAMES, pictures)


def test_a_sample_is_even_over_labels_and_groups():
    for seed in range(5):
        told = [(int(p.labels[0]), p.group) for p in evenly(crowd(), 4, seed)]
        assert sorted(told) == [(0, "ann"), (0, "bob"), (1, "cid"), (1, "cid")]
    assert len(evenly(crowd(), 7)) == 7
    assert len(evenly(crowd(), 11)) == 10
    with pytest.raises(InputError, match="at least one"):
        evenly(crowd(), 0)


class TestVerb:
    @pytest.fixture
    def data(self, tmp_path):
        for name, number in (("cheek", 3), ("face", 2)):
            for n in range(number):
                path = tmp_path / "set" / name / f"{n}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), arrow())
        return str(tmp_path / "set")

    @pytest.fixture
    def model(self, tmp_path):
        return str(hand_model(tmp_path / "hand.onnx", names=("cheek", "face"), angle=30))

    @pytest.mark.slow
    def test_turns_and_sample_and_files(self, model, data, tmp_path, capsys):
        line = ["evaluate", model, "--data", data, "--turns", "6", "--sample", "4", "--resamples", "5", "--json", "-"]
        assert run([*line, "--out", str(tmp_path / "out")]) == 0
        told = capsys.readouterr()
        assert "of these 4, evenly" in told.err
        assert "each turned by 6 angles: 24 pictures" in told.err
        found = json.loads(told.out)
        assert found["n"] == 24
        assert sum(sector["n"] for sector in found["sectors"]) == 24
        assert (tmp_path / "out" / "circle.png").exists()

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (["--turns", "0"], "turns"),
            (["--turns", "4", "--turning", "face"], "two or more"),
            (["--turns", "4", "--turning", "face,cheeks"], "did you mean 'cheek'"),
            (["--turning", "face,cheek"], "--turns"),
            (["--sample", "0"], "sample"),
        ],
    )
    def test_mistakes_are_a_sentence(self, change, sentence, model, data, capsys):
        assert run(["evaluate", model, "--data", data, "--resamples", "0", *change]) == 2
        assert sentence in capsys.readouterr().err
