"""The page that the package carries is the one that its TypeScript makes, and the types of that are right."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
PAGE = ROOT / "src/handlens/live/page"


def node(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of node_modules, or skip with what is missing."""
    program = shutil.which("node")
    if program is None or not (WEB / "node_modules" / command[0]).is_dir():
        pytest.skip(f"{command[0]} is not installed: type 'make page', which needs Node and npm")
    return subprocess.run([program, *command[1:]], cwd=WEB, capture_output=True, text=True, timeout=300, check=False)


def test_the_bundle_in_the_package_is_the_one_that_the_sources_make(tmp_path):
    made = tmp_path / "main.js"
    told = node("esbuild", "build.mjs", "page", str(made))
    assert told.returncode == 0, told.stderr
    same = made.read_text("utf-8") == (PAGE / "main.js").read_text("utf-8")
    assert same, "the page was changed in web/src: type 'make page' and commit src/handlens/live/page/main.js"


@pytest.mark.parametrize("config", ["tsconfig.json", "tsconfig.worker.json"])
def test_the_types_are_right(config):
    told = node("typescript", "node_modules/typescript/bin/tsc", "-p", config)
    assert told.returncode == 0, told.stdout


def test_the_page_asks_for_no_file_of_anybody_else():
    for file in PAGE.iterdir():
        text = file.read_text("utf-8")
        assert "https://" not in text, file.name
        assert text.count("http://") == text.count("http://www.w3.org/2000/svg"), file.name


def test_what_the_page_looks_for_in_the_document_is_there():
    script, html = (PAGE / "main.js").read_text("utf-8"), (PAGE / "index.html").read_text("utf-8")
    for call in ("byId", "inputOf", "selectOf", "buttonOf"):
        for name in [part.split('"')[0] for part in script.split(f'{call}("')[1:]]:
            assert f'id="{name}"' in html, name
