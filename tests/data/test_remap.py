"""data remap: classes change, everything else about a set stays; a part of another set comes in without a leak."""

from pathlib import Path

import numpy as np
import pytest
from made_sets import class_folders, masked_set, view, yolo_picture, yolo_set

from handlens.cli import run
from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set


def remap(root: Path, dest: Path, *more: str) -> int:
    return run(["data", "remap", str(root), "--dest", str(dest), *more])


def told(found: LabelledSet) -> dict[str, list[str]]:
    """The class names of each picture's boxes."""
    return {picture.name: [found.names[label] for label in picture.labels] for picture in found}


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A split set with the classes cheek, chin, forehead; one picture has all three, one has none."""
    root = tmp_path / "set"
    for n, split in enumerate(("train", "train", "val", "test")):
        yolo_picture(root, f"{n}.jpg", view(n), [(n % 3, 0.5, 0.5, 0.2, 0.2)], split)
    yolo_picture(root, "all.jpg", view(50), [(k, 0.2 + 0.3 * k, 0.5, 0.2, 0.2) for k in range(3)], "train")
    yolo_picture(root, "none.jpg", view(51), [], "val")
    (root / "classes.txt").write_text("cheek\nchin\nforehead\n")
    (root / "groups.csv").write_text("file,group\nimages/val/2.jpg,anna\n")
    return root


def test_a_class_is_renamed_and_all_else_stays(three, tmp_path):
    assert remap(three, tmp_path / "new", "--rename", "cheek=wang") == 0
    before, found = open_set(three), open_set(tmp_path / "new")
    assert found.names == ("wang", "chin", "forehead")
    assert told(found)["0"] == ["wang"]
    old = {picture.name: picture for picture in before}
    for picture in found:
        same = old[picture.name]
        assert (picture.split, picture.group) == (same.split, same.group)
        assert np.allclose(picture.boxes, same.boxes, atol=1e-3)
        assert picture.path.read_bytes() == same.path.read_bytes()


def test_two_names_may_be_exchanged(three, tmp_path):
    assert remap(three, tmp_path / "new", "--rename", "cheek=chin", "--rename", "chin=cheek") == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("chin", "cheek", "forehead")
    assert told(found)["1"] == ["cheek"]


def test_classes_are_merged(three, tmp_path):
    assert remap(three, tmp_path / "new", "--merge", "cheek,forehead=upper") == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("upper", "chin")
    assert told(found)["all"] == ["upper", "chin", "upper"]


def test_a_dropped_class_leaves_pictures_without_objects(three, tmp_path):
    assert remap(three, tmp_path / "new", "--drop", "cheek") == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("chin", "forehead")
    assert len(found) == 6
    assert told(found) == {"0": [], "1": ["chin"], "2": ["forehead"], "3": [], "all": ["chin", "forehead"], "none": []}


def test_pictures_left_empty_go_when_asked_but_not_those_that_were_empty(three, tmp_path):
    assert remap(three, tmp_path / "new", "--drop", "cheek,forehead", "--drop-empty") == 0
    assert told(open_set(tmp_path / "new")) == {"1": ["chin"], "all": ["chin"], "none": []}


def test_an_order_may_bring_new_classes(three, tmp_path):
    assert remap(three, tmp_path / "new", "--order", "forehead,ear,chin,cheek") == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("forehead", "ear", "chin", "cheek")
    assert told(found)["all"] == ["cheek", "chin", "forehead"]


def test_class_numbers_are_shifted_and_back(three, tmp_path):
    assert remap(three, tmp_path / "new", "--shift", "2") == 0
    assert open_set(tmp_path / "new").names == ("unused0", "unused1", "cheek", "chin", "forehead")
    assert (tmp_path / "new" / "labels" / "val" / "2.txt").read_text().split()[0] == "4"
    assert remap(tmp_path / "new", tmp_path / "back", "--shift", "-2") == 0
    assert told(open_set(tmp_path / "back")) == told(open_set(three))


def test_all_at_once_in_the_order_that_is_promised(three, tmp_path):
    changes = ["--shift", "1", "--drop", "upper", "--merge", "wang,forehead=upper", "--rename", "cheek=wang"]
    assert remap(three, tmp_path / "new", *changes) == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("unused0", "chin")
    assert told(found)["all"] == ["chin"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "nothing to do"),
        (["--rename", "chek=x"], "unknown class 'chek': did you mean 'cheek'?"),
        (["--rename", "cheek"], "is not old=new"),
        (["--rename", "=x"], "is not old=new"),
        (["--merge", "cheek=x"], "names one class only"),
        (["--drop", "cheek,chin,forehead"], "no class is left"),
        (["--drop", "nose"], "unknown class 'nose'"),
        (["--order", "cheek,chin"], "lacks the class 'forehead'"),
        (["--order", "cheek,chin,forehead,chin"], "a name twice"),
        (["--shift", "-1"], "would give 'cheek' a number below 0"),
        (["--shift", "-3"], "would leave no class"),
        (["--shift", "x"], "--shift"),
        (["--rename", "cheek=x", "--drop-empty"], "--drop"),
        (["--share", "0.1", "--rename", "cheek=x"], "give --add OTHER"),
        (["--add", "nowhere", "--share", "0.1"], "does not exist"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_left(three, tmp_path, capsys, more, said):
    assert remap(three, tmp_path / "new", *more) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A large set of other people, with one class of the same name at another number."""
    return yolo_set(tmp_path / "coco", ["dog", "chin"], range(100, 140))


