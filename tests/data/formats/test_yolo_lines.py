"""Lines of YOLO labels that are more than a box: each is read as what it is, or the set is refused with the reason."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from made_sets import save, view

from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.data.problems import IGNORED, WRONG_LINE, Problem
from handlens.errors import InputError

BOX = "0 .5 .5 .2 .3"
AS_BOX = [38.4, 28, 57.6, 52]  # of 96 x 80
FIVE = " .45 .45 .55 .45 .5 .5 .46 .56 .54 .56"
FIVE_SEEN = " .45 .45 2 .55 .45 2 .5 .5 1 .46 .56 0 .54 .56 2"
POLYGONS = ("0 .1 .1 .9 .1 .9 .9", "1 .6 .6 .9 .6 .9 .9 .6 .9", "0 .7 .8 .9 .8 .9 .9 .8 .95 .7 .9")
CORNERS = "0 .4 .4 .5 .4 .5 .5 .4 .5"


def made(root: Path, lines: Sequence[str], said: str = "") -> Path:
    for number, line in enumerate(lines):
        save(root / "images" / f"{number}.jpg", view(number))
        (root / "labels").mkdir(exist_ok=True)
        (root / "labels" / f"{number}.txt").write_text(line)
    (root / "data.yaml").write_text(f"names: [face, hand]\n{said}\n")
    return root


def boxes(root: Path) -> list[list[float]]:
    return [box for picture in open_set(root, "detect") for box in picture.boxes.tolist()]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (BOX + FIVE, "kpt_shape: [5, 2]"),
        (BOX + FIVE, "task: pose\nkpt_shape: [5, 2]\nflip_idx: [1, 0, 2, 4, 3]"),
        (BOX + FIVE_SEEN, "kpt_shape: [5, 3]\nflip_idx: [1, 0, 2, 4, 3]"),
        (BOX + " .5 .5", "kpt_shape: [1, 2]"),
        (BOX + " -1 -1 .5 .5", "kpt_shape: [2, 2]"),
        (BOX + FIVE + " .9", "kpt_shape: [5, 2]"),
        (BOX + FIVE + " .9 7", "kpt_shape: [5, 2]"),
        (BOX + " .91", "task: detect"),
        (BOX + " .91 1", "task: detect"),
        (BOX + " .91 1", "task: track"),
        (BOX, "kpt_shape: [5, 2]"),
    ],
)
def test_a_stated_box_is_the_first_four_numbers(tmp_path, line, said):
    np.testing.assert_allclose(boxes(made(tmp_path, [line] * 3, said)), [AS_BOX] * 3, atol=1e-3)


def test_lines_of_a_tracker_prove_themselves_by_a_track_beyond_1(tmp_path):
    told: list[Problem] = []
    found = open_set(made(tmp_path, [BOX + " .91 1", BOX + " .8 17"]), "detect", told.append)
    np.testing.assert_allclose([picture.boxes[0] for picture in found], [AS_BOX] * 2, atol=1e-3)
    assert [(problem.kind, problem.harmless) for problem in told] == [(IGNORED, True)]


@pytest.mark.parametrize(
    ("line", "readings"),
    [
        (BOX + " .91 1", ["a polygon of 3 points", "a score and a track id", "1 key point", "'kpt_shape: [1, 2]'"]),
        (BOX + FIVE, ["15 numbers", "a polygon of 7 points", "'kpt_shape: [5, 2]'", "'task: segment'"]),
        (BOX + FIVE_SEEN, ["20 numbers", "'kpt_shape: [5, 3]'"]),
        (BOX + " .91", ["6 numbers", "a box with a score", "'task: detect'"]),
        (CORNERS, ["an oriented box", "2 key points"]),
        (BOX + " -1 -1 .5 .5", ["9 numbers", "'kpt_shape: [2, 2]'"]),
        (BOX + FIVE + " .9", ["16 numbers", "a score"]),
    ],
)
@pytest.mark.parametrize("kind", ["detect", None])
def test_a_set_that_can_be_read_in_two_ways_is_refused_whole(tmp_path, line, readings, kind):
    root = made(tmp_path, [line] * 3)
    with pytest.raises(InputError) as caught:
        open_set(root, kind, lambda problem: None)
    said = str(caught.value)
    assert "3 of 3 label lines have more numbers than a box" in said
    assert f"'{root / 'labels' / '0.txt'}' line 1" in said
    assert f"into '{root / 'data.yaml'}'" in said
    assert all(reading in said for reading in readings)


def test_a_training_of_masks_does_not_guess_either(tmp_path):
    with pytest.raises(InputError, match="a polygon of 3 points, a box with a score and a track id"):
        open_set(made(tmp_path, [BOX + " .91 1"] * 3), "segment")


def test_polygons_of_several_lengths_prove_themselves(tmp_path):
    root = made(tmp_path, POLYGONS)
    wanted = [[9.6, 8, 86.4, 72], [57.6, 48, 86.4, 72], [67.2, 64, 86.4, 76]]
    np.testing.assert_allclose(boxes(root), wanted, atol=1e-3)
    assert [int(picture.mask().max()) for picture in open_set(root, "segment")] == [1, 2, 1]


def test_polygons_of_one_length_prove_themselves_where_they_can_be_no_boxes(tmp_path):
    right = "0 .8 .8 .9 .8 .9 .9 .8 .9"  # as a box it would reach from .35 to 1.25
    np.testing.assert_allclose(boxes(made(tmp_path, [right, CORNERS])), [[76.8, 64, 86.4, 72], [38.4, 32, 48, 40]])


@pytest.mark.parametrize("said", ["task: segment", "task: obb", "task: Segment  # by hand"])
def test_stated_polygons_are_read(tmp_path, said):
    root = made(tmp_path, [CORNERS] * 2, said)
    np.testing.assert_allclose(boxes(root), [[38.4, 32, 48, 40]] * 2, atol=1e-3)
    assert all(picture.mask().any() for picture in open_set(root, "segment"))


def test_lines_with_gaps_among_key_points_are_no_polygons(tmp_path):
    """Lengths that differ because numbers are missing do not prove polygons: the points lie in their boxes."""
    with pytest.raises(InputError, match="more numbers than a box"):
        boxes(made(tmp_path, [BOX + FIVE, BOX + FIVE[:-8], BOX + FIVE[:-16], BOX + FIVE]))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("task: pose", "not how many key points"),
        ("kpt_shape: 5", "kpt_shape is '5'"),
        ("kpt_shape: [5, 4]", "must be the number of key points and 2 or 3"),
        ("task: segment\nkpt_shape: [5, 2]", "leave out the one that is wrong"),
        ("kpt_shape: [4, 2]", "has 15 numbers; with 'kpt_shape: [4, 2]' expected 'class cx cy w h' and 8 numbers"),
        ("task: detect", "has 15 numbers; with 'task: detect' expected"),
        ("task: obb", "has 15 numbers; with 'task: obb' expected four corners"),
        ("task: faces", "its task 'faces' is not one of detect, track, pose, segment, obb"),
    ],
)
def test_a_description_that_does_not_fit_is_one_sentence(tmp_path, said, why):
    with pytest.raises(InputError) as caught:
        boxes(made(tmp_path, [BOX + FIVE] * 2, said))
    assert why in str(caught.value)


def test_a_darknet_description_states_it_too(tmp_path):
    root = made(tmp_path, [BOX + FIVE] * 2)
    (root / "data.yaml").unlink()
    (root / "obj.names").write_text("face\nhand\n")
    (root / "obj.data").write_text("names = obj.names\n")
    with pytest.raises(InputError, match="'task = segment' or 'kpt_shape = 5, 2'"):
        boxes(root)
    (root / "obj.data").write_text("names = obj.names\nkpt_shape = 5, 2\n")
    np.testing.assert_allclose(boxes(root), [AS_BOX] * 2, atol=1e-3)


def test_a_set_without_description_is_told_to_write_one(tmp_path):
    root = made(tmp_path, [BOX + " .91 1"] * 2)
    (root / "data.yaml").unlink()
    (root / "classes.txt").write_text("face\nhand\n")
    with pytest.raises(InputError, match=r"data.yaml', beside 'names: \[face, hand\]': 'task: segment'"):
        boxes(root)
    (root / "data.yaml").write_text("names: [face, hand]\ntask: detect\n")
    np.testing.assert_allclose(boxes(root), [AS_BOX] * 2, atol=1e-3)


def test_one_line_in_doubt_among_many_boxes_is_named_alone(tmp_path):
    root = made(tmp_path, ["\n".join([BOX] * 12), BOX + " .9"])
    told: list[Problem] = []
    assert [len(picture.boxes) for picture in open_set(root, "detect", told.append)] == [12, 0]
    assert [(problem.kind, problem.path.name) for problem in told] == [(WRONG_LINE, "1.txt")]
    assert "line 1: has 6 numbers, which is a box with a score" in told[0].text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("0,.5,.5,.2,.3", "has commas; numbers are separated by spaces"),
        ("0 0,5 0,5 0,2 0,3", "has commas"),
        ("hand .5 .5 .2 .3", "begins with a name; the class is written as its number: 0 to 1 (face, hand)"),
        ("0 50 50 20 30", "50 is not a fraction of the picture; the box must be written in numbers from 0 to 1"),
        ("0 10 10 20 10 20 20", "not in pixels or percent"),
        ("0 1_0 .5 .2 .3", "is not all numbers"),
        ("0 inf .5 .2 .3", "has a number that is none"),
    ],
)
@pytest.mark.parametrize("verb", ["check", "convert", "split"])
def test_what_is_wrong_with_every_line_is_said_by_every_verb(tmp_path, capsys, line, why, verb):
    root = made(tmp_path / "set", [line] * 2)
    rest = {"check": [], "convert": ["--to", "coco", "--dest", str(tmp_path / "new")]}
    rest["split"] = ["--dest", str(tmp_path / "new")]
    assert run(["data", verb, str(root), *rest[verb]]) == 2
    said = capsys.readouterr().err
    assert f"'{root / 'labels' / '0.txt'}' line 1: " in said
    assert why in said
    assert not (tmp_path / "new").exists()


def test_tabs_a_byte_order_mark_windows_ends_and_capitals_are_read(tmp_path):
    root = made(tmp_path, ["", ""])
    (root / "labels" / "0.txt").write_bytes("\ufeff0.0\t.5\t.5\t.2\t.3\r\n\r\n".encode())
    (root / "labels" / "1.txt").unlink()
    (root / "labels" / "1.TXT").write_text(BOX)
    (root / "labels").rename(root / "Labels")
    np.testing.assert_allclose(boxes(root), [AS_BOX] * 2, atol=1e-3)
