"""Labels never overlap, leave the picture or hide a face, and no number is read as another."""

from itertools import combinations

import numpy as np
import pytest
from media import result

from handlens.io import draw as drawing
from handlens.io.tags import LEAST, Placed, Tag, core, place
from handlens.types import Detections, Floats, Frame, Hand, Label, Value

NAMES = ("face", "hand", "chin", "a_very_long_label_of_a_model_of_ones_own")


def placed(monkeypatch: pytest.MonkeyPatch, value: Value, size: tuple[int, int], **fields: object) -> list[Placed]:
    """The labels that are written where this is drawn on a picture of (width, height)."""
    found: list[Placed] = []

    def spy(*arguments: object) -> list[Placed]:
        found.extend(place(*arguments))  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(drawing, "place", spy)
    answer = result(value, "touch" if isinstance(value, Detections) else "gesture")
    drawing.draw(Frame(np.zeros((size[1], size[0], 3), np.uint8)), answer)
    return found


def crowd(size: tuple[int, int], count: int = 20) -> Detections:
    """Boxes all over the picture, many at its edges."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(-0.05, 1.05, (count, 2)) * size
    half = rng.uniform(0.03, 0.3, (count, 1)) * min(size)
    boxes = np.concatenate([centres - half, centres + half], axis=1)
    score = np.linspace(1.0, 0.51, count)
    return Detections(boxes, score, rng.integers(0, 4, count), NAMES, id=np.arange(1, count + 1), touch=0.9)


@pytest.mark.parametrize(
    "size", [(40, 30), (64, 48), (120, 90), (320, 240), (640, 480), (3840, 2160), (200, 900), (1000, 150)]
)
def test_no_label_overlaps_another_or_leaves_the_picture(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    found = placed(monkeypatch, crowd(size), size)
    for one in found:
        x1, y1, x2, y2 = one.plate
        assert 0 <= x1 < x2 <= size[0], one.text
        assert 0 <= y1 < y2 <= size[1], one.text
        assert one.scale >= LEAST
    for one, other in combinations(found, 2):
        apart = one.plate[2] <= other.plate[0] or other.plate[2] <= one.plate[0]
        assert apart or one.plate[3] <= other.plate[1] or other.plate[3] <= one.plate[1], (one.text, other.text)
    assert len(found) == 20 if min(size) > 300 else len(found) <= 20


@pytest.mark.parametrize("box", [[0, 0, 640, 480], [200, 100, 400, 350], [-50, 300, 200, 700]])
def test_no_label_hides_a_face(monkeypatch: pytest.MonkeyPatch, box: Floats) -> None:
    found = Detections([box] * 5, [0.9] * 5, [0, 1, 2, 2, 3], NAMES, touch=0.9)
    x1, y1, x2, y2 = core((max(0, box[0]), max(0, box[1]), min(640, box[2]), min(480, box[3])))
    labels = placed(monkeypatch, found, (640, 480))
    assert len(labels) == 5
    for one in labels:
        left, top, right, bottom = one.plate
        assert right <= x1 or left >= x2 or bottom <= y1 or top >= y2, one.text


def test_number_and_percentage_are_not_one_number(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = Detections([[100, 100, 200, 200]], [0.92], [0], NAMES, id=np.array([1]), touch=0.1)
    assert [one.text for one in placed(monkeypatch, faces, (640, 480))] == ["face #1 (92%)"]
    hand = Hand(np.array([100, 100, 300, 300], np.float32), Label("3", 0.9), -12.4, id=2)
    assert [one.text for one in placed(monkeypatch, (hand,), (640, 480))] == ["hand #2: 3 (90%, -12 deg)"]


def test_hands_below_the_threshold_are_not_drawn() -> None:
    rows = [[10, 10, 90, 90], [100, 10, 190, 90], [200, 10, 290, 90], [15, 60, 60, 85]]
    found = Detections(rows, [0.4, 0.4, 0.6, 0.9], [0, 1, 1, 2], NAMES, face=np.array([-1, -1, -1, 0]))
    answer = result(found)
    assert len(drawing.shown(found, answer)) == 4
    sure = drawing.shown(found, _with(answer, {"face": 0.5, "hand": 0.5}))
    assert sure.label_names == ["face", "hand", "chin"]  # the face is touched, so it is seen
    assert sure.score.tolist() == pytest.approx([0.4, 0.6, 0.9])


def _with(answer, thresholds):
    import dataclasses

    return dataclasses.replace(answer, thresholds=thresholds)


def test_a_label_far_from_its_box_is_joined_to_it() -> None:
    tag = Tag(("face",), (10, 10, 60, 60), (1, 2, 3))
    (near,) = place([tag], (200, 200), 0.5)
    assert not near.is_apart
    (far,) = place([tag], (200, 200), 0.5, taken=[(0, 0, 120, 120)])
    assert far.is_apart
    assert far.joint[1] in {(59, 59), (59, far.joint[0][1]), (far.joint[0][0], 59)}
