"""The promises of `--resume`: what is finished is kept, nothing is done twice, and another run is never continued."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media import save_picture, stream_times
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.cli import predict as predict_room
from handlens.cli import run
from handlens.io.atomic import LineFile
from handlens.loop import Step

ASKED = ["predict", "a.mp4", "b.mp4", "c.mp4", "-m", "light.onnx", "--events", "k.csv", "--json", "k.jsonl"]
LEVELS = {"a.mp4": 12, "b.mp4": 14, "c.mp4": 16}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three short videos: dark, a touch of so many frames, dark."""
    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    for name, count in LEVELS.items():
        level_video(tmp_path / name, [DARK] * 5 + [BRIGHT] * count + [DARK] * 10)
    return tmp_path


def stop_at(monkeypatch: pytest.MonkeyPatch, source: str, frame: int, error: BaseException) -> Callable[[], None]:
    """Raise the error when this frame of a source was looked at; call what is returned to run undisturbed again."""
    verdict_line = predict_room._verdict_line

    def strike(step: Step, threshold: float) -> str | None:
        if step.frame.source == source and step.frame.index == frame:
            raise error
        return verdict_line(step, threshold)

    monkeypatch.setattr(predict_room, "_verdict_line", strike)
    return lambda: monkeypatch.setattr(predict_room, "_verdict_line", verdict_line)


def rows(path: str = "k.csv") -> list[tuple[str, str, str, str]]:
    with open(path, newline="") as file:
        return [(row["source"], row["start_frame"], row["stop_frame"], row["cut"]) for row in csv.DictReader(file)]


WHOLE = [(name, "5", str(4 + count), "0") for name, count in LEVELS.items()]


@pytest.mark.slow
def test_ctrl_c_says_what_was_done_and_how_to_go_on_and_resume_does_the_rest_only(at, monkeypatch, capsys):
    again = stop_at(monkeypatch, "b.mp4", 12, KeyboardInterrupt())
    assert run([*ASKED, "--out", "seen"]) == 130
    err = capsys.readouterr().err
    assert "interrupted: 1 of 3 sources done, 'b.mp4' was cut off at 0.9 s." in err
    assert f"type: handlens {' '.join(ASKED)} --out seen --resume\n" in err
    assert rows() == [WHOLE[0], ("b.mp4", "5", "12", "1")]
    again()
    seen: list[str] = []
    verdict_line = predict_room._verdict_line
    monkeypatch.setattr(
        predict_room,
        "_verdict_line",
        lambda step, threshold: seen.append(step.frame.source) or verdict_line(step, threshold),
    )
    before = os.stat("seen/a.mp4").st_mtime_ns
    assert run([*ASKED, "--out", "seen", "--resume"]) == 0
    assert sorted(set(seen)) == ["b.mp4", "c.mp4"]
    assert rows() == WHOLE
    lines = [json.loads(line) for line in Path("k.jsonl").read_text().splitlines()]
    assert [(line["source"], line["frame"]) for line in lines] == [
        (name, n) for name, count in LEVELS.items() for n in range(15 + count)
    ]
    err = capsys.readouterr().err
    assert "sources 3 frames 87" in " ".join(err.split())
    assert os.stat("seen/a.mp4").st_mtime_ns == before
    assert len(stream_times(at / "seen" / "b.mp4")) == 29
    assert sorted(path.name for path in at.iterdir()) == sorted([*LEVELS, "k.csv", "k.jsonl", "light.onnx", "seen"])


@pytest.mark.slow
def test_after_an_error_what_is_finished_is_kept_and_can_be_resumed(at, monkeypatch, capsys):
    from handlens.errors import OutputError

    again = stop_at(monkeypatch, "b.mp4", 12, OutputError("the disk is full."))
    assert run(ASKED) == 2
    err = capsys.readouterr().err
    assert "1 source done and kept. To go on after the finished ones, type:" in err
    assert rows("k.csv.part") == WHOLE[:1]
    assert {json.loads(line)["source"] for line in Path("k.jsonl.part").read_text().splitlines()} == {"a.mp4"}
    assert not Path("k.csv").exists()
    again()
    assert run([*ASKED, "--resume"]) == 0
    assert rows() == WHOLE


@pytest.mark.slow
def test_what_a_killed_process_wrote_after_the_last_source_is_dropped(at, monkeypatch):
    again = stop_at(monkeypatch, "c.mp4", 3, KeyboardInterrupt())
    assert run(ASKED) == 130
    again()
    for name in ("k.csv", "k.jsonl"):  # as kill -9 leaves them
        os.replace(name, f"{name}.part")
        with open(f"{name}.part", "a") as file:
            file.write("c.mp4,face 1,che")
    with open("k.csv.resume", "a") as file:
        file.write('{"sources": [{"giv')
    assert run([*ASKED, "--resume"]) == 0
    assert rows() == WHOLE


