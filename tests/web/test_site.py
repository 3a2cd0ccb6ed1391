"""The browser edition in a real browser: the same probabilities as in Python, the touches of the clip, no request."""

import base64
import contextlib
import functools
import http.server
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browsers import browser
from clocks import wait

from handlens.predictor import load
from handlens.types import Detections, Frame
from handlens.weights import demo_clip

pytestmark = pytest.mark.slow
WEB = Path(__file__).resolve().parents[2] / "web"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, bundled anew from what is in the checkout."""
    if shutil.which("node") is None or not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web and esbuild are not installed: type 'make site', which needs Node and npm")
    place = tmp_path_factory.mktemp("web")
    (place / "web").mkdir()
    shutil.copytree(WEB / "src", place / "web" / "src")
    for name in ("build.mjs", "package.json", "LICENSES.txt"):
        shutil.copyfile(WEB / name, place / "web" / name)
    (place / "web" / "node_modules").symlink_to(WEB / "node_modules")
    (place / "src").symlink_to(WEB.parent / "src")
    subprocess.run([sys.executable, str(WEB / "models.py"), str(place / "web" / "dist")], check=True)
    subprocess.run(["node", "build.mjs"], cwd=place / "web", check=True)
    return place / "web" / "dist"


class _Asked(http.server.SimpleHTTPRequestHandler):
    """Serves files and notes what was asked for."""

    paths: list[str]

    def log_message(self, format: str, *args: Any) -> None:
        self.paths.append(self.path)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = functools.partial(type("Handler", (_Asked,), {"paths": asked}), directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", asked
        finally:
            server.shutdown()
            thread.join()


def camera(target: Path, slower: int = 1) -> Path:
    """The demo clip as raw frames, which Chromium plays as a camera, again and again."""
    with av.open(str(demo_clip())) as source, target.open("wb") as file:
        stream = source.streams.video[0]
        file.write(f"YUV4MPEG2 W{stream.width} H{stream.height} F25:{slower} Ip A1:1 C420jpeg\n".encode())
        for frame in source.decode(stream):
            file.write(b"FRAME\n" + frame.reformat(format="yuv420p").to_ndarray().tobytes())
    return target


def frames(*numbers: int) -> list[np.ndarray[Any, Any]]:
    with av.open(str(demo_clip())) as source:
        every = [frame.to_ndarray(format="rgb24") for frame in source.decode(source.streams.video[0])]
    return [every[number] for number in numbers]


def opened(chrome: Any, address: str) -> Any:
    page = chrome.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"]).new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    return page


SEE = """async ([text, width, height]) => {
  const rgb = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let n = 0; n < width * height; n++) data.set(rgb.subarray(3 * n, 3 * n + 3), 4 * n);
  const { seen, ms } = await handlens.see({ width, height, data });
  return { touch: seen.touch, boxes: seen.boxes, ms };
}"""


def test_the_same_frame_gives_the_same_answer_as_in_python(built, tmp_path):
    film = camera(tmp_path / "clip.y4m")
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    predictor = load("touch", 1)
    with browser(*flags, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, _):
        page = opened(chrome, address)
        page.get_by_test_id("pause").click()
        wait(lambda: page.get_by_test_id("pause").inner_text() == "Go on")
        pictures = frames(0, 30, 60, 110, 150, 195, 230, 262, 290, 315, 340)
        pictures += [pictures[2][:, 80:560], np.repeat(np.repeat(pictures[9], 2, 0), 2, 1)]
        for number, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            text = base64.b64encode(np.ascontiguousarray(picture).tobytes()).decode()
            told = page.evaluate(SEE, [text, width, height])
            wanted = predictor.predict(Frame(np.ascontiguousarray(picture))).value
            assert isinstance(wanted, Detections)
            assert told["touch"] == pytest.approx(wanted.best_touch, abs=0.01), number
            assert [box["label"] for box in told["boxes"]] == wanted.label_names, number
            for box, xyxy in zip(told["boxes"], wanted.xyxy, strict=True):
                assert box["xyxy"] == pytest.approx(xyxy.tolist(), abs=6), number
        assert not page.complaints


def test_the_four_touches_of_the_clip_appear_and_nothing_is_asked_for_after_loading(built, tmp_path):
    """A machine that is too busy gets the clip slower; once through it there are four touches."""
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    for slower in (2, 8):
        film = camera(tmp_path / "clip.y4m", slower)
        with browser(*flags, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, asked):
            page = opened(chrome, address)
            page.evaluate(f"handlens.set('gap', {0.5 * slower}); handlens.set('min_time', {0.25 * slower})")
            from playwright.sync_api import expect

            expect(page.get_by_test_id("status")).to_have_text("touching", timeout=120_000)
            before = len(asked)
            page.wait_for_timeout(14_500 * slower)  # the camera plays the clip again and again: one round
            rows = page.locator("[data-testid=history-today] > *").all()
            places = [row.get_attribute("data-region") for row in rows]
            complaints = page.complaints
            late = [path for path in asked[before:] if not path.endswith(tuple(path.name for path in built.iterdir()))]
        if 4 <= len(places) <= 5:
            break
    assert not complaints
    assert not late
    assert {"chin", "forehead"} <= set(places)
    assert 4 <= len(places) <= 5  # the fifth is the first one of the next round


def test_it_works_without_a_network_once_it_was_loaded(built, tmp_path):
    film = camera(tmp_path / "clip.y4m")
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with browser(*flags, f"--use-file-for-fake-video-capture={film}") as chrome:
        from playwright.sync_api import expect

        with served(built) as (address, _):
            page = opened(chrome, address)
            page.evaluate("navigator.serviceWorker.ready.then(() => null)")
            wait(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))
        page.goto(address)  # the server is gone
        expect(page.get_by_test_id("status")).to_have_text("clear", timeout=60_000)


def test_a_browser_that_may_not_use_the_camera_says_so(built):
    with browser("--use-fake-device-for-media-stream") as chrome, served(built) as (address, _):
        page = chrome.new_context(permissions=[]).new_page()
        page.goto(address)
        notice = page.locator("#notice")
        notice.wait_for(timeout=60_000)
        assert "camera" in notice.inner_text()


KEEP = """async () => {
  await handlens.history(0);  // makes the data base, if it is new
  const now = Date.now() / 1000;
  await new Promise((done, fail) => {
    const asked = indexedDB.open("handlens", 1);
    asked.onerror = fail;
    asked.onsuccess = () => {
      const change = asked.result.transaction("touches", "readwrite");
      change.objectStore("touches").put({ start: now - 50, stop: now - 49, region: "nose", regions: { nose: 1 } });
      change.oncomplete = () => { asked.result.close(); done(); };
      change.onabort = fail;
    };
  });
}"""


def test_settings_and_history_stay_and_can_be_deleted(built, tmp_path):
    film = camera(tmp_path / "clip.y4m")
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with browser(*flags, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, _):
        page = opened(chrome, address)
        page.get_by_test_id("region-ear").uncheck()
        page.get_by_test_id("sensitivity").fill("30")
        wait(lambda: page.evaluate("handlens.settings.open") == 0.7)
        page.evaluate(KEEP)
        page.reload()
        page.locator("[data-testid=history-today] [data-region=nose]").wait_for()
        assert not page.get_by_test_id("region-ear").is_checked()
        assert page.get_by_test_id("sensitivity").input_value() == "30"
        page.locator("#tab-history").click()
        page.locator("#delete").click()
        page.locator("#confirm-yes").click()
        page.locator("#tab-live").click()
        page.locator("[data-testid=history-today] [data-region=nose]").wait_for(state="detached")
