"""What nets over the pre-trained body EfficientNet-Lite0 share: how it begins, and its ways to learn; knows no head."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from handlens.train.nets.lite import Lite0

FROZEN = 2
"""Stages, with the stem, that stay as ImageNet left them: edges and colours are the same everywhere."""


class OnLite0(nn.Module):
    """A net over the body Lite0; abstract.

    Args:
        pretrained: Begin with the ImageNet weights of the package; else at random, for `take_encoder` or a checkpoint.
        stages: How many of the body's seven stages are used.
    """

    stride = 32

    def __init__(self, pretrained: bool = False, stages: int = 7) -> None:
        super().__init__()
        self.body = Lite0(pretrained, FROZEN)
        self.body.stages = nn.ModuleList(list(self.body.stages)[:stages])

    def take_encoder(self, source: Path | None = None) -> None:
        """Put what ImageNet taught into the body. source: a file of such weights; None: those of the package.

        Raises:
            InputError: the package or the file is missing, or holds another graph.
        """
        whole = Lite0(True, FROZEN, source).state_dict()
        own = self.body.state_dict()
        self.body.load_state_dict({name: whole[name] for name in own})

    def free_encoder(self) -> None:
        """Let all of the body learn: frozen random weights would be a poor encoder."""
        self.body.requires_grad_(True)
