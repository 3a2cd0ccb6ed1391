"""The checkpoints of a run and what stands in them; it must not know nets or how they are trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from handlens.errors import InputError

LAST, BEST = "last.ckpt", "best.ckpt"
ABOUT = "handlens"
"""The key of a checkpoint under which stands what is needed to build its net again."""
SEEN_BEFORE = "seen before"
"""In the note of a checkpoint: the pictures that its first weights had been trained on; "seen" has those of the run."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return the state of a run: "state_dict" has the averaged weights, "handlens" what the net is.

    Raises:
        InputError: no such file, damaged, or no checkpoint of ours.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        _ = found["state_dict"], found[ABOUT]["rows"]
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint '{path}'.") from error
    except Exception as error:  # torch raises almost anything on a damaged file
        raise InputError(
            f"'{path}' is damaged or no checkpoint of handlens: give another one, or train anew (--fresh)."
        ) from error
    return dict(found)
