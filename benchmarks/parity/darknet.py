"""Compares our Darknet networks with OpenCV's reader of .cfg and .weights, with the same files.

    python -m benchmarks.parity.darknet [--net yolov3-tiny]

OpenCV adds 1e-6 to the variance in batch norms; the .cfg that is written here says the same to ours. The maps before
each [yolo] section are compared. The script says so and ends with 0 where OpenCV has no such reader, and ends with 1
where maps differ by more than 1e-4 of their largest value.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from handlens.train.nets.darknet.cfg import standard_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import write_weights

LIMIT = 1e-4
SIDE = 160


def written(folder: Path, name: str) -> tuple[Darknet, Path, Path]:
    """Return a network with made weights, and its two files."""
    cfg, weights = folder / "net.cfg", folder / "net.weights"
    cfg.write_text(standard_cfg(name, 3).replace("channels=3\n", "channels=3\nbatch_normalize_epsilon=1e-6\n", 1))
    torch.manual_seed(0)
    net = Darknet.from_cfg(cfg).eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            for value, low, high in ((layer.weight, 0.5, 1.5), (layer.bias, -0.5, 0.5), (layer.running_var, 0.5, 2.0)):
                if value is not None:
                    torch.nn.init.uniform_(value, low, high)
    write_weights(net, weights)
    return net, cfg, weights


def differences(name: str) -> list[float]:
    """Return the largest relative difference of the map before each [yolo] section."""
    with tempfile.TemporaryDirectory() as folder:
        net, cfg, weights = written(Path(folder), name)
        read = getattr(cv2.dnn, "readNetFromDarknet")  # noqa: B009 - the types of version 5 lack it
        theirs = read(str(cfg), str(weights))
        picture = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
        theirs.setInput(picture)
        before = [f"conv_{number - 1}" for number, kind in enumerate(net.kinds) if kind == "yolo"]
        reference = theirs.forward(before)
        with torch.no_grad():
            ours = net(torch.from_numpy(picture))
    found = []
    for map_ours, map_theirs in zip(ours, reference, strict=True):
        n, anchors, height, width, fields = map_ours.shape
        flat = map_ours.permute(0, 1, 4, 2, 3).reshape(n, anchors * fields, height, width).numpy()
        found.append(float(np.abs(flat - map_theirs).max() / np.abs(map_theirs).max()))
    return found


def main() -> int:
    """Print one line for each network; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", nargs="+", default=["yolov3-tiny", "yolov3", "yolov3-spp"])
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        print(f"skipped: OpenCV {cv2.__version__} does not read Darknet files any more; take a version 4")
        return 0
    worst = 0.0
    for name in parser.parse_args().net:
        found = differences(name)
        print(f"{name}: relative differences {', '.join(f'{value:.1e}' for value in found)}")
        worst = max(worst, *found)
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
