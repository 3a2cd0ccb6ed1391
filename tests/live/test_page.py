"""The page in a real browser: what it shows, that each control works, and that nothing strange gets in."""

import datetime as dt
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from browsers import browser, slowed
from clocks import wait
from live_pages import CHIN, Served, served, step

from handlens.live.history import History
from handlens.live.spans import Span, Touch, longest
from handlens.live.spans import grid as python_grid
from handlens.types import Event
from handlens.weights import demo_clip

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "src/handlens/live/page"


@pytest.fixture(scope="module")
def chrome():
    with browser() as made:
        yield made


@pytest.fixture
def site():
    with served() as made:
        yield made


@pytest.fixture
def page(chrome, site):
    """The page of a fake watch, connected; whatever it complains about fails the test."""
    context = chrome.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(site.server.address)
    see(opened, "status", "starting")
    opened.get_by_test_id("region-chin").wait_for()
    wait(lambda: opened.locator("#source").inner_text() == "Front")
    yield opened
    context.close()
    assert not complaints


def see(page: Any, test_id: str, text: str | re.Pattern[str], timeout: float = 10_000) -> None:
    from playwright.sync_api import expect

    expect(page.get_by_test_id(test_id)).to_have_text(text, timeout=timeout)


def says(page: Any, place: str, text: str | re.Pattern[str]) -> None:
    from playwright.sync_api import expect

    expect(page.locator(place)).to_have_text(text)


def test_it_shows_what_is_seen(page, site):
    site.feed(step(0.1, 0))
    see(page, "status", "clear")
    site.feed(step(0.9, 1, opened=(CHIN,), active=True))
    see(page, "status", "touching")
    see(page, "touch-count", "1")
    see(page, "last-region", "chin")
    assert page.locator("#announcer").inner_text() == "Touching: chin"
    assert page.title().startswith("● touching")
    assert page.get_by_test_id("video").evaluate("canvas => [canvas.width, canvas.height]") == [64, 48]
    middle = "canvas => [...canvas.getContext('2d').getImageData(32, 24, 1, 1).data]"
    wait(lambda: page.get_by_test_id("video").evaluate(middle)[0] > 100)


def test_pause_and_snooze(page, site):
    site.feed(step(0.1, 0))
    page.get_by_test_id("pause").click()
    see(page, "status", "paused")
    assert site.session.paused
    see(page, "pause", "Go on")
    page.locator("#veil-button").click()
    see(page, "pause", "Pause")
    assert not site.session.paused
    page.locator("#snooze-for").select_option("for 1 hour")
    page.get_by_test_id("snooze").click()
    see(page, "snooze", "End snooze")
    left = site.session.to_dict()["snoozed_s"]
    assert 3500 < left <= 3600
    assert "quiet for 1 h" in page.locator("#detail").inner_text()
    page.get_by_test_id("snooze").click()
    wait(lambda: not site.session.snoozed)


def test_the_sensitivity_says_what_was_measured(page, site):
    slider = page.get_by_test_id("sensitivity")
    slider.fill("80")
    wait(lambda: site.session.settings.open == 0.2)
    assert "86 %" in page.locator("#sensitivity-words").inner_text()  # of the table that the server was given
    assert slider.get_attribute("aria-valuetext").startswith("Finds 86 of 100 touches. Warns wrongly at 16 of 100")
    slider.press("ArrowLeft")
    wait(lambda: site.session.settings.open == 0.21)


def test_regions_are_chosen_on_the_face_and_by_name(page, site):
    page.get_by_test_id("region-chin").uncheck()
    wait(lambda: "chin" not in site.session.settings.regions)
    page.locator("#region-face [data-region=nose]").click()
    wait(lambda: "nose" not in site.session.settings.regions)
    assert not page.get_by_test_id("region-nose").is_checked()
    page.get_by_test_id("region-chin").check()
    wait(lambda: "chin" in site.session.settings.regions)
    says(page, "#regions-hint", re.compile("The alarm sounds for these places"))
    for region in site.session.settings.regions:
        page.get_by_test_id(f"region-{region}").uncheck()
    says(page, "#regions-hint", re.compile("No place is chosen: there will be no warning"))


def test_the_alarm_is_tested_and_set(page, site):
    page.get_by_test_id("test-sound").click()
    wait(lambda: site.sounds == 1)
    page.locator("#sound").select_option("A beep")
    wait(lambda: site.session.settings.sound == "beep")
    page.locator("#volume").fill("0.25")
    wait(lambda: site.session.settings.volume == 0.25)
    site.feed.warned(CHIN)
    page.locator("#glow-frame.on").wait_for(state="attached")
    page.locator("#glow").uncheck()
    wait(lambda: not site.session.settings.glow)


