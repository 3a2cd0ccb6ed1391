"""Training batches made on the device of the net: all pictures lie in its memory, and are moved and coloured there.

The processor only draws numbers, so one core feeds a network. The changes of a picture are drawn as `handlens.train`
draws them. It knows the changes of the published recipes only, and refuses others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from handlens.data.dataset import LabelledSet
from handlens.errors import HandlensError
from handlens.preprocess import PAD
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import Matrix, draw_transform, shifted
from handlens.train.config import Settings
from handlens.train.experiment import Experiment
from handlens.train.inputs import network_input
from handlens.train.loader.mosaic import followed
from handlens.train.loader.pictures import Resized, ResizedPictures
from handlens.train.precision import Batch
from handlens.types import IGNORE, Floats

KNOWN = (
    "mosaic", "closing", "flip", "upside", "degrees", "translate", "scale", "shear", "hue", "saturation", "value",
    "fill",
)  # fmt: skip
"""The settings of `augment` that are done on the device."""
READERS = 4
"""Threads that read pictures at the start."""


@dataclass(frozen=True)
class Held:
    """The pictures of a set on a device.

    Attributes:
        images: (n, 3, h, w) uint8, as the net sees them.
        rows: for each picture (k, 5) float32: class, x1, y1, x2, y2 in pixels of the canvas.
        inner: for each picture x, y, width and height of it on the canvas.
        labels: (n,) int64, or none for detectors and masks.
        masks: (n, h, w) uint8, or none.
    """

    images: Tensor
    rows: Sequence[Floats]
    inner: Sequence[tuple[int, int, int, int]]
    labels: Tensor | None = None
    masks: Tensor | None = None


def hold(found: LabelledSet, experiment: Experiment, device: torch.device) -> Held:
    """Read all pictures of a set and lay them onto a device."""
    pictures = ResizedPictures(found, experiment.card)
    with ThreadPoolExecutor(READERS) as pool:
        shown = list(pool.map(pictures.at, range(len(found))))
    images = torch.from_numpy(np.stack([one.canvas.transpose(2, 0, 1) for one in shown])).to(device)
    inner = [(*one.corner, one.inner.shape[1], one.inner.shape[0]) for one in shown]
    label_kind = found.label_kind
    labels = masks = None
    if label_kind.one_label:
        labels = torch.tensor([int(one.labelled.labels[0]) for one in shown], device=device)
    if label_kind.has_masks:
        masks = torch.from_numpy(np.stack([_mask(one) for one in shown])).to(device)
    rows = [one.boxes for one in shown] if labels is None and masks is None else []
    return Held(images, rows, inner, labels, masks)


def _mask(shown: Resized) -> NDArray[np.uint8]:
    """Return the mask (h, w) of a picture that fills its canvas, nearest pixels."""
    mask, (height, width) = shown.mask, shown.canvas.shape[:2]
    assert mask is not None
    (left, top), inner = shown.corner, shown.inner.shape
    y = ((np.arange(inner[0]) + 0.5) / shown.geometry.scale_y).astype(int).clip(0, mask.shape[0] - 1)
    x = ((np.arange(inner[1]) + 0.5) / shown.geometry.scale_x).astype(int).clip(0, mask.shape[1] - 1)
    out = np.full((height, width), IGNORE, np.uint8)
    out[top : top + inner[0], left : left + inner[1]] = mask[np.ix_(y, x)]
    return out


class DeviceBatches:
    """The batches of one epoch.

    Args:
        held: The pictures.
        augment: The changes of this epoch.
        batch: Samples in each.
        seed, epoch: With the number of a picture they decide all that is drawn for it.
        channels: 1 for nets that see the mean of the three colours.
    """

    def __init__(self, held: Held, augment: AugmentConfig, batch: int, seed: int, epoch: int) -> None:
        self.held, self.augment, self.batch, self.seed, self.epoch = held, augment, batch, seed, epoch
        self.order = np.random.default_rng([seed, epoch, 0, 1]).permutation(len(held.images))

    def __len__(self) -> int:
        return max(1, len(self.order) // self.batch)

    def __iter__(self) -> Iterator[Batch]:
        for number in range(len(self)):
            chosen = self.order[number * self.batch : (number + 1) * self.batch].tolist()
            yield self._made(chosen)

    def _made(self, chosen: Sequence[int]) -> Batch:
        held, augment = self.held, self.augment
        rngs = [np.random.default_rng([self.seed, self.epoch, index]) for index in chosen]
        boxed = held.labels is None and held.masks is None
        if boxed:
            assert all(rng.random() < augment.mosaic or not augment.mosaic for rng in rngs)  # as the loader draws
        if augment.mosaic:
            return self._mosaics(rngs, chosen)
        where = torch.tensor(chosen, device=held.images.device)
        images, masks = held.images[where], None if held.masks is None else held.masks[where]
        size = (images.shape[2], images.shape[3])
        matrices = [
            _about_itself(rng, augment, held.inner[index], size) for rng, index in zip(rngs, chosen, strict=True)
        ]
        moved = any(not np.array_equal(matrix, np.eye(3)) for matrix in matrices)
        if moved:
            images = warp(images.float(), matrices, size, PAD if augment.fill == "grey" else 0)
        made: Batch = {"image": rounded(coloured(images, self._colours(rngs, boxed)))}
        if held.labels is not None:
            made["label"] = held.labels[where]
        elif masks is not None:
            made["mask"] = masks
            if moved:
                raise HandlensError("on a device the pictures of masks are not moved: train them with 'plain'.")
        else:
            rows = [
                followed(held.rows[k], held.rows[k], matrix, size) for k, matrix in zip(chosen, matrices, strict=True)
            ]
            made["boxes"] = _stacked(rows).to(images.device)
        return made

    def _mosaics(self, rngs: Sequence[Generator], chosen: Sequence[int]) -> Batch:
        """Four pictures in each sample, or with the chance that is left one: all through one warp of a large canvas."""
        height, width = self.held.images.shape[2:]
        canvas = torch.full((len(chosen), 3, 2 * height, 2 * width), PAD, device=self.held.images.device)
        matrices, rows = [], []
        for place, (rng, index) in enumerate(zip(rngs, chosen, strict=True)):
            whole, seen = self._four(rng, index, canvas[place])
            move = draw_transform(rng, self.augment, mirrors=False)
            matrices.append(move.matrix((width, height), (height, width), (width / 2, height / 2)))
            rows.append(followed(whole, seen, matrices[-1], (height, width)))
        images = warp(canvas.float(), matrices, (height, width), PAD)
        made: Batch = {"image": rounded(coloured(images, self._colours(rngs, True)))}
        return {**made, "boxes": _stacked(rows).to(images.device)}

    def _four(self, rng: Generator, index: int, canvas: Tensor) -> tuple[Floats, Floats]:
        """Paint four pictures around a point of a canvas (3, 2 h, 2 w); return their boxes, whole and as seen."""
        held, (high, wide) = self.held, (canvas.shape[1], canvas.shape[2])
        x, y = round(rng.uniform(0.25, 0.75) * wide), round(rng.uniform(0.25, 0.75) * high)
        numbers = [index, *rng.integers(len(held.images), size=3).tolist()]
        whole, seen = [], []
        for place, number in enumerate(rng.permutation(numbers).tolist()):
            x0, y0, w, h = held.inner[number]
            image, rows = held.images[number, :, y0 : y0 + h, x0 : x0 + w], held.rows[number].copy()
            rows[:, 1:] -= (x0, y0, x0, y0)
            if rng.random() < self.augment.flip:
                image, rows[:, [1, 3]] = image.flip(2), w - rows[:, [3, 1]]
            left, top = x - w * (place % 2 == 0), y - h * (place < 2)
            x1, y1, x2, y2 = max(0, left), max(0, top), min(wide, left + w), min(high, top + h)
            canvas[:, y1:y2, x1:x2] = image[:, y1 - top : y2 - top, x1 - left : x2 - left]
            rows[:, 1:] += (left, top, left, top)
            whole.append(rows)
            seen.append(rows.copy())
            seen[-1][:, 1:] = rows[:, 1:].clip([x1, y1, x1, y1], [x2, y2, x2, y2])
        return np.concatenate(whole), np.concatenate(seen)

    def _colours(self, rngs: Sequence[Generator], boxed: bool) -> NDArray[np.float32]:
        """(n, 3): by how much hue, saturation and value of each sample change."""
        if boxed:
            for rng in rngs:
                rng.random()  # the loader's draw for mixup
        most = np.array([self.augment.hue, self.augment.saturation, self.augment.value])
        if not most.any():
            return np.zeros((len(rngs), 3), np.float32)
        return np.array([[rng.uniform(-one, one) for one in most] for rng in rngs], np.float32)


def device_feed(experiment: Experiment, train: LabelledSet, settings: Settings) -> Callable[[int], Iterable[Batch]]:
    """Return what makes the batches of an epoch on the device of a run, as `train_run` asks for them.

    Raises:
        HandlensError: the augmentation asks for a change that is not known here.
    """
    strange = [
        field.name
        for field in dataclasses.fields(AugmentConfig)
        if field.name not in KNOWN and getattr(settings.augment, field.name) != field.default
    ]
    if strange or 0 < settings.augment.mosaic < 1:
        raise HandlensError(f"on a device 'augment.{(strange or ['mosaic'])[0]}' cannot be done as asked.")
    held = hold(train, experiment, device_of(settings))
    plan = settings.plan

    def epoch(number: int) -> Iterable[Batch]:
        return DeviceBatches(held, settings.augment.at(number, plan.epochs), plan.batch, plan.seed, number)

    return epoch


def device_of(settings: Settings) -> torch.device:
    """Return where the pictures of a run lie."""
    on_gpu = settings.plan.device.lower() in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


@torch.no_grad()
def accuracy_check(experiment: Experiment, val: LabelledSet) -> dict[str, float]:
    """Return accuracy and log loss of a classifier on a part, in large batches on its device; accuracy decides."""
    device = next(experiment.net.parameters()).device
    held = _KEPT.setdefault(str(val.root), {}).get(len(val)) or hold(val, experiment, device)
    _KEPT[str(val.root)][len(val)] = held
    assert held.labels is not None
    graph, odds, scale = experiment.graph().eval(), [], (experiment.card.mean, experiment.card.std)
    for images in held.images.split(256):
        answer = graph(network_input(images, *scale))
        odds.append(answer if isinstance(answer, Tensor) else answer[0])
    chances = torch.cat(odds).float()
    right = chances.argmax(1) == held.labels
    loss = -chances[torch.arange(len(right), device=device), held.labels].clamp(min=1e-12).log().mean()
    accuracy = float(right.float().mean())
    return {"score": accuracy, "accuracy": accuracy, "log loss": float(loss)}


_KEPT: dict[str, dict[int, Held]] = {}


def warp(images: Tensor, matrices: Sequence[Matrix], size: tuple[int, int], fill: float) -> Tensor:
    """Move pictures (n, 3, H, W) by matrices (3, 3) that speak of pixel edges, onto (height, width) `size`."""
    (high, wide), (height, width) = images.shape[2:], size
    to_pixels = np.diag([width / 2, height / 2, 1.0]) @ shifted(1, 1)  # -1 to 1 -> pixels of the output
    to_shares = shifted(-1, -1) @ np.diag([2 / wide, 2 / high, 1.0])
    inverse = np.stack([to_shares @ np.linalg.inv(matrix) @ to_pixels for matrix in matrices])[:, :2]
    theta = torch.from_numpy(inverse.astype(np.float32)).to(images.device)
    grid = torch.nn.functional.affine_grid(theta, [len(images), 3, height, width], align_corners=False)
    return torch.nn.functional.grid_sample(images - fill, grid, align_corners=False) + fill


def coloured(images: Tensor, changes: NDArray[np.float32]) -> Tensor:
    """Turn the hue of pictures (n, 3, h, w) in 0 to 255 and scale saturation and value; changes (n, 3) as shares."""
    if not changes.any():
        return images
    hue, saturation, value = torch.from_numpy(changes).to(images.device)[:, :, None, None].unbind(1)
    red, green, blue = images.float().unbind(1)
    high, low = images.float().amax(1), images.float().amin(1)
    spread = (high - low).clamp(min=1e-6)
    turn = torch.where(high == red, (green - blue) / spread % 6, (red - green) / spread + 4)
    turn = torch.where((high == green) & (high != red), (blue - red) / spread + 2, turn) / 6
    turn = torch.where(high > low, turn, torch.zeros_like(turn))
    turn = (turn + hue) % 1
    share = (((high - low) / high.clamp(min=1e-6)) * (1 + saturation)).clamp(0, 1)
    bright = (high * (1 + value)).clamp(0, 255)
    parts = [(turn * 6 + offset) % 6 for offset in (5.0, 3.0, 1.0)]
    return torch.stack([bright - bright * share * torch.minimum(k, 4 - k).clamp(0, 1) for k in parts], 1)


def rounded(images: Tensor) -> Tensor:
    """Return pictures as whole levels."""
    return images if images.dtype == torch.uint8 else images.round_().clamp_(0, 255).to(torch.uint8)


def _about_itself(
    rng: Generator, augment: AugmentConfig, inner: tuple[int, int, int, int], size: tuple[int, int]
) -> Matrix:
    """Draw how a picture moves about its own middle on a canvas of (height, width) `size`."""
    x, y, width, height = inner
    move, centre = draw_transform(rng, augment), (x + width / 2, y + height / 2)
    return np.eye(3) if move.still else move.matrix(centre, size, centre)


def _stacked(rows: Sequence[Floats]) -> Tensor:
    numbered = [np.concatenate((np.full((len(one), 1), number), one), 1) for number, one in enumerate(rows)]
    return torch.from_numpy(np.concatenate(numbered).astype(np.float32))
