"""data build: several annotated folders become one set that others can train on, and nobody is in two splits."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_sets import class_folders, masked_set, save, view, yolo_picture, yolo_set

from handlens.cli import run
from handlens.data.build import merge_sets
from handlens.data.dataset import LabelledSet
from handlens.data.formats.detect_format import open_set


def build(*arguments: object) -> int:
    return run(["data", "build", *map(str, arguments)])


def names_per_split(found: LabelledSet) -> dict[str, set[str]]:
    return {split: {picture.name for picture in found.split(split)} for split in found.splits}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders that number the same classes otherwise; each person is there 3 times."""
    one = yolo_set(tmp_path / "one", ["cheek", "chin"], range(12), 3)
    return one, yolo_set(tmp_path / "two", ["Chin", "cheek"], range(20, 28), 3)


def test_two_folders_become_one_yolo_set_split_by_person(two, tmp_path, capsys):
    dest = tmp_path / "all"
    assert build(*two, "--dest", dest, "--group", r"(\d+)_\d") == 0
    for name in ("all.names", "all.data", "data.yaml", "groups.csv", "train.txt", "val.txt", "test.txt"):
        assert (dest / name).is_file(), name
    found = open_set(dest)
    assert found.names == ("cheek", "chin")
    assert len(found) == 60
    people = {split: {name.split("_")[0] for name in names} for split, names in names_per_split(found).items()}
    assert {split: len(these) for split, these in people.items()} == {"train": 15, "val": 3, "test": 2}
    assert not people["train"] & (people["val"] | people["test"])
    assert not people["val"] & people["test"]
    out = " ".join(capsys.readouterr().out.split())
    assert "detect: boxes of each class train val test all" in out
    assert "pictures 45 9 6 60 groups 15 3 2 20" in out


def test_classes_are_matched_by_name_whatever_their_number(two, tmp_path):
    build(*two, "--dest", tmp_path / "all")
    found = open_set(tmp_path / "all")
    named = {picture.name: found.names[int(picture.labels[0])] for picture in found}
    assert named["0_0"] == "cheek"  # class 0 of the first folder
    assert named["20_0"] == "chin"  # class 0 of the second, there called Chin
    before = {picture.name: picture.boxes for root in two for picture in open_set(root)}
    for picture in found:
        assert np.allclose(picture.boxes, before[picture.name], atol=1e-3)


def test_without_groups_near_copies_stay_together(two, tmp_path):
    assert build(*two, "--dest", tmp_path / "all") == 0
    splits: dict[str, set[str]] = {}
    for picture in open_set(tmp_path / "all"):
        splits.setdefault(picture.name.split("_")[0], set()).add(picture.split)
    assert len(splits) == 20
    assert all(len(there) == 1 for there in splits.values())
    with (tmp_path / "all" / "groups.csv").open() as file:
        assert len({row["group"] for row in csv.DictReader(file)}) == 20
    assert run(["data", "check", str(tmp_path / "all")]) == 0


def test_groups_csv_of_a_folder_is_kept(tmp_path):
    root = yolo_set(tmp_path / "one", ["chin"], range(12))
    rows = "".join(f"images/{n}_0.jpg,{'anna' if n < 6 else f'p{n}'}\n" for n in range(12))
    (root / "groups.csv").write_text(f"file,group\n{rows}")
    assert build(root, "--dest", tmp_path / "all") == 0
    found = open_set(tmp_path / "all")
    assert {picture.split for picture in found if picture.group == "anna"} == {"train"}
    assert sum(picture.group == "anna" for picture in found) == 6


def test_a_picture_that_two_groups_share_ties_them_together(tmp_path):
    root = tmp_path / "one"
    for person in range(10):
        for number in range(2):
            yolo_picture(root, f"p{person}_{number}.jpg", view(10 * person + number), [(0, 0.5, 0.5, 0.2, 0.2)])
    for person in (3, 7):  # both hold up the same picture
        yolo_picture(root, f"p{person}_9.png", view(999), [(0, 0.5, 0.5, 0.2, 0.1 * person)])
    (root / "classes.txt").write_text("chin\n")
    for seed in range(3):
        dest = tmp_path / f"all{seed}"
        assert build(root, "--dest", dest, "--group", r"(p\d)_", "--seed", seed) == 0
        splits = {picture.group: picture.split for picture in open_set(dest)}
        assert splits["p3"] == splits["p7"]


