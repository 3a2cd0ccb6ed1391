"""The promises of io/stream.py: whatever a sender does, frames while they come and then one sentence."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from clocks import StillClock
from media import save_video, stream_times

from handlens.errors import DeviceError, HandlensError
from handlens.io.sources import stream as stream_room
from handlens.io.sources.open import open_source


class Server:
    """A TCP sender on this machine.

    talk: what it does with its one reader; the connection ends with it. hang: then send nothing until the test is over.
    """

    def __init__(self, talk: Callable[[socket.socket], object] = lambda peer: None, hang: bool = False) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._talk, self._hang = talk, hang
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self.left = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            peer, _ = self._server.accept()
            with peer:
                self._talk(peer)
                if self._hang:
                    self.left.wait(60)
        except OSError:
            pass  # the reader hung up

    def hangs(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.left.set()
        self._server.close()
        self._thread.join(0.1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return save_video(tmp_path / "a.ts", range(0, 2000, 40))


def test_a_tcp_stream_is_read_without_loss_by_predict(clip: Path) -> None:
    with Server(lambda peer: peer.sendall(clip.read_bytes())) as server, open_source(server.address) as source:
        frames = list(source.frames())
        assert (source.kind, source.live) == ("stream", False)
        assert source.ended == f"the stream '{server.address}' ended after 2.0 s."
    assert [f.time for f in frames] == stream_times(clip)
    assert {f.source for f in frames} == {server.address}


def test_an_endless_stream_is_watched_until_someone_stops(clip: Path) -> None:
    def talk(peer: socket.socket) -> None:
        while True:
            peer.sendall(clip.read_bytes())

    with Server(talk) as server, open_source(server.address, live=True) as source:
        assert source.live
        times = []
        for frame in source.frames():
            times.append(frame.time)
            time.sleep(0.02)
            if len(times) > 3 and source.skipped > 0:
                source.stop()
        assert source.skipped > 0
    assert len(times) > 3
    assert times == sorted(times)


def test_a_stream_that_stalls_ends_with_a_sentence(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_room, "READ_S", 1.0)
    monkeypatch.setattr("handlens.io.sources.live.time", StillClock())  # only the reader's own clock is to speak
    for live in (False, True):
        errors: list[HandlensError] = []
        sender = Server(lambda peer: peer.sendall(clip.read_bytes()), hang=True)
        with sender as server, open_source(server.address, live=live) as source:
            assert len(list(source.frames(errors.append))) > 0
        assert [type(error) for error in errors] == [DeviceError]
        assert "sent nothing for 1 s" in str(errors[0])


def test_an_unreachable_stream_is_a_sentence_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for protocol in ("tcp", "http", "rtsp"):
        with pytest.raises(
            DeviceError, match=f"'{protocol}://127.0.0.1:{port}/x' cannot be opened: connection refused"
        ):
            open_source(f"{protocol}://user:secret@127.0.0.1:{port}/x")
    with pytest.raises(DeviceError, match="unknown protocol"):
        open_source("gopher5://127.0.0.1/x")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("protocol", ["tcp", "http", "rtsp"])
def test_a_stream_that_accepts_and_says_nothing_times_out(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stream_room.OPEN_S + stream_room.READ_S <= 10
    monkeypatch.setattr(stream_room, "OPEN_S", 0.5)
    monkeypatch.setattr(stream_room, "READ_S", 0.5)
    with Server(hang=True) as server:
        with pytest.raises(DeviceError, match="cannot be opened"):
            open_source(server.address.replace("tcp", protocol))
        assert server.hangs()  # it was left, it did not hang up


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server that knows no ranges, sends files, and an endless motion JPEG under /live."""
    import cv2

    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if self.path != "/live":
                data = (tmp_path / self.path[1:]).read_bytes()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) * 2 // 3] if "cut" in self.path else data)
                return
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
            try:
                while True:
                    self.wfile.write(head + jpeg + b"\r\n")
                    time.sleep(0.02)
            except OSError:
                pass  # the reader hung up

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_video_on_a_web_server_is_read_like_a_file(tmp_path: Path, web: str) -> None:
    path = save_video(tmp_path / "a.mp4", range(0, 800, 40), options={"movflags": "faststart"})
    with open_source(f"{web}/a.mp4") as source:
        assert [f.time for f in source.frames()] == stream_times(path)


def test_a_recording_on_a_web_server_is_watched_at_its_own_speed(tmp_path: Path, web: str) -> None:
    save_video(tmp_path / "a.mp4", range(0, 800, 40), options={"movflags": "faststart"})
    begin = time.monotonic()
    with open_source(f"{web}/a.mp4", live=True) as source:
        frames = list(source.frames())
        assert len(frames) + source.skipped == 20
    assert time.monotonic() - begin > 0.7  # a busy machine may be slower, none may be faster
    assert frames[-1].time == pytest.approx(0.76)


def test_a_download_that_breaks_off_says_so(tmp_path: Path, web: str) -> None:
    save_video(tmp_path / "cut.ts", range(0, 8000, 40), size=(160, 120))
    errors: list[HandlensError] = []
    with open_source(f"{web}/cut.ts") as source:
        assert len(list(source.frames(errors.append))) > 10
    assert len(errors) == 1
    assert "broke off" in str(errors[0])


def test_a_network_camera_is_watched(web: str) -> None:
    with open_source(f"{web}/live", live=True) as source:
        frames = []
        for frame in source.frames():
            frames.append(frame)
            if len(frames) > 5 and frame.time > 0.2:
                source.stop()
    assert len(frames) > 5
    assert frames[-1].time > 0.2
