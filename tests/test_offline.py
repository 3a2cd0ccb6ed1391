"""Nothing uses the network, and nothing is written but what was asked for: watched from outside and from inside."""

import ast
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import outside
import pytest
from media import save_picture
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model
from training_sets import lit_set

from handlens.data.dataset import LabelledSet
from handlens.data.formats.yolo import write_yolo

ROOT = Path(__file__).resolve().parents[1]
ONLY_IMPORTER = Path("src/handlens/offline.py")
PATIENCE_S = 13
"""onnxruntime's telemetry asks its first name about ten seconds after the import."""

pytestmark = pytest.mark.slow

GUARD = """
import json, sys, time
from pathlib import Path

def forbid(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"the network was asked for: {event} {arguments}")

sys.addaudithook(forbid)  # cannot be taken out again, and sees sockets made by any library in Python
"""

PROGRAM = f"""{GUARD}
import handlens.cli, handlens.weights
handlens.weights.demo_clip = lambda: Path("clip.mp4")
codes = {{" ".join(verb): handlens.cli.run(verb) for verb in json.loads(sys.argv[1])}}
Path("codes.json").write_text(json.dumps(codes))
time.sleep(float(sys.argv[2]))
"""

WATCH = ["watch", "clip.mp4", "-m", "light.onnx", "--max-seconds", "1", "--no-history"]

VERBS = [
    ["predict", "clip.mp4", "photo.png", "-m", "light.onnx", "--json", "a.jsonl", "--events", "a.csv", "--out", "seen"],
    [*WATCH, "--no-page", "--json", "b.jsonl", "--events", "b.csv"],
    ["demo", "-m", "light.onnx", "--out", "demo-out"],
    ["models"],
    ["models", "light.onnx"],
    ["bench", "-m", "light.onnx", "--frames", "5", "--json", "speed.json"],
    ["data", "convert", "set", "--to", "coco", "--dest", "coco"],
    ["--version"],
]
"""They succeed with a model and a clip of the test's own."""

ANY = [
    ["check"],
    ["train", "touch"],
    ["evaluate", "touch"],
    ["export", "run"],
    ["data", "check"],
    ["predict", "x.jpg"],
    ["data", "check", "set"],
    ["data", "augment", "set", "--dest", "large"],
]
"""They answer, whatever the answer is."""


def boxes_set(here: Path) -> None:
    """Write a split YOLO set of six pictures to `here`/set."""
    pictures = here.with_name("pictures")
    for folder in (here, pictures):
        folder.mkdir()
    found = lit_set(pictures, 6, (64, 64))
    split = [replace(one, split="train" if number < 4 else "val") for number, one in enumerate(found)]
    write_yolo(LabelledSet("detect", found.names, tuple(split), pictures), here / "set")


@pytest.fixture
def watched() -> None:
    """Skip where no process can be watched from outside."""
    if outside.missing():
        pytest.skip(outside.missing())


def test_the_watcher_sees_names_calls_and_files(tmp_path: Path, watched: None) -> None:
    (tmp_path / "here").mkdir()
    stray = tmp_path / "stray.txt"
    code = (
        "import pathlib, socket, sys\n"
        "def tried(call, *given):\n"
        "    try: call(*given)\n"
        "    except OSError: pass\n"
        "tried(socket.getaddrinfo, 'handlens.invalid', 80)\n"
        "tried(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect, ('192.0.2.1', 9))\n"
        "pathlib.Path.home().joinpath('identifier').touch()\n"
        "pathlib.Path('asked-for.txt').touch()\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
    )
    seen = outside.look(code, str(stray), cwd=tmp_path / "here", room=tmp_path / "room")
    assert seen.code == 0, seen.output
    assert seen.left == ["home/identifier"]
    if outside.can_isolate():
        assert seen.names == ["handlens.invalid"]
    if outside.can_trace():
        assert "192.0.2.1:9" in seen.calls
        assert any(call.endswith(":53") for call in seen.calls)
        assert seen.written == [str(stray)]


