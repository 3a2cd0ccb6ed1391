"""Downloading takes what is open and real, with credits, politely, once, and goes on where it stopped."""

import csv
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from clocks import FakeClock
from fake_galleries import Galleries, picture

from handlens.data.download import commons, openverse
from handlens.data.download.credits import COLUMNS, Credits, licences_of
from handlens.data.download.download import Tally, gather, in_turn, open_folder, slug
from handlens.data.download.http import Web
from handlens.errors import FrameError, HandlensError, InputError

FREE = ("by", "by-sa", "cc0", "pdm")


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Galleries]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Galleries() as running:
        yield running


@pytest.fixture
def web() -> Web:
    return Web("me@example.org", pause=0)


def get(net: Galleries, web: Web, folder: Path, limit: int = 10, keyword: str = "chin leaning") -> Tally:
    tally = Tally(keyword)
    offers = openverse.search(web, keyword, FREE, net.openverse)
    gather(tally, offers, open_folder(folder), web, limit)
    return tally


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "credits.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_pictures_of_all_pages_come_with_their_credits(net: Galleries, web: Web, tmp_path: Path) -> None:
    for n in range(7):
        net.offer(f"{n}.jpg", picture(n), "by-sa")
    assert get(net, web, tmp_path / "new" / "set").new == 7
    listed = rows(tmp_path / "new" / "set")
    assert tuple(listed[0]) == COLUMNS
    for n, row in enumerate(listed):
        assert (tmp_path / "new" / "set" / row["file"]).read_bytes() == picture(n)
        assert row["file"].startswith("chin-leaning_")
        assert (row["keyword"], row["source"], row["creator"]) == ("chin leaning", "openverse: flickr", "Ada")
        assert (row["licence"], row["licence_url"][-10:]) == ("by-sa 4.0", "by-sa/4.0/")
        assert row["address"] == f"{net.root}/files/{n}.jpg"
        assert row["page"] == f"https://example.org/files/{n}.jpg"
        assert row["title"] == f"A title, with “marks” of /files/{n}.jpg"  # one line each, whatever the title has
    assert [query["page"] for path, query, _ in net.asked if path == "/v1/images/"] == ["1", "2", "3"]


def test_no_more_is_asked_for_than_is_wanted(net: Galleries, web: Web, tmp_path: Path) -> None:
    for n in range(7):
        net.offer(f"{n}.jpg", picture(n))
    assert get(net, web, tmp_path, limit=2).new == 2
    assert net.fetched() == ["0.jpg", "1.jpg"]
    assert len(net.asked) == 3


def test_a_second_run_goes_on_and_fetches_nothing_twice(net: Galleries, web: Web, tmp_path: Path) -> None:
    for n in range(5):
        net.offer(f"{n}.jpg", picture(n))
    get(net, web, tmp_path, limit=2)
    again = get(net, web, tmp_path, limit=4)
    assert (again.before, again.new) == (2, 2)
    get(net, web, tmp_path, limit=4)
    assert net.fetched() == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert len(rows(tmp_path)) == 4


def test_a_picture_that_was_deleted_does_not_come_back_but_another_does(
    net: Galleries, web: Web, tmp_path: Path
) -> None:
    for n in range(4):
        net.offer(f"{n}.jpg", picture(n))
    get(net, web, tmp_path, limit=2)
    (tmp_path / rows(tmp_path)[0]["file"]).unlink()
    assert get(net, web, tmp_path, limit=2).new == 1
    assert net.fetched() == ["0.jpg", "1.jpg", "2.jpg"]


def test_the_same_content_at_two_addresses_is_kept_once(net: Galleries, web: Web, tmp_path: Path) -> None:
    net.offer("a.jpg", picture(1))
    net.offer("b.jpg", picture(1))
    tally = get(net, web, tmp_path)
    assert (tally.new, tally.twice) == (1, 1)
    assert len(list(tmp_path.glob("*.jpg"))) == 1


