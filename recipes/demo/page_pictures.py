"""Takes the pictures of the live page for the documents: the rendered demo person, and a made-up history.

    python -m recipes.demo.page_pictures docs/images

Needs Chromium and Playwright, and for the picture of the browser edition what `make site` has built in web/dist.
"""

import contextlib
import datetime as dt
import functools
import http.server
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from handlens.live.history import History
from handlens.live.spans import Span, Touch
from handlens.weights import demo_clip

FLAGS = ("--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
PLACES = {"chin": 30, "mouth": 26, "nose": 18, "cheek": 12, "forehead": 8, "eye": 7, "ear": 4}
SITE = Path(__file__).parents[2] / "web" / "dist"


def again_and_again(target: Path, times: int = 12) -> Path:
    """Write the demo clip several times, one after the other."""
    with av.open(str(target), "w") as film:
        stream, offset = None, 0
        for _ in range(times):
            with av.open(str(demo_clip())) as source:
                track = source.streams.video[0]
                stream = film.add_stream_from_template(track) if stream is None else stream
                end = 0
                for packet in source.demux(track):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, stream
                    film.mux(packet)
                offset += end
    return target


def raw(target: Path) -> Path:
    """Write the demo clip as Chromium plays it as a camera."""
    with av.open(str(demo_clip())) as source, target.open("wb") as file:
        track = source.streams.video[0]
        file.write(f"YUV4MPEG2 W{track.width} H{track.height} F25:2 Ip A1:1 C420jpeg\n".encode())
        for frame in source.decode(track):
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())
    return target


def made_up(path: Path) -> None:
    """Write eleven weeks of a person who touches the face less and less."""
    random.seed(3)
    now = dt.datetime.now()
    touches, spans = [], []
    for days in range(75, -1, -1):
        day = (now - dt.timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        if day.weekday() > 4 and random.random() < 0.6:
            continue
        for begin, end in ((8.6, 12.2), (13.1, 17.4)):
            start = day.timestamp() + (begin + random.random() * 0.4) * 3600
            stop = min(now.timestamp() - 120, day.timestamp() + (end + random.random() * 0.3) * 3600)
            if stop < start + 600:
                continue
            spans.append(Span(start, 0, stop - start))
            a_week = (9 if begin > 12 else 6) * (0.45 + 0.55 * min(1, days / 70)) * (1.4 if day.weekday() == 0 else 1)
            at = start
            while (at := at + random.expovariate(a_week / 3600)) < stop - 20:
                place = random.choices(list(PLACES), list(PLACES.values()))[0]
                touches.append(Touch(at, 0, random.uniform(0.6, 6), place, "", 0.9, regions=((place, 2.0),)))
    with History(path) as history:
        history.add(history.begin(spans[0].start, "0", "touch"), touches, spans)


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[str]:
    """Watch the film, and give the address of the page."""
    made_up(folder / "history.sqlite")
    places = {"HANDLENS_CONFIG": str(folder / "config"), "HANDLENS_DATA": str(folder)}
    command = [sys.executable, "-m", "handlens", "watch", str(again_and_again(folder / "film.mp4")), "--no-open"]
    watch = subprocess.Popen([*command, "--port", "0"], stderr=subprocess.PIPE, text=True, env={**os.environ, **places})
    try:
        assert watch.stderr is not None
        yield next(line.split()[1] for line in watch.stderr if line.startswith("page: "))
    finally:
        watch.terminate()
        watch.wait()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the browser edition."""
    handler: Any = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def take(page: Any, file: Path, full: bool = False) -> None:
    """Take the picture of a page."""
    page.screenshot(path=str(file), type="jpeg", quality=80, full_page=full)
    print(file.name, file.stat().st_size // 1000, "kB")


def main(target: Path) -> None:
    """Take all pictures."""
    from playwright.sync_api import expect, sync_playwright

    program = os.environ.get("HANDLENS_CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as room, sync_playwright() as playwright:
        film = raw(Path(room) / "camera.y4m")
        browser = playwright.chromium.launch(
            executable_path=program, args=[*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        )
        with watching(Path(room)) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            page.goto(address)
            page.locator("#guide-later").click()
            expect(page.get_by_test_id("status")).to_have_text("touching", timeout=60_000)
            expect(page.get_by_test_id("touch-count")).not_to_have_text("0")
            take(page, target / "page-live.jpg")
            page.locator("#tab-history").click()
            page.locator("#hero .figure").wait_for()
            page.wait_for_timeout(500)
            take(page, target / "page-history.jpg", full=True)
            page.locator("#tab-settings").click()
            page.locator("#guide-again").click()
            for _ in range(3):
                page.locator("#guide-next").click()
            page.wait_for_timeout(2500)
            take(page, target / "page-first-minute.jpg")
            page.close()
        if (SITE / "index.html").is_file():
            with serving(SITE) as address:
                dark = browser.new_context(
                    viewport={"width": 430, "height": 900}, permissions=["camera"], color_scheme="dark"
                )
                page = dark.new_page()
                page.goto(address)
                page.locator("#guide-later").click(timeout=60_000)
                expect(page.get_by_test_id("status")).to_have_text("touching", timeout=120_000)
                page.locator("#source").evaluate("each => { each.textContent = 'Camera'; }")  # it names the film
                page.wait_for_timeout(1500)
                take(page, target / "page-browser.jpg")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
