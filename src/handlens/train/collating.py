"""Samples put together to a batch: pictures, masks, boxes and what could not be read; knows no set and no loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from handlens.errors import HandlensError
from handlens.preprocess import PAD
from handlens.train.augment.geometry import IGNORE

SKIPPED = "skipped"
"""The key under which a sample or batch says which pictures could not be read."""


def collate(samples: Sequence[dict[str, Any]] | HandlensError) -> dict[str, Any] | HandlensError:
    """One batch of the samples; an error stays one.

    Pictures of several sizes get grey, masks 255, at the right and bottom up to the largest. Boxes (k, 5) become rows
    (m, 6) that start with the picture's number in the batch.
    """
    if isinstance(samples, HandlensError):
        return samples
    batch: dict[str, Any] = {}
    for key in (key for key in samples[0] if key != SKIPPED):
        values = [sample[key] for sample in samples]
        if key == "boxes":
            rows = [torch.cat((torch.full((len(v), 1), float(i)), v), 1) for i, v in enumerate(values)]
            batch[key] = torch.cat(rows)
        elif key in ("image", "mask"):
            batch[key] = _stacked(values, PAD if key == "image" else IGNORE)
        else:
            batch[key] = torch.stack(values)
    skipped = [sentence for sample in samples for sentence in sample.get(SKIPPED, ())]
    return {**batch, SKIPPED: skipped} if skipped else batch


def _stacked(values: Sequence[Tensor], fill: int) -> Tensor:
    if len({value.shape for value in values}) == 1:
        return torch.stack(list(values))
    height, width = (max(value.shape[side] for value in values) for side in (-2, -1))
    out = values[0].new_full((len(values), *values[0].shape[:-2], height, width), fill)
    for place, value in zip(out, values, strict=True):
        place[..., : value.shape[-2], : value.shape[-1]] = value
    return out
