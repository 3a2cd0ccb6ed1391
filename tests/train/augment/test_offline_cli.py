"""`handlens data augment` as a person types it: what it says, its exit codes, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media import quadrants, save_picture

from handlens.cli import run


def save_set(root: Path, splits: tuple[str, ...] = ("train", "train", "val")) -> Path:
    for number, split in enumerate(splits):
        for home in ("images", "labels"):
            (root / home / split).mkdir(parents=True, exist_ok=True)
        save_picture(root / "images" / split / f"{number}.jpg", quadrants(96, 64))
        (root / "labels" / split / f"{number}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    lines = "".join(f"{split}: images/{split}\n" for split in dict.fromkeys(splits) if split)
    (root / "data.yaml").write_text(f"{lines}names: [chin]\n")
    return root


def test_it_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = save_set(tmp_path / "set")
    assert (
        run(["data", "augment", str(given), "--dest", str(tmp_path / "large"), "--times", "3", "--quality", "60"]) == 0
    )
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == ["train: 2 pictures -> 6", "val: 1 picture -> 1"]
    assert "look at" in said.out
    assert said.err == ""
    assert (tmp_path / "large" / "augment.jpg").exists()
    assert len(list((tmp_path / "large/labels/train").iterdir())) == 6


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--only", "flips,rotatoin"], "unknown change 'rotatoin': did you mean 'rotate'?"),
        (["--only", "flips"], "--times 2, or more changes"),
        (["--times", "1"], "--times"),
    ],
)
def test_a_wrong_word_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    assert run(["data", "augment", str(save_set(tmp_path / "set")), "--dest", str(tmp_path / "large"), *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not (tmp_path / "large").exists()


def test_a_set_that_is_not_split_is_refused_with_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save_set(tmp_path / "set", ("", ""))
    assert run(["data", "augment", str(given), "--dest", str(tmp_path / "large")]) == 2
    assert f"type 'handlens data split {given}' first" in capsys.readouterr().err


def test_an_unreadable_picture_is_left_out_and_the_code_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = save_set(tmp_path / "set")
    whole = save_picture(tmp_path / "x.jpg", np.full((64, 96, 3), 80, np.uint8)).read_bytes()
    (given / "images/train/1.jpg").write_bytes(whole[:-40])
    assert run(["data", "augment", str(given), "--dest", str(tmp_path / "large"), "--times", "2"]) == 2
    said = capsys.readouterr()
    assert "1.jpg' is cut off" in said.err
    assert "train: 2 pictures -> 2" in said.out
    assert "1 picture could not be read and were left out" in said.err


@pytest.mark.slow
def test_it_needs_nothing_of_the_extra_train(tmp_path: Path) -> None:
    names = ("torch", "torchvision", "lightning", "onnx", "onnxscript", "safetensors")
    hide = (
        f"import sys; sys.modules.update(dict.fromkeys({names}));"
        "import handlens.cli; sys.exit(handlens.cli.run(sys.argv[1:]))"
    )
    verb = ["data", "augment", str(save_set(tmp_path / "set")), "--dest", str(tmp_path / "large"), "--times", "3"]
    done = subprocess.run([sys.executable, "-c", hide, *verb], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "train: 2 pictures -> 6" in done.stdout
