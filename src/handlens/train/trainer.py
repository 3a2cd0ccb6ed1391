"""The training loop of our own nets: bf16, cosine rate, averaged weights, checkpoints that resume; knows no task.

Schedules run on the share of the work done, which is counted in samples, or in minutes when `minutes` is given: on a
shared machine a run then ends when it must, its rate fully annealed.
"""

from __future__ import annotations

import argparse
import copy
import csv
import math
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train. samples: in all; minutes: ends earlier when reached (None: never)."""

    samples: int
    batch: int = 48
    rate: float = 2e-3
    decay: float = 0.02
    warmup: int = 2000
    average: float = 0.9995
    minutes: float | None = None
    every: int = 10_000


def train(
    net: nn.Module,
    batches: Iterable[Batch],
    loss: Callable[[nn.Module, Batch], dict[str, Tensor]],
    plan: Plan,
    out: Path,
    check: Callable[[nn.Module], dict[str, float]],
) -> nn.Module:
    """Train `net` in place and return its averaged copy; writes `last.pt` and `log.csv` under `out`, resumes from them.

    Raises:
        FloatingPointError: the loss became NaN; the last good checkpoint is intact.
    """
    out.mkdir(parents=True, exist_ok=True)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(_decayed(net, plan.decay), lr=plan.rate)
    seen, spent = _resume(out / "last.pt", net, averaged, optimiser)
    began, marked, sums, count = time.monotonic() - spent, seen, {}, 0
    for batch in batches:
        elapsed = time.monotonic() - began
        done = max(seen / plan.samples, elapsed / 60 / plan.minutes if plan.minutes else 0.0)
        if done >= 1:
            break
        rate = plan.rate * min(1.0, (seen + 1) / plan.warmup) * (0.5 * (1 + math.cos(math.pi * done)) * 0.99 + 0.01)
        for group in optimiser.param_groups:
            group["lr"] = rate
        net.train()
        parts = loss(net, batch)
        if not torch.isfinite(parts["loss"]):
            raise FloatingPointError(f"The loss became {parts['loss'].item()} after {seen} samples.")
        optimiser.zero_grad()
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        seen += len(batch["image"])
        _average(averaged, net, min(plan.average, (1 + seen / plan.batch) / (10 + seen / plan.batch)))
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        count += 1
        if seen - marked >= plan.every:
            row = {"seen": float(seen), "minutes": elapsed / 60, "rate": rate}
            row |= {k: v / count for k, v in sums.items()} | check(averaged)
            _log(out / "log.csv", row)
            _save(out / "last.pt", net, averaged, optimiser, seen, time.monotonic() - began)
            marked, sums, count = seen, {}, 0
    _save(out / "last.pt", net, averaged, optimiser, seen, time.monotonic() - began)
    return averaged


def options(description: str, samples: int) -> argparse.ArgumentParser:
    """The command-line options that every training shares."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder with touch/, segmentation/, gestures/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run: checkpoint and log")
    parser.add_argument(
        "--cache", type=Path, default=Path("runs/cache"), help="folder for what is derived from the data"
    )
    parser.add_argument("--samples", type=int, default=samples, help="how many to train on")
    parser.add_argument("--minutes", type=float, help="end earlier, after so many minutes, with the rate annealed")
    parser.add_argument("--rate", type=float, default=2e-3, help="learning rate at the start")
    parser.add_argument("--start", type=Path, help="weights (.pt) to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that make samples")
    return parser


def images(batch: Batch) -> Tensor:
    """The batch's pictures as the nets want them: (n, 3, h, w) float, (x - 127.5) / 64, channels last."""
    return ((batch["image"].float() - 127.5) / 64.0).contiguous(memory_format=torch.channels_last)


def _decayed(net: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay on kernels only, not on biases and norms."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    return [
        {"params": kernels, "weight_decay": decay},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average(averaged: nn.Module, net: nn.Module, keep: float) -> None:
    for mean, value in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)


def _save(
    path: Path, net: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer, seen: int, spent: float
) -> None:
    state = {"net": net.state_dict(), "averaged": averaged.state_dict(), "optimiser": optimiser.state_dict()}
    temporary = path.with_suffix(".tmp")
    torch.save(state | {"seen": seen, "spent": spent}, temporary)
    os.replace(temporary, path)


def _resume(path: Path, net: nn.Module, averaged: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["seen"]), float(state["spent"])


def _log(path: Path, row: dict[str, float]) -> None:
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(row)
        writer.writerow(f"{v:.5g}" for v in row.values())
    print("  ".join(f"{k} {v:.4g}" for k, v in row.items()), flush=True)
