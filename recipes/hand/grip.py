"""Trains the head that tells what a hand holds once more, on what the hand net's trunk says of the training's crops.

    python -m recipes.hand.grip --cache CACHE --weights RUN/mean.pt [--looks 3]

The trunk stays as it is. Each crop is looked at a few times as the training does (`samples.crop`). The head begins with
its own weights or anew; the labels weigh alike in all crops, or both labels of each source as well. What the left-out
sources tell best of is chosen; val measures besides. Prints; ships nothing.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.train.nets.handnet import HandNet
from recipes.hand.cache import Shown
from recipes.hand.hold import GENERATED
from recipes.hand.samples import crop
from recipes.hand.train import Tables, hold_rows, inputs, plain_crop
from recipes.hand.trials import SIZE, hold_lines, net_of, weights_of

EPOCHS, BATCH, RATE, DROPOUT = 12, 64, 5e-4, 0.5


@torch.no_grad()
def seen(net: HandNet, images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Return (n, k): what the head is given of each picture."""
    given: list[Tensor] = []
    hook = net.heads.grip.register_forward_pre_hook(lambda module, args: given.append(args[0].clone()))
    for start in range(0, len(images), 32):
        net(inputs(torch.from_numpy(np.stack(images[start : start + 32]))))
    hook.remove()
    return torch.cat(given)


def weights_by(rows: Sequence[Shown], sources: bool) -> NDArray[np.float64]:
    """Return how much each crop counts: both labels alike, in every source that has both, too, if so asked."""
    holds, source = np.array([row.hold == 1 for row in rows]), np.array([row.source for row in rows])
    weight = np.ones(len(rows))
    if sources:
        for name in np.unique(source):
            here = source == name
            mass = here.sum() ** 0.5
            for label in (True, False):
                some = here & (holds == label)
                if some.any():
                    weight[some] = mass / some.sum()
    for label in (True, False):
        weight[holds == label] /= weight[holds == label].sum()
    return weight * len(rows) / 2


def trained(head: nn.Sequential, x: Tensor, y: Tensor, weight: Tensor, seed: int) -> nn.Module:
    """Return the head after its epochs, its rate falling to nothing."""
    torch.manual_seed(seed)
    steps = EPOCHS * (len(x) // BATCH)
    learning = torch.optim.AdamW(head.parameters(), RATE, weight_decay=0.05)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(learning, steps)
    head.train()
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            said = head(fn.dropout(x[rows], DROPOUT))
            each = fn.cross_entropy(said[:, :2], y[rows], reduction="none", label_smoothing=0.04)
            loss = (each * weight[rows]).mean()
            learning.zero_grad()
            loss.backward()
            learning.step()
            falling.step()
    return head.eval()


@torch.no_grad()
def said_by(head: nn.Module, x: Tensor) -> NDArray[Any]:
    """Return the log odds of an object."""
    out = head(x)
    return np.asarray((out[:, 1] - out[:, 0]).double().numpy())


def main() -> None:
    """Train all variants and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--looks", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tables, net, rng = Tables(args.cache), net_of(weights_of(args.weights)), np.random.default_rng(5)
    parts = hold_rows(tables)
    parts["val"] = [row for part, rows in parts.items() if part != "left_out" for row in rows]
    rows = [row for row in tables.holding if row.split == "train" and row.source != GENERATED]
    del tables
    given = {part: seen(net, [plain_crop(row, SIZE) for row in some]) for part, some in parts.items()}
    own = nn.Sequential(net.heads.grip, net.heads.grip_out)
    before = {part: said_by(own, x) for part, x in given.items()}
    hold_lines("as it is", before, parts)
    x = torch.cat([seen(net, [crop(rng, row, SIZE)["image"] for row in rows]) for _ in range(args.looks)])
    y = torch.tensor([row.hold for row in rows] * args.looks)
    for anew, sources in itertools.product((False, True), repeat=2):
        head = copy.deepcopy(own)
        if anew:
            for layer in head.modules():
                if isinstance(layer, nn.Linear):
                    layer.reset_parameters()
        weight = torch.from_numpy(np.tile(weights_by(rows, sources), args.looks)).float()
        learned = trained(head, x, y, weight, 0)
        after = {part: said_by(learned, z) for part, z in given.items()}
        name = f"{'anew' if anew else 'on'}, by {'source' if sources else 'label'}"
        hold_lines(name, after, parts)
        hold_lines(name + ", mean", {part: before[part] + after[part] for part in parts}, parts)


if __name__ == "__main__":
    main()
