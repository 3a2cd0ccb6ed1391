"""YOLO sets as real users have them: read, written, and refused in one sentence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from media import quadrants, save_picture

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.yolo import read_yolo, write_yolo
from handlens.data.problems import Problem
from handlens.errors import InputError, OutputError

LINE = "1 0.5 0.5 0.25 0.5\n"  # of 64 x 48: 24, 12, 40, 36


def put(folder: Path, picture: str, label: str | None = LINE, labels: str | None = None, size=(64, 48)) -> Path:
    path = folder / picture
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(path, quadrants(*size))
    if label is not None:
        text = folder / (labels or str(Path(picture).with_suffix(".txt")).replace("images", "labels"))
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(label)
    return path


def by_name(found: LabelledSet) -> dict[str, Labelled]:
    return {picture.name: picture for picture in found}


@pytest.fixture
def split_set(tmp_path: Path) -> Path:
    put(tmp_path, "images/train/a.jpg")
    put(tmp_path, "images/train/b c.png", "0 0.25 0.25 0.5 0.5\n2 0.75 0.75 0.5 0.5\n")
    put(tmp_path, "images/val/ü.jpg", "")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cheek, chin, nose]\n")
    (tmp_path / "groups.csv").write_text("file,group\nimages/train/a.jpg,anna\n")
    return tmp_path


def test_a_yaml_names_splits_classes_and_boxes(split_set):
    found = read_yolo(split_set)
    assert (found.kind, found.names, found.splits) == ("detect", ("cheek", "chin", "nose"), ("train", "val"))
    assert [picture.name for picture in found] == ["a", "b c", "ü"]
    first, second, third = found
    assert (first.width, first.height, first.group, first.split) == (64, 48, "anna", "train")
    np.testing.assert_allclose(first.boxes, [[24, 12, 40, 36]], atol=1e-4)
    assert second.labels.tolist() == [0, 2]
    assert len(third.boxes) == 0
    assert third.group == ""


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train\nval: [images/val]\nnames: {0: cheek, 1: chin, 2: nose}\n",
        "train: ../images/train\nval: ../images/val\nnc: 3\nnames: ['cheek', 'chin', 'nose']\n",
        "path: /gone/set\ntrain: train.txt\nval: images/val\ntest: images/test\nnames: [cheek, chin, nose]\n",
        "names: [cheek, chin, nose]\n",
    ],
    ids=["a dict of names", "as Roboflow writes it", "a list file and a missing test", "no splits named"],
)
def test_yamls_of_other_tools_mean_the_same(split_set, text):
    (split_set / "data.yaml").write_text(text)
    (split_set / "train.txt").write_text("./images/train/a.jpg\n/content/darknet/images/train/b c.png\n\n")
    found = read_yolo(split_set / "data.yaml")
    assert [(p.name, p.split, len(p.boxes)) for p in found] == [("a", "train", 1), ("b c", "train", 2), ("ü", "val", 0)]


def test_a_darknet_data_file_with_lists_below_its_parent(tmp_path):
    put(tmp_path, "data/obj/1.jpg")
    put(tmp_path, "data/obj/2.jpg", "0 .5 .5 .5 .5")
    (tmp_path / "data/obj.names").write_text("chin\r\nnose\r\n\r\n")
    (tmp_path / "data/train.txt").write_text("data/obj/1.jpg\n")
    (tmp_path / "data/test.txt").write_text("data\\obj\\2.jpg\n")
    told = (
        "classes = 2\ntrain = data/train.txt\nvalid = data/test.txt # later\nnames = data/obj.names\nbackup = backup/\n"
    )
    (tmp_path / "data/obj.data").write_text(told)
    found = read_yolo(tmp_path / "data/obj.data")
    assert found.names == ("chin", "nose")
    assert [(p.name, p.split, p.labels.tolist()) for p in found] == [("1", "train", [1]), ("2", "val", [0])]


def test_a_folder_as_labelimg_leaves_it(tmp_path):
    put(tmp_path, "one.jpg")
    put(tmp_path, "two.jpg", None)
    (tmp_path / "classes.txt").write_text("chin\nnose\n")
    found = read_yolo(tmp_path)
    assert found.splits == ()
    assert {name: len(p.boxes) for name, p in by_name(found).items()} == {"one": 1, "two": 0}


@pytest.mark.parametrize("layout", ["images/{}/x.jpg", "{}/images/x.jpg"])
def test_split_folders_without_a_description(tmp_path, layout):
    for split in ("train", "valid"):
        put(tmp_path, layout.format(split))
    (tmp_path / "set.names").write_text("chin\nnose\n")
    assert [(p.split, len(p.boxes)) for p in read_yolo(tmp_path)] == [("train", 1), ("val", 1)]


def test_a_polygon_becomes_the_box_around_it(tmp_path):
    put(tmp_path, "a.jpg", "0 0.25 0.5 0.5 0.25 0.75 0.75")
    (tmp_path / "data.yaml").write_text("names: [chin]\ntask: segment\n")
    np.testing.assert_allclose(read_yolo(tmp_path).pictures[0].boxes, [[16, 12, 48, 36]], atol=1e-4)


def test_sizes_are_those_of_the_picture_as_it_is_shown(tmp_path):
    image = quadrants(64, 48)
    good, data = cv2.imencode(".jpg", image)
    assert good
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data.tobytes()[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data.tobytes()[2:]
    (tmp_path / "up.jpg").write_bytes(turned)
    (tmp_path / "up.txt").write_text("0 0.5 0.5 1 1")
    (tmp_path / "flat.ppm").write_bytes(b"P6 4 3 255\n" + bytes(36))  # a kind whose header is not ours to read
    (tmp_path / "classes.txt").write_text("chin")
    found = by_name(read_yolo(tmp_path))
    assert (found["up"].width, found["up"].height) == (48, 64) == found["up"].image().shape[1::-1]
    assert (found["flat"].width, found["flat"].height) == (4, 3)


WRONG = {
    "a b c": "line 1: 'a b c' is not all numbers",
    "7 .5 .5 .1 .1": "class 7 does not exist; allowed: 0 to 1 (chin, nose)",
    "-1 .5 .5 .1 .1": "class -1 does not exist",
    "0.5 .5 .5 .1 .1": "class 0.5 does not exist",
    "0 .5 .5 .1": "has 4 numbers; expected 'class cx cy w h'",
    "0 1.5 .5 .1 .1": "1.5 is not a fraction of the picture",
    "0 320 240 40 40": "320 is not a fraction",
    "0 nan .5 .1 .1": "has a number that is none",
    "0 .5 .5 0 .1": "has no area",
    "0 .5 .5 -.1 .1": "-.1 is not a fraction",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_named_with_what_is_allowed(tmp_path, line):
    put(tmp_path, "a.jpg", line)
    put(tmp_path, "b.jpg", LINE + line)
    (tmp_path / "classes.txt").write_text("chin\nnose")
    with pytest.raises(InputError) as caught:
        read_yolo(tmp_path)
    assert WRONG[line] in str(caught.value)
    assert f"'{tmp_path / 'a.txt'}' line 1: " in str(caught.value)

    problems: list[Problem] = []
    found = read_yolo(tmp_path, problems.append)
    assert {name: len(p.boxes) for name, p in by_name(found).items()} == {"a": 0, "b": 1}
    assert [problem.path.name for problem in problems] == ["a.txt", "b.txt"]
    assert "line 2" in problems[1].text


def test_all_that_is_wrong_with_files_is_listed(split_set):
    put(split_set, "images/val/alone.jpg", None)
    (split_set / "labels/train/nobody.txt").write_text(LINE)
    (split_set / "images/val/rubbish.jpg").write_bytes(b"no picture")
    (split_set / "labels/val/ü.txt").write_bytes(b"\xff\xfe\x00")
    put(split_set, "images/val/over.jpg", "0 0.95 0.5 0.3 0.5")
    problems: list[Problem] = []
    found = read_yolo(split_set, problems.append)
    told = {(problem.kind, problem.path.name) for problem in problems}
    assert told == {
        ("no label file", "alone.jpg"),
        ("no label file", "rubbish.jpg"),
        ("no picture", "nobody.txt"),
        ("unreadable", "rubbish.jpg"),
        ("wrong line", "ü.txt"),
        ("box outside", "over.jpg".replace("jpg", "txt")),
    }
    assert by_name(found)["over"].boxes[0, 2] == 64
    with pytest.raises(InputError, match=r"rubbish|ü"):
        read_yolo(split_set)


def test_a_picture_in_two_splits_is_a_problem(split_set):
    (split_set / "data.yaml").write_text("train: images\nval: images/val\nnames: [cheek, chin, nose]")
    with pytest.raises(InputError, match="is in train and in val"):
        read_yolo(split_set)
    problems: list[Problem] = []
    assert len(read_yolo(split_set, problems.append)) == 3
    assert [problem.kind for problem in problems] == ["two splits"]


def test_train_and_val_of_the_same_pictures_are_no_split(split_set):
    (split_set / "data.yaml").write_text("train: images\nval: images\nnames: [cheek, chin, nose]")
    found = read_yolo(split_set)
    assert (len(found), found.splits) == (3, ())


def test_names_stay_as_they_are_written_and_links_in_a_ring_end(split_set):
    (split_set / "data.yaml").write_text("train: images/train\nval: images/val\ntest:\nnames: [on, 007, no]\nnc: 3\n")
    (split_set / "images/train/ring").symlink_to(split_set / "images")
    (split_set / "images/val/x").mkdir()
    assert read_yolo(split_set, [].append).names == ("on", "007", "no")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: images/train\n", "has no names"),
        ("names: [a, b]\nnc: 3\n", "says nc: 3, but has 2 names"),
        ("names: {0: a, 2: b}\n", "without a gap"),
        ("names: [a, a]\n", "has the name 'a' twice"),
        ("names: [a\ntrain: x", "line 2"),
        ("names: [a, b, c]\ntrain: elsewhere/pictures\n", "train is 'elsewhere/pictures'"),
        ("- names: 1", "is not a mapping"),
    ],
)
def test_a_wrong_yaml_is_one_sentence(split_set, text, said):
    (split_set / "data.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        read_yolo(split_set / "data.yaml")
    assert said in str(caught.value)
    assert "data.yaml" in str(caught.value)


def test_what_is_no_set_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"is not a folder, data\.yaml or \.data file"):
        read_yolo(tmp_path / "nothing")
    with pytest.raises(InputError, match="has no pictures"):
        read_yolo(tmp_path)
    put(tmp_path, "a.jpg", None)
    with pytest.raises(InputError, match=r"put classes\.txt there"):
        read_yolo(tmp_path)
    (tmp_path / "classes.txt").write_text("chin")
    with pytest.raises(InputError, match="has no labels"):
        read_yolo(tmp_path)
    (tmp_path / "set.data").write_text("classes 1")
    with pytest.raises(InputError, match="line 1: expected 'key = value'"):
        read_yolo(tmp_path)


def test_written_sets_come_back_the_same(split_set, tmp_path_factory):
    found = read_yolo(split_set)
    dest = tmp_path_factory.mktemp("out") / "faces"
    write_yolo(found, dest)
    again = read_yolo(dest)
    assert (again.names, again.splits) == (found.names, found.splits)
    for before, after in zip(found, again, strict=True):
        assert (before.name, before.split, before.group) == (after.name, after.split, after.group)
        assert before.labels.tolist() == after.labels.tolist()
        np.testing.assert_allclose(before.boxes, after.boxes, rtol=1e-4, atol=1e-4)
        assert before.path.read_bytes() == after.path.read_bytes()
    assert {path.name for path in dest.iterdir()} == {
        "images", "labels", "data.yaml", "faces.names", "faces.data", "train.txt", "val.txt", "groups.csv"
    }  # fmt: skip
    for by_darknet in (read_yolo(dest / "faces.data"), read_yolo(dest / "data.yaml")):
        assert [(p.name, p.split, len(p.boxes)) for p in by_darknet] == [(p.name, p.split, len(p.boxes)) for p in found]


def test_an_unsplit_set_stays_unsplit_and_links_save_the_disk(tmp_path):
    put(tmp_path, "set/a.jpg", "0 .5 .5 .00025 .001")
    (tmp_path / "set/classes.txt").write_text("chin")
    found = read_yolo(tmp_path / "set")
    ticks: list[int] = []
    write_yolo(found, tmp_path / "out", copy=False, tick=lambda: ticks.append(1))
    again = read_yolo(tmp_path / "out")
    assert again.splits == ()
    assert again.pictures[0].path.samefile(found.pictures[0].path)
    np.testing.assert_allclose(np.diff(again.pictures[0].boxes), np.diff(found.pictures[0].boxes), rtol=1e-4)
    assert len(ticks) == 1


def test_pictures_of_one_name_get_their_folders_name(tmp_path):
    places = ["anna/1.jpg", "ben/1.jpg", "ben/1.png", "ben/2.jpg"]
    pictures = [
        Labelled(put(tmp_path, place, None), 64, 48, np.array([[1, 2, 3 + i, 9]]), np.array([0]))
        for i, place in enumerate(places)
    ]
    write_yolo(LabelledSet("detect", ("chin",), tuple(pictures)), tmp_path / "out")
    again = by_name(read_yolo(tmp_path / "out"))
    assert sorted(again) == ["2", "anna_1", "ben_1", "ben_1_2"]
    assert again["ben_1_2"].boxes[0, 2] == pytest.approx(5, abs=1e-4)


def test_a_picture_of_a_pack_is_written_as_png(tmp_path):
    picture = Labelled(Path("pack.npy/7"), 64, 48, np.array([[1, 2, 3, 9]]), np.array([0]), pixels=quadrants)
    write_yolo(LabelledSet("detect", ("chin",), (picture,)), tmp_path / "out")
    np.testing.assert_array_equal(read_yolo(tmp_path / "out").pictures[0].image(), quadrants())


def test_writing_refuses_and_leaves_nothing_behind(split_set, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    found = read_yolo(split_set)
    (out / "full").mkdir()
    (out / "full/mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        write_yolo(found, out / "full")
    with pytest.raises(InputError, match="labels are boxes"):
        write_yolo(LabelledSet("classify", ("a",), ()), out / "x")
    with pytest.raises(InputError, match="is in no split"):
        write_yolo(found.having([*found.pictures, Labelled(split_set / "images/train/a.jpg")]), out / "x")
    found.pictures[1].path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        write_yolo(found, out / "x")
    assert [path.name for path in out.iterdir()] == ["full"]
