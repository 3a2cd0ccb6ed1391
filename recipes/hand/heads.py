"""Trains the heads of the hand net on what its body saw of the looks of views.py; the body learns nothing here.

    python -m recipes.hand.heads --cache CACHE --views VIEWS --weights RUN/mean.pt --out RUN2 --minutes 15

Writes mean.pt with body and heads together, and asks about the left-out people and sources at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.train.nets.handnet import HandHeads, HandNet
from recipes.hand.train import Tables, losses, report
from recipes.hand.views import LEVELS, body_of, level_shape
from recipes.signs.build_colour_set import NAMES
from recipes.touch.train import Average, Clock, rate_at


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
    optimiser = torch.optim.AdamW(heads.parameters(), args.rate, weight_decay=0.05)
    mean, step, begin, clock = Average(heads, 0.998), 0, time.time(), Clock(60 * args.minutes, args.share)
    sums: dict[str, float] = {}
    turns = itertools.cycle([v.batches(np.random.default_rng(args.seed), args.batch) for v in views])
    for levels, batch in map(next, turns):
        progress = clock.progress()
        if progress >= 1:
            break
        optimiser.param_groups[0]["lr"] = args.rate * rate_at(progress)
        heads.train()
        parts = losses(heads(*levels), batch)
        optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(heads.parameters(), 5.0)
        optimiser.step()
        mean.update(heads)
        step += 1
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if step % 100 == 0:
            line = {k: round(v / 100, 3) for k, v in sums.items()}
            print(
                json.dumps({"step": step, "p": round(progress, 3), "wall": round(time.time() - begin), **line}),
                flush=True,
            )
            sums = {}
        if step % 500 == 0:
            store(args, mean.net)
    net = store(args, mean.net)
    report(net, Tables(args.cache), args.out, step)


def store(args: argparse.Namespace, heads: nn.Module) -> HandNet:
    """Write body and heads together; return the net."""
    net = HandNet(len(NAMES), pretrained=False)
    net.body = body_of(args.weights)
    net.heads.load_state_dict(heads.state_dict())
    torch.save(net.state_dict(), args.out / "mean.pt")
    return net.eval().to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
