"""Which number format trains faster on this machine, found by trying both; knows no task."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]
Loss = Callable[[nn.Module, Batch], dict[str, Tensor]]
ROUNDS = 2


def faster_precision(net: nn.Module, loss: Loss, batch: Batch) -> str:
    """ "bf16" or "32": on a GPU what it supports; on a CPU the format whose training step is shorter, tried on a copy.

    The median of the steps counts; the net, its batch statistics and the random numbers stay as they were.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "32"
    if not torch.backends.mkldnn.is_available():
        return "32"
    trial = copy.deepcopy(net).train()
    state = torch.get_rng_state()
    seconds: dict[str, list[float]] = {"32": [], "bf16": []}
    for _ in range(1 + ROUNDS):  # the first of each fills caches
        for name, spent in seconds.items():
            began = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
                value = loss(trial, batch)["loss"]
            value.backward()
            trial.zero_grad()
            spent.append(time.perf_counter() - began)
    torch.set_rng_state(state)
    return min(seconds, key=lambda name: min(seconds[name][1:]))
