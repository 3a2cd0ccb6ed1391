"""How long does the browser edition take for a frame of 640x480, with one WebAssembly thread, in Chromium?

    make site
    python benchmarks/browser_speed.py [--seconds 20] [--json FILE]

Plays the demo clip as the camera and prints the median and the 90th percentile of the frames' times in the worker:
detector, crop, contact model. While faces keep still the detector looks at every third frame; the mean says what that
is worth. The limit is 60 ms at the median, on a machine that does nothing else.
"""

import argparse
import functools
import http.server
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import av

from handlens.weights import demo_clip

SITE = Path(__file__).parents[1] / "web" / "dist"
LIMIT_MS = 60.0
LISTEN = """() => {
  globalThis.times = [];
  handlens.listen((told) => { if (told.kind === "frame") globalThis.times.push(told.ms); });
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def camera(target: Path) -> Path:
    """Write the demo clip as Chromium plays it as a camera."""
    with av.open(str(demo_clip())) as source, target.open("wb") as file:
        track = source.streams.video[0]
        file.write(f"YUV4MPEG2 W{track.width} H{track.height} F25:1 Ip A1:1 C420jpeg\n".encode())
        for frame in source.decode(track):
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())
    return target


def measure(address: str, film: Path, seconds: float) -> list[float]:
    """Return the time of each frame in milliseconds."""
    from playwright.sync_api import expect, sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    program = os.environ.get("HANDLENS_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*flags, f"--use-file-for-fake-video-capture={film}"]
        )
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(address)
        expect(page.get_by_test_id("status")).not_to_have_text("starting", timeout=120_000)
        page.wait_for_timeout(3000)  # compiled as well as it will be
        page.evaluate(LISTEN)
        page.wait_for_timeout(seconds * 1000)
        times: list[float] = page.evaluate("globalThis.times")
        browser.close()
    return times


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not (SITE / "index.html").is_file():
        raise SystemExit("the browser edition is not built: type 'make site' first.")
    with (
        tempfile.TemporaryDirectory() as room,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        film = camera(Path(room) / "camera.y4m")
        times = sorted(measure(f"http://127.0.0.1:{server.server_address[1]}/", film, given.seconds))
        server.shutdown()
    table = {
        "frames": len(times),
        "median_ms": round(statistics.median(times), 1),
        "mean_ms": round(statistics.mean(times), 1),
        "p90_ms": round(times[int(0.9 * len(times))], 1),
        "load": os.getloadavg()[0],
    }
    print(table)
    if given.json:
        given.json.write_text(json.dumps(table) + "\n", "utf-8")
    return int(table["median_ms"] > LIMIT_MS)


if __name__ == "__main__":
    sys.exit(main())
