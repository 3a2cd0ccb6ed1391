"""Folds batch norms into the convolutions before them, for counting and for speed; knows no network."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Net = TypeVar("Net", bound=nn.Module)


def fuse(net: Net) -> Net:
    """Return a copy in evaluation mode that answers the same without its foldable batch norms.

    A batch norm is foldable where it directly follows a convolution in an `nn.Sequential`.
    """
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential):
            for (first, conv), (second, norm) in pairwise(list(module.named_children())):
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    folded = fuse_conv_bn_eval(conv, norm)
                    if folded.bias is not None:  # folding always makes one
                        folded.bias.requires_grad_(conv.weight.requires_grad)
                    setattr(module, first, folded)
                    setattr(module, second, nn.Identity())
    return net


def count(net: nn.Module) -> int:
    """Return the number of parameters, trained and frozen."""
    return sum(parameter.numel() for parameter in net.parameters())
