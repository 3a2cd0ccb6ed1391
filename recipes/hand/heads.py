"""Trains the heads of the hand net on what its body saw of the looks of views.py; the body learns nothing here.

    python -m recipes.hand.heads --cache CACHE --views VIEWS --weights RUN/mean.pt --out RUN2 --minutes 15

Writes mean.pt with body and heads together, and asks about the left-out people and sources at the end.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.train.nets.handnet import HandHeads, HandNet
from recipes.hand.train import Learning, Tables, report
from recipes.hand.views import LEVELS, SIZE, body_of, level_shape
from recipes.signs.build_colour_set import NAMES
from recipes.touch.train import Clock


class Views:
    """Labels and levels of all looks."""

    def __init__(self, folder: Path) -> None:
        self.labels: dict[str, NDArray[Any]] = dict(np.load(folder / "labels.npz"))
        self.levels = [
            np.memmap(folder / f"level{stride}.f16", np.float16, "r").reshape(-1, *level_shape(channels, stride))
            for channels, stride in LEVELS
        ]
        self.count = min(len(self.labels["sign"]), *(len(level) for level in self.levels))

    def batches(self, rng: np.random.Generator, size: int) -> Iterator[tuple[list[Tensor], dict[str, Tensor]]]:
        """Yield batches for ever, each look once in every round."""
        while True:
            order = rng.permutation(self.count)
            for start in range(0, self.count - size + 1, size):
                rows = np.sort(order[start : start + size])
                levels = [
                    torch.from_numpy(level[rows].astype(np.float32)).contiguous(memory_format=torch.channels_last)
                    for level in self.levels
                ]
                yield levels, {key: torch.from_numpy(value[rows]) for key, value in self.labels.items()}


def main() -> None:
    """Train the heads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--views", type=Path, nargs="+", required=True, help="one folder or more, taken in turns")
    parser.add_argument("--weights", type=Path, required=True, help="of the net whose body saw the views")
    parser.add_argument("--start", type=Path, help="weights whose heads to go on from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--share", type=float, default=0.5, help="of a core that the machine will give at least")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    views, heads = [Views(folder) for folder in args.views], HandHeads(len(NAMES))
    if args.start:
        state = torch.load(args.start, weights_only=True)
        heads.load_state_dict({k.removeprefix("heads."): v for k, v in state.items() if k.startswith("heads.")})
    heads = heads.to(memory_format=torch.channels_last)
    clock = Clock(60 * args.minutes, args.share)
    run = Learning(heads, [{"params": list(heads.parameters()), "top": args.rate}], 0.998, clock, each=100)
    turns = itertools.cycle([v.batches(np.random.default_rng(args.seed), args.batch) for v in views])
    while (progress := clock.progress()) < 1:
        levels, batch = next(next(turns))
        run.learn(heads(*levels), batch, progress)
        if run.step % 500 == 0:
            store(args, run.mean.net)
    net = store(args, run.mean.net)
    report(net, Tables(args.cache), args.out, run.step, SIZE)


def store(args: argparse.Namespace, heads: nn.Module) -> HandNet:
    """Write body and heads together; return the net."""
    net = HandNet(len(NAMES), pretrained=False)
    net.body = body_of(args.weights)
    net.heads.load_state_dict(heads.state_dict())
    torch.save(net.state_dict(), args.out / "mean.pt")
    return net.eval().to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
