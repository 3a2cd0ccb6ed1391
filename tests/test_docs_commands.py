"""Run every command of the documents: each block in a folder of its own, with the demo clip and made data.

A command that cannot be run here has a comment before its block in the source of the page, which says why:

    <!-- not run: needs several GPUs -->                the whole block
    <!-- not run: needs a camera: handlens check -->    the lines of the block that begin so

What is changed: training takes one step on small pictures, `watch` without a source gets a clip, and the galleries of
`data download` are a server on this machine. Everything else is typed as it stands.
"""

import re
import shlex
import signal
import threading
from pathlib import Path
from typing import NamedTuple

import pytest
from fake_galleries import Galleries, picture

pytest.importorskip("torch")
pytest.importorskip("lightning")

from docs_props import QUICK, Props
from test_readme import ROOT

from handlens.cli import run

PAGES = {path.relative_to(ROOT / "docs").as_posix(): path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md")}
REASONS = (
    *("needs a camera", "needs the network", "needs several GPUs", "needs pictures of shared/", "needs a person"),
    *("installs", "takes minutes"),
)
"""How a reason begins for which a command is not run."""
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )?(?:handlens|pip|python|bash|make|strace|git|\.venv/bin/\w+) ")
MARK = re.compile(r"<!-- not run: ([^:>]+?)(?:: ([^>]+?))? -->")
INPUTS = (
    "",
    "--data",
    "--baseline",
    "--config",
    "--cfg",
    "--start",
    "--model",
    "--names",
    "--add",
    "--segment",
    "--gesture",
    "--net",
    "--videos",
    "--coded",
)
"""The options whose value may be a file or folder that must be there, and "" for a word without one."""
EXTRA = {
    "train": [*QUICK, "--set", "steps=1"],
    "watch": ["--no-page", "--max-seconds", "1"],
    "evaluate": ["--resamples", "0"],
    "study review": ["--no-open", "--port", "0"],
    "data synth": ["--count", "6", "--size", "96", "--workers", "1"],
    "data download": ["--limit", "2", "--pause", "0.1"],
}
"""What makes a command short; where an option is given twice, the last one counts."""


class Block(NamedTuple):
    page: str
    line: int
    commands: tuple[str, ...]
    skipped: tuple[str, ...]
    reasons: tuple[str, ...]


def blocks(page: str) -> list[Block]:
    """Return the blocks of commands of a page, with what a mark before them leaves out."""
    found, marks = list[Block](), list[re.Match[str]]()
    block, fenced = list[str](), False
    for number, line in enumerate([*PAGES[page].splitlines(), ""]):
        fenced ^= line.startswith("```")
        if line.startswith("    ") and not fenced:
            block.append(line.split(" #")[0].strip())
            continue
        if block:
            commands = [text for text in block if COMMAND.match(text)]
            for mark in marks:
                assert any(text.startswith(mark[2] or "") for text in commands), f"docs/{page}: {mark[0]} marks nothing"
            skipped = [text for text in commands if any(text.startswith(mark[2] or "") for mark in marks)]
            if commands:
                left = tuple(text for text in commands if text not in skipped)
                found.append(Block(page, number - len(block), left, tuple(skipped), tuple(mark[1] for mark in marks)))
            block, marks = [], []
        if line.strip():  # an empty line may stand between a mark and its block, and nothing else
            marks = [*marks, MARK.match(line)] if MARK.match(line) else []
    return found


BLOCKS = [block for page in sorted(PAGES) for block in blocks(page)]


def arguments(line: str) -> list[str]:
    """Return the words of a command as it is run here."""
    words = shlex.split(line)[1:]
    verb = " ".join(words[:2]) if words[0] in ("data", "study") else words[0]
    few = words[:2] == ["train", "gesture"] and words[-1] == "mine"  # learns a head on a shipped model
    if verb == "watch" and (len(words) == 1 or words[1].startswith("-")):
        words.insert(1, "clip.mp4")  # in place of the camera
    if verb == "train" and words[1] in ("touch", "segment"):
        words += ["--size", "64"]
    if verb == "data remap" and "--count" in words:
        words += ["--count", "5"]
    if "--turns" in words:
        words += ["--sample", "4", "--turns", "2"]
    return words if few else words + EXTRA.get(verb, [])


def interrupted(words: list[str]) -> int:
    """Run a command that serves a page until Ctrl-C, press it after some seconds, and return 0 where it then ended."""
    timer = threading.Timer(4, signal.raise_signal, [signal.SIGINT])
    timer.start()
    code = run(words)
    timer.cancel()
    return 0 if code == 130 else code


@pytest.fixture(scope="module")
def keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.slow
@pytest.mark.usefixtures("play_clock", "mute_machine", "quick_figures")
@pytest.mark.parametrize("block", [block for block in BLOCKS if block.commands], ids=lambda b: f"{b.page}:{b.line}")
def test_the_commands_of_a_block_run(
    block: Block, keep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    props = Props(keep, block.page, "\n".join(block.commands))
    with Galleries() as net:
        for number in range(4):
            net.offer(f"{number}.jpg", picture(number))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HANDLENS_OPENVERSE", net.openverse)
        monkeypatch.setenv("HANDLENS_COMMONS", net.commons)
        for line in block.commands:
            words = arguments(line)
            given = words[2:] if words[0] in ("data", "study") else words[1:]
            if words[:2] == ["study", "init"]:
                given = given[1:]  # the folder that it makes
            for before, word in zip(["", *given], given, strict=False):
                role = before if before.startswith("--") else ""
                if role in INPUTS and not word.startswith("-"):
                    props.make(word, role, words[0])
            code = interrupted(words) if words[:2] == ["study", "review"] else run(words)
            assert code == 0, f"{' '.join(words)}: exit code {code}: {capsys.readouterr().err[-2000:]}"


def test_each_mark_gives_a_reason_that_counts() -> None:
    for block in BLOCKS:
        for reason in block.reasons:
            assert reason.startswith(REASONS), f"docs/{block.page} line {block.line}: {reason}"
    marked = sum(len(MARK.findall(text)) for text in PAGES.values())
    assert marked == sum(len(block.reasons) for block in BLOCKS), "a mark stands before no block of commands"


def test_only_commands_of_handlens_are_run_and_the_others_are_marked() -> None:
    for block in BLOCKS:
        for line in block.commands:
            assert line.startswith("handlens "), f"docs/{block.page} line {block.line}: mark '{line}'"