def test_every_verb_leaves_no_trace(tmp_path: Path) -> None:
    here = tmp_path / "here"
    boxes_set(here)
    brightness_model(here / "light.onnx")
    level_video(here / "clip.mp4", [DARK] * 5 + [BRIGHT] * 8 + [DARK] * 5)
    save_picture(here / "photo.png", np.full((48, 64, 3), BRIGHT, np.uint8))
    seen = outside.look(PROGRAM, json.dumps(VERBS + ANY), str(PATIENCE_S), cwd=here, room=tmp_path / "room")
    assert "the network was asked for" not in seen.output
    codes = json.loads((here / "codes.json").read_text())
    wanted = {" ".join(verb): 0 for verb in VERBS}
    assert {name: code for name, code in codes.items() if name in wanted} == wanted, seen.output
    assert len(codes) == len(VERBS + ANY)
    assert seen.traces == []


def test_the_page_is_served_on_this_machine_alone(tmp_path: Path, watched: None) -> None:
    here = tmp_path / "here"
    here.mkdir()
    brightness_model(here / "light.onnx")
    level_video(here / "clip.mp4", [DARK] * 5 + [BRIGHT] * 8 + [DARK] * 5)
    code = "import sys, handlens.cli; sys.exit(handlens.cli.run(sys.argv[1:]))"
    seen = outside.look(code, *WATCH, "--port", "0", "--no-open", cwd=here, room=tmp_path / "room")
    assert (seen.code, seen.traces) == (0, []), seen.output
    assert "page: http://127.0.0.1:" in seen.output


def test_a_model_in_python_leaves_no_trace(tmp_path: Path, watched: None) -> None:
    code = f"import time, handlens; handlens.load('touch'); import onnxruntime; time.sleep({PATIENCE_S})"
    seen = outside.look(code, cwd=tmp_path, room=tmp_path / "room")
    assert (seen.code, seen.traces) == (0, []), seen.output


@pytest.mark.skipif(find_spec("lightning") is None, reason="training is not installed here")
def test_a_training_leaves_no_trace_but_its_run(tmp_path: Path, watched: None) -> None:
    here = tmp_path / "here"
    boxes_set(here)
    code = (
        "import sys, time, handlens.cli\n"
        "code = handlens.cli.run(sys.argv[1:])\n"
        f"time.sleep({PATIENCE_S})\n"
        "sys.exit(code)"
    )
    verb = ["train", "touch", "--data", "set", "--out", "run", "--epochs", "1", "--size", "64", "--batch", "4"]
    seen = outside.look(code, *verb, "--workers", "1", "--precision", "32", cwd=here, room=tmp_path / "room")
    assert (seen.code, seen.traces) == (0, []), seen.output
    assert (here / "run" / "nano.onnx").is_file()


def test_the_guard_inside_would_notice() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GUARD + "import socket; socket.socket()"], capture_output=True, text=True, timeout=30
    )
    assert "the network was asked for" in done.stderr


def test_only_download_asks_the_network(tmp_path: Path) -> None:
    verb = ["data", "download", "--keyword", "chin leaning", "--dest", "set", "--source", "openverse"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([verb]), "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "the network was asked for: socket." in done.stderr


@pytest.mark.parametrize("folder", ["src", "benchmarks", "tests"])
def test_one_file_alone_imports_onnxruntime(folder: str) -> None:
    importers = {
        file.relative_to(ROOT)
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if _names_onnxruntime(node)
    }
    assert importers <= {ONLY_IMPORTER}


def _names_onnxruntime(node: ast.AST) -> bool:
    """Whether it is an import of onnxruntime, as a statement or by importlib."""
    names = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        names = [str(node.args[0].value)] if called in ("import_module", "__import__", "importorskip") else []
    return any(name.split(".")[0] == "onnxruntime" for name in names)


LATE = """
import sys, warnings
import onnxruntime
from handlens.offline import import_onnxruntime
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    assert import_onnxruntime() is onnxruntime
print(*[warning.message for warning in told])
"""


@pytest.mark.parametrize(
    ("switch", "told"), [("", "imported before handlens"), ("0", "Import handlens first"), ("on", "")]
)
def test_an_import_that_came_before_ours_is_told(tmp_path: Path, switch: str, told: str) -> None:
    onnxruntime = tmp_path / "onnxruntime.py"
    onnxruntime.write_text("__version__ = '1.30.0'\ndef disable_telemetry_events(): print('disabled')\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}", "ORT_DISABLE_TELEMETRY": switch}
    done = subprocess.run(
        [sys.executable, "-c", LATE], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("disabled" if told else "\n")
    assert told in done.stdout
