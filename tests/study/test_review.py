"""Review: a person becomes a second coder event by event, and the page answers nobody but itself."""

import http.client
import json
import threading
import time

import pytest
from browsers import browser, chromium
from study_fakes import Steady, study
from tiny_clips import level_video

from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError
from handlens.study.agree import apa_table, compare, method_text
from handlens.study.config import MACHINE
from handlens.study.database import Database
from handlens.study.results import Results
from handlens.study.review import Review, write_training_set
from handlens.study.review_server import ReviewServer
from handlens.study.run import run_study
from handlens.study.stretches import free, together


class Fading(Steady):
    """The second touch is less sure than the first."""

    def predict(self, frame, /, min_score=None, crop="hand"):
        result = super().predict(frame)
        if frame.time > 4:
            result.value.face_touch[0] *= 0.7
        return result


@pytest.fixture
def coded(tmp_path):
    level_video(tmp_path / "a.mp4")
    config = study(tmp_path / "s", [tmp_path / "a.mp4"])
    run_study(config, predictor=Fading([(1, 3), (5, 5.6)]))
    return config


def test_the_least_certain_comes_first_and_what_is_said_becomes_a_second_coder(coded):
    with Database(coded.database) as base:
        view = Results(coded, base)
        review = Review(view, "anna")
        first = review.state()
        assert (first["start"], first["total"], first["reviewed"], first["region"]) == (5.0, 2, 0, "chin")
        assert first["peak"] < review.state(1)["peak"]
        assert [item.event.start for item in Review(view, "anna", "time").items] == [1.0, 5.0]
        review.say(first["id"], "wrong")
        second = review.state()
        assert (second["start"], second["reviewed"]) == (1.0, 1)
        review.say(second["id"], "change", {"region": "nose", "stop": 2.5})
        told = [(event.start, event.stop, event.region, event.peak) for event in base.events(1, "anna")]
        assert told == [(1.0, 2.5, "nose", None)]
        assert len(view.events(view.videos[0], MACHINE)) == 2
        report = compare(view, ["anna"])
        assert (report.pairs[0].all.precision.value, report.pairs[0].all.recall.value) == (0.5, 1.0)
        review.say(second["id"], "change", {"side": "left"})
        told = [(event.stop, event.region, event.side) for event in base.events(1, "anna")]
        assert told == [(2.5, "nose", "left")], "one change after the other"
        review.say(second["id"], "split", {"at": 2.0})
        assert [(event.start, event.stop) for event in base.events(1, "anna")] == [(1.0, 2.0), (2.0, 3.0)]
        review.say(second["id"], "right")
        assert [(event.start, event.stop) for event in base.events(1, "anna")] == [(1.0, 3.0)]


def test_a_review_that_is_not_finished_is_not_compared(coded):
    with Database(coded.database) as base:
        view = Results(coded, base)
        review = Review(view, "anna")
        review.say(review.state()["id"], "right")
        with pytest.raises(InputError, match="counts when all events of a video are reviewed"):
            compare(view, ["anna"])


def test_blind_mode_tells_nothing_of_the_model(coded):
    with Database(coded.database) as base:
        state = Review(Results(coded, base), "anna", blind=True).state()
        assert not {"region", "side", "hand", "peak"} & set(state)


@pytest.mark.parametrize(
    ("verdict", "change", "said"),
    [
        ("maybe", {}, "unknown verdict 'maybe'"),
        ("change", {}, "a change needs"),
        ("change", {"region": "knee"}, "unknown region 'knee'"),
        ("change", {"side": "up"}, "unknown side 'up'"),
        ("change", {"start": 6.5}, "must start before it stops"),
        ("change", {"start": "soon"}, "start must be a number"),
        ("split", {"at": 1.0}, "is split between its start and its stop"),
        ("right", {"at": 1.0}, "unknown part of 'right' 'at'"),
    ],
)
def test_what_cannot_be_said(coded, verdict, change, said):
    with Database(coded.database) as base:
        review = Review(Results(coded, base), "anna")
        with pytest.raises(InputError) as caught:
            review.say(review.state()["id"], verdict, change)
        assert said in str(caught.value)
        assert base.events(1, "anna") == []


def test_who_may_not_review(coded):
    with Database(coded.database) as base:
        view = Results(coded, base)
        for name in ("", "handlens"):
            with pytest.raises(InputError, match="--as needs the name"):
                Review(view, name)
        with pytest.raises(InputError, match="unknown order 'random'"):
            Review(view, "anna", "random")
        with pytest.raises(InputError, match="unknown video 'b'"):
            Review(view, "anna", only="b")


