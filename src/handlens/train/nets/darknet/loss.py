"""YOLOv3's loss as its paper and the keys of a [yolo] section have it; knows raw maps and boxes, no layers.

After arXiv 1804.02767, with the meaning that Darknet gives to the keys:

- A true box belongs to the one anchor, of all that the section lists, whose width and height fit it best (IoU of both
  laid on one corner); a level whose mask lacks that anchor does not answer for it. `iou_thresh` below 1 adds the
  level's own anchors that fit better than that.
- Other places should say "no object", but those whose box overlaps some true box of any class by more than
  `ignore_thresh` are left alone; `truth_thresh` below 1 makes places above it answer for that box, too.
- Box as `iou_loss` says. `mse`: the step of x and y is `target - prediction`, which is the gradient of cross-entropy;
  width and height are squared errors of logarithms; small boxes weigh more, by 2 - w * h in shares of the picture. The
  IoU kinds take 1 - IoU (and so on) without that weight. `iou_normalizer` weighs it (0.75 where the cfg says nothing).
- Classes are independent logistic units; `label_smooth_eps` smooths, `cls_normalizer` and `obj_normalizer` weigh.
- Of two true boxes in one place the later one gives the box, and both their classes are right.
- Parts are sums over a picture's places, averaged over the batch. `max_delta` is left to the clipping of gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from handlens.errors import InputError
from handlens.train.nets.anchors import cells
from handlens.train.nets.box_losses import Truth, best_overlap, pair_loss, truth_of

if TYPE_CHECKING:
    from handlens.train.nets.darknet.yolo_layer import Yolo


class Assigned(NamedTuple):
    """Which places of a level answer for what. Places are rows of the flat map (n * anchors * h * w).

    Attributes:
        place: (p,) in rising order.
        row: (p,) the true box of each.
        classes: (p, classes) float32, 0 or 1.
    """

    place: Tensor
    row: Tensor
    classes: Tensor


def yolov3_loss(heads: Sequence[Yolo], raw: Sequence[Tensor], boxes: Tensor) -> dict[str, Tensor]:
    """Return the parts `box`, `objectness`, `class` and their sum `loss`, each a mean over pictures.

    Args:
        raw: one map (n, anchors, h, w, 5 + classes) a head.
        boxes: (m, 6) picture row, class, x1, y1, x2, y2 in network pixels.

    Raises:
        InputError: a box of a class that does not exist, or a cfg that asks for a loss unknown here.
    """
    foreign = [key for head in heads for key in head.rules.foreign]
    if foreign:
        raise InputError(f"the .cfg trains with '{foreign[0]}=', which is not known here: take the key out to train.")
    pictures = len(raw[0])
    truth = truth_of(boxes, pictures, heads[0].classes)
    levels = [_level(head, level.float(), truth) for head, level in zip(heads, raw, strict=True)]
    box, objectness, classes = (sum(parts) / pictures for parts in zip(*levels, strict=True))
    return {"loss": box + objectness + classes, "box": box, "objectness": objectness, "class": classes}


def assign(head: Yolo, shape: Sequence[int], truth: Truth, extra: Tensor | None = None) -> Assigned:
    """Return the places of a map (n, anchors, h, w, fields) that answer for true boxes.

    Args:
        extra: (n * anchors * h * w,) the true box that a place answers for if no other claims it, or -1.
    """
    n, count, height, width = shape[:4]
    fit = _shape_overlap(truth.sides, head.every)
    mask = torch.tensor(head.mask, device=fit.device)
    chosen = (fit.argmax(dim=1, keepdim=True) == mask) | (fit[:, mask] > head.rules.match)
    row, anchor = chosen.nonzero(as_tuple=True)
    limit = torch.tensor((width - 1, height - 1), device=fit.device)
    cell = torch.minimum((truth.centre[row] / head.stride).long().clamp(min=0), limit)
    claimed = ((truth.picture[row] * count + anchor) * height + cell[:, 1]) * width + cell[:, 0]
    owner = torch.full((n * count * height * width,), -1, device=fit.device)
    owner = owner.scatter_reduce(0, claimed, row, "amax")
    if extra is not None:
        owner = torch.where(owner < 0, extra, owner)
    place = (owner >= 0).nonzero().squeeze(1)
    classes = torch.zeros(len(place), head.classes, device=fit.device)
    classes[torch.arange(len(place), device=fit.device), truth.label[owner[place]]] = 1
    classes[torch.searchsorted(place, claimed), truth.label[row]] = 1
    return Assigned(place, owner[place], classes)


def _level(head: Yolo, level: Tensor, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sums of box, objectness and class loss over one map."""
    rules, flat = head.rules, level.flatten(0, 3)
    cell = cells(level).expand(*level.shape[:4], 2)
    anchors = head.anchors.view(1, -1, 1, 1, 2).expand_as(cell)
    with torch.no_grad():
        found = head.boxes(level, cell, anchors)
        overlap, nearest = (part.flatten() for part in best_overlap(found.flatten(1, 3), truth))
        assigned = assign(head, level.shape, truth, torch.where(overlap > rules.truth, nearest, -1))
    place, row, classes = assigned
    goal = torch.zeros_like(overlap)
    goal[place] = 1
    counted = ((overlap <= rules.ignore) | (goal > 0)).float()
    objectness = fn.binary_cross_entropy_with_logits(flat[:, 4], goal, counted, reduction="sum")
    own = flat[place]
    smooth = classes * (1 - rules.smoothing) + rules.smoothing / 2
    sure = fn.binary_cross_entropy_with_logits(own[:, 5:], smooth, reduction="sum")
    own_cell, own_anchor = cell.flatten(0, 3)[place], anchors.flatten(0, 3)[place]
    if rules.box == "mse":
        picture = level.shape[2] * level.shape[3] * head.stride**2
        box = _squares(head, own, own_cell, own_anchor, truth.centre[row], truth.sides[row], picture)
    else:
        box = pair_loss(rules.box, head.boxes(own, own_cell, own_anchor), truth.xyxy[row]).sum()
    return box * rules.box_gain, objectness * rules.object_gain, sure * rules.class_gain


def _squares(
    head: Yolo, fields: Tensor, cell: Tensor, anchor: Tensor, centre: Tensor, sides: Tensor, picture: int
) -> Tensor:
    """Darknet's own box loss. All are (p, 2) in pixels but the fields, (p, 5 + classes), and the cells."""
    inside = centre / head.stride - cell
    inside = ((inside + (head.spread - 1) / 2) / head.spread).clamp(0, 1)
    shift = fn.binary_cross_entropy_with_logits(fields[:, :2], inside, reduction="none") * head.spread
    growth = (fields[:, 2:4] - torch.log(sides / anchor)) ** 2 / 2
    weight = 2 - sides.prod(dim=1, keepdim=True) / picture
    return ((shift + growth) * weight).sum()


def _shape_overlap(sides: Tensor, anchors: Tensor) -> Tensor:
    """(m, k): IoU of boxes (m, 2) and anchors (k, 2) laid on one corner."""
    shared = torch.minimum(sides[:, None], anchors[None]).prod(dim=2)
    return shared / (sides.prod(dim=1)[:, None] + anchors.prod(dim=1)[None] - shared)
