"""Whether this machine has the devices that a training asks for; it must not know nets, data or the training loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from handlens.errors import InputError, unknown
from handlens.train.config import Plan

DEVICES = ("auto", "cpu", "gpu", "cuda", "mps")
"""Names that `device` takes; cuda is gpu without Apple's."""


def check_devices(plan: Plan) -> None:
    """Refuse devices and machines that are not there, before anything is read or written.

    Raises:
        InputError: an unknown device, none of that kind, fewer than are asked for, or several machines of which this
            one was told nothing.
    """
    device = plan.device.lower()
    if device not in DEVICES:
        raise InputError(unknown("device", plan.device, DEVICES))
    there = _there(device)
    if not there:
        what = "no Apple GPU (mps)" if device == "mps" else "no GPU that torch can use"
        raise InputError(f"--device {device}: there is {what} on this machine; type --device cpu or --device auto.")
    if plan.devices > there:
        kind = _kind(device)
        has = f"{there} {kind}{'' if there == 1 else 's'}"
        raise InputError(f"--devices {plan.devices}: this machine has {has}; give --devices {there} or fewer.")
    if plan.nodes > 1 and not _told_of_others():
        raise InputError(
            f"--nodes {plan.nodes}: this process was not told where the other machines are; set MASTER_ADDR,"
            " MASTER_PORT and NODE_RANK in the environment of each, start it with torchrun or Slurm, or give --nodes 1."
        )


def _kind(device: str) -> str:
    """Return the word for one of the devices that are meant."""
    if device == "cpu" or (device == "auto" and not _gpus() and not _mps()):
        return "CPU core"
    return "GPU"


def _there(device: str) -> int:
    """How many devices of that name there are; of a CPU its cores, as each device is a process."""
    cores = os.cpu_count() or 1
    counts: dict[str, Callable[[], int]] = {
        "cpu": lambda: cores,
        "cuda": _gpus,
        "mps": _mps,
        "gpu": lambda: _gpus() or _mps(),
        "auto": lambda: _gpus() or _mps() or cores,
    }
    return counts[device]()


def _gpus() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _mps() -> int:
    return int(torch.backends.mps.is_available())


def _told_of_others() -> bool:
    """Whether a launcher or the user said where the other machines are; Kubeflow sets MASTER_ADDR."""
    from lightning.fabric.plugins import environments

    known: Any = environments  # the names lie there, but not in its __all__
    launchers = (known.LSFEnvironment, known.MPIEnvironment, known.SLURMEnvironment, known.TorchElasticEnvironment)
    return "MASTER_ADDR" in os.environ or any(launcher.detect() for launcher in launchers)