def test_corrections_are_a_labelled_set(coded, tmp_path, capsys):
    with Database(coded.database) as base:
        view = Results(coded, base)
        review = Review(view, "anna", "time")
        review.say(review.items[0].event.id, "change", {"region": "nose"})
        review.say(review.items[1].event.id, "wrong")
        write_training_set(view, "anna", tmp_path / "set")
    labels = [file.read_text().split("\n") for file in sorted((tmp_path / "set" / "labels").iterdir())]
    assert [[line.split()[0] for line in one if line] for one in labels] == [["0", "1", "4"], ["0", "1"]]
    assert len(open_set(tmp_path / "set" / "data.yaml", "detect").pictures) == 2
    assert run(["study", "review", str(coded.folder), "--as", "anna", "--training", str(tmp_path / "set")]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert run(["study", "review", str(coded.folder), "--as", "ben", "--training", str(tmp_path / "other")]) == 2
    assert "'ben' reviewed no event" in capsys.readouterr().err


@pytest.fixture
def page(coded):
    """The server of a review in a thread of its own, which also owns the database."""
    ready, servers = threading.Event(), []

    def serve():
        with Database(coded.database) as base, ReviewServer(Review(Results(coded, base), "anna"), 0) as server:
            servers.append(server)
            ready.set()
            server.run()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(20)
    yield servers[0]
    servers[0].stop()
    thread.join(20)
    assert not thread.is_alive()


def ask(server, method, path, headers=None, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    told = answer.status, answer.read(), dict(answer.getheaders())
    connection.close()
    return told


@pytest.mark.slow
def test_the_page_serves_its_person_and_refuses_strangers(page, coded):
    key = {"x-token": page.token}
    code, body, headers = ask(page, "GET", f"/?token={page.token}")
    assert code == 200
    assert b"review.js" in body
    assert "script-src 'self'" in headers["content-security-policy"]
    assert ask(page, "GET", "/review.js")[0] == ask(page, "GET", "/review.css")[0] == 200
    assert ask(page, "GET", "/?token=guess")[0] == 403
    assert ask(page, "GET", "/api/event")[0] == 403
    assert ask(page, "GET", "/api/event", {"x-token": "guess"})[0] == 403
    assert ask(page, "GET", "/api/event", {**key, "host": "evil.example"})[0] == 403
    assert ask(page, "GET", "/api/event", {**key, "origin": "http://evil.example"})[0] == 403
    assert ask(page, "GET", "/api/event", {**key, "sec-fetch-site": "cross-site"})[0] == 403
    assert ask(page, "GET", "/../study.toml", key)[0] == 404
    state = json.loads(ask(page, "GET", "/api/event", key)[1])
    assert state["start"] == 5.0
    frames = json.loads(ask(page, "GET", f"/api/clip?id={state['id']}", key)[1])["frames"]
    times = [frame["time"] for frame in frames]
    assert times == sorted(times)
    assert times[0] == pytest.approx(4.0, abs=0.1)
    assert 15 <= len(frames) <= 60
    said = json.dumps({"id": state["id"], "verdict": "wrong"})
    assert ask(page, "POST", "/api/say", key, said)[0] == 400, "a form of another site has no such type"
    code, body, _ = ask(page, "POST", "/api/say", {**key, "content-type": "application/json"}, said)
    assert (code, json.loads(body)["reviewed"]) == (200, 1)
    code, body, _ = ask(
        page, "POST", "/api/say", {**key, "content-type": "application/json"}, '{"id": 99, "verdict": "wrong"}'
    )
    assert (code, json.loads(body)["error"]) == (400, "there is no event 99 in this review.")
    with Database(coded.database) as base:
        assert base.coders(1) == []
        assert list(base.reviews("anna")) == [state["id"]]


LONG = [128] * 15 * 90
MISSED = (40.0, 70.0)
"""In this time the hand really lies at the face, and the model sees nothing."""


@pytest.fixture
def long(tmp_path):
    """A minute and a half with two events, of which the second is none, and half a minute that the model missed."""
    level_video(tmp_path / "a.mp4", LONG)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], fps=5, subjects='"P01"')
    run_study(config, predictor=Fading([(1, 3), (15, 15.6)]))
    return config