def test_only_real_pictures_of_some_size_are_kept(net: Galleries, web: Web, tmp_path: Path) -> None:
    good = picture(1)
    net.offer("cut.jpg", good[: len(good) // 2])
    net.offer("page.jpg", b"<html>not found</html>")
    net.offer("empty.jpg", b"")
    net.offer("small.png", picture(2, 180, 400, ".png"))
    net.offer("moving.gif", b"GIF89a" + bytes(40))
    net.offer("good.webp", picture(3, ending=".webp"))
    del net.pictures["/files/" + "empty.jpg"]  # offered, but gone
    told: list[HandlensError] = []
    tally = Tally("x")
    offers = openverse.search(web, "x", FREE, net.openverse)
    gather(tally, offers, open_folder(tmp_path), web, 10, on_error=told.append)
    assert (tally.new, tally.broken, tally.small) == (1, 4, 1)
    (kept,) = (path for path in tmp_path.iterdir() if path.name != "credits.csv")
    assert kept.suffix == ".webp"
    assert "cut off" in str(told[0])
    assert "answered 404" in str(told[2])


def test_a_picture_that_is_too_large_is_given_up(net: Galleries, web: Web) -> None:
    address = net.offer("large.jpg", picture(1) + bytes(200_000))
    with pytest.raises(FrameError, match="larger than 0 MB"):
        web.fetch(address, most=100_000)


def test_other_licences_are_neither_asked_for_nor_believed(net: Galleries, web: Web, tmp_path: Path) -> None:
    net.offer("sold.jpg", picture(1), "by-nc")
    net.offer("free.jpg", picture(2), "cc0")
    net.honest = False
    get(net, web, tmp_path)
    assert [row["licence"] for row in rows(tmp_path)] == ["cc0 4.0"]
    assert net.asked[0][1]["license"] == "by,by-sa,cc0,pdm"
    assert net.fetched() == ["free.jpg"]


def test_commons_is_paged_in_its_own_order_and_filtered_by_licence(net: Galleries, web: Web) -> None:
    for n, licence in enumerate(["by", "by-nc", "cc0", "pdm", "by-sa"]):
        net.offer(f"{n}.jpg", picture(n), licence)
    offers = list(commons.search(web, "nose picking", FREE, net.commons))
    assert [offer.credit.title for offer in offers] == [f"/files/{n}.jpg" for n in (0, 2, 3, 4)]
    assert [offer.credit.licence for offer in offers] == ["by 3.0", "cc0", "pdm", "by-sa 3.0"]
    assert {offer.credit.creator for offer in offers} == {"Ada & Bob"}
    assert offers[0].side == 220
    assert [query.get("gsroffset") for _, query, _ in net.asked] == [None, "3"]
    assert net.asked[0][1]["gsrsearch"] == "nose picking filetype:bitmap"


def test_commons_says_what_it_did_not_find_or_refuses(net: Galleries, web: Web) -> None:
    assert not list(commons.search(web, "x", FREE, net.commons))
    net.answers.append((200, {}, b'{"error": {"code": "ratelimited", "info": "too many"}}'))
    with pytest.raises(InputError, match="says no: too many"):
        list(commons.search(web, "x", FREE, net.commons))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("cc-by-sa-4.0,3.0,2.5,2.0,1.0", ("by-sa", "4.0")),
        ("CC BY 2.0", ("by", "2.0")),
        ("cc-by-nc-nd-3.0-de", ("by-nc-nd", "3.0")),
        ("CC0", ("cc0", "")),
        ("pd-old-100", ("pdm", "")),
        ("Public domain", ("pdm", "")),
        ("gfdl", ("", "")),
        ("cc-bysomething", ("", "")),
    ],
)
def test_the_licences_of_commons_are_understood(said: str, wanted: tuple[str, str]) -> None:
    assert commons.licence_of({"License": {"value": said}}) == wanted
    assert commons.licence_of({"LicenseShortName": {"value": said}}) == wanted


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of those who wait between requests, and before they repeat one."""
    made = FakeClock()
    for room in ("handlens.data.download.http", "urllib3.util.retry"):
        monkeypatch.setattr(f"{room}.time", made)
    return made


def test_a_server_that_asks_to_wait_is_waited_for(net: Galleries, web: Web, tmp_path: Path, clock: FakeClock) -> None:
    net.offer("a.jpg", picture(1))
    net.answers.append((429, {"Retry-After": "1"}, b"slow down"))
    assert get(net, web, tmp_path).new == 1
    assert 1.0 in clock.slept
    assert sum(clock.slept) < 5


def test_a_server_that_asks_to_wait_for_an_hour_is_left(net: Galleries, web: Web, tmp_path: Path) -> None:
    net.offer("a.jpg", picture(1))
    net.answers.append((429, {"Retry-After": "3600"}, b"slow down"))
    with pytest.raises(InputError, match="come back in 60 minutes; what is complete is kept"):
        get(net, web, tmp_path)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>log in</html>"), "a page instead of JSON"),
        ((200, {}, b"[1, 2]"), "a page instead of JSON"),
        ((200, {}, b'{"hits": []}'), "without the list 'results'"),
        ((403, {}, b"{}"), r"says no \(403\).*--contact"),
        ((400, {}, b"too deep"), "answered 400: too deep"),
        ((501, {}, b""), r"out of order \(501\)"),
    ],
)
def test_a_wrong_answer_is_said_in_one_sentence(
    net: Galleries, web: Web, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], sentence: str
) -> None:
    net.answers.append(answer)
    with pytest.raises(InputError, match=sentence):
        get(net, web, tmp_path)


def test_nobody_there_is_said_quickly(net: Galleries, web: Web, tmp_path: Path, clock: FakeClock) -> None:
    net.__exit__(None, None, None)
    with pytest.raises(InputError, match=r"no answer from '127\.0\.0\.1:\d+': check that you are online"):
        get(net, web, tmp_path)
    assert sum(clock.slept) < 5


def test_a_net_that_is_gone_ends_the_run(net: Galleries, web: Web, tmp_path: Path) -> None:
    for n in range(40):
        net.offer(f"{n}.jpg", b"")
        del net.pictures[f"/files/{n}.jpg"]
    with pytest.raises(InputError, match="8 pictures in a row did not arrive"):
        get(net, web, tmp_path)
    assert len(net.fetched()) == 8


def test_we_say_who_we_are_and_wait_between_requests(net: Galleries, clock: FakeClock) -> None:
    polite = Web("me@example.org", pause=0.2)
    for _ in range(3):
        polite.json(net.openverse, {"license": "by", "page": "1"})
    assert clock.slept == pytest.approx([0.2, 0.2])
    names = {agent for _, _, agent in net.asked}
    assert all(name.startswith("handlens/") and "me@example.org" in name for name in names)


def test_all_galleries_are_asked_in_turn_and_one_may_fail(net: Galleries, web: Web) -> None:
    for n in range(3):
        net.offer(f"{n}.jpg", picture(n))
    both = [openverse.search(web, "x", FREE, net.openverse), commons.search(web, "x", FREE, net.commons)]
    sources = [offer.credit.source for offer in islice(in_turn(both, pytest.fail), 4)]
    assert sources == ["openverse: flickr", "commons"] * 2
    wrong: list[HandlensError] = []
    dead = openverse.search(web, "x", FREE, net.root + "/nowhere")
    found = list(in_turn([dead, commons.search(web, "x", FREE, net.commons)], wrong.append))
    assert len(found) == 3
    assert "answered 404" in str(wrong[0])
    with pytest.raises(InputError, match="404"):
        list(in_turn([openverse.search(web, "x", FREE, net.root + "/nowhere")], pytest.fail))


def test_a_kill_between_a_picture_and_its_credit_loses_neither(net: Galleries, web: Web, tmp_path: Path) -> None:
    for n in range(2):
        net.offer(f"{n}.jpg", picture(n))
    get(net, web, tmp_path)
    whole = (tmp_path / "credits.csv").read_bytes()
    for length in range(0, len(whole), 37):  # among them the header, the first row, and the middle of a letter
        (tmp_path / "credits.csv").write_bytes(whole[:length])
        get(net, web, tmp_path)
        listed = rows(tmp_path)
        assert len({row["file"] for row in listed}) == len(listed) == len(list(tmp_path.glob("*.jpg"))) == 2


def test_an_unfinished_file_of_a_dead_run_is_taken_away(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".x_1.jpg.77.part", tmp_path / ".y_1.jpg.78.part"
    old.write_bytes(b"1")
    fresh.write_bytes(b"2")
    os.utime(old, (time.time() - 7200,) * 2)
    open_folder(tmp_path)
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_csv_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "credits.csv").write_text("name;maker\n1;2\n")
    with pytest.raises(InputError, match="is not a list of ours"):
        Credits(tmp_path)
    assert (tmp_path / "credits.csv").read_text() == "name;maker\n1;2\n"


def test_licences_and_keywords_are_checked(tmp_path: Path) -> None:
    assert licences_of("BY, by-sa,by") == ("by", "by-sa")
    with pytest.raises(InputError, match="unknown licence 'by-xa': did you mean 'by-sa'"):
        licences_of("by-xa")
    with pytest.raises(InputError, match="no licence was named"):
        licences_of(",")
    assert slug("Chin leaning! 手 ../x") == "chin-leaning-手-x"
    assert slug("../") == "picture"
