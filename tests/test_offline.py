"""No verb of the light side touches the network: every one runs in a process where any socket is an error."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from media import save_picture
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

PROGRAM = """
import json, sys
from pathlib import Path

def forbid(event, arguments):
    if event.startswith("socket."):
        raise RuntimeError(f"the network was asked for: {event} {arguments}")

sys.addaudithook(forbid)  # cannot be taken out again, and sees sockets made by any library in Python
import handlens.cli, handlens.clip
handlens.clip.demo_clip = lambda: Path("clip.mp4")
codes = {" ".join(verb): handlens.cli.run(verb) for verb in json.loads(sys.argv[1])}
Path("codes.json").write_text(json.dumps(codes))
"""

VERBS = [
    ["predict", "clip.mp4", "photo.png", "-m", "light.onnx", "--json", "a.jsonl", "--events", "a.csv", "--out", "seen"],
    ["watch", "clip.mp4", "-m", "light.onnx", "--max-seconds", "1", "--json", "b.jsonl", "--events", "b.csv"],
    ["demo", "-m", "light.onnx", "--out", "demo-out"],
    ["models"],
    ["models", "light.onnx"],
    ["bench", "-m", "light.onnx", "--frames", "5", "--json", "speed.json"],
    ["data", "synth", "--dest", "people", "--count", "3", "--size", "64", "--workers", "1"],
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
    ["data", "augment", "people", "--dest", "large"],
]
"""They answer, whatever the answer is."""


def test_every_verb_works_with_sockets_forbidden(tmp_path: Path) -> None:
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4", [DARK] * 5 + [BRIGHT] * 8 + [DARK] * 5)
    save_picture(tmp_path / "photo.png", np.full((48, 64, 3), BRIGHT, np.uint8))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(VERBS + ANY)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "the network was asked for" not in done.stdout + done.stderr
    codes = json.loads((tmp_path / "codes.json").read_text())
    assert {name: code for name, code in codes.items() if name in {" ".join(verb) for verb in VERBS}} == {
        " ".join(verb): 0 for verb in VERBS
    }, done.stderr
    assert len(codes) == len(VERBS + ANY)


def test_the_guard_would_notice() -> None:
    hook = PROGRAM.split("import handlens")[0] + "import socket; socket.socket()"
    done = subprocess.run([sys.executable, "-c", hook, "[]"], capture_output=True, text=True, timeout=30)
    assert "the network was asked for" in done.stderr


def test_only_download_asks_the_network(tmp_path: Path) -> None:
    verb = ["data", "download", "--keyword", "chin leaning", "--dest", "set", "--source", "openverse"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([verb])], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert "the network was asked for: socket." in done.stderr
