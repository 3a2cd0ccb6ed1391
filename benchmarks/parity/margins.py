"""Compares the margins with their source, with the same weights.

    git clone https://github.com/wujiyang/Face_Pytorch SOURCE
    python -m benchmarks.parity.margins SOURCE

Nothing of the source is copied. A file that is missing is skipped with that reason. It ends with 1 where logits differ
by more than 1e-4 of the largest.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import torch
from torch import nn

from handlens.train.nets.margins import SCALE, ArcFace, CosFace, MultiMargin, Softmax, SphereFace

SOURCES: dict[str, tuple[type[Softmax], dict[str, float]]] = {
    "ArcMarginProduct": (ArcFace, {"s": SCALE}),
    "CosineMarginProduct": (CosFace, {"s": SCALE}),
    "MultiMarginProduct": (MultiMargin, {"s": SCALE}),
    "SphereMarginProduct": (SphereFace, {}),
}
LIMIT = 1e-4
DIM, CLASSES, COUNT, STEPS = 64, 10, 256, 3


def load_source(folder: Path, name: str) -> type[nn.Module] | None:
    """Return the class of a file of the source, or None where it is missing."""
    path = folder / "margin" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path) if path.exists() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[nn.Module] | None = getattr(module, name, None)
    return found


@torch.no_grad()
def difference(ours: Softmax, theirs: nn.Module) -> float:
    """Return the largest difference of a few steps, relative to the largest logit."""
    ours.weight.copy_(theirs.get_parameter("weight"))
    worst = 0.0
    for step in range(STEPS):
        torch.manual_seed(step)
        x, label = torch.randn(COUNT, DIM), torch.randint(0, CLASSES, (COUNT,))
        x[: COUNT // 2] = -ours.weight[label[: COUNT // 2]] + 0.1 * x[: COUNT // 2]  # angles near a half turn
        reference = theirs(x, label)
        found = ours.train()(x, label)
        worst = max(worst, float((found - reference).abs().max() / reference.abs().max()))
    return worst


def main() -> int:
    """Print one line for each margin; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="checkout of the source")
    folder, worst = parser.parse_args().source, 0.0
    for name, (kind, arguments) in SOURCES.items():
        source = load_source(folder, name)
        if source is None:
            print(f"{name}: skipped, there is no such class in margin/{name}.py of the folder")
            continue
        found = difference(kind(DIM, CLASSES), source(DIM, CLASSES, **arguments))
        print(f"{name}: relative difference {found:.1e}")
        worst = max(worst, found)
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
