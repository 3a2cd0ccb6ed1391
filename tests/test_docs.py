"""Hold the pages of docs/ against the code: commands, options, settings, augmentation presets, defaults and links.

`python tests/test_docs.py` writes the tables of settings, presets and defaults again from the code.
"""

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from test_readme import ROOT, commands, understand

import handlens
from handlens.cli.app import app
from handlens.data import check, problems
from handlens.data.formats.detect_format import FORMATS
from handlens.train.augment.config import PLAIN, PRESETS, AugmentConfig
from handlens.train.config import Plan, Settings
from handlens.train.defaults import DEFAULTS, NetDefaults
from handlens.train.fields import docs
from handlens.train.nets import catalog
from handlens.weights import SHIPPED

SITE = ROOT / "docs"
DOCS = {path.relative_to(SITE).as_posix(): path.read_text("utf-8") for path in sorted(SITE.rglob("*.md"))}
LINES = sorted({line for text in DOCS.values() for line in commands(text)})
NAVIGATION = set(re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
SCRIPT = re.compile(r"python -m ((?:handlens|recipes)\.\S+)(.*)")
SCRIPTS = sorted({found.groups() for text in DOCS.values() for found in SCRIPT.finditer(text)})


def settings(kind: type) -> str:
    """The table of a class of settings, from the docstrings of its fields."""
    rows = ["| key | default | means |", "|---|---|---|"]
    for field in dataclasses.fields(kind):
        doc = docs(kind).get(field.name)
        if doc is not None:
            shown = doc.shown if doc.shown is not None else plain(field.default)
            rows.append(f"| `{field.name}` | {shown} | {doc.text} |".replace("|  |", "| |"))
    return "\n".join(rows)


def plain(value: object) -> str:
    """A default as a settings file has it."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def presets() -> str:
    rows = ["| preset | what is not zero |", "|---|---|"]
    for name, preset in PRESETS.items():
        told = [f"{key} {value}" for key, value in dataclasses.asdict(preset).items() if value != getattr(PLAIN, key)]
        rows.append(f"| `{name}` | {', '.join(told) or 'nothing: pictures as they are'} |")
    return "\n".join(rows)


def defaults_row(name: str, own: NetDefaults) -> str:
    told: Mapping[str, object] = own.settings
    steps = told.get("schedule", Plan.schedule)
    words = [f"{own.size[0]}", told["optimiser"], f"{told['rate']:g}", steps, told["batch"], told["epochs"]]
    return " | ".join(["", f"`{name}`", own.kind, *map(str, words), f"`{told['augment']}`", ""]).strip()


def defaults() -> str:
    head = "| family | kind | input | optimiser | rate | schedule | batch | epochs | augment |"
    return "\n".join([head, "|---" * 9 + "|", *(defaults_row(*each) for each in DEFAULTS.items())])


def written(text: str) -> str:
    """The page with its tables as the code has them."""
    tables = {
        "SETTINGS": settings(Settings),
        "PLAN": settings(Plan),
        "AUGMENT": settings(AugmentConfig),
        "PRESETS": presets(),
        "DEFAULTS": defaults(),
    }
    for mark, rows in tables.items():
        begin, _, end = re.split(rf"(?s)(?<=<!-- {mark}: )(.*?)(?=<!-- /{mark} -->)", text)
        about = "tests/test_docs.py holds this table against the code -->"
        text = f"{begin}{about}\n\n{rows}\n\n{end}"
    return text


def first_column(text: str) -> set[str]:
    """What stands between backticks in the first column of any table."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def heads(text: str) -> set[str]:
    """The anchors of a page's headings."""
    return {
        re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-")
        for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def test_the_tables_of_presets_and_defaults_are_the_codes() -> None:
    if written(DOCS["reference/settings.md"]) != DOCS["reference/settings.md"]:
        pytest.fail("the tables of docs/reference/settings.md are not up to date; type: python tests/test_docs.py")


def test_the_walk_has_every_step() -> None:
    words = [line.split() for line in commands(DOCS["guides/training.md"])]
    verbs = {"download", "build", "check", "augment", "remap", "synth"}
    assert {verb[2] for verb in words if verb[1] == "data"} >= verbs
    assert {verb[1] for verb in words} >= {"train", "evaluate", "compare", "export", "watch"}


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_understood(line: str) -> None:
    understand(line)


@pytest.mark.parametrize(("module", "rest"), SCRIPTS)
def test_every_script_is_there_and_has_these_options(module: str, rest: str) -> None:
    file = (ROOT / "src" if module.startswith("handlens") else ROOT) / f"{module.replace('.', '/')}.py"
    assert file.is_file()
    text = "".join(path.read_text("utf-8") for path in file.parent.glob("*.py"))  # some options are shared
    for option in re.findall(r"--[a-z-]+", rest):
        assert f'"{option}"' in text, f"{module} knows no {option}"


def test_hands_names_every_network_for_them() -> None:
    for name in catalog.names():
        if catalog.find(name).task in ("hold", "gesture"):
            assert f"`{name}`" in DOCS["guides/gestures.md"] or f"--net {name}" in DOCS["guides/gestures.md"], name


@pytest.mark.parametrize("name", ["digits", "gestures", "signs", "hold"])
def test_hands_has_every_name_of_a_shipped_model(name: str) -> None:
    if not (SHIPPED / f"{name}.onnx").is_file():
        pytest.skip(f"the model '{name}' does not ship yet")
    row = next(line for line in DOCS["guides/gestures.md"].splitlines() if line.startswith(f"| `{name}` |"))
    assert set(handlens.load(name).card.names) <= set(re.findall(r"\w+", row))


def test_every_option_of_the_data_verbs_is_in_its_table() -> None:
    group = typer.main.get_command(app).commands["data"]  # type: ignore[attr-defined]
    shared = DOCS["guides/data.md"].split("## Options that")[1].split("\n## ")[0]
    for name, verb in group.commands.items():
        told = shared + re.split(rf"\n## {name}\n", DOCS["guides/data.md"])[1].split("\n## ")[0]
        options = {word for parameter in verb.params for word in parameter.opts if word.startswith("--")}
        missing = [option for option in options - {"--help"} if not re.search(rf"`{option}\b", told)]
        assert not missing, f"data {name}: {missing}"


def test_every_kind_of_problem_is_told() -> None:
    kinds = {value for place in (check, problems) for value in vars(place).values() if isinstance(value, str)}
    table = DOCS["guides/data.md"].split("## check")[1].split("\n## ")[0]
    told = {name.strip() for row in re.findall(r"^\| ([^`|]+) \|", table, re.MULTILINE) for name in row.split(",")}
    assert check.ERRORS | set(check.LEAKS) <= told
    assert told - {"problem", "---"} <= kinds


def test_every_kind_of_set_that_is_read_is_told() -> None:
    said = DOCS["guides/data.md"].split("## Formats that are read")[1].split("\n## ")[0].lower()
    for form in FORMATS:
        assert form.name.split(" (")[0].split()[0].removesuffix(",").lower() in said, form.name


@pytest.mark.parametrize("name", DOCS)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)]*)\)", DOCS[name]):
        page = ((SITE / name).parent / target).resolve() if target else SITE / name
        assert page.exists(), target
        if anchor:
            assert anchor in heads(page.read_text("utf-8")), f"{target}#{anchor}"


