"""What the README says is so: its table names every file of the package, and every command in it is understood.

`python tests/test_readme.py` writes the table anew from the modules' docstrings.
"""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from handlens.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "handlens"
README = (ROOT / "README.md").read_text("utf-8")


def package_files() -> list[str]:
    """Every module with something in it: the package's own files first, then room by room."""
    files = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if path.read_text("utf-8").strip()]
    return [path.as_posix() for path in sorted(files, key=lambda path: (path.parent.as_posix(), path.name))]


def purpose(file: str) -> str:
    """What a module says it is: its docstring up to the first full stop, semicolon or blank line."""
    text = ast.get_docstring(ast.parse((PACKAGE / file).read_text("utf-8"))) or ""
    said = re.split(r"[.;](?:\s|$)|\n\n", text.strip())[0]
    return " ".join(said.split())


def table() -> str:
    """The table as it should be: one row for each file."""
    return "".join(f"| `{file}` | {purpose(file)} |\n" for file in package_files())


def written(readme: str, rows: str) -> str:
    """The README with these rows in its table of files."""
    before, rest = readme.split("| file | is |\n|---|---|\n")
    return f"{before}| file | is |\n|---|---|\n{rows}<!-- /FILES -->{rest.split('<!-- /FILES -->')[1]}"


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


@pytest.mark.slow
def test_the_file_table_names_every_file_and_says_what_it_is() -> None:
    if written(README, table()) != README:
        pytest.fail(f"the table of files is not up to date; type: python {Path(__file__).relative_to(ROOT)}")


def test_there_are_commands_to_hold() -> None:
    assert {line.split()[1] for line in commands()} >= {"predict", "watch", "models", "check", "bench", "demo"}


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line: str) -> None:
    understand(line)


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_exist(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


if __name__ == "__main__":
    (ROOT / "README.md").write_text(written(README, table()), "utf-8")