def test_the_other_settings(page, site):
    page.locator("#tab-settings").click()
    page.locator("#min_time").fill("0.5")
    wait(lambda: site.session.settings.min_time == 0.5)
    assert page.locator("#min_time-out").inner_text() == "0.50 s"
    page.locator("#cooldown").fill("20")
    wait(lambda: site.session.settings.cooldown == 20)
    page.locator("#low_power").check()
    wait(lambda: site.session.settings.low_power)
    page.locator("#camera").select_option("Desk")
    wait(lambda: site.session.take_camera() == 2)
    assert page.locator("#source").inner_text() == "Desk"


def test_the_history_is_shown_saved_and_deleted(page, site):
    now = time.time()
    site.diary.rows = [{"start": now - 60, "stop": now - 58, "region": "nose", "regions": {"nose": 2.0}}]
    site.feed(step(closed=(CHIN,)))
    row = page.locator("[data-testid=history-today] > *")
    row.wait_for()
    assert row.get_attribute("data-region") == "nose"
    assert float(row.get_attribute("data-start")) == pytest.approx(now - 60, abs=0.01)
    page.locator("#tab-history").click()
    page.locator("#hero .figure").wait_for()
    assert page.locator("#hero .figure").inner_text().startswith("1")
    assert "nose 1" in page.locator("#face-card svg").get_attribute("aria-label")
    with page.expect_download() as saved:
        page.locator("#export").click()
    assert "nose" in Path(saved.value.path()).read_text()
    page.locator("#keep").select_option("3 months")
    wait(lambda: site.session.settings.keep_days == 90)
    page.locator("#delete").click()
    page.locator("#confirm-no").click()
    assert site.diary.rows
    page.locator("#delete").click()
    page.locator("#confirm-yes").click()
    wait(lambda: not site.diary.rows)
    page.locator("#tab-live").click()
    page.locator("#today-none").wait_for()


def test_the_first_minute_goes_through_camera_sound_and_calibration(page, site):
    page.locator("#tab-settings").click()
    page.locator("#guide-again").click()
    assert page.locator("#guide-title").inner_text() == "Can you see yourself?"
    page.locator("#guide-next").click()
    page.locator("#guide-extra").click()
    wait(lambda: site.sounds == 1)
    page.locator("#guide-next").click()
    for number, title in enumerate(
        ("Look at the screen", "Touch your chin", "Hold your hand before your face", "Drink"), 1
    ):
        page.locator("#guide-title", has_text=title).wait_for()
        page.locator("#guide-next").click()
        wait(lambda number=number: len(site.minute.steps) >= number)
    page.locator("#guide-title", has_text="Ready").wait_for()
    assert site.minute.steps == ["look", "touch", "front", "object", "finish"]
    page.locator("#guide-next").click()
    page.locator("#guide").wait_for(state="hidden")
    page.locator("#calibration-remove").click()
    wait(lambda: site.minute.steps[-1] == "remove")


def test_a_first_minute_that_is_stopped_changes_nothing(page, site):
    page.locator("#tab-settings").click()
    page.locator("#guide-again").click()
    page.keyboard.press("Escape")
    page.locator("#guide").wait_for(state="hidden")
    wait(lambda: site.minute.steps == ["cancel"])


def test_a_touch_is_called_right_or_wrong_only_where_that_is_wanted(page, site):
    now = time.time()
    site.diary.rows = [{"start": now - 1, "stop": now, "region": "chin", "regions": {"chin": 1.0}}]
    site.feed(step(opened=(CHIN,), active=True))
    site.feed(step(closed=(CHIN,)))
    page.locator("[data-testid=history-today] [data-region=chin]").wait_for()
    assert page.get_by_role("button", name="wrong").count() == 0
    page.locator("#tab-settings").click()
    page.locator("#keep_wrong").check()
    wait(lambda: site.session.settings.keep_wrong)
    page.locator("#tab-live").click()
    page.get_by_role("button", name="wrong").click()
    wait(lambda: site.judge.answers == [(1, False)])
    page.locator("#tab-settings").click()
    says(page, "#kept-words", "1 picture is kept in alarms.")
    assert page.locator("#kept-save").is_hidden()  # they lie in a folder already
    page.locator("#kept-delete").click()
    says(page, "#confirm-text", re.compile("1 picture kept for training is deleted"))
    page.locator("#confirm-no").click()
    assert site.judge.answers
    page.locator("#kept-delete").click()
    page.locator("#confirm-yes").click()
    wait(lambda: not site.judge.answers)
    says(page, "#kept-words", "No picture is kept.")


