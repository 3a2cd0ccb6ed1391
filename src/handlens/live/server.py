"""The page on this machine: a small server in a thread of its own; it must not hold up the loop or let strangers in.

It binds to loopback, asks for a random token, takes requests only for its own address (Host) and from its own page
(Origin), allows no other site anything, and serves only files that came with the package.
"""

import asyncio
import contextlib
import hmac
import ipaddress
import json
import math
import mimetypes
import os
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from handlens.errors import HandlensError, InputError
from handlens.live.commands import LONGEST, Command, Limiter, parse
from handlens.live.feed import Feed
from handlens.live.session import Session

PORT = 7311
MOST_PAGES = 24
FRAMES_A_SECOND = 15.0
LEAST_FRAMES_A_SECOND = 4.0  # a machine that is slow at looking is not kept busy with pictures: every second is sent
IDLE_FRAMES_A_SECOND = 2.0  # of a page that is hidden: results without pictures
_BACKLOG = 64  # messages that wait for a page; one that takes none is closed
_FILES = Path(__file__).parent / "page"
_GRACE_S = 2.0
_LOOK_S = 0.015
_OLD_ADDRESS = (
    "This is not the address of the handlens that runs now: open the one that it printed when it was started.\n"
)


class Desk(Protocol):
    """What the page asks of the rest of the program; handlens.live.desk.Desk does."""

    def hello(self) -> dict[str, Any]:
        """Return what a page has to know once."""

    def act(self, command: Command) -> Any:
        """Carry out a command and return its answer as JSON, or None.

        Raises:
            HandlensError: it cannot be done; the text is shown.
        """

    def last(self) -> dict[str, Any]:
        """Return the history of the last day."""

    def export(self) -> str:
        """Return the history as CSV."""


