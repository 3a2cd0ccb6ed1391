"""What the trainings of our own two touch nets share: options, pictures as the nets want them, endless batches."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from handlens.train.checkpoints import LAST, read_checkpoint
from handlens.train.config import Plan
from handlens.train.inputs import network_input
from handlens.train.precision import Batch, Loss
from handlens.train.trainer import fit

MEAN, STD = (127.5, 127.5, 127.5), (64.0, 64.0, 64.0)
"""Of the cards of both nets."""
EPOCH = 10_000
"""Samples between two checks; the samples are made on the fly, so there is no natural end of an epoch."""


def options(description: str, samples: int) -> argparse.ArgumentParser:
    """Return the command-line options that both trainings share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with touch/, segmentation/, gestures/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoint and log")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="folder for what is derived from the data"
    )
    parser.add_argument("--samples", type=int, default=samples, help="how many to train on")
    parser.add_argument("--minutes", type=float, help="end earlier, after so many minutes, with the rate annealed")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start")
    parser.add_argument("--start", type=Path, help="run to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    return parser


def images(batch: Batch) -> Tensor:
    """Return the batch's pictures as the nets want them: (n, 3, h, w) float, channels last."""
    return network_input(batch["image"], MEAN, STD)


def teach(
    net: nn.Module,
    samples: Callable[[int], IterableDataset[Batch]],
    loss: Loss,
    check: Callable[[nn.Module], Mapping[str, float]],
    batch: int,
    args: argparse.Namespace,
) -> Path:
    """Train on an endless stream, checked every 10,000 samples, and return the last checkpoint.

    Args:
        samples: A seed -> the stream; every epoch has a stream of its own, so that a resumed run sees what it would
            have.
    """
    if args.start:
        net.load_state_dict(averaged_state(args.start))
    steps = max(1, EPOCH // batch)
    plan = Plan(
        epochs=max(1, args.samples // (steps * batch)), steps=steps, minutes=args.minutes, batch=batch, rate=args.rate,
        decay=0.02, warmup=0.2, average=0.9995, clip=5.0, precision="bf16", seed=args.seed,
    )  # fmt: skip
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)

    def batches(epoch: int) -> Iterable[Batch]:
        ahead: dict[str, Any] = {"prefetch_factor": 4} if args.workers else {}
        stream = samples(args.seed * 1000 + epoch)
        return DataLoader(stream, batch_size=batch, num_workers=args.workers, **ahead)

    out = Path(args.out)
    fit(net, batches, loss, plan, out, check, {"net": type(net).__name__})
    return out / LAST


def averaged_state(run: Path) -> dict[str, Tensor]:
    """Return the averaged weights of a run's last checkpoint.

    Raises:
        InputError: the folder holds no checkpoint.
    """
    state = read_checkpoint(run if run.is_file() else run / LAST)["state_dict"]
    return {key.removeprefix("net."): value for key, value in state.items()}
