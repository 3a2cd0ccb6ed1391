"""The page of a review: a small server on this machine only, with a token; it knows no more of events than the review.

Guarded like the page of `watch`: loopback only, its own address (Host) and page (Origin), a random token.
"""

import base64
import contextlib
import hmac
import json
import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handlens.errors import HandlensError, InputError
from handlens.live.server import Guard
from handlens.study.review import Review

PORT = 7312
_FILES = Path(__file__).parent / "page"
_KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LONGEST = 4096  # bytes of a request
_STARTS_S = 10.0


class ReviewServer:
    """Serves the page until it is closed; a context manager. One request is answered at a time.

    Args:
        port: 0 is any free one, and a port that is taken gives another.
    """

    def __init__(self, review: Review, port: int = PORT) -> None:
        self._review = review
        self._lock = threading.Lock()
        self.token = secrets.token_urlsafe(24)
        self.port = port

    @property
    def address(self) -> str:
        """What to open, with the token."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def app(self) -> Guard:
        """Return the application behind its guard."""
        routes = [
            Route("/", self._page),
            Route("/review.js", self._file),
            Route("/review.css", self._file),
            Route("/api/event", self._event),
            Route("/api/clip", self._clip),
            Route("/api/say", self._say, methods=["POST"]),
        ]
        return Guard(Starlette(routes=routes), lambda host: host == f"127.0.0.1:{self.port}", _POLICY)

    def _is_known(self, request: Request) -> bool:
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        return hmac.compare_digest(given.encode(), self.token.encode())

    async def _page(self, request: Request) -> Response:
        if not self._is_known(request):
            return Response("open the address that handlens printed, with its token", 403)
        return _served("review.html")

    async def _file(self, request: Request) -> Response:
        return _served(request.url.path.lstrip("/"))

    async def _event(self, request: Request) -> Response:
        place = request.query_params.get("place", "")
        return self._answer(request, lambda: self._review.state(int(place) if place.isdigit() else None))

    async def _clip(self, request: Request) -> Response:
        def clip() -> dict[str, Any]:
            number = request.query_params.get("id", "")
            frames = self._review.clip(int(number) if number.isdigit() else -1)
            return {"frames": [{"time": at, "jpeg": base64.b64encode(data).decode()} for at, data in frames]}

        return self._answer(request, clip)

    async def _say(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > _LONGEST or request.headers.get("content-type") != "application/json":
            return JSONResponse({"error": "a request of this kind is not answered."}, 400)

        def say() -> dict[str, Any]:
            try:
                told = json.loads(body)
                number, verdict, change = int(told["id"]), str(told["verdict"]), dict(told.get("change") or {})
            except (ValueError, KeyError, TypeError) as error:
                raise InputError("a verdict needs id and verdict.") from error
            self._review.say(number, verdict, change)
            return self._review.state()

        return self._answer(request, say)

    def _answer(self, request: Request, work: Any) -> Response:
        """Do something with the review, one request at a time, and send what it returns."""
        if not self._is_known(request):
            return JSONResponse({"error": "the token is missing."}, 403)
        try:
            with self._lock:
                return JSONResponse(work())
        except HandlensError as error:
            return JSONResponse({"error": str(error)}, 400)

    def run(self) -> None:
        """Serve in this thread until Ctrl-C, which is the way to end, or until it is told to stop."""
        with contextlib.suppress(KeyboardInterrupt):
            self._server.run([self._socket])

    def stop(self) -> None:
        """Make `run` end; may be called from any thread."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        self._socket = _bound(self.port)
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(self.app(), log_level="error", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._socket.close()


def _bound(port: int) -> Any:
    import socket

    for choice in (port, 0):
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.bind(("127.0.0.1", choice))
            bound.listen(16)  # what comes before the server runs waits
            return bound
        except (OSError, OverflowError) as error:
            bound.close()
            problem = error
    raise InputError(f"the page cannot be served on this machine: {problem}.") from problem


def _served(name: str) -> Response:
    path = _FILES / name
    return Response(path.read_bytes(), media_type=_KINDS[path.suffix])
