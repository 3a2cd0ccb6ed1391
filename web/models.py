"""Copies the models of the browser edition and writes their cards as JSON, which onnxruntime-web cannot read itself."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

from handlens import __version__
from handlens.live.points import operating_points
from handlens.runner import OnnxRunner
from handlens.weights import SHIPPED, resolve


def main(target: Path) -> None:
    """Write touch.onnx, facehand.onnx and models.json into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    cards = {}
    for name in ("touch", "facehand"):
        file = resolve(name)
        shutil.copyfile(file, target / f"{name}.onnx")
        cards[name] = dataclasses.asdict(OnnxRunner(file, 1).card)
    table = {"handlens": __version__, "cards": cards, "points": operating_points(SHIPPED / "touch.onnx")}
    (target / "models.json").write_text(json.dumps(table) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
