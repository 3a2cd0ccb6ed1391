"""Which hand touches, left or right, reaches events, report and exports; where nobody can tell it, nothing is said."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from media import frame
from study_fakes import Steady, study
from tiny_clips import level_video
from tiny_models import brightness_model

from handlens.cli import run
from handlens.errors import InputError, ModelError
from handlens.result import Result
from handlens.study import segments
from handlens.study.config import load
from handlens.study.database import Database
from handlens.study.results import Results
from handlens.study.run import run_key, run_study
from handlens.study.segments import Settings
from handlens.study.which_hand import told
from handlens.types import Hand, Label

FORMATS = ("boris", "boris-events", "eaf", "textgrid", "datavyu", "csv", "vtt")


class Hands:
    """Says of the hand in a box, at each time, which one it is."""

    def __init__(self, *sides, box=(32, 30, 58, 46)):
        self.sides, self.box, self.asked = sides, np.array(box, np.float32), 0

    def predict(self, frame, /, min_score=None, crop="hand"):
        side = self.sides[self.asked % len(self.sides)]
        self.asked += 1
        hand = Hand(self.box, Label("hand", 0.9), side=side)
        return Result("hands", frame.index, frame.time, (hand,), frame.source, frame.width, frame.height, "h")


class Sided(Steady):
    """A model of touches whose regions have a side."""

    def predict(self, frame, /, min_score=None, crop="hand"):
        result = super().predict(frame)
        object.__setattr__(result.value, "side", ("", "", "right"))
        return result


def coded(tmp_path, hands):
    """A study of a touch from 1 to 3 s, whose segments a model of hands looked at."""
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], subjects='"P01"')
    touches = Sided([(1, 3)])

    def work(tasks):
        for task in tasks:
            yield segments.code(task, touches, hands)

    run_study(config, executor=work, predictor=touches)
    with Database(config.database) as base:
        view = Results(config, base)
        return config, view.events(view.videos[0])


def test_the_model_of_hands_is_asked_only_where_a_touch_may_be(tmp_path):
    hands = Hands("left")
    _, (event,) = coded(tmp_path, hands)
    assert (event.subject, event.region, event.side, event.hand) == ("P01", "chin", "right", "left")
    assert hands.asked == 30, "15 frames a second of two seconds"


@pytest.mark.parametrize(
    ("hands", "said"),
    [
        (Hands("left", "left", "left", "left", "", "right", "left", "left", "left", "left"), "left"),
        (Hands("left", "right"), "hand 1"),
        (Hands(""), "hand 1"),
        (Hands("left", box=(0, 0, 20, 20)), "hand 1"),
    ],
)
def test_a_hand_has_a_side_only_where_the_frames_agree(tmp_path, hands, said):
    _, (event,) = coded(tmp_path, hands)
    assert event.hand == said


def test_person_side_and_hand_are_in_every_export_and_the_report(tmp_path):
    config, _ = coded(tmp_path, Hands("left"))
    for name in FORMATS:
        out = tmp_path / name
        out = (
            out
            if name in ("eaf", "textgrid", "datavyu", "vtt")
            else out.with_suffix(".boris" if name == "boris" else ".csv")
        )
        assert run(["study", "export", str(config.folder), "--format", name, "--out", str(out)]) == 0
        text = "".join(file.read_text() for file in ([out] if out.is_file() else out.iterdir()))
        assert all(word in text for word in ("P01", "chin", "right", "left")), name
    project = json.loads((tmp_path / "boris.boris").read_text())
    assert {line[3] for line in project["observations"]["a"]["events"]} == {"chin|right|left hand"}
    page = ["study", "report", str(config.folder), "--out", str(tmp_path / "r.html"), "--csv", str(tmp_path / "tables")]
    assert run(page) == 0
    (row,) = csv.DictReader((tmp_path / "tables" / "persons.csv").read_text().splitlines())
    assert (row["left_side"], row["right_side"], row["left_hand"], row["right_hand"]) == ("0", "1", "1", "0")
    assert "<td>0 / 1</td><td>1 / 0</td>" in (tmp_path / "r.html").read_text()


def test_another_hand_model_is_another_run_and_no_model_of_touches(tmp_path):
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "a.mp4")
    model = json.dumps(str(tmp_path / "light.onnx"))
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], hand_model=model)
    assert load(config.folder).hand_model == str(tmp_path / "light.onnx")
    with pytest.raises(InputError, match=r"asks its hand_model for hands, and '.*light.onnx' answers 'touch'"):
        run_study(load(config.folder))


def test_a_model_that_answers_no_hands_is_refused():
    shown = frame()
    with pytest.raises(ModelError, match="tells the side of hands"):
        told(shown, Steady([(0, 1)]).predict(shown), Steady([(0, 1)]))
    quiet = Steady([]).predict(shown)
    assert told(shown, quiet, Steady([])) is quiet, "nobody is asked where nothing is touched"


def test_results_of_another_hand_model_are_kept_apart():
    plain = Settings("touch", (("a", "b"),), 5.0)
    one, other = (replace(plain, hand_model="hands", hand_digests=(("c", digest),)) for digest in "de")
    assert len({run_key(settings, 0) for settings in (plain, one, other)}) == 3
    assert "hand" not in json.loads(run_key(plain, 0)), "studies without one go on"
