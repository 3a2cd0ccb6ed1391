"""A picture gets the same answer on a processor without VNNI, whose fast 8-bit kernels overflow.

An emulated Haswell has AVX2 and nothing later, as most laptops before 2020.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest

from handlens.weights import demo_clip

pytestmark = pytest.mark.slow
EMULATED = ("qemu-x86_64", "-cpu", "Haswell")
TOUCHED = 150
"""A frame of the clip with a hand at the face."""


def answer(picture: Path, model: str, *emulator: str) -> dict[str, float]:
    """What `predict` says of one picture, all numbers by their place in the JSON."""
    asked = ["predict", str(picture), "--model", model, "--json", "-", "--threads", "1"]
    told = subprocess.run(
        [*emulator, sys.executable, "-m", "handlens", *asked], check=True, capture_output=True, text=True
    )
    return dict(numbers(json.loads(told.stdout)["value"]))


def numbers(value, place=""):
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(part, f"{place}.{key}")
    elif isinstance(value, float):
        yield place, value


@pytest.mark.parametrize("model", ["touch", "hands", "segment", "signs"])
def test_a_processor_without_vnni_gives_the_same_answer(model, tmp_path):
    if shutil.which(EMULATED[0]) is None:
        pytest.skip("no qemu-x86_64 here (Debian, Ubuntu: apt install qemu-user)")
    with av.open(str(demo_clip())) as source:
        frame = list(source.decode(source.streams.video[0]))[TOUCHED].to_ndarray(format="bgr24")
    picture = tmp_path / "frame.png"
    cv2.imwrite(str(picture), frame)
    here, there = answer(picture, model), answer(picture, model, *EMULATED)
    assert here.keys() == there.keys()
    assert here
    for place, number in here.items():
        assert there[place] == pytest.approx(number, rel=0.01, abs=0.01), place
