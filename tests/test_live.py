"""The promises of live sources: the newest frame only, and one sentence when a camera or stream is absent or stops."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import save_video

from handlens.errors import DeviceError, FrameError, HandlensError
from handlens.io.camera import open_camera
from handlens.io.live import Live
from handlens.io.sources import open_source
from handlens.types import Frame


def numbered(count: int, interval: float) -> "Iterator[Frame]":
    begin = time.monotonic()
    for index in range(count):
        yield Frame(np.full((2, 2, 3), index % 256, np.uint8), index, time.monotonic() - begin)
        time.sleep(interval)


def test_a_slow_reader_of_a_live_source_gets_the_newest_frame() -> None:
    with Live("fake", "camera", lambda stopping: numbered(100, 0.01)) as source:
        begin = time.monotonic()
        seen = []
        for frame in source.frames():
            age = time.monotonic() - begin - frame.time
            seen.append((frame.index, age))
            time.sleep(0.07)
        indices = [index for index, _ in seen]
        assert len(set(indices)) == len(indices) < 25
        assert sorted(age for _, age in seen)[len(seen) // 2] < 0.02  # one frame interval and a little
        assert seen[-1][0] == 99  # the last one is not lost
        assert source.skipped == 100 - len(seen)
        assert "ended after" in source.ended


def test_a_file_played_live_keeps_its_own_speed(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", [0, 100, 150, 400, 600])
    begin = time.monotonic()
    with open_source(path, live=True) as source:
        arrivals = [(time.monotonic() - begin, frame.time) for frame in source.frames()]
        assert (source.live, source.kind) == (True, "video")
    first = arrivals[0][0]
    assert [stamp for _, stamp in arrivals] == pytest.approx([0, 0.1, 0.15, 0.4, 0.6])
    assert [at - first for at, _ in arrivals] == pytest.approx([0, 0.1, 0.15, 0.4, 0.6], abs=0.05)


def test_stop_ends_a_live_source_at_once(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", [0, 100, 60000])
    with open_source(path, live=True) as source:
        threading.Timer(0.3, source.stop).start()
        begin = time.monotonic()
        assert len(list(source.frames())) == 2
    assert time.monotonic() - begin < 1.0


def test_a_file_that_breaks_while_it_is_played_says_so(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", range(0, 600, 10), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    errors: list[HandlensError] = []
    with open_source(path, live=True) as source:
        assert len(list(source.frames(errors.append))) > 3
    assert isinstance(errors[0], FrameError)


# --- cameras


class FakeCamera:
    """A camera that sends `count` pictures and then fails, or hangs until it is released."""

    def __init__(self, count: int, hangs: bool = False) -> None:
        self.count, self.hangs = count, hangs
        self.released = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.count > 0

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.005)
        self.count -= 1
        if self.count < 0 and self.hangs:
            self.released.wait(5)
        return self.count >= 0, np.full((4, 4, 3), (255, 0, 0), np.uint8) if self.count >= 0 else None

    def get(self, prop: int) -> float:
        return 30.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released.set()


def test_a_camera_that_is_absent_is_a_sentence_without_noise(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("99", "/dev/video99"):
        with pytest.raises(DeviceError, match="there is no camera 99"):
            open_source(text)
    assert capfd.readouterr().err == ""


def test_a_camera_that_is_pulled_out_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlens.io.camera._MISSES_S", 0.2)
    camera = FakeCamera(20)
    errors: list[HandlensError] = []
    with open_camera(3, open_device=lambda number: camera) as source:
        frames = list(source.frames(errors.append))
        assert (source.kind, source.name, source.fps, source.live, source.total) == ("camera", "3", 30.0, True, None)
    assert len(frames) > 5
    assert frames[0].image[0, 0].tolist() == [0, 0, 255]  # BGR became RGB
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert [str(e) for e in errors] == ["camera 3 stopped sending pictures: was it pulled out?"]
    assert camera.released.is_set()


def test_a_camera_that_hangs_ends_with_a_sentence_and_holds_nobody_up() -> None:
    camera = FakeCamera(10, hangs=True)
    errors: list[HandlensError] = []
    begin = time.monotonic()
    with open_camera(0, open_device=lambda number: camera, patience=0.3) as source:
        assert len(list(source.frames(errors.append))) > 2
    assert time.monotonic() - begin < 2.5
    assert "no picture came for" in str(errors[0])
    assert isinstance(errors[0], DeviceError)
    camera.released.set()


def test_without_on_error_the_sentence_is_raised() -> None:
    with (
        open_camera(0, open_device=lambda number: FakeCamera(2, hangs=True), patience=0.2) as source,
        pytest.raises(DeviceError),
    ):
        list(source.frames())


def test_a_hanging_camera_does_not_keep_the_program_alive() -> None:
    code = """
import time, numpy as np
from handlens.io.live import Live
from handlens.types import Frame
def read(stopping):
    yield Frame(np.zeros((2, 2, 3), np.uint8))
    time.sleep(60)
with Live("0", "camera", read, patience=0.2) as source:
    print(len(list(source.frames(print))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.splitlines()[-1] == "1"
    assert done.stderr == ""
