"""The prepared job in recipes/published: its splits, its time limit, and a run that is trained, measured and kept."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest

from handlens.data.formats.detect_format import open_set
from handlens.report import Row

pytest.importorskip("lightning")

from recipes.published import measure
from recipes.published import published_sets as sets
from recipes.published import run as published


def video(path: Path, frames: int = 44, blocks: int = 11) -> Path:
    """Six "digits" of one made video: as many white bars as the digit says, in blocks of neighbouring frames."""
    masks = np.zeros((6, frames, 32, 32), bool)
    for digit in range(6):
        for place in range(frames):
            for bar in range(digit + 1):
                masks[digit, place, 4 : 20 + place % 8, 5 * bar + 1 : 5 * bar + 4] = True
    path.parent.mkdir(parents=True)
    group = np.tile(np.arange(frames) * blocks // frames, 6)
    np.savez(
        path, bits=np.packbits(masks.reshape(-1, 32, 32), axis=-1), width=32, y=np.repeat(np.arange(6), frames),
        names=np.array(list("012345")), group=group,
    )  # fmt: skip
    return path


def test_a_random_split_has_the_shares_and_parts_neighbours() -> None:
    parts = sets.at_random(1000, (0.2, 0.1))
    assert [int((parts == name).sum()) for name in ("train", "val", "test")] == [700, 200, 100]
    assert (parts[1:] != parts[:-1]).mean() > 0.3
    assert (parts == sets.at_random(1000, (0.2, 0.1))).all()


def test_the_honest_split_holds_out_whole_blocks(tmp_path: Path) -> None:
    video(tmp_path / "gestures" / "digits_silhouettes.npz")
    found = open_set(sets.set_at("digits-blocks.npz", tmp_path, tmp_path / "sets"))
    blocks = {part: {picture.group for picture in found.split(part)} for part in found.splits}
    assert blocks == {"train": set("01234567"), "val": {"8"}, "test": {"9", "10"}}


def test_a_hand_is_framed_as_the_frames_of_the_videos_are() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[10:50, 30:50] = 255  # upright, twice as high as wide
    tight, loose = sets._framed(mask) > 127, sets._framed(mask, 0.5) > 127
    assert tight.shape == loose.shape == (sets.SIDE, sets.SIDE)
    assert np.flatnonzero(tight.any(0))[[0, -1]].tolist() == [32, 95]
    assert tight.any(1).all()
    assert np.flatnonzero(loose.any(0))[[0, -1]].tolist() == [48, 79]
    assert np.flatnonzero(loose.any(1))[[0, -1]].tolist() == [64, 127]


def test_a_time_limit_interrupts_and_leaves_nothing_behind() -> None:
    with pytest.raises(KeyboardInterrupt), published.time_limit(0.0):
        time.sleep(30)
    time.sleep(0.01)


def test_wilson_is_not_sure_where_all_are_right() -> None:
    told = measure.wilson(Row("accuracy", 1.0, 1.0, 1.0, 100))
    assert told["Wilson low"] == pytest.approx(0.963, abs=0.001)
    assert told["Wilson high"] == 1.0
    assert measure.wilson(Row("F1 hand", 0.5, 0.4, 0.6, 100)) == {}


@pytest.mark.slow
def test_a_run_is_trained_measured_and_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "gestures" / "digits_silhouettes.npz")
    run = published.RUNS["digits6-blocks"]
    measures = {name: place for name, place in run.measures.items() if name != "other people"}
    run = dataclasses.replace(run, given={**run.given, "epochs": 1, "size": 16}, measures=measures)
    for module in (published, measure):
        monkeypatch.setattr(module, "RUNS", {"digits6-blocks": run})
    asked = ["--data", str(tmp_path), "--out", str(tmp_path / "runs"), "--device", "cpu", "--system", "digits6"]
    published.main(asked)
    (told,) = json.loads((tmp_path / "runs" / "table.json").read_text("utf-8"))
    assert (told["finished"], told["epochs"], told["best epoch"]) == (True, 1, 1)
    assert [(row["measured on"], row["n"]) for row in told["rows"] if row["name"] == "accuracy"] == [
        ("learned", 192), ("held out", 24), ("blocks never seen", 48),
    ]  # fmt: skip
    assert (tmp_path / "runs" / "table.csv").read_text("utf-8").count("\n") == 1 + 3 * 7
    folder = tmp_path / "runs" / "digits6-blocks"
    assert {"digits6.onnx", "curves.png", "last.ckpt", "log.csv"} <= {path.name for path in folder.iterdir()}
    before = (folder / "last.ckpt").stat().st_mtime_ns
    published.main(asked)
    assert (folder / "last.ckpt").stat().st_mtime_ns == before


def test_a_seed_that_does_not_learn_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video(tmp_path / "set" / "digits.npz")
    tried = []

    def train(task: str, given: dict[str, object], config: None, out: Path, hooks: object) -> None:
        tried.append(given["seed"])
        out.mkdir(parents=True)
        loss = 1.791 if given["seed"] == 0 else 1.5  # ln 6 = 1.792
        (out / "log.csv").write_text(f"epoch,loss\n1,1.8\n2,{loss}\n")

    monkeypatch.setattr(published, "train_run", train)
    run, given = published.RUNS["digits6-random"], {"data": str(tmp_path / "set" / "digits.npz")}
    assert published.living_seed(run, given, tmp_path / "runs" / "digits6") == 1
    assert tried == [0, 1]
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "runs" / "digits6").mkdir()
    (tmp_path / "runs" / "digits6" / "config.toml").write_text("seed = 5\n")
    assert published.living_seed(run, given, tmp_path / "runs" / "digits6") == 5
    assert tried == [0, 1], "a run that has begun keeps its seed"
