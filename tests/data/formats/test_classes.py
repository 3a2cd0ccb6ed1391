"""Sets to classify: class folders, file lists, labels.csv; and how a path is told apart."""

from pathlib import Path

import pytest
from media import save_picture

from handlens.data.dataset import LabelledSet
from handlens.data.formats.class_folders import read_folders
from handlens.data.formats.detect_format import open_set
from handlens.data.formats.file_lists import read_lists, read_table
from handlens.data.problems import Problem
from handlens.errors import InputError


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(path)


def told(found: LabelledSet) -> list[tuple[str, str, str]]:
    """(name, label, split) of each picture."""
    return [(p.name, found.names[p.labels[0]], p.split) for p in found]


def test_class_folders(tmp_path):
    put(tmp_path, "peace/1.jpg", "fist/ü 2.png", "fist/deep/3.jpg", "loose.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "groups.csv").write_text("file,group\nfist/ü 2.png,anna\n", encoding="utf-8")
    problems: list[Problem] = []
    found = read_folders(tmp_path, problems.append)
    assert (found.kind, found.names) == ("classify", ("empty", "fist", "peace"))
    assert told(found) == [("ü 2", "fist", ""), ("3", "fist", ""), ("1", "peace", "")]
    assert [p.group for p in found] == ["anna", "", ""]
    assert [(problem.kind, problem.path.name) for problem in problems] == [("no label file", "loose.jpg")]
    assert told(open_set(tmp_path)) == told(found)


def test_split_class_folders_and_numbers_in_their_order(tmp_path):
    put(tmp_path, "train/10/a.jpg", "train/9/b.jpg", "test/9/c.jpg", "valid/0/d.jpg")
    found = open_set(tmp_path)
    assert found.names == ("0", "9", "10")
    assert sorted(told(found)) == [("a", "10", "train"), ("b", "9", "train"), ("c", "9", "test"), ("d", "0", "val")]


def test_a_folder_of_one_class_is_read_faithfully(tmp_path):
    put(tmp_path, "fist/1.jpg")
    assert open_set(tmp_path).names == ("fist",)


def test_lists_take_names_from_folders_of_their_own(tmp_path):
    put(tmp_path, "train/Nothing/1.jpg", "train/Object/a b.jpg", "test/Object/3.jpg")
    (tmp_path / "train/train.list").write_text("Nothing//1.jpg  0\r\nObject//a b.jpg  1")
    (tmp_path / "test/test.list").write_text("Object//3.jpg  1\n")
    found = open_set(tmp_path)
    assert found.names == ("Nothing", "Object")
    assert sorted(told(found)) == [("1", "Nothing", "train"), ("3", "Object", "test"), ("a b", "Object", "train")]
    assert len(open_set(tmp_path / "train/train.list")) == 2


def test_lists_of_names_or_of_numbers_without_folders(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg", "3 x.jpg")
    listed = tmp_path / "set.list"
    listed.write_text("1.jpg  peace\n2.jpg  fist\n3 x.jpg\tok sign\n")
    with pytest.raises(InputError, match=r"line 3: there is no file '3 x\.jpg ok'"):
        read_lists(listed)
    listed.write_text("1.jpg  peace\n2.jpg  fist\n3 x.jpg  ok sign\n")
    assert read_lists(listed).names == ("fist", "ok sign", "peace")
    listed.write_text("1.jpg 3\n2.jpg 12\n3 x.jpg 03\n")
    assert told(read_lists(tmp_path)) == [("1", "3", ""), ("2", "12", ""), ("3 x", "3", "")]
    (tmp_path / "names.txt").write_text("zero\none\ntwo\nthree\n")
    with pytest.raises(InputError, match="the label '12' is not a class; allowed: 0, 1, 2, 3"):
        read_lists(listed)


def test_what_is_wrong_in_a_list(tmp_path):
    put(tmp_path, "1.jpg", "2.jpg")
    (tmp_path / "train.list").write_text("1.jpg  0\ngone.jpg  1\n2.jpg  one\nalone\n2.jpg  1\n")
    (tmp_path / "val.list").write_text("1.jpg  0\n")
    with pytest.raises(InputError, match=r"train\.list' line 2: there is no file 'gone\.jpg'"):
        read_lists(tmp_path)
    problems: list[Problem] = []
    found = read_lists(tmp_path, problems.append)
    assert sorted(told(found)) == [("1", "0", "train"), ("2", "1", "train")]
    assert [problem.kind for problem in problems] == ["no picture", "wrong line", "wrong class", "two splits"]
    assert "'one' is not a number as the others are; allowed: 0, 1" in problems[2].text


def test_a_table_with_groups_and_splits(tmp_path):
    put(tmp_path, "images/1.jpg", "images/deep/2.jpg", "3.jpg")
    (tmp_path / "labels.csv").write_text(
        "\ufefffile,label,group,split,source\n1.jpg,fist,7,train,web\ndeep/2.jpg,1,,val,web\n3.jpg,fist,7,train,\n"
    )
    found = open_set(tmp_path)
    assert sorted(told(found)) == [("1", "fist", "train"), ("2", "1", "val"), ("3", "fist", "train")]
    assert [p.group for p in found] == ["web/7", "", "7"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,label\n1.jpg\n", "line 2: expected 2 columns"),
        ("file,label\n1.jpg,fist\ngone.jpg,fist\n", "line 3: there is no file 'gone.jpg'"),
        ("file,label\n1.jpg,\n", "line 2: '1.jpg' has no label"),
        ("file,label,split\n1.jpg,fist,later\n", "the split 'later' is none; allowed: train, val, test"),
        ("file,klass\n1.jpg,fist\n", "no column 'label'; its columns are: file, klass"),
        ("", "no column 'file'; its columns are: none"),
        ("file,label\n", "names no picture"),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path, text, said):
    put(tmp_path, "1.jpg")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path)
    assert said in str(caught.value)


def test_a_wrong_groups_file_is_one_sentence(tmp_path):
    put(tmp_path, "fist/1.jpg")
    (tmp_path / "groups.csv").write_text("picture,who\nfist/1.jpg,anna\n")
    with pytest.raises(InputError, match=r"groups\.csv' has no column 'file'"):
        read_folders(tmp_path)


def test_what_is_no_set_says_what_was_looked_for(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        open_set(tmp_path / "gone")
    with pytest.raises(InputError, match=r"is not a labelled set in a known format; looked for .*YOLO.*class folders"):
        open_set(tmp_path)
    (tmp_path / "set.zip").write_bytes(b"PK")
    with pytest.raises(InputError, match="is packed: unpack it"):
        open_set(tmp_path / "set.zip")
    put(tmp_path, "fist/1.jpg")
    with pytest.raises(InputError, match=r"class folders.*is to classify; this needs a set to detect: .*YOLO"):
        open_set(tmp_path, kind="detect")
    with pytest.raises(InputError, match=r"unknown kind 'detekt'.* did you mean 'detect'"):
        open_set(tmp_path, kind="detekt")
