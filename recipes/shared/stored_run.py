"""How far a training of a recipe came, as one file that is whole at any time; it knows no task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


class Averaged(Protocol):
    """A net whose weights are the running mean of another's, and the steps that went into it."""

    steps: int

    @property
    def net(self) -> nn.Module:
        """The averaged net."""
        ...


def store(path: Path, net: nn.Module, mean: Averaged, optimiser: torch.optim.Optimizer, step: int, **more: Any) -> None:
    """Write a state; the one before stays until it is whole.

    Args:
        more: What else the training needs to go on, plain values only.
    """
    state = {
        "net": net.state_dict(), "mean": mean.net.state_dict(), "optimiser": optimiser.state_dict(),
        "step": step, **more,
    }  # fmt: skip
    draft = path.with_suffix(".part")
    torch.save(state, draft)
    draft.replace(path)


def go_on(path: Path, net: nn.Module, mean: Averaged, optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Put a stored state into net, mean and optimiser, and return all of it; None where none is stored."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    mean.net.load_state_dict(state["mean"])
    optimiser.load_state_dict(state["optimiser"])
    mean.steps = int(state["step"])
    return state
