"""The real entry point in a process of its own: exit codes, Ctrl-C, closed pipes, full disks, a fault of ours."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clocks import wait
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

HANDLENS = str(Path(sys.executable).with_name("handlens"))
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    brightness_model(folder / "light.onnx")
    level_video(folder / "clip.mp4", [DARK] * 15 + [BRIGHT] * 30 + [DARK] * 30)
    level_video(folder / "long.mp4", [DARK, BRIGHT] * 2000)
    level_video(folder / "slow.mp4", [DARK] * 2 + [BRIGHT] * 60, rate=4)
    return folder


def handlens(at: Path, *arguments: str, **more: object) -> "subprocess.CompletedProcess[str]":
    more = {"capture_output": True, **more}
    return subprocess.run([HANDLENS, *arguments], cwd=at, text=True, timeout=60, **more)  # type: ignore[call-overload]


def begun(at: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([HANDLENS, *arguments], cwd=at, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.slow
def test_a_run_ends_with_0_and_a_mistake_with_2(at):
    assert handlens(at, "predict", "clip.mp4", "-m", "light.onnx").returncode == 0
    wrong = handlens(at, "predict", "missing.mp4", "-m", "light.onnx")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


@pytest.mark.slow
def test_the_version_is_told(at):
    from handlens import __version__

    assert handlens(at, "--version").stdout == f"handlens {__version__}\n"


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_failure(at):
    with begun(at, "predict", "long.mp4", "-m", "light.onnx", "--json", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["frame"] == 0
        process.stdout.close()
        assert "Error" not in process.stderr.read()
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="a shell that can close stdout")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize(("source", "code"), [("clip.mp4", 0), ("missing.mp4", 2)])
def test_a_closed_stdout_or_stderr_is_no_failure(at, closed, source, code):
    command = f'"{HANDLENS}" predict {source} -m light.onnx --json closed.jsonl {closed}'
    done = subprocess.run(command, cwd=at, shell=True, text=True, capture_output=True, timeout=60)
    assert done.returncode == code
    assert "fault of handlens" not in done.stderr
    assert (at / "closed.jsonl").exists() == (code == 0)
    (at / "closed.jsonl").unlink(missing_ok=True)


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["--json", "/dev/full"], ["--json", "-"]], ids=["file", "stdout"])
def test_a_full_disk_is_a_sentence(at, arguments):
    with FULL.open("w") as full:
        done = handlens(
            at, "predict", "clip.mp4", "-m", "light.onnx", *arguments, capture_output=False, stdout=full, stderr=-1
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "the disk is full" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_prediction_with_130_and_complete_files(at, stop, tmp_path):
    out = tmp_path / "out.jsonl"
    with begun(at, "predict", "long.mp4", "-m", "light.onnx", "--json", str(out)) as process:
        wait(lambda: any(path.stat().st_size > 2000 for path in tmp_path.iterdir()))  # each line is there at once
        process.send_signal(stop)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "frames" in err
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl", "out.jsonl.resume"}  # which says: not finished
    assert [json.loads(line)["frame"] for line in out.read_text().splitlines()][:2] == [0, 1]


@pytest.mark.slow
def test_what_was_finished_survives_kill_9_and_can_be_resumed(at, tmp_path):
    arguments = ["clip.mp4", "long.mp4", "-m", "light.onnx", "--events", str(tmp_path / "k.csv")]
    arguments += ["--json", str(tmp_path / "k.jsonl"), "--out", str(tmp_path / "seen")]
    with begun(at, "predict", *arguments) as process:
        wait((tmp_path / "k.csv.resume").exists)
        wait(lambda: any(path.name.startswith(".long") for path in (tmp_path / "seen").iterdir()))
        process.kill()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.csv.part", "k.csv.resume", "k.jsonl.part", "seen"]
    (row,) = (line for line in (tmp_path / "k.csv.part").read_text().splitlines() if line.startswith("clip.mp4"))
    assert row.endswith(",0")
    again = handlens(at, "predict", *arguments)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "add --resume to go on with it" in again.stderr
    (at / "long.mp4").rename(at / "whole.mp4")
    level_video(at / "long.mp4", [DARK, BRIGHT] * 20)  # the half-done one may be another one by now
    try:
        assert handlens(at, "predict", *arguments, "--resume").returncode == 0
    finally:
        (at / "whole.mp4").replace(at / "long.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["k.csv", "k.jsonl", "seen"]
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["clip.mp4", "long.mp4"]
    frames = [
        (line["source"], line["frame"]) for line in map(json.loads, (tmp_path / "k.jsonl").read_text().splitlines())
    ]
    assert frames == [("clip.mp4", n) for n in range(75)] + [("long.mp4", n) for n in range(40)]


@pytest.mark.slow
def test_ctrl_c_ends_a_watch_cleanly(at, tmp_path):
    asked = ["watch", "slow.mp4", "-m", "light.onnx", "--no-page", "--no-sound", "--events", str(tmp_path / "e.csv")]
    with begun(at, *asked) as process:
        assert process.stderr is not None
        assert "cheek" in process.stderr.readline()  # the touch has begun
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == 130
    assert "time touched" in err
    assert len((tmp_path / "e.csv").read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_fault_of_ours_is_a_sentence_and_exit_code_1(at, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import handlens.predictor\n"
        "def fail(self, *args, **more): raise ZeroDivisionError('by design')\n"
        "handlens.predictor.Predictor.predict = fail\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = handlens(
        at, "predict", "clip.mp4", "-m", "light.onnx", "--json", str(tmp_path / "out.jsonl"), env=environment
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "a fault of handlens, not of yours: ZeroDivisionError: by design" in done.stderr
    assert not list(tmp_path.glob("*.jsonl*"))
    assert (
        "Traceback"
        in handlens(at, "predict", "clip.mp4", "-m", "light.onnx", env={**environment, "HANDLENS_DEBUG": "1"}).stderr
    )
