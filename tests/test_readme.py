"""Hold the README against the program: every command in it is understood."""

import contextlib
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
from media import save_picture

import handlens
from handlens.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def commands(text: str = README) -> list[str]:
    """Every `handlens ...` line of a page's code blocks, and every one between backticks."""
    blocks = re.findall(r"^(?: {4,}|\$ )(handlens .*)$", text, re.MULTILINE)
    return sorted({line.split(" #")[0].strip() for line in blocks + re.findall(r"`(handlens [^`]+)`", text)})


def understand(line: str) -> None:
    """Parse a command line as the program does, without running it."""
    words = shlex.split(line)[1:]
    outer, name, verb = None, "handlens", typer.main.get_command(app)
    with contextlib.suppress(typer.Exit):  # --help ends the parsing
        while words and not words[0].startswith("-") and hasattr(verb, "resolve_command"):
            outer = verb.make_context(name, list(words), parent=outer)
            name, verb, words = verb.resolve_command(outer, words)
        verb.make_context(name, words, parent=outer)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 150
    assert len(README.encode()) <= 10_000


def test_there_are_commands_to_hold() -> None:
    assert {line.split()[1] for line in commands()} >= {"predict", "watch", "train", "models"}


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line: str) -> None:
    understand(line)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"])
def test_every_link_and_make_target_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:^ {4}|`)make ([a-z]+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_python_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(block) == 1
    save_picture(tmp_path / "photo.jpg", np.zeros((120, 160, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    exec(compile(block[0], "README.md", "exec"), {})


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "src/handlens/__init__.py"
    assert f"version: {handlens.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_address_of_the_repository_has_one_source() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert all(address.startswith(urls["Source"]) for address in urls.values())
    assert f'repository-code: "{urls["Source"]}"\n' in (ROOT / "CITATION.cff").read_text("utf-8")
    for page in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml", "CHANGELOG.md"):
        assert urls["Source"] not in (ROOT / page).read_text("utf-8"), page


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", *(path.relative_to(ROOT) for path in ROOT.glob("recipes/**/README.md"))]
)
def test_every_script_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for module in re.findall(r"python -m (recipes[\w.]+)", text):
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module
    for script in re.findall(r"bash (\S+)", text):
        assert (ROOT / script).is_file(), script
