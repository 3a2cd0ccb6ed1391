"""Functions stay short: none in the package and the recipes has more than 60 lines, with signature and docstring.

Of the functions in cli/ the signature is not counted: a command has one line for each of its flags.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 60
COMMANDS = "src/handlens/cli/"


def long_functions(text: str, signature: bool = True) -> list[tuple[str, int]]:
    """The name and the lines of each function that is too long."""
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    starts = [node.lineno if signature else node.body[0].lineno for node in functions]
    lengths = [
        (node.name, (node.end_lineno or start) - start + 1) for node, start in zip(functions, starts, strict=True)
    ]
    return [(name, lines) for name, lines in lengths if lines > LONGEST]


@pytest.mark.parametrize("folder", ["src", "recipes"])
def test_no_function_is_longer_than_60_lines(folder: str) -> None:
    files = {file.relative_to(ROOT).as_posix(): file for file in sorted((ROOT / folder).rglob("*.py"))}
    assert len(files) > 20
    found = {
        name: long_functions(file.read_text("utf-8"), not name.startswith(COMMANDS)) for name, file in files.items()
    }
    assert {name: functions for name, functions in found.items() if functions} == {}


def test_the_count_includes_the_first_and_the_last_line() -> None:
    body = "\n".join(["    pass"] * (LONGEST - 1))
    assert long_functions(f"def short():\n{body}\n") == []
    assert long_functions(f"class Some:\n  def long(self):\n{body}\n    pass\n") == [("long", LONGEST + 1)]


def test_the_flags_of_a_command_are_not_counted() -> None:
    body = "\n".join(["    pass"] * LONGEST)
    assert long_functions(f"def verb(\n    flag=0,\n):\n{body}\n", signature=False) == []
    assert long_functions(f"def verb(\n    flag=0,\n):\n{body}\n    pass\n", signature=False) == [("verb", LONGEST + 1)]
