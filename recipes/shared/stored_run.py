"""How far a training of a recipe came, as one file that is whole at any time; it knows no task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


class Averaged(Protocol):
    """A net whose weights are the running mean of another's, and the steps that went into it."""

    net: nn.Module
    steps: int


def store(path: Path, net: nn.Module, mean: Averaged, optimiser: torch.optim.Optimizer, step: int, **more: Any) -> None:
    """Write a state; the one before stays until it is whole.

    Args:
        more: What else the training needs to go on, plain values only.
    """
    parts = {"net": net, "mean": mean.net, "optimiser": optimiser}
    state = {**{name: part.state_dict() for name, part in parts.items()}, "step": step, **more}
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