def test_delete_everything_says_how_many_pictures_go(page, site):
    site.judge.answers = [(1, False), (2, True)]
    page.locator("#tab-history").click()
    page.locator("#delete").click()
    says(page, "#confirm-text", re.compile("All touches of all days, and 2 pictures kept for training, are deleted"))
    page.locator("#confirm-yes").click()
    wait(lambda: not site.judge.answers and not site.diary.rows)


def test_what_a_model_calls_its_classes_is_shown_as_text(page, site):
    name = "<img src=x onerror=alert(1)>"
    site.feed(step(opened=(Event("touch", name, "", 0, 1, 0, 1, 0.9),), active=True))
    see(page, "last-region", name)
    assert page.locator("main img").count() == 0


def test_a_page_that_is_reloaded_or_closed_comes_back(page, site, chrome):
    site.feed(step(0.1, 0))
    see(page, "status", "clear")
    page.reload()
    see(page, "status", "clear")
    other = chrome.new_page()
    other.goto(site.server.address)
    see(other, "status", "clear")
    other.close()
    site.feed(step(0.9, 1))
    see(page, "status", "touching")


def test_a_wrong_token_shows_nothing(chrome, site):
    page = chrome.new_page()
    answer = page.goto(f"http://127.0.0.1:{site.server.port}/?token=wrong")
    assert (answer.status, "open the one that it printed" in page.inner_text("body")) == (403, True)
    assert page.locator("script").count() == 0
    page.close()


def test_the_page_of_the_run_before_asks_for_the_new_address(chrome):
    made, page = Served(), chrome.new_page()
    with made.server:
        page.goto(made.server.address)
        see(page, "status", "starting")
        made.server.token = "another"  # as after a start at the same port
        page.locator("#tab-settings").click()
        page.locator("#guide-again").click()
        for each in list(made.server._pages):
            each.lost = True
            made.server._soon(each.changed.set)
        says(page, "#veil-title", "handlens was started again")
        says(page, "#veil-text", re.compile("Open the address"))
        says(page, "#guide-title", "handlens was started again")
        assert page.locator("#guide-next").is_disabled()
    page.close()


def test_another_site_cannot_open_the_socket(chrome, site):
    other = Served()
    with other.server:  # another origin of the same machine, as any local program may have
        page = chrome.new_page()
        page.goto(other.server.address)
        tried = page.evaluate(
            """address => new Promise((done) => {
                 try { const socket = new WebSocket(address); socket.onopen = () => done("open");
                       socket.onerror = () => done("refused"); } catch { done("refused"); } })""",
            f"ws://127.0.0.1:{site.server.port}/live?token={site.token}",
        )
        page.close()
    assert tried == "refused"


def test_the_end_is_told(chrome):
    made = Served()
    page = chrome.new_page()
    with made.server:
        page.goto(made.server.address)
        made.feed(step(0.1, 0))
        see(page, "status", "clear")
    see(page, "status", "ended")
    assert page.locator("#veil-title").inner_text() == "The watch has ended"
    page.close()


def test_a_guide_that_is_open_tells_the_end_and_only_closes(chrome):
    made = Served()
    page = chrome.new_page()
    with made.server:
        page.goto(made.server.address)
        page.locator("#controls:enabled").wait_for()
        page.locator("#tab-settings").click()
        page.locator("#guide-again").click()
    says(page, "#guide-title", "The watch has ended")
    assert page.locator("#guide-next").is_disabled()
    page.locator("#guide-cancel", has_text="Close").click()
    page.locator("#guide").wait_for(state="hidden")
    page.close()


def test_the_guide_says_that_a_recording_keeps_nothing(page, site):
    site.minute.keeps = False
    page.reload()
    page.locator("#controls:enabled").wait_for()
    page.locator("#tab-settings").click()
    page.locator("#guide-again").click()
    page.locator("#guide-next").click()
    page.locator("#guide-next").click()
    page.locator("#guide-text", has_text="nothing is kept").wait_for()
    for title in ("Look", "Touch", "Hold", "Drink"):
        page.locator("#guide-title", has_text=title).wait_for()
        page.locator("#guide-next").click()
    page.locator("#guide-text", has_text="Nothing was kept").wait_for()
    page.locator("#guide-next").click()
    assert not page.locator("#calibration-words", has_text="is in use").count()