def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    again = stop_at(monkeypatch, "b.mp4", 12, KeyboardInterrupt())
    assert run(ASKED) == 130
    again()


@pytest.mark.slow
def test_the_next_run_without_resume_is_refused_and_says_how_to_go_on(at, monkeypatch, capsys):
    stopped(monkeypatch)
    before = Path("k.csv").read_text()
    capsys.readouterr()
    assert run(ASKED) == 2
    err = capsys.readouterr().err
    assert "is not finished (1 source done): add --resume to go on with it, or delete" in err
    assert Path("k.csv").read_text() == before
    os.unlink("k.csv.resume")
    assert run(ASKED) == 0
    assert rows() == WHOLE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--gap", "1"], "other settings (--gap was 0.5, is 1.0)"),
        (["--every", "2"], "other settings (--every was 1, is 2)"),
        (["--min-score", "0.3"], "other settings (--min-score was not given, is 0.3)"),
        (["--out", "seen"], "other outputs (--out was not given, is "),
    ],
)
def test_resume_refuses_other_settings(at, monkeypatch, capsys, more, said):
    stopped(monkeypatch)
    assert run([*ASKED, *more, "--resume"]) == 2
    assert said in capsys.readouterr().err
    assert rows()[0] == WHOLE[0]
    assert run([*ASKED, "--resume"]) == 0


@pytest.mark.slow
def test_resume_refuses_another_model_and_takes_the_same_one_from_elsewhere(at, monkeypatch, capsys):
    import dataclasses

    from tiny_models import CARD

    stopped(monkeypatch)
    os.rename("light.onnx", "moved.onnx")
    brightness_model(at / "light.onnx", dataclasses.replace(CARD, version="2"))
    assert run([*ASKED, "--resume"]) == 2
    assert "another model (brightness)" in capsys.readouterr().err
    assert run([*(word.replace("light", "moved") for word in ASKED), "--resume"]) == 0


@pytest.mark.slow
def test_resume_refuses_when_a_finished_source_changed_or_is_missing_and_takes_new_ones(at, monkeypatch, capsys):
    stopped(monkeypatch)
    assert run([word for word in [*ASKED, "--resume"] if word != "a.mp4"]) == 2
    assert "also read 'a.mp4', which is not among these sources" in capsys.readouterr().err
    time = os.stat("a.mp4").st_mtime_ns
    os.utime("a.mp4", ns=(time, time + 10**9))
    assert run([*ASKED, "--resume"]) == 2
    assert "'a.mp4' has changed since the unfinished run" in capsys.readouterr().err
    os.utime("a.mp4", ns=(time, time))
    level_video(at / "d.mp4", [DARK] * 5 + [BRIGHT] * 9 + [DARK] * 10)
    asked = [*ASKED[:2], "d.mp4", *ASKED[2:], "--resume"]
    assert run(asked) == 0
    assert sorted(rows()) == sorted([*WHOLE, ("d.mp4", "5", "13", "0")])


@pytest.mark.slow
def test_resume_without_an_unfinished_run_begins_at_the_start_and_without_a_file_is_a_mistake(at, capsys):
    assert run([*ASKED, "--resume"]) == 0
    assert "this run begins at the start" in capsys.readouterr().err
    assert rows() == WHOLE
    assert run(["predict", "a.mp4", "-m", "light.onnx", "--resume"]) == 2
    assert "--resume needs the output of the unfinished run" in capsys.readouterr().err


def test_resume_after_a_complete_run_says_so_and_looks_again_only_when_a_source_is_newer(at, capsys):
    asked = ["predict", "a.mp4", "-m", "light.onnx", "--events", "k.csv", "--json", "k.jsonl"]
    assert run(asked) == 0
    before = Path("k.jsonl").stat().st_mtime_ns
    capsys.readouterr()
    assert run([*asked, "--resume"]) == 0
    told = capsys.readouterr().err
    assert "nothing is left to do: 'k.csv', 'k.jsonl' are complete, and newer than 1 source." in told
    assert "leave out --resume" in told
    assert Path("k.jsonl").stat().st_mtime_ns == before
    later = before + 10**9
    os.utime("a.mp4", ns=(later, later))
    assert run([*asked, "--resume"]) == 0
    assert "this run begins at the start" in capsys.readouterr().err
    assert Path("k.jsonl").stat().st_mtime_ns > before


def test_resume_takes_nothing_for_complete_that_was_not_looked_at(at, capsys):
    frames = ["-m", "light.onnx", "--json", "k.jsonl"]
    assert run(["predict", "a.mp4", *frames]) == 0
    assert run(["predict", "a.mp4", "b.mp4", *frames, "--resume"]) == 0
    assert "nothing is left" not in capsys.readouterr().err
    assert {json.loads(line)["source"] for line in Path("k.jsonl").read_text().splitlines()} == {"a.mp4", "b.mp4"}
    drawn = ["predict", "a.mp4", "-m", "light.onnx", "--out", "seen", "--resume"]
    Path("seen").mkdir()
    assert run(drawn) == 0
    assert "nothing is left" not in capsys.readouterr().err
    assert Path("seen/a.mp4").is_file()
    assert run(drawn) == 0
    assert "nothing is left to do: 'seen' is complete" in capsys.readouterr().err