def test_pictures_of_one_name_keep_their_own_labels(tmp_path):
    for home, seed, label in (("a", 1, 0), ("b", 2, 1)):
        yolo_set(tmp_path / home, ["cheek", "chin"], range(seed * 100, seed * 100 + 6))
        yolo_picture(tmp_path / home, "same.png", view(seed), [(label, 0.5, 0.5, 0.4, 0.4)])
    assert build(tmp_path / "a", tmp_path / "b", "--dest", tmp_path / "all") == 0
    found = open_set(tmp_path / "all")
    same = {picture.name: picture for picture in found if "same" in picture.name}
    assert len(found) == 14
    assert len(same) == 2
    for picture in same.values():
        seed = next(seed for seed in (1, 2) if (picture.image() == view(seed)).all())
        assert found.names[int(picture.labels[0])] == {1: "cheek", 2: "chin"}[seed]


def test_the_same_picture_with_the_same_labels_is_taken_once(two, tmp_path, capsys):
    assert build(*two, two[0], "--dest", tmp_path / "all") == 0
    assert len(open_set(tmp_path / "all")) == 60
    assert "36 pictures were there twice" in capsys.readouterr().out


def test_names_set_the_order_and_may_add_classes(two, tmp_path):
    assert build(*two, "--dest", tmp_path / "all", "--names", "forehead,chin,cheek") == 0
    found = open_set(tmp_path / "all")
    assert found.names == ("forehead", "chin", "cheek")
    assert {found.names[int(picture.labels[0])] for picture in found if picture.name == "0_0"} == {"cheek"}


def test_names_that_lack_a_class_in_use_are_refused(two, tmp_path, capsys):
    assert build(*two, "--dest", tmp_path / "all", "--names", "chin") == 2
    assert "has the class 'cheek', which is not among chin" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()


def test_an_empty_name_is_refused(two, tmp_path, capsys):
    assert build(*two, "--dest", tmp_path / "all", "--names", "cheek,,chin") == 2
    assert "name 2 of 'cheek,,chin' is empty: give every class a name" in capsys.readouterr().err
    assert not (tmp_path / "all").exists()


def test_names_may_lack_a_class_nobody_uses(tmp_path):
    root = yolo_set(tmp_path / "one", ["chin"], range(8))
    (root / "classes.txt").write_text("chin\nunused\n")
    assert build(root, "--dest", tmp_path / "all", "--names", "chin") == 0
    assert open_set(tmp_path / "all").names == ("chin",)


@pytest.mark.slow
def test_the_zip_holds_the_set_and_is_the_same_each_time(two, tmp_path):
    packed = []
    for home in ("x", "y"):
        assert build(*two, "--dest", tmp_path / home / "all", "--zip") == 0
        packed.append(tmp_path / home / "all.zip")
    assert packed[0].read_bytes() == packed[1].read_bytes()
    with zipfile.ZipFile(packed[0]) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "z")
    assert len(open_set(tmp_path / "z" / "all").split("train")) == 45


def test_a_zip_that_is_there_is_not_overwritten(two, tmp_path, capsys):
    (tmp_path / "all.zip").write_text("precious")
    assert build(*two, "--dest", tmp_path / "all", "--zip") == 2
    assert (tmp_path / "all.zip").read_text() == "precious"
    assert "all.zip' exists" in capsys.readouterr().err


