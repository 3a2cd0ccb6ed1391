"""The loss of detectors that find boxes by their centres (CenterNet), and its targets; knows no data."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from handlens.train.nets.box_losses import truth_of

STRIDE = 8


class RawMaps(NamedTuple):
    """What the loss needs, all at stride 8.

    Attributes:
        heat: (n, classes, h, w) logits.
        size: (n, 2 * classes, h, w) log of width and height in cells, a pair a class.
        offset: (n, 2 * classes, h, w) centre inside the cell, in cells.
    """

    heat: Tensor
    size: Tensor
    offset: Tensor


def facehand_loss(maps: RawMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the focal heat loss of CenterNet, and L1 of size and offset at the centres (arXiv 1904.07850).

    Args:
        batch: Heat (n, c, h, w) Gaussian targets, heat_weight (n, c, h, w), box (n, c, 4, h, w): log size and offset at
            the centre cells, centre (n, c, h, w) weights there.
    """
    p = torch.sigmoid(maps.heat).clamp(1e-4, 1 - 1e-4)
    goal, weight = batch["heat"], batch["heat_weight"]
    positive = (goal > 0.999).float()
    gain = -torch.log(p) * (1 - p) ** 2 * positive
    pain = -torch.log(1 - p) * p**2 * (1 - goal) ** 4 * (1 - positive)
    count = positive.sum() + 1
    heat = ((gain + pain) * weight).sum() / count
    n, c, h, w = goal.shape
    size, offset = maps.size.view(n, c, 2, h, w), maps.offset.view(n, c, 2, h, w)
    near = batch["centre"].unsqueeze(2)
    amount = near.sum() + 1e-3
    l1 = ((size - batch["box"][:, :, :2]).abs() * near).sum() / amount
    shift = ((offset - batch["box"][:, :, 2:]).abs() * near).sum() / amount
    return {"loss": heat + 0.6 * l1 + 0.6 * shift, "heat": heat, "size": l1, "offset": shift}


def centre_targets(boxes: Tensor, pictures: int, classes: int, cells: tuple[int, int]) -> dict[str, Tensor]:
    """Return the targets of `facehand_loss` for boxes of which all are marked.

    Args:
        boxes: (m, 6) picture row, class, x1, y1, x2, y2 in network pixels.
        pictures: pictures in the batch. classes: channels of the heat map. cells: (h, w) of the maps.

    Returns:
        heat, heat_weight, box and centre; a cell near several centres belongs to the nearest box.
    """
    truth, (height, width) = truth_of(boxes, pictures, classes), cells
    shape, device = (pictures, classes, height, width), boxes.device
    heat, centre = torch.zeros(shape, device=device), torch.zeros(shape, device=device)
    box = torch.zeros((pictures, classes, 4, height, width), device=device)
    ys = torch.arange(height, device=device, dtype=torch.float32).view(-1, 1)
    xs = torch.arange(width, device=device, dtype=torch.float32).view(1, -1)
    last = torch.tensor([width - 1, height - 1], device=device, dtype=torch.float32)
    for picture, label, xyxy in zip(truth.picture.tolist(), truth.label.tolist(), truth.xyxy / STRIDE, strict=True):
        size, middle = (xyxy[2:] - xyxy[:2]).clamp(min=0.4), (xyxy[:2] + xyxy[2:]) / 2
        sigma = (size * 0.13).clamp(min=0.55)
        col, row = middle.floor().clamp(min=0).minimum(last)
        bell = torch.exp(-(((xs - col) / sigma[0]) ** 2 + ((ys - row) / sigma[1]) ** 2) / 2)
        near = (bell > heat[picture, label]) & (bell > 0.35)
        values = (size[0].log(), size[1].log(), middle[0] - xs, middle[1] - ys)
        for channel, value in enumerate(values):
            box[picture, label, channel] = torch.where(near, value, box[picture, label, channel])
        centre[picture, label] = torch.where(near, bell, centre[picture, label])
        heat[picture, label] = torch.maximum(heat[picture, label], bell)
    return {"heat": heat, "heat_weight": torch.ones_like(heat), "box": box, "centre": centre}