class Guard:
    """Lets through what comes from the page itself, and answers everything else with 403 and nothing."""

    def __init__(self, app: ASGIApp, hosts: Callable[[str], bool], policy: str) -> None:
        self._app, self._hosts = app, hosts
        self._headers = [
            (b"content-security-policy", policy.encode("ascii")),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), display-capture=()"),
            (b"cache-control", b"no-store"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] not in ("http", "websocket"):
            return
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == b"host"]
        origins = [value for name, value in headers if name == b"origin"]
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        linked = (b"sec-fetch-mode", "navigate") in headers  # a link leads here; it shows nothing without the token
        known = len(hosts) == 1 and self._hosts(hosts[0])
        own = all(origin == f"http://{hosts[0]}" for origin in origins) if known else False
        foreign = not linked and any(site not in ("same-origin", "none") for site in sites)
        if not known or not own or foreign:
            await self._refuse(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        await self._app(scope, receive, with_headers)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await Response(status_code=403)(scope, receive, send)


class _Page:
    """One page that looks on."""

    def __init__(self) -> None:
        self.messages: deque[str] = deque(maxlen=_BACKLOG)
        self.changed = asyncio.Event()
        self.video = True
        self.ready = True  # it has taken its last frame
        self.seen = 0
        self.next_at = 0.0
        self.lost = False

    def tell(self, text: str) -> None:
        self.lost = self.lost or len(self.messages) == _BACKLOG
        self.messages.append(text)
        self.changed.set()


class PageServer:
    """Serves the page until it is closed; a context manager.

    Args:
        feed: The newest frame. session: pause, snooze and the settings. desk: does what the page asks for.
        host, port: Where; port 0 is any free one, and a port that is taken gives another.
        allow_network: Whether `host` may be reached from other machines.

    Raises:
        InputError: a host that is not loopback without `allow_network`, or one that this machine does not have.
    """

    def __init__(
        self,
        feed: Feed,
        session: Session,
        desk: Desk,
        host: str = "127.0.0.1",
        port: int = PORT,
        allow_network: bool = False,
    ) -> None:
        if not is_loopback(host) and not allow_network:
            raise InputError(
                f"--host {host} would let other machines see the camera: leave it out, or add --allow-network."
            )
        self._feed, self._session, self._desk = feed, session, desk
        self.token = secrets.token_urlsafe(24)
        self.host, self.port = host, port
        self._network = not is_loopback(host)
        self._pages: set[_Page] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = False

    @property
    def address(self) -> str:
        """What to open, with the token; the port is known when it serves."""
        return f"http://{self._shown}/?token={self.token}"

    @property
    def _shown(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._socket = _bound(self.host, self.port)
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(self._config())
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)
        self._thread.start()
        end = time.monotonic() + 10.0
        while not self._server.started and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.01)
        if not self._server.started:
            self._socket.close()
            raise InputError("the page could not be started: add --no-page to watch in the terminal.")
        self._feed.connect(self.tell, lambda: len(self._pages))
        self._session.on_change(lambda: self.tell({"kind": "state", **self._session.to_dict()}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tell the pages that it is over, and end."""
        self._feed.connect(lambda message: None)
        self.tell({"kind": "ended", "count": self._feed.count, "history": self._history()})
        self._ended = True
        end = time.monotonic() + 0.5
        while any(page.messages for page in list(self._pages)) and time.monotonic() < end:
            time.sleep(0.01)
        self._server.should_exit = True
        self._thread.join(_GRACE_S)
        self._socket.close()

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to every page, from any thread; returns at once."""
        if self._pages:
            text = json.dumps(message, separators=(",", ":"))
            self._soon(lambda: self._hand_on(text))

    def _history(self) -> dict[str, Any] | None:
        if not self._pages:
            return None
        try:
            return self._desk.last()
        except HandlensError:
            return None

    def _hand_on(self, text: str) -> None:
        for page in self._pages:
            page.tell(text)

    async def _look(self) -> None:
        """Look for new frames: waking this thread from the loop's would cost the loop a turn of the interpreter."""
        last: object = None
        while True:
            await asyncio.sleep(_LOOK_S if self._pages else 10 * _LOOK_S)
            if self._feed.shot is not last:
                last = self._feed.shot
                for page in self._pages:
                    if page.ready:
                        page.changed.set()

    def _soon(self, work: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended
                self._loop.call_soon_threadsafe(work)

    def _config(self) -> uvicorn.Config:
        live = "ws:" if self._network else f"ws://{self._shown}"
        policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
            f" connect-src 'self' {live}; manifest-src 'self'; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'none'"
        )
        return uvicorn.Config(
            Guard(self._app(), self._is_own, policy),
            ws="websockets-sansio",
            ws_max_size=LONGEST,
            ws_max_queue=8,
            ws_per_message_deflate=False,
            http="h11",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )

    def _serve(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            looking = asyncio.ensure_future(self._look())
            await self._server.serve(sockets=[self._socket])
            looking.cancel()

        asyncio.run(main())

    def _is_own(self, host: str) -> bool:
        """Return whether a request is for this server: names that a stranger's DNS may point here are refused."""
        name, _, port = host.rpartition(":")
        if port != str(self.port):
            return False
        if name in (self.host, f"[{self.host}]"):
            return True
        if not self._network:
            return name == "localhost"
        return _is_number(name.strip("[]"))

    def _allows(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode("utf-8"), self.token.encode("ascii"))

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._index),
                Route("/page/{token}/{name}", self._file),
                Route("/history.csv", self._export),
                WebSocketRoute("/live", self._live),
            ]
        )

    async def _index(self, request: Request) -> Response:
        if not self._allows(request.query_params.get("token")):
            return PlainTextResponse(_OLD_ADDRESS, status_code=403)
        html = (_FILES / "index.html").read_text("utf-8")
        return Response(html.replace('="./', f'="/page/{self.token}/'), media_type="text/html; charset=utf-8")

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not self._allows(request.path_params["token"]) or name not in _served():
            return Response(status_code=403)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if name.endswith(".js"):
            kind = "text/javascript; charset=utf-8"
        return Response((_FILES / name).read_bytes(), media_type=kind)

    async def _export(self, request: Request) -> Response:
        if not self._allows(request.query_params.get("token")):
            return Response(status_code=403)
        text = await asyncio.to_thread(self._desk.export)
        return PlainTextResponse(
            text,
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="handlens-history.csv"'},
        )

    async def _live(self, socket: WebSocket) -> None:
        if not self._allows(socket.query_params.get("token")) or len(self._pages) >= MOST_PAGES or self._ended:
            await socket.close(1008)
            return
        await socket.accept()
        page = _Page()
        page.tell(json.dumps({"kind": "hello", **await asyncio.to_thread(self._desk.hello)}))
        page.tell(json.dumps({"kind": "state", **self._session.to_dict()}))
        self._pages.add(page)
        sending = asyncio.ensure_future(self._send(socket, page))
        hearing = asyncio.ensure_future(self._hear(socket, page))
        try:
            await asyncio.wait((sending, hearing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pages.discard(page)
            for task in (sending, hearing):
                task.cancel()
            await asyncio.gather(sending, hearing, return_exceptions=True)
            with contextlib.suppress(Exception):  # it may be gone already
                await socket.close(1008)

    async def _send(self, socket: WebSocket, page: _Page) -> None:
        """Send what happened at once and of the frames the newest, whenever the page has taken the last."""
        while not page.lost:
            wait = page.next_at - time.monotonic()
            shot = self._feed.shot
            due = page.ready and shot is not None and shot.number != page.seen
            if not page.messages and not (due and wait <= 0):
                page.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(page.changed.wait(), max(0.001, wait) if due else None)
                continue
            while page.messages:
                await socket.send_text(page.messages.popleft())
            if not due or wait > 0 or shot is None:
                continue
            if self._session.paused:
                page.seen = shot.number
            else:
                page.seen, page.ready = shot.number, False
                page.next_at = time.monotonic() + self._pause_s(page)
                await socket.send_bytes(await asyncio.to_thread(self._feed.message, shot, page.video))

    def _pause_s(self, page: _Page) -> float:
        """Return the least time from one frame of a page to the next."""
        if not page.video:
            return 1.0 / IDLE_FRAMES_A_SECOND
        return min(max(1.0 / FRAMES_A_SECOND, 2.0 * self._feed.step_s), 1.0 / LEAST_FRAMES_A_SECOND)

    async def _hear(self, socket: WebSocket, page: _Page) -> None:
        """Take commands until the page goes, or sends too much that is none."""
        limiter = Limiter()
        while not limiter.closes:
            try:
                message = await socket.receive()
            except WebSocketDisconnect:
                return
            if message["type"] == "websocket.disconnect":
                return
            try:
                command = parse(message.get("text"))
            except InputError:
                limiter.bad += 1
                continue
            if command.do == "next" and not page.ready:
                page.ready = True
                page.changed.set()
            elif limiter.allows():
                await self._act(command, page)

    async def _act(self, command: Command, page: _Page) -> None:
        if command.do == "view":
            page.video, page.next_at = command.fields["video"], 0.0
            page.changed.set()
            return
        try:
            answer = await asyncio.to_thread(self._desk.act, command)
            reply = {"kind": "reply", "id": command.number, "answer": answer}
        except HandlensError as error:
            reply = {"kind": "reply", "id": command.number, "error": str(error)}
        if command.number is not None or "error" in reply:
            page.tell(json.dumps(reply))


def is_loopback(host: str) -> bool:
    """Return whether an address reaches this machine only."""
    if host == "localhost":
        return True
    return _is_number(host) and ipaddress.ip_address(host).is_loopback


def seconds_of(value: float | None) -> float:
    """Return the seconds of a pause; None has no end."""
    return math.inf if value is None else float(value)


def _served() -> set[str]:
    """Return the names of the files of the page."""
    return {file.name for file in _FILES.iterdir() if file.is_file()}


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    choices = (0,) if port and _answers(family, host, port) else dict.fromkeys((port, 0))
    for choice in choices:
        bound = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":  # the port of a watch that has just ended is free at once; Windows means a taken one
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((host, choice))
            bound.listen(64)
            bound.setblocking(False)
            return bound
        except (OSError, OverflowError) as error:
            bound.close()
            problem = error
    raise InputError(f"the page cannot be served at {host}: {problem}.") from problem


def _answers(family: int, host: str, port: int) -> bool:
    """Return whether somebody listens there: some systems would let a second one in beside a listener on all hosts."""
    if os.name != "posix":
        return False  # there the port is refused without this
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.settimeout(0.3)
        try:
            return asking.connect_ex((host, port)) == 0
        except (OSError, OverflowError):
            return False
