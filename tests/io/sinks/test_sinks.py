"""The promises of the sinks: complete files or none, true times, nothing overwritten, nobody held up."""

import csv
import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from media import EVENT, fail, frame, write
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.errors import InputError, OutputError
from handlens.io import atomic as draft_room
from handlens.io.atomic import AtomicFile, LineFile
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.base import EventFile, JsonLines, Sink
from handlens.io.sinks.threaded import Threaded
from handlens.result import Result
from handlens.types import Event, Frame


class FullDisk(io.BytesIO):
    """A file on a disk with room for some bytes."""

    room = 0

    def write(self, data: object) -> int:
        FullDisk.room -= len(bytes(data))  # type: ignore[call-overload]
        if FullDisk.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> type[FullDisk]:
    """Every file opened for writing lies on a full disk, beside an empty file that must vanish."""
    real = Path.open

    def open_full(self: Path, mode: str = "r", *more: object, **named: object) -> object:
        if mode != "wb":
            return real(self, mode, *more, **named)  # type: ignore[call-overload]
        self.touch()
        return FullDisk()

    monkeypatch.setattr(draft_room.Path, "open", open_full)
    FullDisk.room = 0
    return FullDisk


# --- drafts


def test_a_draft_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with AtomicFile(path) as draft:
        draft.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_draft_is_kept_on_ctrl_c_and_removed_on_errors(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), AtomicFile(tmp_path / "a") as draft:
        fail(draft.write(b"so far"), KeyboardInterrupt)
    assert (tmp_path / "a").read_bytes() == b"so far"
    with pytest.raises(RuntimeError), AtomicFile(tmp_path / "b") as draft:
        fail(draft.write(b"so far"), RuntimeError)
    assert os.listdir(tmp_path) == ["a"]