def test_what_ctrl_c_cut_off_within_the_first_source_is_not_taken_for_complete(at, monkeypatch, capsys):
    asked = ["predict", "a.mp4", "-m", "light.onnx", "--events", "k.csv"]
    again = stop_at(monkeypatch, "a.mp4", 5, KeyboardInterrupt())
    assert run(asked) == 130
    again()
    assert run([*asked, "--resume"]) == 0
    assert "this run begins at the start" in capsys.readouterr().err
    assert rows() == WHOLE[:1]
    assert not Path("k.csv.resume").exists()


@pytest.mark.slow
def test_a_part_without_a_finished_source_is_replaced_and_told(at, monkeypatch, capsys):
    Path("k.csv.part").write_text("source,subject\nold")
    assert run(ASKED) == 0
    assert "k.csv.part', left by a run that was killed within its first source, is replaced." in capsys.readouterr().err
    assert rows() == WHOLE


@pytest.mark.slow
def test_names_of_finished_videos_are_not_given_again(at, monkeypatch):
    for folder in ("one", "two"):
        (at / folder).mkdir()
        os.rename(at / ("a.mp4" if folder == "one" else "b.mp4"), at / folder / "x.mp4")
    asked = ["predict", "one/x.mp4", "two/x.mp4", "-m", "light.onnx", "--out", "seen"]
    again = stop_at(monkeypatch, "two/x.mp4", 5, KeyboardInterrupt())
    assert run(asked) == 130
    again()
    assert Path("seen/handlens.resume").exists()
    assert run([*asked, "--resume"]) == 0
    lengths = [len(stream_times(at / "seen" / name)) for name in ("x.mp4", "x-2.mp4")]
    assert lengths == [27, 29]


def test_pictures_are_noted_in_groups(at, monkeypatch):
    monkeypatch.setattr(predict_room, "_TOGETHER", 2)
    for n in range(5):
        save_picture(at / f"p{n}.png", np.full((48, 64, 3), BRIGHT, np.uint8))
    asked = ["predict", "p*.png", "-m", "light.onnx", "--json", "p.jsonl"]
    again = stop_at(monkeypatch, "p3.png", 0, KeyboardInterrupt())
    assert run(asked) == 130
    again()
    assert run([*asked, "--resume"]) == 0
    sources = [json.loads(line)["source"] for line in Path("p.jsonl").read_text().splitlines()]
    assert sources == [f"p{n}.png" for n in range(5)]


@pytest.mark.parametrize("rubbish", [b"", b"no picture"])
def test_a_run_that_could_read_nothing_leaves_no_record_and_the_next_one_begins(at, rubbish):
    Path("bad.jpg").write_bytes(rubbish)
    before = set(os.listdir())
    assert run(["predict", "bad.jpg", "-m", "light.onnx", "--json", "k.jsonl"]) == 2
    assert set(os.listdir()) == before
    assert run(["predict", "a.mp4", "-m", "light.onnx", "--json", "k.jsonl"]) == 0


def test_a_file_that_another_run_is_writing_is_left_alone(at, capsys):
    pytest.importorskip("fcntl")
    from handlens.io.sinks.base import EventFile

    with EventFile("k.csv"):
        assert run(ASKED) == 2
    assert "'k.csv' is being written by another run" in capsys.readouterr().err


def test_a_run_that_lives_is_not_taken_for_one_that_was_killed(at, monkeypatch, capsys):
    with LineFile("k.csv"):
        assert run(ASKED) == 2
        err = capsys.readouterr().err
        assert "being written by another run" in err
        assert "killed" not in err
    stopped(monkeypatch)
    os.replace("k.csv", "k.csv.part")
    with LineFile("k.csv", start=1):
        for more in ([], ["--resume"]):
            capsys.readouterr()
            assert run([*ASKED, *more]) == 2
            err = capsys.readouterr().err
            assert "being written by another run" in err
            assert "--resume" not in err


def test_a_picture_is_not_said_to_be_cut_off(at, monkeypatch, capsys):
    save_picture(at / "p.png", np.full((24, 32, 3), 255, np.uint8))
    stop_at(monkeypatch, "p.png", 0, KeyboardInterrupt())
    assert run(["predict", "a.mp4", "p.png", "-m", "light.onnx", "--events", "k.csv"]) == 130
    assert "interrupted: 1 of 2 sources done. To go on" in capsys.readouterr().err
