"""Hold the README against the program: every command in it is understood."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from handlens.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def commands(text: str = README) -> list[str]:
    """Every `handlens ...` line of a page's code blocks, and every one between backticks."""
    blocks = re.findall(r"^(?:    |\$ )(handlens .*)$", text, re.MULTILINE)
    return sorted({line.split(" #")[0].strip() for line in blocks + re.findall(r"`(handlens [^`]+)`", text)})


def understand(line: str) -> None:
    """Parse a command line as the program does, without running it."""
    words = shlex.split(line)[1:]
    outer, name, verb = None, "handlens", typer.main.get_command(app)
    while words and hasattr(verb, "resolve_command"):
        outer = verb.make_context(name, list(words), parent=outer)
        name, verb, words = verb.resolve_command(outer, words)
    verb.make_context(name, words, parent=outer)


def test_there_are_commands_to_hold() -> None:
    assert {line.split()[1] for line in commands()} >= {"predict", "watch", "models", "check", "bench", "demo"}


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line: str) -> None:
    understand(line)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_exist(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
