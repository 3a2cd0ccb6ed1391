"""The page's server: strangers get nothing, the newest frame only is sent, and nobody holds up the loop."""

import os
import socket
import time
from contextlib import ExitStack
from typing import Any

import cv2
import numpy as np
import pytest
from clocks import wait
from live_pages import CHIN, Served, ask, hear, served, step
from websockets.exceptions import ConnectionClosed, InvalidStatus

from handlens.errors import InputError
from handlens.live.commands import BURST, MOST_BAD, Limiter, parse
from handlens.live.server import PageServer, is_loopback


@pytest.fixture
def site():
    with served() as made:
        yield made


def test_the_page_comes_with_its_token_and_strict_rules(site):
    status, headers, text = site.get(f"/?token={site.token}")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "access-control-allow-origin" not in headers
    assert headers["referrer-policy"] == "no-referrer"
    assert "://" not in text.replace("http://www.w3.org", "")  # nothing external


@pytest.mark.parametrize("path", ["/page/wrong/main.js", "/history.csv?token=x", "/history.csv"])
def test_a_wrong_token_gets_nothing(site, path):
    status, headers, text = site.get(path)
    assert (status, text) == (403, "")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong"])
def test_an_old_address_gets_one_sentence_and_no_secret(site, path):
    status, headers, text = site.get(path)
    assert (status, headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert "open the one that it printed" in text
    assert site.token not in text
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "192.168.0.9:{port}"]
)
def test_a_foreign_host_gets_nothing(site, host):
    assert site.get(f"/?token={site.token}", host=host.format(port=site.server.port))[::2] == (403, "")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:{port}"])
def test_a_foreign_origin_gets_nothing(site, origin):
    origin = origin.format(port=site.server.port)
    assert site.get(f"/?token={site.token}", origin=origin)[::2] == (403, "")
    with pytest.raises(InvalidStatus, match="403"):
        site.page(origin=origin)