def test_class_folders_become_split_class_folders(tmp_path, capsys):
    one = class_folders(tmp_path / "one", ["fist", "palm"], 6)
    other = class_folders(tmp_path / "other", ["O", "thumb"], 6)
    assert build(one, other, "--dest", tmp_path / "all", "--names", "fist,palm,thumb,O", "--shares", "0.7,0.3") == 0
    found = open_set(tmp_path / "all")
    assert set(found.names) == {"fist", "palm", "thumb", "O"}
    assert found.splits == ("train", "val")
    assert (tmp_path / "all" / "val" / "fist").is_dir()
    assert "classify: pictures of each class" in capsys.readouterr().out


def test_pictures_with_masks_become_images_and_masks(tmp_path):
    root = masked_set(tmp_path / "one", 12)
    assert build(root, "--dest", tmp_path / "all") == 0
    found, before = open_set(tmp_path / "all"), open_set(root)
    assert found.kind == "segment"
    assert found.names == before.names
    masks = {picture.name: picture.mask() for picture in before if picture.mask}
    for picture in found:
        assert picture.mask is not None
        assert (picture.mask() == masks[picture.name]).all()
    assert {path.parent.name for path in (tmp_path / "all" / "masks").rglob("*.png")} == {"train", "val", "test"}


def test_an_unreadable_picture_is_told_and_the_rest_is_done(two, tmp_path, capsys):
    whole = two[0] / "images" / "0_0.jpg"
    data = bytearray(whole.read_bytes())
    whole.write_bytes(data[: len(data) // 2])
    (two[0] / "images" / "1_0.jpg").write_text("no picture")
    assert build(*two, "--dest", tmp_path / "all") == 2
    err = capsys.readouterr().err
    assert "0_0.jpg' is cut off" in err
    assert "1_0.jpg' is not a picture" in err
    assert "2 pictures could not be read and were left out" in err
    assert len(open_set(tmp_path / "all")) == 58


def test_a_wrong_label_stops_it_and_says_where_to_look(two, tmp_path, capsys):
    (two[1] / "labels" / "20_0.txt").write_text("5 0.5 0.5 0.1 0.1\n")
    assert build(*two, "--dest", tmp_path / "all") == 2
    err = capsys.readouterr().err
    assert "line 1: class 5 does not exist" in err
    assert f"'handlens data check {two[1]}' lists all" in err
    assert not (tmp_path / "all").exists()


def test_a_class_that_is_no_folder_name_is_refused(tmp_path, capsys):
    root = tmp_path / "one"
    for seed in range(4):
        save(root / f"{seed}.jpg", view(seed))
    (root / "labels.csv").write_text("file,label\n" + "".join(f"{n}.jpg,{'a/b' if n else 'c'}\n" for n in range(4)))
    assert build(root, "--dest", tmp_path / "all") == 2
    assert "the class 'a/b' cannot be the name of a folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--shares", "0.5,0.1"], "are not shares"),
        (["--group", "("], "is not a regular expression"),
        (["--group", "a", "--group-by", "folder"], "in two ways"),
        (["--group-by", "person"], "allowed is folder"),
        (["--group-by", "folder"], "in 2 groups cannot be split"),
        (["--kind", "segment"], "to segment"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_left(two, tmp_path, capsys, more, said):
    assert build(*two, "--dest", tmp_path / "all", *more) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_sets_of_two_kinds_are_built_apart(two, tmp_path, capsys):
    other = class_folders(tmp_path / "classes", ["fist", "palm"], 2)
    assert build(two[0], other, "--dest", tmp_path / "all") == 2
    assert "build them apart" in capsys.readouterr().err


def test_a_full_dest_or_one_inside_a_source_is_refused_before_any_work(two, tmp_path, capsys):
    assert build(*two, "--dest", two[0]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert build(*two, "--dest", two[0] / "new") == 2
    assert "lies in" in capsys.readouterr().err


def test_masks_with_other_backgrounds_are_not_mixed():
    one = LabelledSet("segment", ("background", "hand"), (), Path("a"))
    other = LabelledSet("segment", ("face", "hand"), (), Path("b"))
    with pytest.raises(Exception, match="value 0 is 'background' in the masks of 'a' and 'face'"):
        merge_sets([one, other])
