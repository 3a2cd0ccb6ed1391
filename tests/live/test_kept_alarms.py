"""Judged alarms: nothing is held or kept unless switched on, and what is kept is a set that a training reads."""

from pathlib import Path

import numpy as np
import pytest
from media import touch_result

from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError
from handlens.io.pictures.read import read_picture
from handlens.live.kept_alarms import MOST, KeptAlarms, face_window
from handlens.loop import Step
from handlens.types import Detections, Event, Frame


def alarm(probability: float = 0.9, at: float = 0.0) -> Step:
    """A step in which an event opened."""
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    event = Event("touch", "cheek", "face 1", at, at, 0, 0, probability)
    return Step(Frame(picture), touch_result(probability, at), (event,), (), True, 0.0, at, None, 0)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[KeptAlarms, list[bool], Path]:
    on = [True]
    return KeptAlarms(lambda: on[0], tmp_path / "alarms", lambda: 1.8e9), on, tmp_path / "alarms"


def test_nothing_is_held_or_kept_unless_it_is_switched_on(kept):
    alarms, on, folder = kept
    on[0] = False
    alarms(alarm())
    with pytest.raises(InputError, match="switch on"):
        alarms.judge(1, False)
    on[0] = True
    with pytest.raises(InputError, match="not held any more"):
        alarms.judge(1, False)
    alarms(alarm())
    on[0] = False
    alarms(alarm())  # switched off: what was held is forgotten at once
    on[0] = True
    with pytest.raises(InputError, match="not held any more"):
        alarms.judge(2, False)
    assert not folder.exists()


def test_what_is_kept_is_a_labelled_set_with_the_persons_answer(kept):
    alarms, _, folder = kept
    for _ in range(30):
        alarms(alarm())
    for number in range(1, 31):
        alarms.judge(number, number % 2 == 0)
    found = open_set(folder, "detect")
    assert len(found) == 30
    assert {picture.split for picture in found} == {"train", "val"}
    labels = {picture.path.stem: {found.names[label] for label in picture.labels} for picture in found}
    for name, names in labels.items():
        assert names == ({"face", "hand", "cheek"} if name.endswith("right") else {"face", "hand"})
    picture = read_picture(str(next(iter(found)).path))
    assert picture.shape[0] >= 40
    assert not list(folder.rglob("*.part"))


def test_an_answer_is_taken_once_and_old_pictures_are_let_go(kept):
    alarms, _, folder = kept
    for _ in range(MOST + 5):
        alarms(alarm())
    with pytest.raises(InputError, match="only the last 50"):
        alarms.judge(5, True)
    alarms.judge(6, True)
    with pytest.raises(InputError, match="not held any more"):
        alarms.judge(6, True)
    assert len(list(folder.rglob("*.jpg"))) == 1


def test_the_window_is_around_the_most_touched_face_and_within_the_picture():
    found = Detections(
        np.array([[0, 0, 20, 20], [300, 200, 340, 250]], np.float32), np.array([0.9, 0.9]), np.array([0, 0]), ("face",),
        face_touch=np.array([0.1, 0.8], np.float32),
    )  # fmt: skip
    assert face_window(found, 640, 480) == (245, 150, 395, 300)
    assert face_window(found, 350, 260) == (245, 150, 350, 260)
    assert face_window(Detections.empty(("face",)), 640, 480) == (0, 0, 640, 480)


def test_a_right_alarm_without_a_named_region_is_a_touch_of_the_face(kept):
    alarms, _, folder = kept
    shown = alarm(0.2)  # below .3 the fake names no region
    alarms(shown)
    alarms.judge(1, True)
    found = open_set(folder, "detect")
    assert [found.names[label] for label in next(iter(found)).labels] == ["face", "hand", "facetouch"]


def test_the_pictures_are_counted_and_deleted_and_what_else_lies_there_stays(kept):
    alarms, _, folder = kept
    assert alarms.kept() == (0, str(folder))
    assert alarms.delete() == 0
    for _ in range(6):
        alarms(alarm())
    for number in range(1, 6):
        alarms.judge(number, number % 2 == 0)
    own = folder / "images" / "train" / "mine.jpg"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(b"my own")
    assert alarms.kept()[0] == 5
    assert alarms.delete() == 5
    assert alarms.kept()[0] == 0
    assert {file.name for file in folder.rglob("*") if file.is_file()} == {"data.yaml", "mine.jpg"}
    with pytest.raises(InputError, match="not held"):
        alarms.judge(6, True)  # what waited for an answer is forgotten as well


@pytest.mark.slow
def test_a_training_begins_from_the_shipped_model_with_the_kept_alarms(kept, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from handlens.cli import run

    alarms, _, folder = kept
    for _ in range(20):
        alarms(alarm())
    for number in range(1, 21):
        alarms.judge(number, number % 2 == 0)
    monkeypatch.chdir(tmp_path)
    assert run(["train", "touch", "--data", str(folder), "--start", "touch", "--epochs", "1", "--set", "steps=1",
                "--set", "workers=0", "--out", "mine"]) == 0  # fmt: skip
    assert list(Path("mine").glob("*.onnx"))
