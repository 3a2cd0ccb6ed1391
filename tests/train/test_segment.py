"""Masks in every format train and measure; their log holds what the published trainings draw."""

import csv
import json

import numpy as np
import pytest
from mask_sets import FORMATS

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.predictor import load
from handlens.report import Report, Row
from handlens.train.kinds.segment import RATES, pixel_rates
from handlens.train.run import epoch_rates

TINY = ["--net", "unet", "--size", "32", "--epochs", "1", "--batch", "4", "--workers", "0", "--precision", "32"]

pytestmark = pytest.mark.usefixtures("quick_figures")


@pytest.mark.slow
@pytest.mark.parametrize(("make", "classes"), FORMATS.values(), ids=FORMATS)
def test_every_format_trains_predicts_and_is_measured(tmp_path, make, classes, capsys) -> None:
    data, out = make(tmp_path / "set"), tmp_path / "run"
    found = open_set(data, "segment")
    assert len(found.names) == classes
    values = set(np.unique(np.concatenate([picture.mask().ravel() for picture in found])).tolist())
    assert values == set(range(classes))
    assert run(["train", "segment", "--data", str(data), "--out", str(out), *TINY]) == 0, capsys.readouterr().err

    model = load(out / "unet.onnx")
    assert model.card.names == found.names
    (row,) = csv.DictReader((out / "log.csv").read_text().splitlines())
    for name in ("accuracy", "precision", "recall", "F1", "loss"):
        assert 0 <= float(row[name]) <= 10, name
    assert {"val_accuracy", "val_recall", "val_F1", "val_loss", "val_IoU mean"} <= row.keys()
    numbers = tmp_path / "numbers.json"
    line = ["evaluate", str(out), "--data", str(data), "--split", "all", "--json", str(numbers), "--resamples", "20"]
    assert run(line) == 0, capsys.readouterr().err
    names = {row["name"] for row in json.loads(numbers.read_text())["rows"]}
    together = "hand" if classes == 2 else "hand or face"
    assert {f"F1 {together}, mean of batches of 4", "IoU hand", "boundary F1 hand, within 2 px"} <= names


def test_one_sigmoid_channel_or_classes_as_the_data_have_it(tmp_path) -> None:
    from handlens.train.config import Settings
    from handlens.train.experiment import new_experiment

    settings = Settings(task="segment", net="unet", data="set")
    two, three = (new_experiment(settings, ("background", "hand", "face")[:count]) for count in (2, 3))
    picture = torch.zeros(1, 3, 32, 32)
    assert two.net(picture).shape == (1, 1, 32, 32)
    assert three.net(picture).shape == (1, 3, 32, 32)
    assert two.graph()(picture).shape == (1, 2, 32, 32)


def test_rates_of_a_batch_by_hand() -> None:
    said, truth = torch.tensor([True, True, False, False, True]), torch.tensor([True, False, True, False, True])
    assert [round(float(value), 4) for value in pixel_rates(said, truth).values()] == [0.6667, 0.6667, 0.6667]
    nothing = torch.zeros(5, dtype=torch.bool)
    assert [float(value) for value in pixel_rates(nothing, nothing).values()] == [0, 0, 0]
    assert [float(value) for value in pixel_rates(truth, truth).values()] == [1, 1, 1]


def test_the_log_has_the_numbers_of_all_pixels() -> None:
    rows = [("pixel accuracy", 0.9), ("precision hand or face", 0.8), ("F1 hand or face", 0.7), ("F1 hand", 0.1)]
    report = Report([Row(name, value, value, value, 3) for name, value in rows])
    assert epoch_rates(report, ("background", "hand", "face")) == {"accuracy": 0.9, "precision": 0.8, "F1": 0.7}
    assert set(RATES) == {"precision", "recall", "F1"}