def added(found: LabelledSet) -> dict[str, list[str]]:
    return {name: names for name, names in told(found).items() if name.startswith("1") and "_" in name}


def test_a_share_of_another_set_goes_to_train_with_classes_by_name(three, other, tmp_path):
    assert remap(three, tmp_path / "new", "--add", str(other), "--share", "0.25") == 0
    found = open_set(tmp_path / "new")
    assert found.names == ("cheek", "chin", "forehead")
    new = added(found)
    assert len(new) == 10
    assert {picture.split for picture in found if picture.name in new} == {"train"}
    assert [len(found.split(name)) for name in ("val", "test")] == [2, 1]
    for name, classes in new.items():
        assert classes == (["chin"] if int(name[:3]) % 2 else [])


def test_a_count_is_drawn_by_the_seed(three, other, tmp_path):
    drawn = []
    for place, seed in enumerate(("1", "1", "2")):
        dest = tmp_path / f"new{place}"
        assert remap(three, dest, "--add", str(other), "--count", "8", "--seed", seed) == 0
        drawn.append(sorted(added(open_set(dest))))
    assert len(drawn[0]) == 8
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("how", "names", "boxes"), [("drop", 3, set()), ("map", 3, {"chin"}), ("keep", 4, {"chin", "dog"})]
)
def test_classes_of_the_other_set_are_dropped_mapped_or_kept(three, other, tmp_path, how, names, boxes):
    assert remap(three, tmp_path / "new", "--add", str(other), "--count", "40", "--add-classes", how) == 0
    found = open_set(tmp_path / "new")
    assert len(found.names) == names
    assert {name for names in added(found).values() for name in names} == boxes


def test_pictures_go_to_another_split_only_when_asked(three, other, tmp_path):
    assert remap(three, tmp_path / "new", "--add", str(other), "--count", "5", "--add-to", "val") == 0
    assert len(open_set(tmp_path / "new").split("val")) == 7


def test_pictures_that_would_leak_are_not_added(three, tmp_path):
    more = tmp_path / "more"
    yolo_picture(more, "x.jpg", view(3), [(0, 0.5, 0.5, 0.2, 0.2)])  # the very picture of the test split
    yolo_picture(more, "y.jpg", view(700), [(0, 0.5, 0.5, 0.2, 0.2)])  # anna, who is in val
    yolo_picture(more, "z.jpg", view(701), [(0, 0.5, 0.5, 0.2, 0.2)])
    (more / "classes.txt").write_text("cheek\n")
    (more / "groups.csv").write_text("file,group\nimages/y.jpg,anna\n")
    assert remap(three, tmp_path / "new", "--add", str(more), "--share", "1") == 0
    assert {picture.name for picture in open_set(tmp_path / "new")} - {picture.name for picture in open_set(three)} == {
        "z"
    }


def test_of_a_split_set_only_the_same_split_is_drawn_from(three, tmp_path):
    more = yolo_set(tmp_path / "more", ["chin"], range(200, 220), splits=("train", "val"))
    assert remap(three, tmp_path / "new", "--add", str(more), "--count", "10") == 0
    drawn = {int(picture.name[:3]) for picture in open_set(tmp_path / "new") if picture.name.startswith("2") and
             "_" in picture.name}  # fmt: skip
    assert drawn == set(range(200, 220, 2))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "needs --share S"),
        (["--share", "0.1", "--count", "3"], "not both"),
        (["--count", "41"], "40 pictures that can be added, not 41"),
        (["--share", "1.5"], "--share"),
        (["--count", "1", "--add-to", "vall"], "unknown split 'vall': did you mean 'val'?"),
        (["--count", "1", "--add-classes", "all"], "unknown value of --add-classes"),
    ],
)
def test_an_addition_that_cannot_be_is_one_sentence(three, other, tmp_path, capsys, more, said):
    assert remap(three, tmp_path / "new", "--add", str(other), *more) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_set_that_has_all_of_the_other_gets_nothing(three, tmp_path, capsys):
    assert remap(three, tmp_path / "copy", "--rename", "cheek=x") == 0
    assert remap(three, tmp_path / "new", "--add", str(tmp_path / "copy"), "--share", "0.5") == 2
    assert "has no picture that can be added" in capsys.readouterr().err


def test_class_folders_lose_the_pictures_of_a_dropped_class(tmp_path):
    root = class_folders(tmp_path / "set", ["fist", "palm", "thumb"], 3)
    assert remap(root, tmp_path / "new", "--drop", "thumb", "--rename", "palm=flat") == 0
    found = open_set(tmp_path / "new")
    assert set(found.names) == {"fist", "flat"}
    assert len(found) == 12


def test_masks_are_remapped_pixel_by_pixel(tmp_path):
    root = masked_set(tmp_path / "set", 4)
    assert remap(root, tmp_path / "new", "--drop", "hand", "--rename", "face=head") == 0
    before, found = open_set(root), open_set(tmp_path / "new")
    assert found.names == ("background", "head")
    for old, new in zip(before, found, strict=True):
        assert old.mask is not None
        assert new.mask is not None
        assert ((old.mask() == 2) == (new.mask() == 1)).all()


def test_the_background_of_masks_stays(tmp_path, capsys):
    root = masked_set(tmp_path / "set", 4)
    assert remap(root, tmp_path / "new", "--drop", "background") == 2
    assert remap(root, tmp_path / "new", "--order", "hand,background,face") == 2
    assert remap(root, tmp_path / "new", "--shift", "1") == 2
    assert capsys.readouterr().err.count("is the background of the masks") == 2
