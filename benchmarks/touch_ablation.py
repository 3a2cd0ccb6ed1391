"""What each ingredient of the face net brings: short equal trainings that each leave out one, asked about strangers.

    python benchmarks/touch_ablation.py train CACHE OUT [--steps 400] [--only NAME ...]
    python benchmarks/touch_ablation.py table OUT

CACHE is what recipes.touch.cache makes. Every training has the same number of steps, samples in a step, input side,
seed and rates, and begins with the ImageNet weights (but for the one without). It is asked about crops of the left-out
sources and of the val part; neither was trained on. A training that is finished is not made again. The differences are
those of short trainings from the same seed: what needs a long training shows less than it is worth.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn, rows
from handlens.train.nets.facetouch import FaceTouch
from handlens.train.nets.lite import FoldedBlock
from recipes.shared.source_data import CROP_SIZE, CROP_SPAN
from recipes.touch import train
from recipes.touch.train import Draws, Store, asked, batch_of, composites, drawn, inputs, losses, rate_at, sample

SIZE, BATCH, MADE, RATES, SEED = 112, 24, 0.4, (4e-4, 2e-3), 7
ASKED = {
    "all": "all",
    "no-imagenet": "without the ImageNet weights (all layers learn)",
    "no-composites": "without composites",
    "no-touch4": "without the pictures of touch4",
    "no-places": "without contacts and sides as tasks",
    "no-maps": "without hand and face maps as tasks",
    "no-grey": "without grey copies",
    "no-framed": "without looks that end at the face",
    "drop": "with stochastic depth (.15)",
}
"""Name of a training -> its row in the table."""


def net_of(name: str) -> nn.Module:
    """Return the net that a training begins with."""
    torch.manual_seed(SEED)
    net = FaceTouch(pretrained=name != "no-imagenet")
    if name == "no-imagenet":
        for layer in net.body.parameters():
            layer.requires_grad_(True)
    blocks = [block for block in net.modules() if isinstance(block, FoldedBlock)]
    for number, block in enumerate(blocks, 1):
        block.drop = (0.15 if name == "drop" else 0.0) * number / len(blocks)
    return net.to(memory_format=torch.channels_last)


def loss_of(name: str) -> Callable[[dict[str, Tensor]], Tensor]:
    """Return how the parts of the loss add up."""

    def added(parts: dict[str, Tensor]) -> Tensor:
        loss = parts["loss"]
        if name == "no-places":
            loss = loss - 0.3 * parts["side"] - 0.12 * parts["contact"]
        if name == "no-maps":
            loss = loss - 1.5 * parts["mask"] - 0.7 * parts["dice"] - 0.7 * parts["parts"]
        return loss

    return added


def trained(cache: Path, name: str, steps: int) -> nn.Module:
    """Return the averaged net of a short training without one ingredient."""
    grey, cut = train.GREY, train.FRAMED
    train.GREY, train.FRAMED = (0.0 if name == "no-grey" else grey), (0.0 if name == "no-framed" else cut)
    rng, real, made = np.random.default_rng(SEED), Store(cache, "crops", CROP_SIZE, CROP_SPAN), composites(cache)[0]
    if name == "no-touch4":
        is_new = np.char.startswith(real.table["picture"], "touch4") & (real.table["split"] == "train")
        real.table["split"] = np.where(is_new, "unused", real.table["split"])
    draws, net, count = Draws(real, ("train",)), net_of(name), 0 if name == "no-composites" else round(BATCH * MADE)
    body = {id(p) for p in net.body.parameters()}  # type: ignore[union-attr]
    learning = [p for p in net.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if id(p) in body], "top": RATES[0] if name != "no-imagenet" else RATES[1]},
        {"params": [p for p in learning if id(p) not in body], "top": RATES[1]},
    ]
    optimiser, mean, added = torch.optim.AdamW(groups, weight_decay=0.05), train.Average(net, 0.98), loss_of(name)
    for step in range(steps):
        picked = [drawn(rng, made[int(rng.integers(len(made)))], SIZE) for _ in range(count)]
        picked += [sample(rng, real, draws.next(rng), SIZE) for _ in range(BATCH - count)]
        batch = batch_of(picked)
        for group in optimiser.param_groups:
            group["lr"] = group["top"] * rate_at((step + 1) / steps)
        net.train()
        loss = added(losses(net(inputs(batch["image"])), batch))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        mean.update(net)
    train.GREY, train.FRAMED = grey, cut
    return mean.net


def answers(net: nn.Module, cache: Path) -> dict[str, dict[str, Any]]:
    """Return what a net says of the crops of both held-out parts."""
    real = Store(cache, "crops", CROP_SIZE, CROP_SPAN)
    told = {}
    for split in ("left_out", "val"):
        chosen = real.rows(split)
        said, table = asked(net, real, chosen, SIZE), {key: value[chosen] for key, value in real.table.items()}
        told[split] = {
            "touch": said["touch"], "region": said["region"], "label": table["label"], "person": table["person"],
            "true": table["region"],
        }  # fmt: skip
    return told


def measured(told: dict[str, Any]) -> dict[str, list[float]]:
    """Return ROC AUC, the best F1, false alarms of hands in front at it, and regions, with intervals by person."""
    label, touch = told["label"], told["label"] == "touch"
    usable = np.isin(label, ("touch", "no_touch", "overlap_no_touch"))
    score, positive, person = told["touch"][usable].astype(float), touch[usable], told["person"][usable]
    ones = np.ones((1, len(score)))
    cut = float(np.ravel(binary.best_f1(score, positive, ones)[1])[0])
    hit, front = score >= cut, label[usable] == "overlap_no_touch"
    named = told["true"][usable].sum(1) > 0
    best = told["true"][usable][np.arange(len(score)), told["region"][usable].argmax(1)] > 0

    def numbers(weights: Array) -> list[Drawn]:
        return [
            Drawn("ROC AUC", binary.roc_auc(score, positive, weights), len(score)),
            Drawn("best F1", binary.best_f1(score, positive, weights)[0], len(score)),
            Drawn("in front", binary.ratio(weights @ (hit & front), weights @ front), int(front.sum())),
            Drawn("region", binary.ratio(weights @ (best & named), weights @ named), int(named.sum())),
        ]

    return {row.name: [row.value, row.low, row.high] for row in rows(numbers, person)}


def go(cache: Path, out: Path, steps: int, only: list[str]) -> None:
    """Make the trainings that are missing."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    for name in only:
        path, begin = out / f"{name}.npz", time.process_time()
        if path.exists():
            continue
        told = answers(trained(cache, name, steps), cache)
        np.savez(path, **{f"{split}/{key}": value for split, part in told.items() for key, value in part.items()})
        spent = round(time.process_time() - begin)
        print(json.dumps({name: {split: measured(part) for split, part in told.items()}, "cpu": spent}), flush=True)


def table(out: Path) -> None:
    """Print the rows of a Markdown table."""
    print("| training | part | ROC AUC | best F1 | hands in front at it | region right |\n|---|---|---|---|---|---|")
    for name, title in ASKED.items():
        path = out / f"{name}.npz"
        if not path.exists():
            continue
        stored = dict(np.load(path))
        for split in ("left_out", "val"):
            part = {key.split("/")[1]: value for key, value in stored.items() if key.startswith(split)}
            cells = [f"{v:.3f} [{low:.3f} {high:.3f}]" for v, low, high in measured(part).values()]
            print(f"| {title} | {split.replace('_', ' ')} | {' | '.join(cells)} |")


def main() -> None:
    """Train or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "table"))
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", nargs="+", default=list(ASKED))
    args = parser.parse_args()
    if args.what == "table":
        table(args.folders[-1])
    else:
        go(args.folders[0], args.folders[1], args.steps, args.only)


if __name__ == "__main__":
    main()
