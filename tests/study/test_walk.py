"""A study from its beginning to its files, through the command line, as docs/guides/study.md has it."""

import json
import sqlite3

import pytest
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.cli import run

pytestmark = pytest.mark.slow


def test_from_videos_to_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    (tmp_path / "films").mkdir()
    level_video(tmp_path / "films" / "one.mp4")
    level_video(tmp_path / "films" / "two.mp4", [DARK] * 15 + [BRIGHT] * 15 + [DARK] * 15)
    (tmp_path / "films" / "notes.txt").write_text("no video")
    assert (
        run(
            [
                "study",
                "init",
                "s",
                "--videos",
                "films/",
                "--model",
                "light.onnx",
                "--name",
                "Films",
                "--sample-fps",
                "0",
            ]
        )
        == 0
    )
    assert run(["study", "run", "s", "--jobs", "2"]) == 0
    said = capsys.readouterr().err
    assert "2 segments and 145 frames coded" in said
    assert "2 videos joined, 3 touches" in said
    assert run(["study", "run", "s"]) == 0
    assert "0 segments and 0 frames coded" in capsys.readouterr().err
    assert run(["study", "status", "s", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)["videos"]
    assert [(row["video"], row["state"], row["events"]) for row in rows] == [("one", "coded", 2), ("two", "coded", 1)]
    assert run(["study", "report", "s", "--out", "r.html"]) == 0
    assert "<h1>Films</h1>" in (tmp_path / "r.html").read_text()
    for format, out in (("boris", "s.boris"), ("csv", "s.csv"), ("eaf", "elan"), ("datavyu", "dv")):
        assert run(["study", "export", "s", "--format", format, "--out", out]) == 0, format
    assert run(["study", "agree", "s", "--coded", "s.boris", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["all"]["f1"]["value"], told["all"]["f1"]["n"]) == (1.0, 3)
    assert told["all"]["kappa"]["value"] == 1.0
    with sqlite3.connect(tmp_path / "s" / "study.sqlite") as base:
        digests = json.loads(base.execute("SELECT digests FROM runs").fetchone()[0])
        assert [len(digest) for digest in digests.values()] == [64], "every number leads to a model file"
    base.close()


def test_what_cannot_be_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["study", "init", "s", "--videos", "nothing/*.mp4"]) == 2
    level_video(tmp_path / "a.mp4")
    assert run(["study", "init", "s", "--videos", "a.mp4"]) == 0
    assert run(["study", "run", "s", "--again", "b"]) == 2
    assert "unknown video 'b'" in capsys.readouterr().err
    text = (tmp_path / "s" / "study.toml").read_text()
    (tmp_path / "s" / "study.toml").write_text(text.replace('name = "touch"', 'name = "tuch"'))
    assert run(["study", "run", "s"]) == 2
    assert "did you mean 'touch'" in capsys.readouterr().err
    assert run(["study", "export", "s", "--format", "csv", "--frames", "--out", "x"]) == 2
    assert not (tmp_path / "s" / "study.sqlite").exists()
