"""Pictures of a batch -> the input of a net in training, with the numbers that `preprocess` normalises with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from handlens.preprocess import normalisation


def network_input(images: Tensor, mean: Sequence[float], std: Sequence[float], channels: int = 3) -> Tensor:
    """Return pictures (n, 3, h, w) in 0-255 as a net wants them: (n, channels, h, w) float32, channels last.

    Args:
        images: RGB pictures of any number type.
        mean, std: of the net's card; it sees (pixel - mean) / std.
        channels: 1 for a net that takes the mean of the three.
    """
    scale, offset = (torch.from_numpy(v).to(images.device).view(1, 3, 1, 1) for v in normalisation(mean, std))
    x = images.float() * scale + offset
    x = x.mean(1, keepdim=True) if channels == 1 else x
    return x.contiguous(memory_format=torch.channels_last)
