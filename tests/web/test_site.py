"""The browser edition in a real browser: the same probabilities as in Python, the touches of the clip, no request."""

import base64
import contextlib
import csv
import dataclasses
import datetime as dt
import functools
import http.server
import io
import json
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browsers import browser
from clocks import wait

from handlens.data.formats.detect_format import open_set
from handlens.io.pictures.read import read_picture
from handlens.live.calibration import Calibration, Samples, personal
from handlens.live.early import Approach
from handlens.live.history import FIELDS
from handlens.live.kept_alarms import face_window, label_lines
from handlens.predictor import load
from handlens.result import Result
from handlens.runner import OnnxRunner
from handlens.track import Tracker
from handlens.types import Detections, Frame
from handlens.weights import demo_clip, resolve

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
    subprocess.run(["node", "build.mjs", "site"], cwd=place / "web", check=True)
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


CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


def opened(chrome: Any, address: str, script: str = "") -> Any:
    page = chrome.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"]).new_page()
    if script:
        page.add_init_script(script)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(address)
    page.locator("#controls:enabled").wait_for(timeout=120_000)  # the models are loaded
    return page


SEE = """async ([text, width, height, found]) => {
  const rgb = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let n = 0; n < width * height; n++) data.set(rgb.subarray(3 * n, 3 * n + 3), 4 * n);
  const { seen, ms } = await handlens.see({ width, height, data }, found);
  return { touch: seen.touch, boxes: seen.boxes, ms };
}"""


def packed(picture: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(picture).tobytes()).decode()


def found_in(value: Detections) -> list[dict[str, Any]]:
    """The faces and hands of a result, as the detector of the browser tells them."""
    rows = zip(value.label_names, value.score, value.xyxy, strict=True)
    return [
        {"label": name, "score": float(score), "xyxy": xyxy.tolist()}
        for name, score, xyxy in rows
        if name in ("face", "hand")
    ]


def within() -> float:
    """How far the browser may be from Python on the same pixels and boxes: a model that computes with 8 bits rounds.

    A sum of floats in another order ends on the other side of a half, and a value of a layer changes by a step.
    """
    return 0.12 if "bits" in OnnxRunner(resolve("touch"), 1).card.options else 0.01


def map_cell(value: Detections) -> float:
    """Pixels of the frame that a cell of the face net's map covers: it sees two faces' sides in 32 x 32 cells.

    The edge of a region's box moves by a whole cell where a rounded probability crosses one half.
    """
    faces = value.xyxy[value.of("face")]
    return 1.05 * 2 * float((faces[:, 2:] - faces[:, :2]).max(initial=0.0)) / 32 + 1.0


def test_the_same_frame_gives_the_same_answer_as_in_python(built, tmp_path):
    film = camera(tmp_path / "clip.y4m")
    predictor = load("touch", 1)
    with browser(*CAMERA, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, _):
        page = opened(chrome, address)
        page.get_by_test_id("pause").click()
        wait(lambda: page.get_by_test_id("pause").inner_text() == "Go on")
        pictures = frames(0, 30, 60, 110, 150, 195, 230, 262, 290, 315, 340)
        pictures += [pictures[2][:, 80:560], np.repeat(np.repeat(pictures[9], 2, 0), 2, 1)]
        for number, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            wanted = predictor.predict(Frame(np.ascontiguousarray(picture))).value
            assert isinstance(wanted, Detections)
            told = page.evaluate(SEE, [packed(picture), width, height, found_in(wanted)])
            assert told["touch"] == pytest.approx(wanted.best_touch, abs=within()), number
            assert [box["label"] for box in told["boxes"]] == wanted.label_names, number
            for box, xyxy in zip(told["boxes"], wanted.xyxy, strict=True):
                assert box["xyxy"] == pytest.approx(xyxy.tolist(), abs=map_cell(wanted)), number
            # its own detector computes with 8 bits, where the last bit of a sum moves a box by a pixel or two
            own = page.evaluate(SEE, [packed(picture), width, height])
            assert own["touch"] == pytest.approx(wanted.best_touch, abs=0.2), number
            faces = [box["xyxy"] for box in own["boxes"] if box["label"] == "face"]
            for face, xyxy in zip(faces, wanted.xyxy[wanted.of("face")], strict=True):
                assert face == pytest.approx(xyxy.tolist(), abs=6 * max(1, width / 640)), number
        assert not page.complaints


def test_the_four_touches_of_the_clip_appear_and_nothing_is_asked_for_after_loading(built, tmp_path):
    """A machine that is too busy gets the clip slower; once through it there are four touches."""
    for slower in (2, 8):
        film = camera(tmp_path / "clip.y4m", slower)
        with browser(*CAMERA, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, asked):
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
    with browser(*CAMERA, f"--use-file-for-fake-video-capture={film}") as chrome:
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
        assert page.get_by_test_id("status").inner_text().lower() == "no camera"
        assert "camera" in page.locator("#detail").inner_text()


