"""FaceHand: the small anchor-free detector of faces and hands; knows nothing of data or training loops.

One level at stride 8, a heat map a class, box size and centre offset (Objects as Points, arXiv 1904.07850).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handlens.train.nets.centre_loss import STRIDE, RawMaps, centre_targets, facehand_loss


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, ReLU: (n, cin, h, w) -> (n, cout, h/stride, w/stride)."""

    def __init__(self, cin: int, cout: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True)
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and the identity, after He et al. 2015 (arXiv 1512.03385)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(norm.weight)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class TopDown(nn.Module):
    """One step of a feature pyramid: lateral 1x1 + doubled coarser level, smoothed by 3x3 (arXiv 1612.03144)."""

    def __init__(self, lateral: int, channels: int) -> None:
        super().__init__()
        self.lateral = nn.Conv2d(lateral, channels, 1)
        self.smooth = ConvUnit(channels, channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        up = nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        answer: Tensor = self.smooth(self.lateral(fine) + up)
        return answer


def stage(cin: int, cout: int, blocks: int) -> nn.Sequential:
    """Halve the picture once, then `blocks` residual blocks."""
    return nn.Sequential(ConvUnit(cin, cout, 2), *(ResidualBlock(cout) for _ in range(blocks)))


class Body(nn.Module):
    """What finders and judges of hands share; abstract. Pictures (n, 3, h, w), sides multiples of 32, normalised."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(3, 16, 2), ConvUnit(16, 32, 2), ConvUnit(32, 32))
        self.level8 = stage(32, 64, 1)
        self.level16 = stage(64, 128, 2)
        self.level32 = stage(128, 96, 1)
        self.top = nn.Conv2d(96, width, 1)
        self.down16 = TopDown(128, width)
        self.down8 = TopDown(64, width)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps at stride 8 (width channels, all scales mixed), 16 (128) and 32 (96)."""
        fine = self.level8(self.stem(x))
        middle = self.level16(fine)
        coarse = self.level32(middle)
        return self.down8(fine, self.down16(middle, self.top(coarse))), middle, coarse


class FaceHand(Body):
    """Pictures (n, 3, h, w), h and w multiples of 32, normalised -> RawMaps."""

    stride = 32

    def __init__(self, classes: int = 2, width: int = 64) -> None:
        super().__init__(width)
        self.classes = classes
        self.head = ConvUnit(width, width)
        self.out = nn.Conv2d(width, 5 * classes, 1)
        if self.out.bias is not None:
            nn.init.constant_(self.out.bias, 0.0)
            nn.init.constant_(self.out.bias[:classes], -4.0)

    def forward(self, x: Tensor) -> RawMaps:
        out = self.out(self.head(self.maps(x)[0])).float()
        heat, size, offset = out.split((self.classes, 2 * self.classes, 2 * self.classes), dim=1)
        return RawMaps(heat, size, offset)

    def loss(self, raw: RawMaps, boxes: Tensor) -> dict[str, Tensor]:
        """Raw maps, true boxes (m, 6) of picture row, class, x1 y1 x2 y2 in pixels -> parts and their sum `loss`."""
        pictures, _, height, width = raw.heat.shape
        maps = RawMaps(*(part.float() for part in raw))
        return facehand_loss(maps, centre_targets(boxes, pictures, self.classes, (height, width)))

    def graph(self) -> FaceHandGraph:
        """Return the form to export."""
        return FaceHandGraph(self)


class FaceHandGraph(nn.Module):
    """The exported form: (n, 3, h, w) -> boxes (n, k, 4) in network pixels and scores (n, k, classes) in [0, 1].

    Peaks are kept where a cell is the maximum of its 3x3 neighbours; k = `keep` for each class, best first.
    """

    def __init__(self, net: nn.Module, keep: int = 48) -> None:
        super().__init__()
        self.net, self.keep = net, keep
        self.classes: int = net.classes  # type: ignore[assignment]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.net(x)
        heat = torch.sigmoid(raw.heat)
        peaks = heat * (heat >= nn.functional.max_pool2d(heat, 3, 1, 1)).float()
        height, width = heat.shape[2], heat.shape[3]
        column = torch.arange(width, dtype=torch.float32, device=x.device).view(1, 1, width).expand(1, height, width)
        row = torch.arange(height, dtype=torch.float32, device=x.device).view(1, height, 1).expand(1, height, width)
        boxes, scores = [], []
        keep = min(self.keep, height * width)
        for c in range(self.classes):
            size = torch.exp(raw.size[:, 2 * c : 2 * c + 2].clamp(-3.0, 5.0))
            centre = torch.cat((column, row)).unsqueeze(0) + raw.offset[:, 2 * c : 2 * c + 2]
            box = (torch.cat((centre - size / 2, centre + size / 2), dim=1) * STRIDE).flatten(2).transpose(1, 2)
            best, rows = torch.topk(peaks[:, c].flatten(1), keep, dim=1)
            chosen = torch.gather(box, 1, rows.unsqueeze(2).expand(-1, -1, 4))
            boxes.append(chosen * (best > 0).unsqueeze(2))  # cells that are not a peak tie at 0: any order, one box
            scores.append(nn.functional.pad(best.unsqueeze(2), (c, self.classes - 1 - c)))
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)