def test_every_page_is_in_the_navigation() -> None:
    assert NAVIGATION - {"reference/commands.md", "reference/models.md"} == set(DOCS)


def test_the_page_of_the_python_api_has_every_public_name() -> None:
    for name in set(handlens.__all__) - {"__version__"}:
        assert re.search(rf"\b{name}\b", DOCS["reference/api.md"]), name


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}" for name in DOCS)])
def test_every_benchmark_that_a_page_names_is_there(page: str) -> None:
    for script in re.findall(r"python (benchmarks/\S+\.py)", (ROOT / page).read_text("utf-8")):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", *(f"docs/{name}" for name in DOCS)])
def test_every_file_of_code_that_a_page_names_is_there(page: str) -> None:
    for name in re.findall(r"`((?!\S*NAME)[\w./]+\.py)`", (ROOT / page).read_text("utf-8")):
        assert (ROOT / name).is_file() or (ROOT / "src" / "handlens" / name).is_file(), name


def test_every_picture_is_shown_on_a_page() -> None:
    shown = "".join(DOCS.values())
    for path in (SITE / "images").iterdir():
        assert f"images/{path.name})" in shown, path.name


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings_handlers.python")
    build = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    assert "--max-seconds" in (tmp_path / "reference" / "commands" / "index.html").read_text("utf-8")
    assert "facehand" in (tmp_path / "reference" / "models" / "index.html").read_text("utf-8")


if __name__ == "__main__":
    (SITE / "reference" / "settings.md").write_text(written(DOCS["reference/settings.md"]), "utf-8")