def truth(state):
    """What a careful person says of a stretch."""
    touched = (1.0, 3.0), MISSED
    return any(start < state["stop"] and stop > state["start"] for start, stop in touched)


def judge_all(review):
    told = []
    while (state := review.state())["reviewed"] < state["total"]:
        told.append(state)
        if truth(state):
            review.say(state["id"], "change", {"region": "nose"})
        else:
            review.say(state["id"], "wrong")
    return told


def test_a_blind_review_shows_moments_without_events_and_finds_what_was_missed(long):
    with Database(long.database) as base:
        view = Results(long, base)
        review = Review(view, "anna", blind=True, stretches=12)
        quiet = [item for item in review.items if not item.is_event]
        assert (len(review.items), len(quiet)) == (14, 12)
        events = view.events(view.videos[0])
        for item in quiet:
            assert all(item.stop < event.start or item.start > event.stop for event in events)
            assert 0 <= item.start < item.stop <= 90
        again = Review(view, "anna", blind=True)
        assert [item.id for item in again.items] == [item.id for item in review.items], (
            "the same stretches, the same order"
        )
        assert [item.id for item in Review(view, "ben", blind=True, stretches=12).items] != [i.id for i in review.items]
        told = judge_all(review)
        found = sum(truth({"start": item.start, "stop": item.stop}) for item in quiet)
        assert 2 <= found < 12, "some of the stretches lie where the model missed the hand"
        keys = [set(state) for state in told]
        assert keys.count(keys[0]) == 14, "the page is told the same of both"
        mine = base.events(1, "anna")
        assert len(mine) == 1 + found
        assert {(event.region, event.side, event.hand) for event in mine} == {("nose", "", "")}
        pair = compare(view, ["anna"], 0.5).pairs[0]
        assert (pair.blind.shown, pair.blind.confirmed) == (2, 1)
        assert (pair.blind.quiet, pair.blind.touched) == (12, found)
        assert pair.blind.precision.value == pair.all.precision.value == 0.5
        spans = [item.stop - item.start + sum(e.seconds for e in events) / 2 for item in quiet]
        lost = found * (90 - sum(event.seconds for event in events)) / sum(spans)
        assert pair.blind.recall.value == pytest.approx(1 / (1 + lost), abs=0.01)
        assert pair.all.kappa.n < 180, "bins outside of the stretches were not judged"
        assert pair.all.rate.n == 0
        assert f"in {found} of 12 stretches without an event" in apa_table(pair).replace("In", "in")
        assert "judged stretches blindly" in method_text(view, compare(view, ["anna"]))


def test_a_blind_review_takes_nothing_over_from_the_model(long):
    with Database(long.database) as base:
        review = Review(Results(long, base), "anna", blind=True)
        item = next(item for item in review.items if item.is_event)
        for verdict in ("right", "split"):
            with pytest.raises(InputError, match="name the touched region, or say that there is no touch"):
                review.say(item.id, verdict)
        review.say(item.id, "change", {"hand": "left"})
        assert (review.done, base.events(1, "anna")) == ({}, []), "a touch without a region is no answer yet"
        assert review.state(review.items.index(item))["change"]["hand"] == "left", "what was said is kept"
        review.say(item.id, "change", {"region": "ear"})
        (event,) = base.events(1, "anna")
        assert (event.region, event.side, event.hand, event.peak) == ("ear", "", "left", None)
        with pytest.raises(InputError, match="add --blind"):
            Review(Results(long, base), "anna", stretches=3)
        with pytest.raises(InputError, match="no video was coded to its end"):
            compare(Results(long, base), ["anna"])


def test_a_video_full_of_touches_has_stretches_without_one(tmp_path):
    level_video(tmp_path / "a.mp4", LONG)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], fps=5, subjects='"P01"')
    spans = [(at, at + 1.0 + at % 4) for at in range(3, 86, 6)]
    run_study(config, predictor=Steady(spans))
    with Database(config.database) as base:
        view = Results(config, base)
        items = Review(view, "anna", blind=True).items
        events = view.events(view.videos[0])
        quiet = [item for item in items if not item.is_event]
        assert len(events) == len(spans)
        assert len(quiet) >= 3
        assert all(item.stop < event.start or item.start > event.stop for event in events for item in quiet)
        assert min(item.stop - item.start for item in quiet) >= 1.499
        shown = [item for item in items if item.is_event]
        assert all(item.start < item.event.start < item.stop for item in shown)
        longest = max(item.stop - item.start for item in quiet)
        assert max(item.stop - item.start for item in shown) <= longest + 0.01, "the length does not tell"


