"""Teachers of the face net: finished nets whose mean answer to the same look is learned beside the labels.

A mean of several nets answers better than each of them, and costs as many looks. A net that learns from the mean
(arXiv 1503.02531, 2106.05237: teacher and student see the same altered picture) keeps a part of that at the cost of
one. The first stages of the body are the same in all nets, as they do not learn: they are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from handlens.train.nets.facetouch import FaceMaps, FaceTouch
from handlens.train.nets.lite import LAST_OF_LEVEL, Lite0


def fill(net: nn.Module, path: Path) -> list[str]:
    """Load weights of any version in place; return the names of layers that it has not, which stay as they are.

    Raises:
        ValueError: it holds a layer that the net has not, or of another shape.
    """
    state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    missing, unknown = net.load_state_dict({k: v.float() for k, v in state.items()}, strict=False)
    if unknown:
        raise ValueError(f"{path} holds layers of another net: {', '.join(unknown[:3])}.")
    return [name for name in missing if not name.endswith("num_batches_tracked")]


class Continued(nn.Module):
    """A body that goes on from the features of another body's frozen stages, whatever picture it is given."""

    def __init__(self, body: Lite0) -> None:
        super().__init__()
        self.begin, self.stages = body.frozen, body.stages
        self.seen: Tensor | None = None

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return five levels; those before the last frozen stage are empty, as the face net does not read them."""
        assert self.seen is not None
        value = self.seen
        levels = [value[:0]] * (LAST_OF_LEVEL.index(self.begin - 1)) + [value]
        for number in range(self.begin, len(self.stages)):
            value = self.stages[number](value)
            if number in LAST_OF_LEVEL:
                levels.append(value)
        return levels


class Teachers:
    """Some nets with fixed weights that look at what a student looked at last.

    Args:
        files: their weights.
        shares: how much each counts; equal where there are none.
        student: the net that learns, whose frozen stages the teachers share.
    """

    def __init__(self, files: Sequence[Path], shares: Sequence[float] | None, student: FaceTouch) -> None:
        given = list(shares or [1.0] * len(files))
        if len(given) != len(files):
            raise ValueError(f"{len(files)} teachers want {len(files)} shares, not {len(given)}.")
        self.shares = [share / sum(given) for share in given]
        self.nets, self.bodies = list[FaceTouch](), list[Continued]()
        for file in files:
            net = FaceTouch(pretrained=False)
            fill(net, file)
            _check_same_start(net.body, student.body, file)
            body = Continued(net.body)
            net.body = body  # type: ignore[assignment]
            self.bodies.append(body)
            self.nets.append(net.eval().requires_grad_(False).to(memory_format=torch.channels_last))
        student.body.stages[student.body.frozen - 1].register_forward_hook(self._see)

    def _see(self, stage: nn.Module, given: object, value: Tensor) -> None:
        for body in self.bodies:
            body.seen = value.detach()

    @torch.no_grad()
    def answers(self, x: Tensor) -> FaceMaps:
        """Return the mean of the logits on what the student was asked last, which is x."""
        said = [net(x) for net in self.nets]
        mean = [
            sum(part * share for part, share in zip(parts, self.shares, strict=True))
            for parts in zip(*said, strict=True)
        ]
        return FaceMaps(*mean)


def _check_same_start(own: Lite0, student: Lite0, file: Path) -> None:
    for number in range(student.frozen):
        pairs = zip(own.stages[number].state_dict().values(), student.stages[number].state_dict().values(), strict=True)
        if not all(torch.allclose(a, b, rtol=2e-3, atol=2e-4) for a, b in pairs):
            raise ValueError(f"{file} has other first stages than the net that learns.")


def taught(batch: dict[str, Tensor], told: FaceMaps, trust: float) -> dict[str, Tensor]:
    """Return a batch whose labels are mixed with what teachers answered, and whose unknown labels are theirs.

    Args:
        batch: as `recipes.touch.train.losses` takes it; `heard` (n,) is 0 where the teachers are known to be wrong.
        told: logits of the teachers on the same pictures.
        trust: share of the teachers where a label is known, and weight of their answer where none is.
    """
    out = dict(batch)
    heard = batch["heard"][:, None]
    share = trust * heard
    touched = torch.sigmoid(told.touch)
    labels, weight = batch["touch"][:, :1], batch["touch"][:, 1:]
    out["touch"] = torch.cat((mixed(labels, weight, touched, share), torch.maximum(weight, share)), 1)
    labels, weight = batch["over"][:, :1], batch["over"][:, 1:]
    out["over"] = torch.cat((mixed(labels, weight, torch.sigmoid(told.over), share), torch.maximum(weight, share)), 1)
    labels, weight = batch["object"][:, :2], batch["object"][:, 2:]
    thing = mixed(labels, weight, torch.sigmoid(told.object), share)
    out["object"] = torch.cat((thing, torch.maximum(weight, 0.3 * heard)), 1)
    region = torch.sigmoid(told.region)
    out["region"] = mixed(batch["region"], batch["trust"], region, share)
    out["trust"] = torch.maximum(batch["trust"], share * touched.expand_as(region))
    known = batch["side_trust"]
    out["side"] = mixed(batch["side"], known[..., None], torch.sigmoid(told.side), share[..., None])
    out["side_trust"] = torch.maximum(known, 0.5 * share * touched * region)
    out["hand"], out["where"] = torch.sigmoid(told.hand[:, 0]), torch.softmax(told.regions, dim=1)
    return out


def mixed(label: Tensor, weight: Tensor, told: Tensor, trust: Tensor) -> Tensor:
    """Return the targets: `trust` of the teachers' where a label has a weight, and theirs alone where it has none."""
    return torch.where(weight > 0, label + trust * (told - label), told)
