"""Copies the models of the browser edition and writes their cards as JSON, which onnxruntime-web cannot read itself."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from handlens import __version__
from handlens.live import calibration
from handlens.live.guide import PHASE_S, SETTLE_S
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
    table = {
        "handlens": __version__,
        "cards": cards,
        "points": operating_points(SHIPPED / "touch.onnx"),
        "calibration": rules(),
    }
    (target / "models.json").write_text(json.dumps(table) + "\n", "utf-8")


def rules() -> dict[str, Any]:
    """Return the constants of the personal calibration, for web/src/browser/calibration.ts."""
    return {
        "version": calibration.VERSION,
        "mean_spread": calibration.MEAN_SPREAD,
        "others": calibration.OTHERS,
        "things": calibration.THINGS,
        "counts": calibration.COUNTS,
        "asked": calibration.ASKED,
        "least": calibration.LEAST,
        "surer": calibration.SURER,
        "most": calibration.MOST,
        "shift_sd": calibration.SHIFT_SD,
        "weight_sd": calibration.WEIGHT_SD,
        "settle_s": SETTLE_S,
        "phase_s": PHASE_S,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
