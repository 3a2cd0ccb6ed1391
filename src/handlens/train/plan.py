"""How long and how hard a net is trained: a frozen plan and the learning rate at each moment; knows no net or data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from handlens.errors import InputError, unknown

OPTIMISERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "steps", "constant")
PRECISIONS = ("auto", "32", "bf16")


@dataclass(frozen=True)
class Plan:
    """The schedule of a training.

    epochs: passes over the training part. minutes: end earlier, the rate fully annealed by then. batch: pictures a
    step and device. rate, final: learning rate at its highest and, as a share of it, at the end. milestones: for
    "steps", the shares of the run after which the rate is divided by ten. warmup: epochs of rising rate, growing with
    the power `warm_power`; warm_bias: rate from which biases come down to it; warm_momentum: momentum at its start.
    average: decay of the averaged weights (EMA), 0 = none. clip: largest norm of the gradient. patience: epochs
    without a better score after which it ends, 0 = never. check: measure on the validation part every so many epochs.
    steps: batches an epoch, 0 = all. precision: "auto" takes the faster of 32 and bf16, timed on the first batch.
    devices, nodes: how many.

    Raises:
        InputError: a value outside its range.
    """

    epochs: int = 100
    minutes: float | None = None
    batch: int = 16
    rate: float = 1e-3
    final: float = 0.01
    schedule: str = "cosine"
    milestones: tuple[float, ...] = ()
    optimiser: str = "adamw"
    momentum: float = 0.9
    decay: float = 0.02
    warmup: float = 1.0
    warm_power: float = 1.0
    warm_bias: float | None = None
    warm_momentum: float | None = None
    average: float = 0.999
    clip: float = 10.0
    accumulate: int = 1
    patience: int = 0
    check: int = 1
    steps: int = 0
    precision: str = "auto"
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(unknown(name, str(getattr(self, name)), known))
        for name in ("epochs", "batch", "check", "devices", "nodes", "accumulate", "rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("decay", "warmup", "clip", "patience", "steps", "final", "momentum", "average"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if self.average >= 1 or self.momentum >= 1:
            raise InputError("average and momentum are shares and must lie below 1.")
        if self.minutes is not None and self.minutes <= 0:
            raise InputError(f"minutes must be above 0, got {self.minutes}.")

    def share(self, done: float) -> float:
        """The learning rate as a share of `rate`, warm-up left out. done: 0 at the start to 1 at the end."""
        if self.schedule == "cosine":
            return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if self.schedule == "steps":
            return float(0.1 ** sum(done >= milestone for milestone in self.milestones))
        return 1.0

    def warm(self, epoch: float) -> float:
        """How far the warm-up has come at that (fractional) epoch, 0 to 1."""
        return 1.0 if epoch >= self.warmup else (epoch / self.warmup) ** self.warm_power
