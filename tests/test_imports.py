"""The light side stays light: no torch outside train/, nothing heavy behind the front door, every name there."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_models import brightness_model

import handlens

PACKAGE = Path(handlens.__file__).parent
LIGHT = sorted(file for file in PACKAGE.rglob("*.py") if "train" not in file.relative_to(PACKAGE).parts[:-1])
TRAINING_ONLY = {"torch", "torchvision", "onnx", "onnxscript", "safetensors", "lightning"}
OPTIONAL = {"matplotlib", "pycocotools", "requests"}  # the extra "data": asked for inside functions only
HEAVY = {"numpy", "cv2", "av", "onnxruntime", "typer", "rich", "torch"}


def imported(file: Path) -> set[str]:
    """The names of all modules that a file imports, at its top or inside a function."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    return {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names} | {
        node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)
    }


def imported_at_the_top(file: Path) -> set[str]:
    """The names of the modules that are imported as soon as the file is."""
    body = [node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names} | {
        node.module or "" for node in body if isinstance(node, ast.ImportFrom)
    }


def loaded_after(code: str, *arguments: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after running the code."""
    script = f"import sys\n{code}\nimport json; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return {name.split(".")[0] for name in json.loads(run.stdout.splitlines()[-1])}


def test_what_only_an_extra_brings_is_imported_inside_functions():
    found = {file: {name.split(".")[0] for name in imported_at_the_top(file)} & OPTIONAL for file in LIGHT}
    assert {file: names for file, names in found.items() if names} == {}


def test_the_package_knows_no_recipe() -> None:
    for file in PACKAGE.rglob("*.py"):
        assert not {name for name in imported(file) if name.split(".")[0] in ("recipes", "benchmarks", "tests")}, file


def test_the_wheel_has_code_models_media_and_the_page_alone() -> None:
    """No labels, outlines or weights to train on: these lie in recipes/ and weights/."""
    others = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    models = {f"models/{file.name}" for file in (PACKAGE / "models").glob("*.onnx")}
    page = {name for name in others if name.startswith(("live/page/", "study/page/"))}
    assert {Path(name).suffix for name in page} <= {".html", ".css", ".js", ".svg"}
    tables = {"models/sha256.json", "live/operating_points.json"}
    assert others - models - page == {"py.typed", *tables, "media/demo.json", "media/demo.mp4"}


def test_the_front_door_loads_nothing_heavy():
    assert not loaded_after("import handlens; handlens.__version__; dir(handlens)") & HEAVY


def test_augmenting_and_learning_from_few_pictures_need_no_torch():
    code = "import handlens.train.augment.offline, handlens.train.fewshot.run, handlens.synth.dataset"
    assert not loaded_after(code) & {"torch", "torchvision", "lightning"}


def test_an_answer_needs_no_torch(tmp_path):
    model = brightness_model(tmp_path / "m.onnx")
    code = (
        "import handlens, numpy\n"
        "frame = handlens.Frame(numpy.full((48, 64, 3), 255, numpy.uint8))\n"
        "assert handlens.load(sys.argv[1]).predict(frame).value.best_touch > 0.9"
    )
    loaded = loaded_after(code, str(model))
    assert "onnxruntime" in loaded
    assert not loaded & TRAINING_ONLY


def test_every_public_name_is_there():
    for name in handlens.__all__:
        assert getattr(handlens, name) is not None
    assert set(dir(handlens)) == set(handlens.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Franme'"):
        _ = handlens.Franme