KEEP = """async () => {
  await handlens.history(0);  // makes the data base, if it is new
  const now = Date.now() / 1000;
  await new Promise((done, fail) => {
    const asked = indexedDB.open("handlens");
    asked.onerror = fail;
    asked.onsuccess = () => {
      const change = asked.result.transaction("touches", "readwrite");
      change.objectStore("touches").put({ start: now - 50, stop: now - 49, region: "nose", regions: { nose: 1 } });
      change.oncomplete = () => { asked.result.close(); done(); };
      change.onabort = fail;
    };
  });
}"""


SAVED = """async () => {
  let saved;
  URL.createObjectURL = (blob) => { saved = blob; return ""; };
  await handlens.exportAddress();
  return saved.text();
}"""


def test_settings_and_history_stay_and_can_be_deleted(built, tmp_path):
    film = camera(tmp_path / "clip.y4m")
    with browser(*CAMERA, f"--use-file-for-fake-video-capture={film}") as chrome, served(built) as (address, _):
        page = opened(chrome, address)
        page.get_by_test_id("region-ear").uncheck()
        page.get_by_test_id("sensitivity").fill("30")
        wait(lambda: page.evaluate("handlens.settings.open") == 0.7)
        page.evaluate(KEEP)
        page.reload()
        page.locator("[data-testid=history-today] [data-region=nose]").wait_for()
        assert not page.get_by_test_id("region-ear").is_checked()
        assert page.get_by_test_id("sensitivity").input_value() == "30"
        told = page.evaluate(SAVED)
        (row,) = [row for row in csv.DictReader(told.splitlines()) if row["region"] == "nose"]
        assert tuple(row) == FIELDS
        assert (row["seconds"], row["side"], row["regions"]) == ("1.000", "", "nose:1.000")
        assert dt.datetime.fromisoformat(row["start"]).timestamp() == pytest.approx(
            dt.datetime.now().timestamp() - 50, abs=120
        )
        page.locator("#tab-history").click()
        page.locator("#delete").click()
        page.locator("#confirm-yes").click()
        page.locator("#tab-live").click()
        page.locator("[data-testid=history-today] [data-region=nose]").wait_for(state="detached")


def samples(seed: int) -> Samples:
    """What a model may have said in the four phases of a calibration."""
    rng = np.random.default_rng(seed)
    names = ("forehead", "eye", "nose", "mouth", "cheek", "chin", "ear", "object_at_mouth", "object_at_face")
    made = Samples(OnnxRunner(resolve("touch"), 1).card)
    for phase, middle in (("look", -4.0), ("touch", 1.0), ("front", -0.5), ("object", -1.0)):
        for _ in range(int(rng.integers(5, 40))):
            made.add(phase, (float(rng.normal(middle, 1)), {name: float(rng.random()) for name in names}))
    return made


FIT = """async (given) => {
  const { calibration } = await import(new URL("./main.js", location.href));
  const { cards, calibration: rules } = await (await fetch("./models.json")).json();
  return given.map((samples) => calibration.fitted(samples, cards.touch, rules));
}"""


def test_a_calibration_has_the_numbers_of_python_and_moves_the_same_frame_as_there(built):
    given = [samples(seed) for seed in range(6)]
    asked = [
        {phase: [{"logit": logit, "scores": scores} for logit, scores in rows] for phase, rows in each.seen.items()}
        for each in given
    ]
    with (
        browser(*CAMERA) as chrome,
        served(built) as (
            address,
            _,
        ),
    ):
        page = opened(chrome, address)
        for told, each in zip(page.evaluate(FIT, asked), given, strict=True):
            found, wanted = Calibration.from_json(json.dumps(told)), each.fitted()
            assert found.shift == pytest.approx(wanted.shift, abs=1e-4)
            assert dict(found.weights) == pytest.approx(dict(wanted.weights), abs=1e-4)
            assert (found.frames, found.model, found.version) == (wanted.frames, wanted.model, wanted.version)
        few = {**asked[0], "touch": asked[0]["touch"][:3]}
        with pytest.raises(Exception, match="only 3 pictures show your face"):
            page.evaluate(FIT, [few])
        made = dataclasses.replace(given[0].fitted(), shift=-1.5)
        page.evaluate("text => localStorage.setItem('handlens-calibration', text)", made.to_json())
        page.reload()
        page.locator("#controls:enabled").wait_for(timeout=60_000)
        predictor, runner = personal(load("touch", 1), made)
        moved = 0.0
        for picture in frames(60, 116, 250):
            wanted_value = predictor.predict(Frame(picture)).value
            assert isinstance(wanted_value, Detections)
            told = page.evaluate(SEE, [packed(picture), 640, 480, found_in(wanted_value)])
            assert told["touch"] == pytest.approx(wanted_value.best_touch, abs=within())
            runner.calibration = None
            plain = predictor.predict(Frame(picture)).value
            assert isinstance(plain, Detections)
            moved = max(moved, abs(plain.best_touch - wanted_value.best_touch))
            runner.calibration = made
        assert moved > 0.02  # it did something
        assert not page.complaints