def test_everything_is_reached_by_keyboard_and_has_a_name(page):
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.testid || ''"))
    wanted = {
        "tab-history",
        "pause",
        "snooze",
        "snooze-for",
        "sensitivity",
        "region-ear",
        "sound",
        "test-sound",
        "glow",
    }
    assert wanted <= set(reached)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, canvas, progress")].filter((each) => !(
             each.innerText?.trim() || each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") ||
             each.labels?.length)).map((each) => each.outerHTML)"""
    )
    assert [each for each in nameless if 'id="guide-' not in each] == []  # these get their words when they are shown


CONTRASTS = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    const layers = [];
    for (let at = each; at; at = at.parentElement) {
      layers.push(read(getComputedStyle(at).backgroundColor));
      if (at.tagName === "DIALOG") break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const poor = [];
  let looked = 0;
  const modal = document.querySelector("dialog[open]");
  for (const each of (modal ?? document.body).querySelectorAll("*")) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(each);
    const gone = !each.checkVisibility({ visibilityProperty: true });
    if (!own || gone || each.closest(".hidden, .skip, script, option, svg, [disabled]")) continue;
    looked += 1;
    const below = ground(each);
    const ink = over(read(style.color), below);
    const [high, low] = [light(ink), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio >= (large ? 3 : 4.5)) continue;
    poor.push(`${each.tagName} ${each.id} "${each.textContent.trim().slice(0, 30)}" ${ratio.toFixed(2)}`);
  }
  return { poor, looked };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_that_is_shown_can_be_read(chrome, site, scheme):
    """The contrast of what the browser computed: WCAG AA, 4.5 for text and 3 for large text, in each view and state."""
    now = time.time()
    site.diary.rows = [{"start": now - 60, "stop": now - 58, "region": "nose", "regions": {"nose": 2.0}}]
    page = chrome.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.goto(site.server.address)
    wait(lambda: page.locator("#source").inner_text() == "Front")
    looked = 0

    def check(where: str) -> None:
        nonlocal looked
        found = page.evaluate(CONTRASTS)
        assert found["poor"] == [], where
        looked += found["looked"]

    check("starting")
    for state, told in (("clear", step(0.1, 0)), ("touching", step(0.9, 1, opened=(CHIN,), active=True))):
        site.feed(told)
        see(page, "status", state)
        check(state)
    page.get_by_test_id("pause").click()
    see(page, "status", "paused")
    check("paused")
    for view in ("history", "settings"):
        page.locator(f"#tab-{view}").click()
        check(view)
    page.locator("#guide-again").click()
    check("the first minute")
    page.keyboard.press("Escape")
    page.locator("#tab-history").click()
    page.locator("#delete").click()
    page.locator("#confirm").wait_for()
    check("the question before deleting")
    assert looked > 150
    page.evaluate("document.querySelector('#confirm-text').style.color = 'rgb(128 128 128 / 60%)'")
    assert len(page.evaluate(CONTRASTS)["poor"]) == 1  # it would be found
    page.close()


def test_what_happens_is_said_once_and_politely(page, site):
    assert page.locator("#announcer").get_attribute("aria-live") == "polite"
    site.feed(step(0.9, 1, opened=(CHIN,), active=True))
    says(page, "#announcer", "Touching: chin")
    site.feed(step(0.1, 2, closed=(CHIN,)))
    says(page, "#announcer", "chin, 1.0 s")
    site.feed.approaching()
    says(page, "#announcer", "A hand comes near.")
    rows = page.locator("dialog, main, nav, [role=status]")
    assert rows.count() >= 5  # landmarks and live regions


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 2560])
def test_it_fits_narrow_and_wide_screens(page, site, width):
    site.feed(step(0.9, 0, opened=(CHIN,), active=True))
    page.set_viewport_size({"width": width, "height": 800})
    for view in ("live", "history", "settings"):
        page.locator(f"#tab-{view}").click()
        page.locator(f"#view-{view}").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view


def test_nothing_moves_for_who_wants_less_motion(chrome, site):
    page = chrome.new_page(reduced_motion="reduce")
    page.goto(site.server.address)
    site.feed(step(0.1, 0))
    see(page, "status", "clear")
    site.feed.warned(CHIN)
    glow = page.locator("#glow-frame.on")
    glow.wait_for(state="attached")
    assert glow.evaluate("each => getComputedStyle(each).animationName") == "none"
    page.close()


def test_the_history_says_the_same_in_the_browser_and_in_python(page, site):
    random.seed(7)
    now = dt.datetime.now().replace(minute=0, second=0, microsecond=0).timestamp()
    spans, touches = [], []
    for day in range(20, 0, -1):
        start = now - day * 86400 + random.uniform(-9000, 9000)
        spans.append(Span(start, _offset(start), random.uniform(400, 20_000)))
        at = start
        while (at := at + random.expovariate(1 / 900)) < spans[-1].stop:
            seconds = random.uniform(0.5, 5)
            touches.append(Touch(at, _offset(at), seconds, random.choice(["chin", "nose"]), "", 0.9))
    given = {
        "touches": [{"start": t.start, "stop": t.stop, "region": t.region, "regions": t.by_region} for t in touches],
        "spans": [[span.start, span.seconds] for span in spans],
    }
    told = page.evaluate(
        """async ([address, history, now]) => {
             const { stats } = await import(address);
             return { longest: stats.longest(history), grid: stats.grid(history), week: stats.weeks(history, now, 4) };
           }""",
        [f"/page/{site.token}/main.js", given, now],
    )
    best = longest(touches, spans)
    assert best is not None
    assert told["longest"]["seconds"] == pytest.approx(best.seconds, abs=0.01)
    assert told["longest"]["start"] == pytest.approx(best.start, abs=0.01)
    table = python_grid(touches, spans)
    for weekday in range(7):
        for hour in range(24):
            cell = told["grid"][weekday][hour]
            assert cell["count"] == table.touches[weekday][hour]
            assert cell["seconds"] == pytest.approx(table.seconds[weekday][hour], abs=0.01)
    with History(":memory:") as history:
        history.add(history.begin(spans[0].start, "0", "touch"), touches, spans)
        weeks = history.trend(4, dt.datetime.fromtimestamp(now).date())
    assert [week["count"] for week in told["week"]] == [week.touches for week in weeks]


def _offset(moment: float) -> int:
    found = dt.datetime.fromtimestamp(moment).astimezone().utcoffset()
    return 0 if found is None else int(found.total_seconds())


def test_the_colours_can_be_told_apart():
    sheet = (PAGE / "style.css").read_text("utf-8")
    blocks = sheet.split("prefers-color-scheme: dark")[:2]
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})\b", block)) for block in blocks)
    dark = {**light, **dark}
    for colours in (light, dark):
        for ink in ("ink", "soft", "calm", "warn"):
            for ground in ("ground", "card"):
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert _contrast(colours["idle"], colours["card"]) >= 4.5
    assert _contrast("#ffffff", "#b93a12") >= 4.5
    assert _contrast("#ffffff", "#0e6b62") >= 4.5
    assert _contrast(light["ink"], light["warn-soft"]) >= 4.5


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_four_touches_of_the_clip_appear_in_the_page_and_in_the_history(chrome, tmp_path):
    """A machine that is too busy to see enough frames of the clip gets it slower: the frames are the same."""
    for slower in (1, 3, 8):
        folder = tmp_path / str(slower)
        folder.mkdir()
        starts, places = _watched(chrome, folder, slower)
        if len(places) == 4:
            break
    assert starts == pytest.approx(
        [0, 5.72 * slower, 8.36 * slower, 10.52 * slower], abs=0.8 * slower
    )  # the clip's truth
    assert (places[0], places[3]) == ("chin", "forehead")
    with History(folder / "data" / "history.sqlite") as history:
        assert [touch.region for touch in history.touches()] == places


def _watched(chrome: Any, folder: Path, slower: int) -> tuple[list[float], list[str]]:
    """Watch the clip to its end and return the starts of the touches after the first, and their places, of the page."""
    settings = {"HANDLENS_CONFIG": str(folder / "config"), "HANDLENS_DATA": str(folder / "data")}
    clip = slowed(demo_clip(), folder / "clip.mp4", slower)
    rule = ["--gap", str(0.5 * slower), "--min-time", str(0.25 * slower)]
    command = [sys.executable, "-m", "handlens", "watch", str(clip), "--no-open", "--port", "0", "--no-sound", *rule]
    watch = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **settings})
    page = chrome.new_page()
    try:
        assert watch.stderr is not None
        page.goto(next(line.split()[1] for line in watch.stderr if line.startswith("page: ")))
        see(page, "status", "touching", 30_000 * slower)
        see(page, "status", "ended", 60_000 * slower)
        rows = page.locator("[data-testid=history-today] > *").all()
        assert page.get_by_test_id("touch-count").inner_text() == str(len(rows))
        begins = [float(row.get_attribute("data-start")) for row in rows]
        return [begin - begins[0] for begin in begins], [row.get_attribute("data-region") for row in rows]
    finally:
        page.close()
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=60)