def test_another_site_in_the_same_browser_gets_nothing(site):
    assert site.get(f"/?token={site.token}", sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403
    assert site.get(f"/?token={site.token}", sec_fetch_site="cross-site", sec_fetch_mode="navigate")[0] == 200


@pytest.mark.parametrize("token", ["", "wrong"])
def test_no_live_view_without_the_token(site, token):
    with pytest.raises(InvalidStatus, match="403"):
        site.page(token)


@pytest.mark.parametrize("name", ["../server.py", "..%2Fserver.py", "%2e%2e%2fserver.py", "/etc/passwd", "nothing.js"])
def test_only_the_files_of_the_page_are_served(site, name):
    status, _, text = site.get(f"/page/{site.token}/{name}")
    assert (status in (403, 404), "import" in text) == (True, False)


def test_a_page_gets_the_newest_frame_and_waits_for_nobody(site):
    with site.page() as page:
        hello = hear(page, "hello")
        assert hello["cameras"] == [{"number": 0, "name": "Front"}, {"number": 2, "name": "Desk"}]
        for index in range(50):
            site.feed(step(index=index))
        first = hear(page, "frame")
        for index in range(50, 100):
            site.feed(step(index=index))
        ask(page, "next")
        second = hear(page, "frame")
        assert first["number"] <= 50
        assert second["number"] == 100  # what came between is gone
        assert second["result"]["value"]["touch"] == pytest.approx(0.9)
        assert second["status"] == "touching"
        image = cv2.imdecode(np.frombuffer(second["jpeg"], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (48, 64, 3)
        ask(page, "view", video=False)
        ask(page, "next")
        site.feed(step(0.1, 100))
        third = hear(page, "frame")
        assert (third["jpeg"], third["status"]) == (b"", "clear")


def test_events_and_warnings_are_told_at_once(site):
    with site.page() as page:
        hear(page, "state")
        site.feed(step(opened=(CHIN,), active=True))
        opened = hear(page, "opened")
        assert (opened["event"]["label"], opened["count"]) == ("chin", 1)
        site.feed.warned(CHIN)
        assert hear(page, "alarm")["event"]["label"] == "chin"


def test_every_control_works(site):
    with site.page() as page:
        ask(page, "set", name="sensitivity", value=70)
        wait(lambda: site.session.settings.open == 0.3)
        ask(page, "set", name="regions", value=["chin", "nose"])
        wait(lambda: site.session.settings.regions == ("nose", "chin"))
        ask(page, "pause", seconds=None)
        wait(lambda: site.session.paused)
        ask(page, "resume")
        wait(lambda: not site.session.paused)
        ask(page, "snooze", seconds=300)
        wait(lambda: site.session.snoozed)
        ask(page, "snooze", seconds=0)
        wait(lambda: not site.session.snoozed)
        ask(page, "test-sound")
        wait(lambda: site.sounds == 1)
        ask(page, "camera", number=2)
        wait(lambda: site.session.take_camera() == 2)
        ask(page, "history", since=0, id=7)
        answer = hear(page, "reply")
        assert (answer["id"], answer["answer"]["touches"][0]["region"]) == (7, "chin")
        assert "chin" in site.get(f"/history.csv?token={site.token}")[2]
        ask(page, "delete", sure=True)
        wait(lambda: not site.diary.rows)


def test_a_wrong_value_is_answered_in_words_and_changes_nothing(site):
    with site.page() as page:
        before = site.session.settings
        for name, value in (("open", 7), ("open", True), ("regions", ["elbow"]), ("nothing", 1), ("sound", "horn")):
            ask(page, "set", name=name, value=value)
            assert hear(page, "reply")["error"]
        ask(page, "camera", number=9)
        assert "no such camera" in hear(page, "reply")["error"]
        assert site.session.settings == before


def test_ten_thousand_malformed_messages_get_nothing(site):
    junk: list[Any] = ["", "{", "[]", "null", '{"do":"format"}', '{"do":1}', "x" * 2000, b"\0\1", "[" * 2000]
    before, sent = site.session.settings, 0
    while sent < 10_000:
        try:
            with site.page() as page:
                for n in range(500):
                    sent += 1
                    page.send(junk[n % len(junk)])
        except ConnectionClosed:
            pass
    assert site.session.settings == before
    assert not site.session.paused
    with site.page() as page:  # a page that behaves is still served
        assert hear(page, "hello")["model"] == "touch"


def test_a_message_that_is_too_long_ends_the_connection(site):
    with site.page() as page:
        page.send("x" * 5000)
        with pytest.raises(ConnectionClosed):
            hear(page, "never")


def test_commands_have_a_rate():
    now = 0.0
    limiter = Limiter(lambda: now)
    assert sum(limiter.allows() for _ in range(1000)) == BURST
    assert limiter.closes
    limiter = Limiter(lambda: now)
    for _ in range(int(BURST)):
        limiter.allows()
    now = 1.0
    assert [limiter.allows() for _ in range(21)] == [True] * 20 + [False]
    assert not limiter.closes
    assert MOST_BAD < 100


@pytest.mark.parametrize(
    "text",
    [
        '{"do":"pause"}',
        '{"do":"pause","seconds":-1}',
        '{"do":"pause","seconds":1e999}',
        '{"do":"pause","seconds":"9"}',
        '{"do":"next","more":1}',
        '{"do":"camera","number":"/dev/video0"}',
        '{"do":"delete","sure":"yes"}',
        '{"do":"history","since":NaN}',
        '{"do":"next","id":-1}',
        None,
        b"{}",
    ],
)
def test_what_is_no_command_is_refused(text):
    with pytest.raises(InputError):
        parse(text)


def test_the_server_survives_pages_that_come_and_go(site):
    for round in range(5):
        with ExitStack() as stack:
            pages = [stack.enter_context(site.page()) for _ in range(10)]
            site.feed(step(index=round))
            for page in pages[:5]:
                hear(page, "frame")
            for page in pages[::2]:
                page.socket.shutdown(socket.SHUT_RDWR)  # as a browser that is killed
    site.feed(step(index=99))
    with site.page() as page:
        assert hear(page, "frame")["number"] == 6


def test_a_page_that_takes_nothing_does_not_hold_up_the_loop(site):
    with site.page() as asleep, site.page() as awake:
        hear(asleep, "hello")
        began = time.monotonic()
        for index in range(500):
            site.feed(step(index=index))
        assert time.monotonic() - began < 2.0
        ask(awake, "next")
        hear(awake, "frame")


def test_the_end_is_told(site):
    with site.page() as page:
        hear(page, "state")
        site.server.__exit__(None, None, None)
        assert hear(page, "ended")["count"] == 0


def test_other_machines_need_an_explicit_word():
    made = Served()
    with pytest.raises(InputError, match="--allow-network"):
        PageServer(made.feed, made.session, made.desk, host="0.0.0.0", port=0)
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.1", "name")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip


def test_on_the_network_the_token_is_still_asked_for():
    made = Served()
    made.server = PageServer(made.feed, made.session, made.desk, host="0.0.0.0", port=0, allow_network=True)
    with made.server:
        here = f"127.0.0.1:{made.server.port}"
        assert made.get("/", host=here)[0] == 403
        assert made.get(f"/?token={made.token}", host=here)[0] == 200
        assert made.get(f"/?token={made.token}", host=f"evil.example:{made.server.port}")[0] == 403


def test_a_port_that_is_taken_gives_another(site):
    other = Served()
    with PageServer(other.feed, other.session, other.desk, port=site.server.port) as server:
        assert server.port != site.server.port
        assert f":{server.port}/" in server.address


@pytest.mark.skipif(os.name != "posix", reason="Windows lets a port go at once")
def test_a_watch_that_is_started_again_has_the_same_port():
    with served() as made, made.page():
        port = made.server.port  # the server closes the connection first, which keeps the port busy for a minute
    other = Served()
    with PageServer(other.feed, other.session, other.desk, port=port) as server:
        assert server.port == port


def test_a_frame_that_comes_with_a_message_is_not_lost(site):
    with site.page() as page:
        for index in range(5):
            site.feed(step(0.1, 2 * index))
            number = hear(page, "frame")["number"]
            site.feed(step(0.9, 2 * index + 1, opened=(CHIN,), active=True))
            ask(page, "next")
            hear(page, "opened")
            assert hear(page, "frame")["number"] == number + 1
            ask(page, "next")
