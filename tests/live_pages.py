"""A page server with fakes around it, and ways to talk to it, for the tests of the live page."""

import http.client
import json
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from media import touch_result
from websockets.sync.client import ClientConnection, connect

from handlens.live.desk import Desk, Watching
from handlens.live.feed import Feed
from handlens.live.server import PageServer
from handlens.live.session import Session
from handlens.loop import Step
from handlens.types import Event, Frame

TABLE = {
    "version": "0",
    "of": {"touch": 100, "front": 50, "plain": 200, "things": 20},
    "points": [
        {"position": p, "open": 1 - p / 100, "touch": 60 + p // 3, "front": p // 10, "plain": p // 20, "things": 1}
        for p in range(0, 101, 5)
    ],
}
CHIN = Event("touch", "chin", "face 1", 1.0, 2.0, 10, 20, 0.9, regions=(("chin", 1.0),), clock=1_700_000_000.0)


class MemoryDiary:
    """A history that is forgotten."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = [{"start": 50.0, "stop": 51.5, "region": "chin", "regions": {"chin": 1.5}}]

    def touches(self, since: float) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["start"] >= since]

    def spans(self, since: float) -> list[tuple[float, float]]:
        return [(0.0, 60.0)] if self.rows else []

    def csv(self) -> str:
        return "start,stop,region\n" + "".join(f"{row['start']},{row['stop']},{row['region']}\n" for row in self.rows)

    def clear(self) -> None:
        self.rows = []


class Minute:
    """A calibration that notes its steps."""

    calibrated, keeps = False, True

    def __init__(self) -> None:
        self.steps: list[str] = []

    def step(self, name: str) -> dict[str, Any]:
        self.steps.append(name)
        self.calibrated = name == "finish" or (self.calibrated and name != "remove")
        return {"phase": name, "seconds": 0.1, "calibrated": self.calibrated}


class Judge:
    """Notes what was judged."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bool]] = []

    def judge(self, number: int, right: bool) -> None:
        self.answers.append((number, right))

    def kept(self) -> tuple[int, str]:
        return len(self.answers), "alarms"

    def delete(self) -> int:
        gone, self.answers = len(self.answers), []
        return gone


class Served:
    """A server, and what it was asked for."""

    def __init__(self) -> None:
        self.sounds = 0
        self.session = Session()
        self.feed = Feed(lambda: self.session.settings.open)
        self.diary = MemoryDiary()
        self.minute, self.judge = Minute(), Judge()
        self.desk = Desk(
            self.session,
            Watching("0", "camera", "touch", "touch", points=TABLE),
            self._sound,
            self.diary,
            self.judge,
            self.minute,
            cameras=lambda: [(0, "Front"), (2, "Desk")],
        )
        self.server = PageServer(self.feed, self.session, self.desk, port=0)

    def _sound(self) -> None:
        self.sounds += 1

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Ask for a path and return (status, headers, text). host= and origin= replace what a browser would send."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            connection.putrequest("GET", path, skip_host=True)
            for name, value in {"host": f"127.0.0.1:{self.server.port}", **headers}.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return response.status, told, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def page(self, token: str | None = None, **more: Any) -> ClientConnection:
        """Connect as a page does."""
        token = self.server.token if token is None else token
        address = f"ws://127.0.0.1:{self.server.port}/live?token={token}"
        return connect(address, proxy=None, open_timeout=10, close_timeout=2, **more)

    @property
    def token(self) -> str:
        return dict(pair.split("=") for pair in urlsplit(self.server.address).query.split("&"))["token"]


@contextmanager
def served() -> Iterator[Served]:
    made = Served()
    with made.server:
        yield made


def step(
    probability: float = 0.9,
    index: int = 0,
    opened: tuple[Event, ...] = (),
    active: bool = False,
    closed: tuple[Event, ...] = (),
) -> Step:
    frame = Frame(np.full((48, 64, 3), 200, np.uint8), index, index / 25, "0")
    return Step(frame, touch_result(probability, index / 25), opened, closed, active, 0.01, time.monotonic(), None, 0)


def ask(page: ClientConnection, do: str, **fields: Any) -> None:
    page.send(json.dumps({"do": do, **fields}))


def hear(page: ClientConnection, kind: str, timeout: float = 10.0) -> dict[str, Any]:
    """Return the next message of a kind; of a frame with its "jpeg"."""
    end = time.monotonic() + timeout
    while True:
        told = page.recv(timeout=max(0.01, end - time.monotonic()))
        if isinstance(told, bytes):
            (length,) = struct.unpack("<I", told[:4])
            message = {**json.loads(told[4 : 4 + length]), "jpeg": told[4 + length :]}
        else:
            message = json.loads(told)
        if message["kind"] == kind:
            return message
