"""Every step of every run.sh is understood by its parser, and takes what an earlier step made. Nothing is run."""

import argparse
import importlib
import itertools
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_readme import ROOT, understand

pytest.importorskip("torch")

from handlens.train.config import Settings, merged, parse_set

SCRIPTS = sorted(ROOT.glob("recipes/*/run.sh"))
SHIPPED = {
    "touch": ("touch", "facehand"),
    "hand": ("hands",),
    "hold": ("hold",),
    "segment": ("segment",),
    "signs": ("digits", "gestures", "signs"),
}


def steps(script: Path) -> list[tuple[str, list[str]]]:
    """The output and the words of each step."""
    given = ["OUT"] if script.parent.name == "demo" else ["DATA", "OUT"]
    told = subprocess.run(
        ["bash", str(script), *given],
        env={**os.environ, "DRY_RUN": "1", "PYTHON": "python"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    return [(output, shlex.split(command)) for output, command in rows]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.parent.name)
def test_no_training_of_a_recipe_begins_with_the_shipped_model_that_it_makes(script: Path) -> None:
    trainings = [words for _, words in steps(script) if words[1:4] == ["-m", "handlens", "train"]]
    assert [shlex.join(words) for words in trainings if "--start" not in words] == []


class Parsed(Exception):
    """Ends a script as soon as its arguments are read."""


def parse(module: str, words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the parser of a script read these words; fail where it refuses them."""
    read = argparse.ArgumentParser.parse_args

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        try:
            read(parser, list(words))
        except SystemExit:
            pytest.fail(f"{module} does not understand: {shlex.join(words)}")
        raise Parsed

    main = importlib.import_module(module).main
    with monkeypatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(Parsed):
            main()


def test_each_model_that_ships_has_a_recipe() -> None:
    assert {path.parent.name for path in SCRIPTS} == {"touch", "hand", "hold", "segment", "signs", "demo"}
    for folder, names in SHIPPED.items():
        made = {output for output, _ in steps(ROOT / "recipes" / folder / "run.sh")}
        assert {f"models/{name}.onnx" for name in names} <= made


LATER = [ROOT / "recipes" / "segment" / "arms.sh"]
"""Recipes of a model that another recipe of the folder made in an earlier version."""


@pytest.mark.parametrize("script", [*SCRIPTS, *LATER], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_step_is_understood(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, words in steps(script):
        words = words[2:] if words[0] == "stopped_after" else words
        assert words[:2] == ["python", "-m"]
        if words[2] == "handlens":
            understand(shlex.join(words[2:]))
            given: dict[str, object] = {}
            for key, value in itertools.pairwise(words):
                given = merged(given, parse_set(value)) if key == "--set" else given
            Settings().changed(given)
        else:
            parse(words[2], words[3:], monkeypatch)


@pytest.mark.parametrize("script", [*SCRIPTS, *LATER], ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_step_takes_what_an_earlier_one_made(script: Path) -> None:
    # The first script that asks for the pool writes it; the others are output folders of steps that ship a model.
    made = {
        "sets/pool.npz",
        "runs/touch",
        "runs/face-shipped",
        "runs/detector-shipped",
        "runs/hand-shipped",
        "runs/hand-hold",
        "runs/arms-shipped",
    }
    for output, words in steps(script):
        made.add(output)
        for word in words:
            if re.match(r"(sets|runs|models)/", word):
                assert any(word == one or word.startswith(f"{one}/") for one in made), word
        assert any(output.startswith(word) for word in words), output


def test_a_finished_step_is_skipped_and_a_broken_one_is_made_anew(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text(
        f"set -euo pipefail\nsource {ROOT}/recipes/steps.sh\nstart_in {tmp_path}/out\n"
        "step sets/a bash -c 'echo made >> log; mkdir sets/a'\n"
        "step sets/b bash -c 'echo other >> log; mkdir sets/b; exit 3'\n"
    )
    for _ in range(2):
        assert subprocess.run(["bash", str(script)], capture_output=True, check=False).returncode == 3
    assert (tmp_path / "out" / "log").read_text().split() == ["made", "other", "other"]


def test_without_data_a_recipe_says_how_it_is_called() -> None:
    run = subprocess.run(["bash", str(ROOT / "recipes/touch/run.sh")], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.split(":")[0]) == (2, "usage")