STILL = """() => {
  const paper = document.createElement("canvas");
  [paper.width, paper.height] = [640, 480];
  const pen = paper.getContext("2d");
  let shown = pen.createImageData(640, 480);
  setInterval(() => pen.putImageData(shown, 0, 0), 50);
  globalThis.show = (text) => {
    const rgb = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const data = new Uint8ClampedArray(640 * 480 * 4).fill(255);
    for (let n = 0; n < 640 * 480; n++) data.set(rgb.subarray(3 * n, 3 * n + 3), 4 * n);
    shown = new ImageData(data, 640, 480);
  };
  navigator.mediaDevices.getUserMedia = async () => paper.captureStream(20);
}"""
TOUCH, CLEAR = 50, 5


def still(chrome: Any, address: str) -> Any:
    """The page with a camera that shows one picture of the demo clip until another one is wanted: page.show(NUMBER)."""
    pictures = dict(zip((TOUCH, CLEAR), frames(TOUCH, CLEAR), strict=True))
    page = opened(chrome, address, f"({STILL})()")
    page.show = lambda number: page.evaluate("text => show(text)", packed(pictures[number]))
    return page


MINUTE = """async ([phase, frames]) => {
  await handlens.calibrate(phase);
  const began = performance.now();
  let seen = 0;
  await new Promise((done) => handlens.listen((told) => {
    if (told.kind === "frame" && performance.now() - began > 1200 && ++seen > frames) done();
  }));
}"""


def test_a_calibration_is_made_kept_and_removed_on_the_page(built):
    from playwright.sync_api import expect

    with browser(*CAMERA) as chrome, served(built) as (address, _):
        page = still(chrome, address)
        page.show(CLEAR)
        page.locator("#guide-start").click()  # of a person who is new here
        for title in ("Can you see yourself?", "Can you hear the alarm?", "Look at the screen"):
            expect(page.locator("#guide-title")).to_have_text(title)
            if title != "Look at the screen":
                page.locator("#guide-next").click()
        page.locator("#guide-cancel").click()
        page.evaluate(MINUTE, ["front", 6])
        page.show(TOUCH)
        expect(page.get_by_test_id("status")).to_have_text("touching", timeout=60_000)
        page.evaluate(MINUTE, ["touch", 6])
        page.evaluate("handlens.calibrate('finish')")
        made = Calibration.from_json(page.evaluate("localStorage.getItem('handlens-calibration')"))
        assert made.frames["touch"] >= 5
        assert made.frames["front"] >= 5
        page.reload()
        page.locator("#tab-settings").click()
        expect(page.locator("#calibration-words")).to_contain_text("Your calibration is in use", timeout=60_000)
        page.locator("#calibration-remove").click()
        expect(page.locator("#calibration-words")).to_contain_text("fits the warnings to you")
        assert page.evaluate("localStorage.getItem('handlens-calibration')") is None
        assert not page.complaints


def ways(seed: int) -> list[tuple[float, list[tuple[str, float, list[float]]], float]]:
    """Time, boxes and probability of frames in which hands come, go, vanish and rest beside a face."""
    rng = np.random.default_rng(seed)
    told, hand, target, t = [], np.array([rng.uniform(0, 500), 420.0]), np.array([300.0, 420.0]), 0.0
    for n in range(240):
        t += float(rng.choice([0.04, 0.05, 0.1]))
        if n % 20 == 0:  # up to the face or beside it, and down again
            up = (rng.normal(280, 120), rng.uniform(120, 260))
            target = np.array(up if n % 40 else (rng.uniform(100, 500), 440.0))
        hand = hand + (target - hand) * rng.uniform(0.05, 0.35) + rng.normal(0, 2, 2)
        face = [250.0 + rng.normal(), 100.0, 370.0, 250.0]
        boxes = [("face", 0.9, face)]
        if rng.random() < 0.9:
            x, y = (float(v) for v in hand)
            boxes.append(("hand", float(rng.uniform(0.26, 0.95)), [x, y, x + 70, y + 90]))
        told.append((t, boxes, float(rng.choice([0.05, 0.15, 0.4]))))
    return told


WARN = """async (films) => {
  const { approach } = await import(new URL("./main.js", location.href));
  return films.map((film) => {
    const made = new approach.Approach();
    const named = (boxes) => boxes.map(([label, score, xyxy]) => ({ label, score, xyxy }));
    return film.map(([time, boxes, probability]) => made.update(time, named(boxes), probability, false));
  });
}"""


