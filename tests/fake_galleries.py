"""A server on this machine that answers as Openverse and Wikimedia Commons do; it must not know how we ask."""

import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

PAGE = 3
"""Pictures on a page of either gallery: few, so that paging is met."""


def picture(seed: int, width: int = 240, height: int = 220, ending: str = ".jpg") -> bytes:
    """A picture that differs for each seed."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    pixels = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    good, data = cv2.imencode(ending, pixels)
    assert good
    return data.tobytes()


class Galleries:
    """The server; `with Galleries() as net:` runs it.

    pictures: path -> bytes. offered: path -> licence, in the order of the answers. answers: what is sent instead of the
    next ones, as (status, headers, body). asked: (path, query, user agent) of each request. most: how many pictures are
    sent before the server hangs, until `go_on` is set.
    """

    def __init__(self) -> None:
        self.pictures: dict[str, bytes] = {}
        self.offered: dict[str, str] = {}
        self.answers: deque[tuple[int, dict[str, str], bytes]] = deque()
        self.asked: list[tuple[str, dict[str, str], str]] = []
        self.honest = True
        self.most: int | None = None
        self.go_on = threading.Event()
        net = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                net.asked.append((url.path, query, self.headers["User-Agent"]))
                if net.most is not None and len(net.fetched()) > net.most and not net.go_on.wait(30):
                    return
                status, headers, body = net.answer(url.path, query)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.openverse, self.commons = f"{self.root}/v1/images/", f"{self.root}/w/api.php"

    def offer(self, name: str, data: bytes, licence: str = "by") -> str:
        """Put a picture on the server and into both galleries; returns its address."""
        path = f"/files/{name}"
        self.pictures[path] = data
        self.offered[path] = licence
        return self.root + path

    def fetched(self) -> list[str]:
        """The names of the pictures that were asked for, in order."""
        return [path.rpartition("/")[2] for path, _, _ in self.asked if path.startswith("/files/")]

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if self.answers:
            return self.answers.popleft()
        if path in self.pictures:
            return 200, {"Content-Type": "image/jpeg"}, self.pictures[path]
        if path == "/v1/images/":
            return 200, {"Content-Type": "application/json"}, json.dumps(self._openverse(query)).encode()
        if path == "/w/api.php":
            return 200, {"Content-Type": "application/json"}, json.dumps(self._commons(query)).encode()
        return 404, {}, b"nothing here"

    def _openverse(self, query: dict[str, str]) -> dict[str, Any]:
        wanted = query["license"].split(",")
        found = [path for path, licence in self.offered.items() if licence in wanted or not self.honest]
        page = int(query["page"])
        rows = [
            {
                "title": f"A title, with “marks”\nof {path}",
                "creator": "Ada",
                "source": "flickr",
                "license": self.offered[path],
                "license_version": "4.0",
                "license_url": f"https://creativecommons.org/licenses/{self.offered[path]}/4.0/",
                "url": self.root + path,
                "foreign_landing_url": f"https://example.org{path}",
                "width": None,
                "height": None,
            }
            for path in found[(page - 1) * PAGE : page * PAGE]
        ]
        return {"result_count": len(found), "page_count": -(-len(found) // PAGE), "page_size": PAGE, "results": rows}

    def _commons(self, query: dict[str, str]) -> dict[str, Any]:
        begin = int(query.get("gsroffset", 0))
        found = list(self.offered)
        pages = [self._page(place, found[place]) for place in range(begin, min(begin + PAGE, len(found)))]
        if not pages:
            return {"batchcomplete": True}
        more = {"continue": {"gsroffset": begin + PAGE, "continue": "gsroffset||"}} if begin + PAGE < len(found) else {}
        return {**more, "query": {"pages": pages[::-1]}}  # as the real one: in the order of ids, with the rank beside

    def _page(self, place: int, path: str) -> dict[str, Any]:
        licence = self.offered[path]
        code = {"cc0": "cc0", "pdm": "pd"}.get(licence, f"cc-{licence}-3.0-de")
        meta = {
            "License": {"value": code},
            "LicenseShortName": {"value": code.upper()},
            "LicenseUrl": {"value": f"https://creativecommons.org/licenses/{licence}/3.0"},
            "Artist": {"value": '<a href="//x" title="User:Ada">Ada &amp; <b>Bob</b></a>'},
        }
        info = {
            "url": self.root + path,
            "thumburl": f"{self.root}{path}",
            "thumbwidth": 240,
            "thumbheight": 220,
            "descriptionurl": f"https://commons.wikimedia.org/wiki{path}",
            "mime": "image/jpeg",
            "extmetadata": meta,
        }
        return {"index": place + 1, "title": f"File:{path}", "imageinfo": [info]}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