def test_a_review_that_is_not_finished_is_told(long, capsys):
    with Database(long.database) as base:
        view = Results(long, base)
        review = Review(view, "anna", blind=True, stretches=3)
        review.say(review.items[0].id, "wrong")
        review.say(review.items[1].id, "change", {"start": review.items[1].start + 0.1})
        judge_all(Review(view, "ben", blind=True, stretches=3))
        report = compare(view, ["anna", "ben"])
        assert report.left_out == ("left out: the review of 'a' by anna, 1 of 5 done.",)
        assert [(pair.first, pair.second) for pair in report.pairs] == [("handlens", "ben")]
    assert run(["study", "status", str(long.folder)]) == 0
    assert "anna 1 of 5, ben" in " ".join(capsys.readouterr().out.split())
    assert run(["study", "agree", str(long.folder)]) == 0
    assert "the review of 'a' by anna, 1 of 5 done" in capsys.readouterr().err


def test_two_people_review_blindly_and_are_compared_where_both_looked(long):
    with Database(long.database) as base:
        view = Results(long, base)
        for name in ("anna", "ben"):
            judge_all(Review(view, name, blind=True, stretches=4))
        report = compare(view, ["anna", "ben"])
        assert [(pair.first, pair.second) for pair in report.pairs] == [
            ("handlens", "anna"),
            ("handlens", "ben"),
            ("anna", "ben"),
        ]
        assert report.pairs[2].blind is None
        assert report.pairs[2].all.kappa.n < report.pairs[0].all.kappa.n
        assert report.alpha_of_all is None


def test_a_video_without_an_event_can_be_reviewed_blindly(tmp_path):
    level_video(tmp_path / "a.mp4", LONG)
    config = study(tmp_path / "s", [tmp_path / "a.mp4"], fps=5)
    run_study(config, predictor=Steady([]))
    with Database(config.database) as base:
        review = Review(Results(config, base), "anna", blind=True)
        assert len(review.items) == 3
        judge_all(review)
        blind = compare(Results(config, base), ["anna"]).pairs[0].blind
        assert (blind.shown, blind.precision.value, blind.quiet) == (0, None, 3)


def test_free_times():
    assert free([(0, 10), (20, 30)], [(2, 3), (9, 21), (25, 40)]) == [(0, 2), (3, 9), (21, 25)]
    assert free([(0, 1)], [(0, 2)]) == []
    assert together([(0, 1), (1.5, 2), (5, 6)]) == [(0, 2), (5, 6)]


def wait(test, what):
    """Wait until something is so; the page may not be asked by code of others (its policy forbids it)."""
    until = time.monotonic() + 60
    while not test():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@pytest.mark.slow
def test_a_person_judges_blindly_with_keys_in_chromium(long):
    chromium()
    ready, servers = threading.Event(), []

    def serve():
        with (
            Database(long.database) as base,
            ReviewServer(Review(Results(long, base), "anna", blind=True), 0) as server,
        ):
            servers.append(server)
            ready.set()
            server.run()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(60)
    with browser() as driver:
        page, faults = driver.new_page(), []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text))
        page.goto(servers[0].address)
        progress, said = page.locator("#progress"), page.locator("#said")
        wait(lambda: len(page.get_attribute("#picture", "src") or "") > 500, "a picture is shown")
        assert progress.inner_text() == "1 of 5, 0 reviewed by anna, blind"
        assert not page.is_visible("[data-verdict=right]")
        for key, told in (("h", "left hand"), ("k", "right side")):
            page.keyboard.press(key)
            wait(lambda told=told: told in said.inner_text(), key)
        page.keyboard.press("s")
        page.keyboard.press("5")
        wait(lambda: progress.inner_text().startswith("2 of 5, 1 reviewed"), "5")
        for number in range(1, 5):
            page.keyboard.press("w")
            wait(lambda number=number: f"{number + 1} reviewed" in progress.inner_text(), "w")
        assert faults == []
    servers[0].stop()
    thread.join(20)
    with Database(long.database) as base:
        (event,) = base.events(1, "anna")
        assert (event.region, event.side, event.hand) == ("cheek", "right", "left")
        assert compare(Results(long, base), ["anna"]).pairs[0].blind.quiet == 3
