"""How far is the probability of a touch in the browser edition from that in Python, on the same pixels?

    make site
    python benchmarks/browser_parity.py [--every 2] [--json FILE]

Gives each frame of the demo clip to both, four ways: as it is; with the faces and hands that Python found, so that the
detector is not asked; and, in Python alone, with the detector's input moved by one part in a million, as another
processor may sum it. The detector computes with 8 bits: where a sum of floats falls on the other side of a half, the
boxes move, and the crop of the face with them.
"""

import argparse
import base64
import functools
import http.server
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from browser_speed import SITE, Quiet

from handlens.card import ModelCard
from handlens.clips import frames
from handlens.predictor import load
from handlens.runner import Runner
from handlens.types import Detections, Floats, Frame
from handlens.weights import demo_clip

LIMIT = 0.01
SEE = """async ([text, width, height, found]) => {
  const rgb = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let n = 0; n < width * height; n++) data.set(rgb.subarray(3 * n, 3 * n + 3), 4 * n);
  const own = await handlens.see({ width, height, data });
  const given = await handlens.see({ width, height, data }, found);
  return [own.seen.touch, given.seen.touch];
}"""


class Moved:
    """A model whose input is moved by one part in a million of its spread."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._noise = runner, np.random.default_rng(0)

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._runner.card

    def run(self, batch: Floats) -> dict[str, Floats]:
        """Return the arrays of the model."""
        return self._runner.run(np.asarray(batch + 1e-6 * self._noise.standard_normal(batch.shape), np.float32))


def detected(value: Detections) -> list[dict[str, Any]]:
    """Return the faces and hands of a result as the browser's detector tells them."""
    return [
        {"label": name, "score": float(score), "xyxy": [float(v) for v in xyxy]}
        for name, score, xyxy in zip(value.label_names, value.score, value.xyxy, strict=True)
        if name in ("face", "hand")
    ]


def touch_of(value: object) -> float:
    """Return the probability of a touch."""
    assert isinstance(value, Detections)
    return value.best_touch


def measure(address: str, every: int) -> dict[str, list[float]]:
    """Return the distances of each frame's probability from Python's."""
    from playwright.sync_api import sync_playwright

    plain = load("touch", 1)
    moved = plain.with_parts({**plain.parts, "detector": Moved(plain.parts["detector"])})
    rows: dict[str, list[float]] = {"the browser": [], "the browser, given the boxes": [], "Python, moved": []}
    flags = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        program = os.environ.get("HANDLENS_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(address)
        page.locator("#controls:enabled").wait_for(timeout=120_000)
        page.get_by_test_id("pause").click()
        for frame in frames(demo_clip()):
            if frame.index % every:
                continue
            value = plain.predict(frame).value
            assert isinstance(value, Detections)
            height, width = frame.image.shape[:2]
            text = base64.b64encode(np.ascontiguousarray(frame.image).tobytes()).decode()
            own, given = page.evaluate(SEE, [text, width, height, detected(value)])
            other = touch_of(moved.predict(Frame(frame.image)).value)
            for name, told in zip(rows, (own, given, other), strict=True):
                rows[name].append(abs(told - value.best_touch))
        browser.close()
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=2, help="of so many frames one")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not (SITE / "index.html").is_file():
        print("there is no browser edition yet: type 'make site'", file=sys.stderr)
        return 2
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rows = measure(f"http://127.0.0.1:{server.server_address[1]}/", given.every)
        server.shutdown()
    for name, apart in rows.items():
        within = float(np.mean(np.array(apart) <= LIMIT))
        print(
            f"{name}: {within:.1%} of {len(apart)} frames within {LIMIT}, mean {np.mean(apart):.4f},"
            f" 99 of 100 below {np.quantile(apart, 0.99):.4f}, farthest {max(apart):.4f}"
        )
    if given.json is not None:
        given.json.write_text(json.dumps(rows) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
