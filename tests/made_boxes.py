"""Made pictures with known boxes, and a short training on them, for the tests of the detectors' losses."""

import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

BOXES = [(0, 0, 8, 12, 40, 60), (1, 1, 30, 22, 60, 84)]
"""Picture, class, x1, y1, x2, y2 in pictures of 96 x 96."""

COLOURS = ((0.9, 0.2, 0.1), (0.1, 0.5, 0.9))


def pictures() -> tuple[Tensor, Tensor]:
    """Two pictures (2, 3, 96, 96) in [0, 1] with a red and a blue rectangle on noise, and their boxes (2, 6)."""
    image = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 0.3
    for row, label, x1, y1, x2, y2 in BOXES:
        image[row, :, y1:y2, x1:x2] = torch.tensor(COLOURS[label]).view(3, 1, 1)
    return image, torch.tensor(BOXES, dtype=torch.float32)


def overfit(net: nn.Module, image: Tensor, boxes: Tensor, steps: int, rate: float) -> list[float]:
    """Train on this one batch; return the losses."""
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    told = []
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / 10) * min(1, (steps - step) / (0.3 * steps))
        loss = net.loss(net(image), boxes)["loss"]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        told.append(float(loss.detach()))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Statistics of the batch itself: running ones divide by one value less, and maps of few places add that up.
            module.track_running_stats, module.running_mean, module.running_var = False, None, None
    return told


@torch.no_grad()
def worst_overlap(net: nn.Module, image: Tensor, boxes: Tensor) -> float:
    """The least IoU of a true box with the best-scored box of its class in its picture."""
    found, scores = net.eval().graph()(image)
    best = [found[int(row[0])][scores[int(row[0]), :, int(row[1])].argmax()] for row in boxes]
    return float(box_iou(torch.stack(best), boxes[:, 2:]).diagonal().min())
