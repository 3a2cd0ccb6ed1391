"""Two gesture classifiers with an attention block, for silhouettes of hands; knows no data, losses or loops."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MultiHead(nn.Module):
    """Multi-head attention (arXiv 1706.03762) as Keras has it: with biases, and heads of any width.

    Attributes:
        query, key, value: (n, places, channels) -> (n, places, channels).
    """

    def __init__(self, channels: int, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(channels, heads * width) for _ in range(3))
        self.out = nn.Linear(heads * width, channels)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads = self._split(self.query(query)), self._split(self.key(key)), self._split(self.value(value))
        mixed = nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        answer: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return answer

    def begin(self) -> None:
        """Draw the weights as Keras does, which takes the heads for a part of the kernel's size."""
        width = self.out.in_features // self.heads
        inputs = self.query.in_features
        for layer in (self.query, self.key, self.value):
            _uniform(layer, inputs * self.heads, inputs * width)
        _uniform(self.out, self.heads * width, self.heads * self.out.out_features)

    def _split(self, x: Tensor) -> Tensor:
        """(n, places, heads * width) -> (n, heads, places, width)."""
        answer: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return answer


class Attention(nn.Module):
    """All places of a map look at all places: (n, c, h, w) -> the same; no position code, no feed-forward part."""

    def __init__(self, channels: int, heads: int, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(channels, channels) for _ in range(3))
        self.attend = MultiHead(channels, heads, width)
        self.norm = nn.LayerNorm(channels, eps=1e-3)  # Keras's epsilon

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).transpose(1, 2)
        if self.training and not x.is_cuda:
            mixed = self._mixed_at_once(tokens)
        else:
            mixed = self.attend(self.query(tokens), self.key(tokens), self.value(tokens))
        # A processor sums the gradients of a norm in the format of its input, where 16 bits lose most of them.
        answer: Tensor = self.norm((tokens + mixed).to(self.norm.weight.dtype)).transpose(1, 2).view_as(x)
        return answer

    def _mixed_at_once(self, tokens: Tensor) -> Tensor:
        """Return what `attend` answers, by fewer and larger products: a training step of digits6 takes half the time.

        Each head's chain of linear maps is multiplied first: scores are x M x' with M = Wq' Wk, and the value's map is
        part of the one behind. A key's bias adds the same to all scores of a place, so softmax takes it out.
        """
        attend, (count, places, channels) = self.attend, tokens.shape
        heads, width = attend.heads, attend.out.in_features // attend.heads
        with torch.autocast(tokens.device.type, enabled=False):
            (query, query_bias), (key, key_bias), (value, value_bias) = (
                _chained(first, second, heads)
                for first, second in (
                    (self.query, attend.query), (self.key, attend.key), (self.value, attend.value),
                )
            )  # fmt: skip
            towards = key.transpose(1, 2) / math.sqrt(width)
            out = attend.out.weight.unflatten(1, (heads, width)).transpose(0, 1)
            behind = (out @ value).transpose(0, 1).flatten(1)
            bias = attend.out.bias + (out @ value_bias).sum(0).squeeze(1) + 0.0 * key_bias.sum()
            asked = (towards @ query).flatten(0, 1), (towards @ query_bias).flatten()
        asking = nn.functional.linear(tokens, *asked).reshape(count, places * heads, channels)
        shares = torch.bmm(asking, tokens.to(asking.dtype).transpose(1, 2)).softmax(2)
        mixed = torch.bmm(shares.to(asking.dtype), tokens.to(asking.dtype))
        return nn.functional.linear(mixed.view(count, places, heads * channels), behind, bias)


def _chained(first: nn.Linear, second: nn.Linear, heads: int) -> tuple[Tensor, Tensor]:
    """Return kernel (heads, width, channels) and bias (heads, width, 1) of two linear maps, one after the other."""
    kernel = (second.weight @ first.weight).unflatten(0, (heads, -1))
    return kernel, (second.weight @ first.bias + second.bias).view(heads, -1, 1)


class GestureNet(nn.Module):
    """Silhouettes (n, 1, h, w) in [0, 1] -> logits (n, classes); with `angle` also a direction (n, 2): cosine, sine.

    Three 3x3 convolutions with ReLU, the first two followed by a pool; attention; the mean of all places; dense layers.
    The direction is not part of the published nets; it is a linear map of the mean.
    """

    def __init__(
        self, widths: tuple[int, int, int], heads: int, key: int, dense: tuple[int, ...], classes: int, angle: bool
    ) -> None:
        super().__init__()
        first, second, third = widths
        self.conv1 = nn.Sequential(nn.Conv2d(1, first, 3, 1, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.conv2 = nn.Sequential(nn.Conv2d(first, second, 3, 1, 1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        self.conv3 = nn.Sequential(nn.Conv2d(second, third, 3, 1, 1), nn.ReLU(inplace=True))
        self.attention = Attention(third, heads, key)
        steps: list[nn.Module] = []
        for cin, cout in zip((third, *dense[:-1]), dense, strict=True):
            steps += [nn.Linear(cin, cout), nn.ReLU(inplace=True), nn.Dropout(0.2)]
        self.dense = nn.Sequential(*steps)
        self.out = nn.Linear(dense[-1], classes)
        self.direction = nn.Linear(third, 2) if angle else None
        _begin_as_keras(self)

    def features(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) -> (n, widths[2]): what the dense layers see."""
        answer: Tensor = self.attention(self.conv3(self.conv2(self.conv1(x)))).mean((2, 3))
        return answer

    def classified(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return what the net says of such features (n, widths[2])."""
        logits: Tensor = self.out(self.dense(features))
        return logits if self.direction is None else (logits, self.direction(features))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self.classified(self.features(x))


def _begin_as_keras(net: nn.Module) -> None:
    """Draw all weights by Glorot's rule, biases zero, as the published nets began.

    With torch's own biases the empty places of a silhouette outweigh the hand after the layer norm, and the 32 units of
    `gestures20` die within an epoch: it then stays at chance.
    """
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    for part in net.modules():
        if isinstance(part, MultiHead):
            part.begin()


def _uniform(layer: nn.Linear, fan_in: int, fan_out: int) -> None:
    limit = math.sqrt(6 / (fan_in + fan_out))
    nn.init.uniform_(layer.weight, -limit, limit)


def digits6(classes: int = 6, angle: bool = False) -> GestureNet:
    """Return the net for the six finger numbers 0 to 5, input 64 x 64."""
    return GestureNet((32, 64, 128), heads=3, key=128, dense=(64, 32, 16), classes=classes, angle=angle)


def gestures20(classes: int = 20, angle: bool = False) -> GestureNet:
    """Return the net for twenty gestures, input 50 x 50."""
    return GestureNet((16, 32, 64), heads=4, key=64, dense=(32,), classes=classes, angle=angle)
