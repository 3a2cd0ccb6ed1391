"""The plan's optimiser, its learning rate at each moment, and the averaged weights; knows no task or loop."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.config import Plan


def optimiser(net: nn.Module, plan: Plan) -> torch.optim.Optimizer:
    """Return the plan's optimiser over three groups: kernels (decayed), norms, biases."""
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    if not trained:
        raise InputError("the net has no weights to train: all are frozen.")
    kernels = [p for p in trained.values() if p.ndim > 1]
    biases = [p for name, p in trained.items() if p.ndim <= 1 and name.endswith("bias")]
    norms = [p for name, p in trained.items() if p.ndim <= 1 and not name.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": plan.decay},
        {"params": norms, "weight_decay": 0.0},
        {"params": biases, "weight_decay": 0.0, "bias": True},
    ]
    groups = [group for group in groups if group["params"]]
    if plan.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=plan.rate, momentum=plan.momentum, nesterov=plan.momentum > 0)
    kind = torch.optim.AdamW if plan.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, lr=plan.rate, betas=(plan.momentum, 0.999))


def set_rate(optimiser: torch.optim.Optimizer, plan: Plan, done: float, epoch: float) -> None:
    """Give every group its learning rate (and, warming up, its momentum) for this moment."""
    warm, top = plan.warm(epoch), plan.rate * plan.share(done)
    for group in optimiser.param_groups:
        start = plan.warm_bias if plan.warm_bias is not None and group.get("bias") else 0.0
        group["lr"] = start + (top - start) * warm
        if plan.warm_momentum is not None and "momentum" in group:
            group["momentum"] = plan.warm_momentum + (plan.momentum - plan.warm_momentum) * warm


class Averaging(WeightAveraging):
    """Averaged weights (EMA) whose memory grows from a few steps to 1 / (1 - decay) steps."""

    def __init__(self, decay: float) -> None:
        def average(mean: Tensor, value: Tensor, number: Tensor | int) -> Tensor:
            if not mean.dtype.is_floating_point:
                return value
            keep = min(decay, (1 + int(number)) / (10 + int(number)))
            return mean.lerp(value.to(mean.dtype), 1 - keep)

        super().__init__(avg_fn=average)
