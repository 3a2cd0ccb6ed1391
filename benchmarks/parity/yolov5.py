"""Compares our YOLOv5 of release 5.0 with the original code, with the same state dict.

    pip install "yolov5==5.0.10" "setuptools<70" pandas seaborn
    python -m benchmarks.parity.yolov5

Install it in an environment of its own: its licence is the GPL.

The original is imported where it is installed; nothing of it is copied. Without it the script says so and ends with 0.
It ends with 1 where boxes differ by more than 1e-2 pixels or scores by more than 1e-4.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
import warnings
from pathlib import Path

import torch

from handlens.train.nets.yolov5 import load_yolov5

CLASSES, SIDE = 3, 160
PIXELS, SCORES = 1e-2, 1e-4


@torch.no_grad()
def difference(size: str) -> tuple[float, float]:
    """Return the largest difference of box sides, in pixels, and of scores.

    Raises:
        ImportError: the original or something that it needs is not installed.
    """
    module = importlib.import_module("yolov5.models.yolo")
    torch.manual_seed(0)
    theirs = module.Model(str(Path(str(module.__file__)).with_name(f"yolov5{size}.yaml")), ch=3, nc=CLASSES)
    for name, value in theirs.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif ".bn." in name and value.is_floating_point():
            value.add_(0.1 * torch.randn_like(value))
    theirs.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.pt"
        torch.save(theirs.state_dict(), path)
        ours = load_yolov5(path, size)
    x = torch.rand(1, 3, SIDE, SIDE)
    rows = theirs(x)[0]
    centre, half = rows[..., :2], rows[..., 2:4] / 2
    boxes, scores = ours.graph()(x)
    expected = torch.cat((centre - half, centre + half), -1)
    return float((boxes - expected).abs().max()), float((scores - rows[..., 4:5] * rows[..., 5:]).abs().max())


def main() -> int:
    """Print one line for each size; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", default=list("smlx"), choices=list("smlx"))
    wrong = False
    for size in parser.parse_args().size:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                pixels, score = difference(size)
            except ImportError as error:
                print(f"skipped: {error}; install the original as it says above")
                return 0
        print(f"yolov5{size}: boxes differ by {pixels:.1e} px, scores by {score:.1e}")
        wrong = wrong or pixels > PIXELS or score > SCORES
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
