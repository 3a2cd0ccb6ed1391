"""A stream or camera that drops is opened again for a while, says so once, and the hole is unobserved time."""

import csv
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocks import FakeClock, Stopping, play_in_step
from media import quadrants
from tiny_models import brightness_model

from handlens.cli import run
from handlens.errors import DeviceError
from handlens.io.reading import Reading
from handlens.io.sources.camera import open_camera
from handlens.io.sources.reconnect import Connection, Reconnecting
from handlens.types import Frame


class Sender:
    """A device of a test: each connection sends some frames and then drops; between them it may not answer."""

    def __init__(self, clock: FakeClock, *connections: int, silent_s: float = 0.0, ends: bool = False) -> None:
        self.clock, self.silent_s, self.ends = clock, silent_s, ends
        self.left = list(connections)
        self.closed = 0
        self.back = 0.0

    def open(self) -> Connection:
        if self.clock.now < self.back or not self.left:
            raise DeviceError("nothing answers.")
        count = self.left.pop(0)

        def close() -> None:
            self.closed += 1

        return Connection(lambda stopping: self._frames(count), close)

    def _frames(self, count: int) -> Iterator[Frame]:
        for index in range(count):
            self.clock.now += 0.1
            yield Frame(quadrants(8, 8), index, index / 10, "x")
        self.back = self.clock.now + self.silent_s
        if not self.ends:
            raise DeviceError("the stream 'x' broke off: input/output error.")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr("handlens.io.sources.reconnect.time", made)
    return made


def read(sender: Sender, clock: FakeClock, seconds: float = 30.0) -> tuple[list[Frame], list[str], DeviceError | None]:
    """All frames, all remarks, and what ended it."""
    said: list[str] = []
    frames: list[Frame] = []
    reader = Reconnecting(sender.open(), sender.open, seconds, "the stream 'x'", said.append)
    try:
        for frame in reader(Stopping(clock)):
            frames.append(frame)
    except DeviceError as error:
        return frames, said, error
    return frames, said, None


def test_a_stream_that_drops_goes_on_with_later_times_and_says_so_once(clock: FakeClock) -> None:
    sender = Sender(clock, 5, 3, silent_s=7.0)
    frames, said, error = read(sender, clock)
    assert [frame.index for frame in frames] == list(range(8))
    times = [frame.time for frame in frames]
    assert times[:5] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert 7.0 <= times[5] - times[4] <= 9.0
    assert times[6] - times[5] == pytest.approx(0.1)
    hole = times[5] - times[4]
    assert said == [
        "the stream 'x' broke off: input/output error. It is tried again for 30 s.",
        f"the stream 'x' is back after {hole:.1f} s; this time is unobserved.",
        "the stream 'x' broke off: input/output error. It is tried again for 30 s.",
    ]
    assert str(error) == "the stream 'x' broke off: input/output error. It did not come back within 30 s."
    assert sender.closed == 2


def test_a_sender_that_answers_and_hangs_up_at_once_is_not_tried_for_ever(clock: FakeClock) -> None:
    sender = Sender(clock, 5, *[0] * 1000, silent_s=0.6)
    frames, said, error = read(sender, clock, 10.0)
    assert len(frames) == 5
    assert len(said) == 1
    assert error is not None
    assert clock.now - 1000.0 < 15


def test_a_stream_that_ends_and_does_not_come_back_is_no_error(clock: FakeClock) -> None:
    frames, said, error = read(Sender(clock, 4, ends=True), clock, 2.0)
    assert (len(frames), error) == (4, None)
    assert said == ["the stream 'x' ended. It is tried again for 2 s."]


def test_whoever_stops_is_not_kept_waiting(clock: FakeClock) -> None:
    stopping = threading.Event()
    sender = Sender(clock, 2)
    reader = Reconnecting(sender.open(), sender.open, 1e9, "the stream 'x'", lambda said: stopping.set())
    assert len(list(reader(stopping))) == 2


# --- a camera


class PulledOut:
    """A camera that sends so many pictures and then none."""

    def __init__(self, count: int) -> None:
        self.count, self.released = count, False

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self) -> tuple[bool, Any]:
        self.count -= 1
        return self.count >= 0, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int) -> float:
        return 30.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released = True


def test_a_camera_that_is_pulled_out_and_put_in_again_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    for room in ("camera", "reconnect", "live"):
        monkeypatch.setattr(f"handlens.io.sources.{room}.time", clock)
    monkeypatch.setattr("handlens.io.sources.live.Grabber", play_in_step(clock))
    devices = [PulledOut(1), PulledOut(1)]
    said: list[str] = []
    opened = iter(devices)
    reading = Reading(remark=said.append)
    with open_camera(0, reading, lambda number: next(opened, None) or _absent(), reconnect=5.0) as source:
        monkeypatch.setattr("handlens.io.sources.reconnect._REST_S", 0.001)
        frames, times = [], []
        for frame in source.frames(lambda error: said.append(str(error))):
            frames.append(frame.index)
            times.append(frame.time)
            if len(frames) == 2:
                source.stop()
    assert frames == [0, 1]
    assert times[1] - times[0] > 2.0  # it was missed for two seconds
    assert all(device.released for device in devices)
    assert said[0] == "camera 0 stopped sending pictures: was it pulled out? It is tried again for 5 s."


def _absent() -> PulledOut:
    gone = PulledOut(0)
    gone.isOpened = lambda: False  # type: ignore[method-assign]
    return gone


# --- over the network, through the command


@pytest.fixture
def flapping(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A network camera that hangs up after some pictures, twice, and then is gone."""
    import cv2

    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 230, np.uint8))[1].tobytes()
    left = [30, 30]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not left:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            self.wfile.write((head + jpeg + b"\r\n") * left.pop(0))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/x.mjpg"
        server.shutdown()


def test_watch_tries_again_and_appends_its_events_with_the_time_of_day(tmp_path, monkeypatch, flapping, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handlens.io.sources.reconnect._REST_S", 0.05)
    brightness_model(tmp_path / "light.onnx")
    asked = ["watch", flapping, "-m", "light.onnx", "--no-page", "--no-sound", "--reconnect", "0.5", "--min-time", "0"]
    run([*asked, "--events", "day.csv", "--json", "day.jsonl"])
    err = capsys.readouterr().err
    assert err.count("It is tried again for 0.5 s") == 2
    assert err.count("is back after") == 1
    frames = [json.loads(line) for line in Path("day.jsonl").read_text().splitlines()]
    assert all("T" in line["clock"] for line in frames)
    assert [line["time"] for line in frames] == sorted(line["time"] for line in frames)
    events = list(csv.DictReader(Path("day.csv").read_text().splitlines()))
    assert events
    assert all(event["clock"][10] == "T" for event in events)