def test_the_early_warning_is_that_of_python(built):
    films = [ways(seed) for seed in range(20)]
    wanted = []
    for film in films:
        tracker, approach = Tracker(), Approach()
        row = []
        for n, (time, boxes, probability) in enumerate(film):
            label = np.array([("face", "hand").index(name) for name, _, _ in boxes])
            xyxy, score = np.array([each[2] for each in boxes], np.float32), np.array([each[1] for each in boxes])
            value = Detections(xyxy, np.asarray(score, np.float32), label, ("face", "hand"))
            found = tracker.update(Result("touch", n, time, value, "0", 640, 480, "touch"))
            row.append(approach.update(found, probability))
        wanted.append(row)
    assert 20 < sum(map(sum, wanted)) < 500
    with (
        browser(*CAMERA) as chrome,
        served(built) as (
            address,
            _,
        ),
    ):
        assert opened(chrome, address).evaluate(WARN, films) == wanted


LABELS = """async ([boxes, faces, names]) => {
  const { alarms } = await import(new URL("./main.js", location.href));
  const window = alarms.faceWindow({ boxes, faces }, 640, 480);
  return [window, alarms.labelLines(boxes, window, true, names), alarms.labelLines(boxes, window, false, names)];
}"""


def test_the_labels_of_a_kept_picture_are_those_of_python(built):
    rng = np.random.default_rng(3)
    names = ("face", "hand", "forehead", "eye", "nose", "mouth", "cheek", "chin", "ear", "facetouch")
    given, wanted = [], []
    for n in range(12):
        corner = rng.uniform(0, 400, (4, 2))
        xyxy = np.concatenate([corner, corner + rng.uniform(1, 200, (4, 2))], 1).astype(np.float32)
        label = np.array([0, 0, 1, 7 if n % 2 else 1])
        judged = np.array([0.2, 0.7, np.nan, np.nan], np.float32)
        value = Detections(xyxy, np.full(4, 0.9, np.float32), label, names, face_touch=judged)
        window = face_window(value, 640, 480)
        wanted.append(
            [
                list(window),
                *("".join(f"{line}\n" for line in label_lines(value, window, right)) for right in (True, False)),
            ]
        )
        boxes = [{"label": names[k], "xyxy": box.tolist()} for k, box in zip(label, xyxy, strict=True)]
        given.append([boxes, [[0, 0.2], [1, 0.7]], names])
    with (
        browser(*CAMERA) as chrome,
        served(built) as (
            address,
            _,
        ),
    ):
        page = opened(chrome, address)
        assert [page.evaluate(LABELS, each) for each in given] == wanted


def test_judged_alarms_are_kept_and_saved_as_a_set_that_a_training_reads(built, tmp_path):
    from playwright.sync_api import expect

    with browser(*CAMERA) as chrome, served(built) as (address, _):
        page = still(chrome, address)
        page.show(CLEAR)
        page.locator("#tab-settings").click()
        page.locator("#keep_wrong").check()
        expect(page.locator("#kept-words")).to_have_text("No picture is kept.")
        page.locator("#tab-live").click()
        page.evaluate("handlens.set('gap', 4)")  # a machine that is very busy sees a frame in some seconds
        for answer in ("wrong", "right"):
            count = page.get_by_test_id("touch-count")
            before = count.inner_text()
            page.show(TOUCH)
            expect(count).not_to_have_text(before, timeout=120_000)
            page.show(CLEAR)
            page.get_by_role("button", name=answer).first.click(timeout=120_000)
            page.get_by_text(f"kept as {answer}").wait_for()
        page.locator("#tab-settings").click()
        expect(page.locator("#kept-words")).to_have_text("2 pictures are kept in this browser.")
        with page.expect_download() as saved:
            page.locator("#kept-save").click()
        packed_set = zipfile.ZipFile(io.BytesIO(Path(saved.value.path()).read_bytes()))
        assert packed_set.testzip() is None
        packed_set.extractall(tmp_path / "alarms")
        found = open_set(tmp_path / "alarms", "detect")
        assert len(found) == 2
        labels = {each.path.stem.rpartition("-")[2]: {found.names[n] for n in each.labels} for each in found}
        assert "face" in labels["wrong"] <= {"face", "hand"}
        assert labels["right"] - {"face", "hand"}
        assert all(min(read_picture(str(each.path)).shape[:2]) >= 100 for each in found)
        page.locator("#tab-history").click()
        page.locator("#delete").click()
        expect(page.locator("#confirm-text")).to_contain_text("2 pictures kept for training")
        page.locator("#confirm-yes").click()
        page.locator("#tab-settings").click()
        expect(page.locator("#kept-words")).to_have_text("No picture is kept.")
        assert not page.complaints