def test_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        AtomicFile(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="was not written"):
        AtomicFile(tmp_path / "file" / "a")
    with pytest.raises(OutputError, match="give a folder"), Annotated(tmp_path / "file"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_is_written_directly_and_not_replaced() -> None:
    with pytest.raises(OutputError, match="the disk is full"), JsonLines("/dev/full") as sink:
        write(sink, frame())
    assert not Path("/dev/full").is_file()
    with JsonLines("/dev/null") as sink:
        write(sink, frame())
    assert not Path("/dev/null").is_file()


# --- JSON lines and events


def test_json_lines_are_those_of_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with JsonLines(path) as sink:
        write(sink, frame(), frame(12, 0.5005, "clip.mp4"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {k: lines[1][k] for k in ("source", "frame", "time", "width", "height", "model", "task")} == {
        "source": "clip.mp4",
        "frame": 12,
        "time": 0.5005,
        "width": 64,
        "height": 48,
        "model": "touch",
        "task": "touch",
    }
    assert lines[1]["value"]["touch"] == 0.9
    assert [box["label"] for box in lines[1]["value"]["boxes"]] == ["face", "hand", "cheek"]


def test_a_dash_writes_only_json_lines_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with Threaded(JsonLines("-")) as sink:
        write(sink, frame(), frame(1, 0.1))
    out, err = capsys.readouterr()
    assert [json.loads(line)["frame"] for line in out.splitlines()] == [0, 1]
    assert err == ""


def test_names_of_any_letters_can_be_written(tmp_path: Path) -> None:
    odd = "gesicht-\udcff-\u00fc.mp4"
    with JsonLines(tmp_path / "a") as lines, EventFile(tmp_path / "a.csv") as events:
        write(lines, frame(source=odd))
        events.note(Event("touch", "chin", "", 0, 1, 0, 1, 0.9, odd))
    assert json.loads((tmp_path / "a").read_text())["source"] == odd
    assert odd.encode("utf-8", "surrogateescape") in (tmp_path / "a.csv").read_bytes()


def test_events_are_written_as_csv_and_as_json_lines(tmp_path: Path) -> None:
    for name in ("e.csv", "e.jsonl"):
        with EventFile(tmp_path / name) as sink:
            sink.note(EVENT)
    (row,) = csv.DictReader((tmp_path / "e.csv").read_text().splitlines())
    fields = ["source", "subject", "label", "start", "stop", "start_frame", "stop_frame", "peak"]
    fields += ["side", "hand", "regions", "clock", "cut"]
    assert list(row) == fields
    known = ["a,b.mp4", "face 1", "chin", "0.500", "1.234", "15", "37", "0.988"]
    assert list(row.values()) == [*known, "", "", "", "", "0"]
    told = json.loads((tmp_path / "e.jsonl").read_text())
    assert list(told) == fields
    assert (told["start"], told["stop_frame"], told["peak"]) == (0.5, 37, 0.988)


def test_without_events_there_is_a_heading_and_with_another_ending_a_sentence(tmp_path: Path) -> None:
    with EventFile(tmp_path / "e.csv"):
        pass
    assert (tmp_path / "e.csv").read_text().count("\n") == 1
    with pytest.raises(InputError, match=r"ends in \.csv or \.jsonl"):
        EventFile(tmp_path / "e.txt")


# --- a full disk


@pytest.mark.parametrize("room", [0, 100, 3000])
@pytest.mark.parametrize("threaded", [False, True])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, full_disk: type[FullDisk], room: int, threaded: bool
) -> None:
    makers = [
        lambda: JsonLines(tmp_path / "a.jsonl"),
        lambda: EventFile(tmp_path / "a.csv"),
        lambda: Annotated(tmp_path),
        lambda: Annotated(tmp_path),
    ]
    sources = ["x.mp4", "x.mp4", "x.mp4", "x.png"]
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    for make, source in zip(makers, sources, strict=True):
        full_disk.room = room
        sink = Threaded(make()) if threaded else make()
        with pytest.raises(OutputError, match="was not written: the disk is full"), sink:
            write(sink, *(Frame(noise, index, index / 25, source) for index in range(60)), events=2)
        assert os.listdir(tmp_path) == []


# --- the thread


class Slow(Sink):
    """A sink on a slow disk, which takes `delay` seconds for a frame, or waits until it is told to go on."""

    def __init__(self, delay: float | threading.Event) -> None:
        self.delay, self.frames, self.events = delay, 0, 0
        self.thread: object = None

    def write(self, frame: Frame, result: Result) -> None:
        self.thread = threading.current_thread()
        if isinstance(self.delay, float):
            time.sleep(self.delay)
        else:
            assert self.delay.wait(30)
        self.frames += 1

    def note(self, event: Event) -> None:
        self.events += 1


def test_a_file_loses_nothing_however_slow_the_disk() -> None:
    slow = Slow(0.005)
    with Threaded(slow) as sink:
        for index in range(40):
            write(sink, frame(index))
    assert (slow.frames, sink.dropped) == (40, 0)
    assert slow.thread is not threading.current_thread()


def test_a_live_source_is_never_held_up_and_loses_no_event() -> None:
    repaired = threading.Event()
    slow = Slow(repaired)
    with Threaded(slow, live=True, depth=4) as sink:
        for index in range(200):
            write(sink, frame(index))
            sink.note(EVENT)
        assert (slow.frames, slow.events) == (0, 0)  # the disk hangs, and nobody waited for it
        repaired.set()
    assert slow.events == 200
    assert (slow.frames, sink.dropped) == (4, 196)


def test_what_the_thread_cannot_write_comes_out_of_the_next_call(tmp_path: Path) -> None:
    class Broken(Sink):
        def write(self, frame: Frame, result: Result) -> None:
            raise OutputError("the disk is full")

    with pytest.raises(OutputError, match="the disk is full"), Threaded(Broken()) as sink:
        write(sink, *(frame(index) for index in range(100)))
    with pytest.raises(OutputError, match="the disk is full"), Threaded(Broken()) as sink:
        write(sink, frame())
    (tmp_path / "no").touch()
    with pytest.raises(OutputError, match="is a file, not a folder"), Threaded(JsonLines(tmp_path / "no" / "a")):
        pass


def test_a_full_disk_leaves_exactly_what_a_checkpoint_made_safe(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = LineFile(tmp_path / "k.jsonl")
    file.write(b"a" * 100)
    assert file.checkpoint() == 100
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
        with pytest.raises(OutputError, match="the disk is full"):
            file.write(b"b" * 100)
        file.discard()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "k.jsonl.part").read_bytes() == b"a" * 100


@pytest.mark.slow
def test_a_reader_of_stdout_that_goes_away_costs_no_events(tmp_path: Path) -> None:
    level_video(tmp_path / "a.mp4", [BRIGHT] * 20 + [DARK] * 15)
    brightness_model(tmp_path / "light.onnx")
    asked = [sys.executable, "-m", "handlens", "predict", "a.mp4", "-m", "light.onnx", "--json", "-"]
    for more in ([], ["--events", "k.csv"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*asked, *more], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        assert done.returncode == 0
        assert ("nobody reads standard output any more" in done.stderr) == bool(more)
    rows = list(csv.DictReader((tmp_path / "k.csv").read_text().splitlines()))
    assert [(row["start_frame"], row["stop_frame"], row["cut"]) for row in rows] == [("0", "19", "0")]
