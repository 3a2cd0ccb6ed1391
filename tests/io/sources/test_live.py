"""The promises of live sources: the newest frame only, and one sentence when a camera or stream is absent or stops."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocks import FakeClock, SteppedCamera, Stopping
from media import save_video

from handlens.errors import DeviceError, FrameError, HandlensError
from handlens.io.sources.camera import open_camera
from handlens.io.sources.live import play
from handlens.io.sources.open import open_source


def test_a_slow_reader_of_a_live_source_gets_the_newest_frame() -> None:
    clock = FakeClock()
    camera = SteppedCamera(clock, 100, 0.01, lambda time: np.zeros((2, 2, 3), np.uint8))
    with camera.open() as source:
        seen = []
        for frame in source.frames():
            seen.append((frame.index, clock.now - camera.begin - frame.time))
            camera.send(7)
        assert [index for index, _ in seen] == [*range(0, 99, 7), 99]  # the last one is not lost
        assert [age for _, age in seen] == pytest.approx([0.0] * len(seen), abs=1e-9)
        assert source.skipped == 100 - len(seen)
        assert "ended after" in source.ended


def test_a_file_played_live_keeps_its_own_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_video(tmp_path / "a.mp4", [0, 100, 150, 400, 600])
    clock = FakeClock()
    with monkeypatch.context() as patch, open_source(path) as source:
        patch.setattr("handlens.io.sources.live.time", clock)
        begin = clock.now
        arrivals = [(clock.now - begin, frame.time) for frame in play(source)(Stopping(clock))]
    assert [stamp for _, stamp in arrivals] == pytest.approx([0, 0.1, 0.15, 0.4, 0.6])
    assert [at for at, _ in arrivals] == pytest.approx([0, 0.1, 0.15, 0.4, 0.6])
    with open_source(path, live=True) as source:
        begin = time.monotonic()
        stamps = [frame.time for frame in source.frames()]
        assert time.monotonic() - begin > 0.55  # a busy machine may be slower, none may be faster
        assert (source.live, source.kind) == (True, "video")
    assert stamps[-1] == pytest.approx(0.6)


def test_stop_ends_a_live_source_at_once(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", [0, 100, 60000])
    with open_source(path, live=True) as source:
        last = 0.0
        for frame in source.frames():
            last = frame.time
            if last > 0:  # the next one is due in a minute
                threading.Timer(0.05, source.stop).start()
    assert last == pytest.approx(0.1)


def test_a_file_that_breaks_while_it_is_played_says_so(tmp_path: Path) -> None:
    path = save_video(tmp_path / "a.mp4", range(0, 600, 10), options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    errors: list[HandlensError] = []
    with open_source(path, live=True) as source:
        assert len(list(source.frames(errors.append))) > 3
    assert isinstance(errors[0], FrameError)


# --- cameras


class FakeCamera:
    """A camera that sends `count` pictures and then fails, or hangs while the clock goes on, until it is released."""

    def __init__(self, count: int, clock: FakeClock, hangs: bool = False) -> None:
        self.count, self.clock, self.hangs = count, clock, hangs
        self.goes_on = threading.Event()
        self.released = threading.Event()

    def isOpened(self) -> bool:  # noqa: N802
        return self.count > 0

    def read(self) -> tuple[bool, Any]:
        self.clock.now += 0.005
        self.count -= 1
        while self.count < 0 and self.hangs and not self.released.wait(0.01):
            self.clock.now += 0.1 * self.goes_on.is_set()
        return self.count >= 0, np.full((4, 4, 3), (255, 0, 0), np.uint8) if self.count >= 0 else None

    def get(self, prop: int) -> float:
        return 30.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released.set()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of cameras and of those who wait for them."""
    made = FakeClock()
    for room in ("handlens.io.sources.camera", "handlens.io.sources.live"):
        monkeypatch.setattr(f"{room}.time", made)
    return made


def test_a_camera_that_is_absent_is_a_sentence_without_noise(capfd: pytest.CaptureFixture[str]) -> None:
    for text in ("99", "/dev/video99"):
        with pytest.raises(DeviceError, match="there is no camera 99"):
            open_source(text)
    assert capfd.readouterr().err == ""


def test_a_camera_that_is_pulled_out_ends_with_a_sentence(clock: FakeClock) -> None:
    camera = FakeCamera(20, clock)
    errors: list[HandlensError] = []
    with open_camera(3, open_device=lambda number: camera) as source:
        frames = list(source.frames(errors.append))
        assert (source.kind, source.name, source.fps, source.live, source.total) == ("camera", "3", 30.0, True, None)
        assert len(frames) + source.skipped == 20
    assert frames[0].image[0, 0].tolist() == [0, 0, 255]  # BGR became RGB
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert [str(e) for e in errors] == ["camera 3 stopped sending pictures: was it pulled out?"]
    assert camera.released.is_set()


def test_a_camera_that_hangs_ends_with_a_sentence_and_holds_nobody_up(clock: FakeClock) -> None:
    camera = FakeCamera(10, clock, hangs=True)
    errors: list[HandlensError] = []
    with open_camera(0, open_device=lambda number: camera, patience=0.3) as source:
        frames = []
        for frame in source.frames(errors.append):
            frames.append(frame.index)
            if frame.index == 9:
                camera.goes_on.set()
        assert frames[-1] == 9
        assert len(frames) + source.skipped == 10
    assert not camera.released.is_set()  # it still hangs, and nobody waited for it
    assert "no picture came for" in str(errors[0])
    assert isinstance(errors[0], DeviceError)
    camera.released.set()


def test_without_on_error_the_sentence_is_raised(clock: FakeClock) -> None:
    camera = FakeCamera(2, clock, hangs=True)
    camera.goes_on.set()
    with open_camera(0, open_device=lambda number: camera, patience=0.2) as source, pytest.raises(DeviceError):
        list(source.frames())
    camera.released.set()


def test_a_hanging_camera_does_not_keep_the_program_alive() -> None:
    code = """
import time, numpy as np
from handlens.io.sources.live import Live
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
