"""`handlens data download` as a person types it: what it says, its exit codes, Ctrl-C, a kill, and nothing unasked."""

import csv
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocks import wait
from fake_galleries import Galleries, picture

from handlens.cli import run

HANDLENS = str(Path(sys.executable).with_name("handlens"))
VERB = ["data", "download", "--keyword", "chin leaning"]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Galleries]:
    with Galleries() as running:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HANDLENS_OPENVERSE", running.openverse)
        monkeypatch.setenv("HANDLENS_COMMONS", running.commons)
        yield running


def listed(folder: Path) -> list[str]:
    with (folder / "credits.csv").open(newline="", encoding="utf-8") as file:
        return [row["file"] for row in csv.DictReader(file)]


def test_both_galleries_fill_the_folder(net: Galleries, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n in range(3):
        net.offer(f"{n}.jpg", picture(n), "by-sa")
    verb = [*VERB, "--limit", "3", "--dest", str(tmp_path / "set"), "--pause", "0.1", "--contact", "me@example.org"]
    assert run(verb) == 0
    said = capsys.readouterr()
    assert "'chin leaning': 3 pictures, 3 new" in said.out
    assert "keep it with the pictures" in said.out
    assert said.err == ""
    assert sorted(listed(tmp_path / "set")) == sorted(path.name for path in (tmp_path / "set").glob("*.jpg"))
    assert sorted(net.fetched()) == ["0.jpg", "1.jpg", "2.jpg"]  # the same address in both is fetched once
    assert {path for path, _, _ in net.asked} >= {"/v1/images/", "/w/api.php"}
    before = len(net.asked)
    assert run(verb) == 0
    assert len(net.asked) == before  # there is nothing left to ask for


def test_what_is_missing_is_said_and_the_rest_is_done(
    net: Galleries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net.offer("good.jpg", picture(1))
    net.offer("bad.jpg", b"<html>")
    verb = [*VERB, "--source", "openverse", "--dest", str(tmp_path), "--pause", "0.1"]
    assert run(verb) == 0
    said = capsys.readouterr()
    assert "1 pictures of 100 wanted, 1 new; left out: 1 broken" in said.out
    assert "bad.jpg' is not a picture" in said.err
    net.answers.append((403, {}, b""))
    assert run([*verb, "--source", "all"]) == 2
    assert "says no (403)" in capsys.readouterr().err


def test_nothing_found_is_a_sentence(net: Galleries, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net.offer("sold.jpg", picture(1), "by-nc")
    verb = [*VERB, "--dest", str(tmp_path), "--pause", "0.1"]
    assert run(verb) == 2
    said = capsys.readouterr()
    assert said.err == "handlens: nothing was found for 'chin leaning': try other words, --licence or --source.\n"
    assert said.out == ""
    assert run([*verb, "--licence", "by-nc"]) == 0


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--source", "openvers"], "unknown source 'openvers': did you mean 'openverse'?"),
        (["--licence", "gpl"], "unknown licence 'gpl'"),
        (["--keyword", "  "], "--keyword is empty"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_a_wrong_word_is_a_sentence_and_nothing_is_asked(
    net: Galleries, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    assert run([*VERB, "--dest", str(tmp_path / "set"), *more]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert not net.asked
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_after_ctrl_c_or_a_kill_the_same_command_goes_on(
    net: Galleries, tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    for n in range(5):
        net.offer(f"{n}.jpg", picture(n))
    net.most = 2
    verb = [HANDLENS, *VERB, "--source", "openverse", "--limit", "5", "--pause", "0.1", "--dest", "set"]
    with subprocess.Popen(verb, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait(lambda: len(net.fetched()) == 3)
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
    net.go_on.set()
    assert process.returncode == code
    assert "Traceback" not in err
    if stop == signal.SIGINT:
        assert "interrupted: what is complete is kept" in err
        assert "of 5 wanted" in out
    there = {path.name: path.read_bytes() for path in (tmp_path / "set").glob("*.jpg")}
    assert len(there) == 2
    assert set(there.values()) <= set(net.pictures.values())  # each is whole
    assert set(listed(tmp_path / "set")) <= set(there)
    done = subprocess.run(verb, cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert len(listed(tmp_path / "set")) == len(set(listed(tmp_path / "set"))) == 5
    assert len(list((tmp_path / "set").glob("*.jpg"))) == 5


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_leaves_no_half_picture(net: Galleries, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    net.offer("a.jpg", picture(1))
    done = subprocess.run(
        [HANDLENS, *VERB, "--dest", "set"],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 2
    assert "the disk is full" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "set").iterdir())


def test_a_folder_that_is_a_file_is_a_sentence(
    net: Galleries, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set").write_text("x")
    assert run([*VERB, "--dest", str(tmp_path / "set")]) == 2
    assert "is a file: give a folder" in capsys.readouterr().err


@pytest.mark.slow
def test_download_is_told_what_requests_are_for(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['requests'] = None; import handlens.cli; sys.exit(handlens.cli.run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", hide, *VERB, "--dest", str(tmp_path / "set")], text=True, capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == "handlens: downloading needs the package requests: type pip install 'handlens[data]'.\n"


def test_asking_for_nothing_asks_nobody(net: Galleries, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "download", "--help"]) == 0
    assert "HANDLENS_OPENVERSE" in capsys.readouterr().out
    assert not net.asked
