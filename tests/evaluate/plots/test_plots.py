"""Every curve becomes a picture with something on it, and the sheets show the pictures they promise."""

import cv2
import numpy as np
import pytest
from evaluated import contact, model, picture, touch_pictures

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError, OutputError
from handlens.evaluate.curves import Confusion, PrecisionRecall, Reliability
from handlens.evaluate.evaluate import Outcome, evaluate
from handlens.evaluate.judge import Verdict
from handlens.evaluate.plots.contact_sheets import SIDE, chosen, sheet
from handlens.evaluate.plots.curves import plot_curves
from handlens.evaluate.plots.log import plot_log
from handlens.evaluate.write import write_measurement
from handlens.io.draw import GAP, STRIP, captioned, fitted, grid
from handlens.predictor import Predictor

LOG = """epoch,seen,minutes,rate,loss,box,accuracy,val_mAP 0.5,val_touch F1
1,100,0.5,0.001,3.5,1.2,0.4,,
2,200,1.0,0.002,2.5,1.0,0.5,0.21,0.4
3,300,1.5,0.001,1.5,0.8,0.6,0.32,nonsense
"""


MASKS_LOG = """epoch,seen,minutes,rate,loss,accuracy,precision,recall,F1,val_IoU,val_accuracy,val_precision,val_loss
1,100,0.5,0.001,0.7,0.6,0.4,0.5,0.45,0.3,0.5,0.4,0.8
2,200,1.0,0.001,0.5,0.7,0.5,0.6,0.55,0.4,0.6,0.5,0.6
"""


def inked(path):
    """The share of a picture that is not paper."""
    image = cv2.imread(str(path))
    assert image is not None, path
    assert min(image.shape[:2]) > 300
    return float((image < 250).any(axis=2).mean())


@pytest.mark.slow
def test_each_curve_is_a_picture(tmp_path):
    recall = np.linspace(0, 1, 11)
    curves = [PrecisionRecall("boxes", f"label {n}", recall, 1 - recall * n / 20, 0.5) for n in range(15)]
    curves.append(PrecisionRecall("touch", "touch", recall, 1 - recall / 2, 0.75))
    said = np.append(np.arange(9) / 10 + 0.05, np.nan)
    curves.append(Reliability("touch", said, said**2, np.array([5000, 3, 2, 1, 1, 1, 1, 1, 9, 0])))
    names = ("chin", "cheek", "(nothing)")
    curves.append(Confusion("boxes", names, names, np.array([[9, 1, 2], [0, 123_456, 3], [4, 0, 0]])))
    files = plot_curves(curves, tmp_path)
    assert [file.name for file in files] == [
        "boxes-precision-recall.png",
        "touch-precision-recall.png",
        "touch-calibration.png",
        "boxes-confusion.png",
    ]
    assert all(inked(file) > 0.01 for file in files)


@pytest.mark.slow
def test_a_log_is_a_picture_also_where_epochs_were_not_measured(tmp_path):
    (tmp_path / "log.csv").write_text(LOG)
    plot_log(tmp_path / "log.csv", tmp_path / "curves.png")
    assert inked(tmp_path / "curves.png") > 0.02
    (tmp_path / "log.csv").write_text(MASKS_LOG)
    plot_log(tmp_path / "log.csv", tmp_path / "masks.png")
    wide = [cv2.imread(str(tmp_path / name)).shape[1] for name in ("curves.png", "masks.png")]
    assert wide[1] == pytest.approx(wide[0] * 4 / 3, abs=2)  # one panel more, for the rates
    (tmp_path / "log.csv").write_text("epoch,loss\n1,0\n2,nan\n")
    plot_log(str(tmp_path / "log.csv"), str(tmp_path / "one.png"))
    assert inked(tmp_path / "one.png") > 0.01


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch\n1\n", "\xff\xfe"])
def test_what_is_no_log_is_a_sentence(text, tmp_path):
    (tmp_path / "log.csv").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match="log"):
        plot_log(tmp_path / "log.csv", tmp_path / "curves.png")
    with pytest.raises(InputError, match="cannot be read"):
        plot_log(tmp_path / "none.csv", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def outcome(number, quality, wrongness, group="", labels=(0,)):
    return Outcome(picture(number, labels=list(labels), group=group), Verdict(quality, wrongness, "words"))


def test_sheets_show_the_best_worst_and_wrongest_one_of_each_group_first():
    outcomes = [
        outcome(0, 1.0, 0, labels=()),  # nothing there, nothing found: right, but nothing to see
        outcome(1, 0.9, 0.2, "ann"),
        outcome(2, 0.8, 0.0, "ann"),
        outcome(3, 0.1, 0.6, "bob"),
        outcome(4, 0.2, 0.9, "bob"),
    ]
    numbers = {c: [int(o.picture.name) for o in chosen(outcomes, c, 4)] for c in ("best", "worst", "wrongest")}
    assert numbers == {"best": [1, 4, 0, 2], "worst": [3, 2, 4, 1], "wrongest": [4, 1, 3]}


def test_a_sheet_has_truth_and_answer_of_each_picture():
    found, predictor = touch_pictures(("face", "chin"), 1), contact()
    measured = evaluate(predictor, found, resamples=0)
    image = sheet(measured.outcomes, predictor, found)
    assert image.shape == (SIDE + 2 * STRIP + 2 * GAP, 2 * (2 * SIDE + GAP // 2 + GAP) + GAP, 3)


def test_cells_of_several_sizes_have_room():
    cells = [
        captioned(np.full((20, 50, 3), 9, np.uint8), "a very long line that would not fit"),
        fitted(np.zeros((8, 4, 3), np.uint8), 60),
    ]
    image = grid(cells, 1)
    assert image.shape == (2 * (60 + GAP) + GAP, 60 + 2 * GAP, 3)
    assert (image[GAP, GAP : GAP + 50] == 9).all()
    assert image[-GAP - 1, GAP + 15].tolist() == [0, 0, 0]  # 30 wide, in the middle of 60


@pytest.mark.slow
def test_a_measurement_is_written_whole(tmp_path):
    outputs = [{"probabilities": np.array([row], np.float32)} for row in ([0.9, 0.1], [0.4, 0.6])]
    predictor = Predictor(model("classify", ("no", "yes"), outputs, "hold"))
    found = LabelledSet("classify", ("no", "yes"), [picture(n, labels=[0], split="val") for n in range(2)], tmp_path)
    measured = evaluate(predictor, found, resamples=5)
    files = write_measurement(measured, predictor, found, tmp_path / "deep" / "out")
    assert sorted(file.name for file in files) == sorted(path.name for path in (tmp_path / "deep" / "out").iterdir())
    assert {"report.txt", "report.json", "labels-confusion.png", "wrongest.jpg"} <= {file.name for file in files}
    assert (tmp_path / "deep" / "out" / "report.txt").read_text().startswith(f"fake on {tmp_path} (val)")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file: give a folder"):
        write_measurement(measured, predictor, found, tmp_path / "file")
