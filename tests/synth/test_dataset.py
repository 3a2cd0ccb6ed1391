"""A rendered set is labelled truly, split by person, the same for the same seed, and needs no torch and no pictures."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.boxes import inside
from handlens.cli import run
from handlens.data.dataset import LabelledSet
from handlens.data.formats.masks import read_masks
from handlens.data.formats.yolo import read_yolo
from handlens.synth.dataset import class_names, plan_tasks, stage_set
from handlens.synth.labelled_scene import MASKS, Task, draw_labelled_scene, labelled

SIZE = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("synth") / "people"
    stage_set(place, 3, seed=1, size=SIZE)
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> LabelledSet:
    return read_yolo(folder)


@pytest.mark.slow
def test_the_set_reads_back_split_by_person(found: LabelledSet) -> None:
    assert found.names == ("face", "hand", "forehead", "eye", "nose", "mouth", "cheek", "chin", "ear")
    assert sorted(picture.split for picture in found) == ["test", "train", "val"]
    assert {picture.group for picture in found} == {"person0000", "person0001", "person0002"}
    assert {picture.image().shape for picture in found} == {(SIZE, SIZE, 3)}


@pytest.mark.slow
def test_regions_lie_on_the_face_and_a_hand_is_there(found: LabelledSet) -> None:
    for picture in found:
        names = [found.names[label] for label in picture.labels]
        assert names.count("face") == 1
        face = picture.boxes[names.index("face")][None]
        for name, box in zip(names, picture.boxes, strict=True):
            if name not in ("face", "hand", "ear"):
                assert inside(box[None], face)[0, 0] > 0.95
                assert "hand" in names


@pytest.mark.slow
def test_the_masks_fit_the_boxes(folder: Path, found: LabelledSet) -> None:
    stored = cv2.imread(str(next((folder / "masks" / "train").iterdir())), cv2.IMREAD_UNCHANGED)
    assert stored.shape == (SIZE, SIZE)
    assert set(np.unique(stored).tolist()) == {0, 1, 2}
    masked = read_masks(folder)
    assert masked.names == MASKS
    boxes = {picture.path: picture for picture in found}
    for picture in masked:
        truth = masked.sample(picture).truth
        own = boxes[picture.path]
        assert picture.split == own.split
        face = own.boxes[own.labels == 0][0]
        ys, xs = np.nonzero(truth.classes == 2)  # type: ignore[union-attr]
        assert (xs.min(), ys.min()) >= (face[0] - 1, face[1] - 1)
        assert xs.max() < face[2] + 1
        assert bool((own.labels == 1).any()) <= bool((truth.classes == 1).any())  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_set_with_any_number_of_workers(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "people"
    verb = ["data", "synth", "--dest", str(again), "--count", "3", "--seed", "1", "--size", str(SIZE), "--workers", "2"]
    assert run(verb) == 0
    assert "3 pictures in" in capsys.readouterr().out
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((folder / file).read_bytes() == (again / file).read_bytes() for file in files)
    assert run(verb) == 2  # it does not write over a set
    assert "not empty" in capsys.readouterr().err


@pytest.mark.slow
def test_people_are_drawn_four_times_where_there_is_room() -> None:
    tasks = plan_tasks(100, 0, SIZE, "regions")
    assert len({task.name for task in tasks}) == 100
    assert len({task.person for task in tasks}) == 25
    assert len({task.person for task in plan_tasks(12, 0, SIZE, "regions")}) == 12


@pytest.mark.slow
def test_other_labels_speak_of_the_same_touch() -> None:
    shot = draw_labelled_scene(Task(1, 0, 0, SIZE, "regions"))
    regions, one, three = (labelled(shot, labels).names for labels in ("regions", "facetouch", "three"))
    assert set(regions) - {"face", "hand"}, "this seed was chosen because its first picture is of a touch"
    assert one == ("facetouch",)
    assert three
    assert set(three) <= {"forehead", "cheek", "chin"}
    assert class_names("three") == ("forehead", "cheek", "chin")


@pytest.mark.slow
def test_unknown_labels_are_refused_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "synth", "--dest", str(tmp_path / "x"), "--labels", "regoins"]) == 2
    assert "unknown labels 'regoins': did you mean 'regions'?" in capsys.readouterr().err
    assert run(["data", "synth", "--dest", str(tmp_path / "x"), "--count", "2"]) == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_drawing_needs_no_torch() -> None:
    code = "import sys, handlens.synth.dataset as s; print('torch' in sys.modules, 'torchvision' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "False"], done.stderr
