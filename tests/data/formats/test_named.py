"""Pictures whose names end in their class, as gesture sets of video frames are published."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.data.formats.detect_format import open_set
from handlens.data.problems import Problem
from handlens.errors import InputError


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.zeros((8, 8), np.uint8))
    return folder


def frames(folder: Path, first: int = 0) -> Path:
    return pictures(folder, *(f"{number}_{number % 11}.png" for number in range(first, first + 33)))


def test_the_end_of_the_name_is_the_class(tmp_path: Path) -> None:
    found = open_set(frames(tmp_path))
    assert found.names == tuple(map(str, range(11)))
    assert len(found) == 33
    assert all(found.names[int(p.labels[0])] == p.path.stem.partition("_")[2] for p in found)
    assert found.splits == ()


def test_split_folders_are_the_splits_and_groups_are_read(tmp_path: Path) -> None:
    frames(tmp_path / "train")
    frames(tmp_path / "test", 33)
    (tmp_path / "groups.csv").write_text("file,group\ntrain/0_0.png,ann\n")
    found = open_set(tmp_path, "classify")
    assert found.splits == ("train", "test")
    assert (len(found.split("train")), len(found.split("test"))) == (33, 33)
    assert [p.group for p in found if p.group] == ["ann"]


def test_one_that_is_called_otherwise_is_told(tmp_path: Path) -> None:
    pictures(frames(tmp_path), "cover.png")
    with pytest.raises(InputError, match=r"cover\.png' is not called NUMBER_CLASS as the others are"):
        open_set(tmp_path)
    problems: list[Problem] = []
    assert len(open_set(tmp_path, on_problem=problems.append)) == 33
    assert len(problems) == 1


def test_other_pictures_are_no_such_set(tmp_path: Path) -> None:
    pictures(tmp_path / "a", *(f"IMG_{n}.png" for n in range(9)))
    pictures(tmp_path / "b", *(f"1_{n}.png" for n in range(9)))
    for name in "ab":
        with pytest.raises(InputError, match="is not a labelled set in a known format"):
            open_set(tmp_path / name)
    frames(tmp_path / "c" / "0")
    frames(tmp_path / "c" / "1")
    assert open_set(tmp_path / "c").names == ("0", "1")  # folders speak before names
