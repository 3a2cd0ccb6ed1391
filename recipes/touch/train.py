"""Trains the face net on the crops and composites of cache.py, in one process with one thread.

    python -m recipes.touch.train --cache CACHE --out RUN --minutes 75

Real pictures and composites share every batch. The rate falls with the work done, measured by the time left, so a run
ends when it was told to, however busy the machine is. Sources that cache.py names LEFT_OUT are only asked, and so is
the val part.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.evaluate.binary import roc_auc
from handlens.train.augment.photometric import light_and_lens
from handlens.train.inputs import network_input
from handlens.train.nets.facetouch import FaceMaps, FaceTouch
from handlens.train.nets.lite import FoldedBlock
from handlens.types import IGNORE
from recipes.shared import stored_run
from recipes.shared.source_data import CROP_SIZE, CROP_SPAN
from recipes.touch.cache import MADE_SIZE, MADE_SPAN, RENDERED
from recipes.touch.teachers import Teachers, fill, taught

MEAN, STD = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
"""Of the card."""
SPAN = 2.0
MIX = {
    "touch": 0.38, "overlap_no_touch": 0.23, "no_touch": 0.22, "portrait": 0.04, "object_at_mouth": 0.065,
    "object_at_face": 0.035, "void": 0.03,
}  # fmt: skip
PHOTOS = {"touch": 0.5, "no_touch": 0.5}
"""Share of natural photographs among the draws of a label; else as they come."""
SMOOTH = 0.03
SIDES = ("contact.", "side.", "side_gain")
"""Layers that tell contacts and sides; nothing else reads them while `contact_gain` is 0."""
GREY = 0.1
"""Share of grey samples, beside the 13 % of `light_and_lens`: grey and infrared cameras lose a quarter of touches."""

FRAMED = 0.12
"""Share of looks that end near the face: of a left-out source of tight portraits every sixth was called touched."""


class Store:
    """A table with its pictures (size x size, showing `span` face boxes) and maps."""

    def __init__(self, cache: Path, name: str, size: int, span: float) -> None:
        self.table = dict(np.load(cache / f"{name}.npz"))
        count = len(self.table["place"])
        empty = {"side": np.zeros((count, 7, 2)), "side_trust": np.zeros((count, 7))}
        empty["contacts"] = np.full((count, 1, 2), np.nan)
        for column, value in empty.items():  # a cache of version 0.2
            self.table.setdefault(column, value.astype(np.float32))
        self.size, self.span, self.count = size, span, len(self.table["place"])
        self.images = np.memmap(cache / f"{name}.u8", np.uint8, "r", shape=(self.count, size, size, 3))
        half = (self.count, size // 2, size // 2, 4)
        self.planes = np.memmap(cache / f"{name}_planes.u8", np.uint8, "r", shape=half)

    def rows(self, split: str, label: str | None = None) -> NDArray[np.int64]:
        """Row numbers of a split, or of one label in it."""
        chosen = self.table["split"] == split
        return np.flatnonzero(chosen & (self.table["label"] == label) if label else chosen)


def composites(cache: Path) -> tuple[list[Store], list[Store]]:
    """Return the parts that are finished: composites of real pictures, and those with rendered people or hands."""
    found = [Store(cache, path.stem, MADE_SIZE, MADE_SPAN) for path in sorted(cache.glob("made-*.npz"))]
    rendered = [store for store in found if store.table["label"][0] == RENDERED]
    return [store for store in found if store.table["label"][0] != RENDERED], rendered


class Draws:
    """Which row comes next, by label, kind and the weight of its person."""

    def __init__(self, store: Store, splits: tuple[str, ...]) -> None:
        table = store.table
        allowed = np.isin(table["split"], splits)
        self.groups: dict[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for label in MIX:
            for kind in (0, 1, 2):
                photo = table["photo"] == bool(kind) if kind < 2 else True
                rows = np.flatnonzero(allowed & (table["label"] == label) & photo)
                if len(rows):
                    weight = table["weight"][rows].astype(np.float64)
                    if label == "touch":
                        weight *= rareness(table["region"][rows], weight)
                    self.groups[label, kind] = (rows, weight / weight.sum())
        self.labels = [label for label in MIX if (label, 2) in self.groups]
        odds = np.array([MIX[label] for label in self.labels])
        self.odds = odds / odds.sum()

    def next(self, rng: Generator) -> int:
        """Return a row number."""
        label = self.labels[int(rng.choice(len(self.labels), p=self.odds))]
        kind = int(rng.random() < PHOTOS[label]) if label in PHOTOS else 2
        rows, odds = self.groups[label, kind]
        return int(rng.choice(rows, p=odds))


def rareness(region: NDArray[np.float32], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors (n,) for touches of regions (n, 7): the root of how rare the rarest region of each is."""
    often = (region * weight[:, None]).sum(0) / weight.sum()
    factor = np.where(region > 0, 1 / np.sqrt(np.maximum(often, 0.03)), 0).max(1)
    return np.where(factor > 0, factor, 1.0)


def affine(rng: Generator, store: Store, size: int) -> NDArray[np.float64]:
    """Return a matrix from a stored crop to the net's, at random; less for composites, which had theirs."""
    made = store.span < CROP_SPAN
    angle = np.radians(rng.normal(0, 4.0 if made else 10.0))
    zoom = rng.uniform(0.93, 1.12) if made else rng.uniform(0.8, 1.22)
    scale = size * store.span / (store.size * SPAN * zoom)
    stretch = math.exp(rng.normal(0, 0.04))
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    m = np.array([[cos * stretch, -sin], [sin, cos / stretch]])
    if rng.random() < 0.5:
        m[:, 0] *= -1
    reach = 0.03 if made else 0.06
    to = size / 2 + rng.uniform(-reach, reach, 2) * size - 0.5
    return np.concatenate((m, (to - m @ np.full(2, (store.size - 1) / 2))[:, None]), 1)


def plain(store: Store, size: int) -> NDArray[np.float64]:
    """Return the matrix of the unchanged look."""
    scale = size * store.span / (store.size * SPAN)
    shift = (size - 1) / 2 - scale * (store.size - 1) / 2
    return np.array([[scale, 0, shift], [0, scale, shift]])


def map_matrix(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same move from maps at half the crop's size to maps at a quarter of the net's, pixel centres kept."""
    before = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
    after = np.array([[0.25, 0, -0.375], [0, 0.25, -0.375], [0, 0, 1]])
    return np.asarray((after @ np.vstack((matrix, [0, 0, 1])) @ before)[:2])


def sample(rng: Generator, store: Store, row: int, size: int) -> dict[str, NDArray[Any]]:
    """One look at one row."""
    matrix, table = affine(rng, store, size), store.table
    fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 255, 3))
    mode = cv2.BORDER_REFLECT_101 if rng.random() < 0.15 else cv2.BORDER_CONSTANT
    shrink = matrix[0, 0] ** 2 + matrix[0, 1] ** 2 < 0.45
    flags = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    moved = cv2.warpAffine(store.images[row], matrix, (size, size), flags=flags, borderMode=mode, borderValue=fill)
    if rng.random() < GREY:
        moved = cv2.cvtColor(cv2.cvtColor(moved, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    image = np.asarray(moved, np.uint8)
    cut = framed(rng, store, row, matrix, image) if rng.random() < FRAMED else None
    side = (size // 4, size // 4)
    planes = store.planes[row]
    move = map_matrix(matrix)
    parts = cv2.warpAffine(planes[..., 0], move, side, flags=cv2.INTER_NEAREST, borderValue=(0,))
    rest = cv2.warpAffine(np.ascontiguousarray(planes[..., 1:]), move, side, flags=cv2.INTER_LINEAR)
    if cut is not None:
        shown = np.zeros(side, np.uint8)
        shown[-(-cut[1] // 4) : cut[3] // 4, -(-cut[0] // 4) : cut[2] // 4] = 1
        rest = rest * shown[..., None]
    flipped = matrix[0, 0] * matrix[1, 1] < matrix[0, 1] * matrix[1, 0]
    return {
        "side": table["side"][row][:, ::-1] if flipped else table["side"][row], "side_trust": table["side_trust"][row],
        "contact": contact_map(table["contacts"][row] @ matrix[:, :2].T + matrix[:, 2], side[0]),
        "image": light_and_lens(rng, image), "parts": parts, "planes": rest,
        "touch": table["touch"][row], "over": table["over"][row], "object": table["object"][row],
        "region": table["region"][row], "trust": table["trust"][row],
        "made": np.array(store.span < CROP_SPAN, np.float32),
        "heard": np.array(table["label"][row] != RENDERED, np.float32),
    }  # fmt: skip


def contact_map(points: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """Return where hands touch, (side * side,) with sum 1, from points (n, 2) of a picture 4 times as large; or 0."""
    at = np.arange(side) - ((points[~np.isnan(points[:, 0])] - 1.5) / 4)[..., None]
    blobs = np.exp(-0.5 * (at / 1.2) ** 2)
    spread = np.einsum("nx,ny->yx", blobs[:, 0], blobs[:, 1]).ravel()
    total = float(spread.sum())
    return np.asarray(spread / total if total > 1 else np.zeros_like(spread), np.float32)


def framed(
    rng: Generator, store: Store, row: int, matrix: NDArray[np.float64], image: NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Hide in place all that lies far from the face, as in pictures that end at the face; return what is left."""
    box = store.table["box"][row]
    if not box.any():  # a composite: the face is in the middle
        middle, half = store.size / 2, store.size / store.span / 2
        box = np.array([middle - half, middle - half, middle + half, middle + half])
    corners = np.array([[x, y] for x in box[::2] for y in box[1::2]])
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = moved.min(0), moved.max(0)
    room = rng.uniform(0.0, 0.3, 4) * float((high - low).max())
    x1, y1 = np.maximum(0, (low - room[:2]).astype(int)).tolist()
    x2, y2 = np.minimum(image.shape[0], (high + room[2:]).astype(int)).tolist()
    kept = image[y1:y2, x1:x2].copy()
    image[:] = (114, 114, 114) if rng.random() < 0.7 else rng.integers(0, 255, 3).astype(np.uint8)
    image[y1:y2, x1:x2] = kept
    return x1, y1, x2, y2


def drawn(rng: Generator, store: Store, size: int) -> dict[str, NDArray[Any]]:
    """One look at any row."""
    return sample(rng, store, int(rng.integers(store.count)), size)


def batch_of(samples: list[dict[str, NDArray[Any]]]) -> dict[str, Tensor]:
    """Stack samples into tensors."""
    out = {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}
    for key in ("touch", "over", "object", "region", "trust", "side", "side_trust"):
        out[key] = out[key].float()
    return out


def inputs(images: Tensor) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) with mean and std 0.5, channels last."""
    return network_input(images.permute(0, 3, 1, 2), MEAN, STD)


def losses(maps: FaceMaps, batch: dict[str, Tensor], told: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return the parts and their sum `loss`.

    Args:
        told: targets that are mixed with what teachers answered, as `recipes.touch.teachers.taught` makes them.
    """
    goals = told or batch
    planes = batch["planes"].float() / 255
    hand, known, marked = planes[..., 0], planes[..., 1], (planes[..., 2] > 0.5).float()
    said = maps.hand[:, 0]
    if told:  # where nothing is known of hands, the teachers'
        hand, known = hand * known + told["hand"] * (1 - known), known.clamp(min=0.5)
    mask = (fn.binary_cross_entropy_with_logits(said, hand, reduction="none") * known).sum() / (known.sum() + 1)
    p, made = torch.sigmoid(said), batch["made"]
    inter, total = (p * hand).sum((1, 2)), p.sum((1, 2)) + hand.sum((1, 2))
    dice = ((1 - (2 * inter + 1) / (total + 1)) * made).sum() / (made.sum() + 1e-3)
    balance = torch.ones(maps.regions.shape[1])
    balance[0] = 0.3
    parts = fn.cross_entropy(maps.regions, batch["parts"].long(), balance, ignore_index=IGNORE)
    if told:
        where = fn.cross_entropy(maps.regions, told["where"], balance, reduction="none")
        parts = parts + 0.3 * (where * batch["heard"][:, None, None]).mean()
    goal = goals["touch"][:, :1] * (1 - 2 * SMOOTH) + SMOOTH
    touch = weighted(maps.touch, goal, goals["touch"][:, 1:])
    over = weighted(maps.over, goals["over"][:, :1], goals["over"][:, 1:])
    region = weighted(maps.region, goals["region"], goals["trust"])
    thing = weighted(maps.object, goals["object"][:, :2], goals["object"][:, 2:].expand(-1, 2))
    boxed = box_evidence(p, marked)
    side = weighted(maps.side, goals["side"], goals["side_trust"][..., None].expand(-1, -1, 2))
    contact = place_error(maps.contact, batch)
    loss = 1.5 * mask + 0.7 * dice + 0.7 * parts + 2 * touch + 0.4 * over + 0.7 * region + 0.3 * thing + 0.1 * boxed
    loss = loss + 0.3 * side + 0.12 * contact
    terms = {"mask": mask, "dice": dice, "parts": parts, "touch": touch, "region": region, "thing": thing}
    return {"loss": loss, **terms, "side": side, "contact": contact}


def place_error(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross entropy of the place of contact: the true points of composites, else the labelled parts of the face."""
    chance = fn.log_softmax(logits, dim=1)
    exact = batch["contact"].sum(1)
    parts = batch["parts"].flatten(1).long()
    named = fn.pad(batch["region"], (1, 0))
    inside = torch.gather(named, 1, parts.clamp(max=named.shape[1] - 1)) * (parts < named.shape[1])
    weak = (inside.sum(1) > 4).float() * (1 - batch["made"]) * batch["touch"][:, 0].round()
    far = -(chance * batch["contact"]).sum(1)
    missed = -torch.logsumexp(chance.masked_fill(inside < 0.5, -30.0), dim=1)
    return (far * exact + 2 * missed * weak).sum() / (exact.sum() + weak.sum() + 1e-3)


def weighted(logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Binary cross entropy, the mean by weight."""
    value = fn.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (value * weight).sum() / (weight.sum() + 1e-3)


def box_evidence(p: Tensor, marked: Tensor) -> Tensor:
    """Return a marked box holds a hand: the mean of its surest third should be high."""
    area = marked.sum((1, 2))
    has = (area > 10).float()
    best = (p * marked).flatten(1).sort(1, descending=True).values
    chosen = (torch.arange(best.shape[1])[None] < (0.33 * area)[:, None]).float()
    mean = (best * chosen).sum(1) / (chosen.sum(1) + 1e-3)
    return -(torch.log(mean.clamp(1e-3, 1)) * has).sum() / (has.sum() + 1e-3)


@torch.no_grad()
def asked(net: nn.Module, store: Store, rows: NDArray[np.int64], size: int, mirrored: bool = False) -> dict[str, Any]:
    """Touch logits (n,), region, object and side logits of the unchanged looks."""
    net.eval()
    matrix, out = plain(store, size), []
    for start in range(0, len(rows), 32):
        looks = [
            cv2.warpAffine(store.images[r], matrix, (size, size), borderValue=(114, 114, 114))
            for r in rows[start : start + 32]
        ]
        x = inputs(torch.from_numpy(np.stack(looks)))
        maps = net(x.flip(3).contiguous(memory_format=torch.channels_last) if mirrored else x)
        side = maps.side.flip(2) if mirrored else maps.side
        out.append((maps.touch[:, 0].numpy(), maps.region.numpy(), maps.object.numpy(), side.numpy()))
    touch, region, thing, side_of = (np.concatenate(part) for part in zip(*out, strict=True))
    return {"touch": touch, "region": region, "object": thing, "side": side_of}


def auc(score: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    if positive.all() or not positive.any():
        return float("nan")
    return float(roc_auc(score.astype(float), positive, np.ones((1, len(score))))[0])


def summary(
    said: dict[str, Any], table: dict[str, NDArray[Any]], rows: NDArray[np.int64], cut: float
) -> dict[str, float]:
    """Separation and rates at a cut of the logit, webcam people and photographs apart."""
    label, photo = table["label"][rows], table["photo"][rows].astype(bool)
    touch, hit, thing = label == "touch", said["touch"] > cut, np.char.startswith(label, "object")
    out: dict[str, float] = {}
    for name, group in (("web", ~photo & ~thing), ("photo", photo & ~thing)):
        true = float((hit & touch & group).sum())
        out[f"f1_{name}"] = 2 * true / max(1.0, float((hit & group).sum() + (touch & group).sum()))
        out[f"recall_{name}"] = true / max(1.0, float((touch & group).sum()))
        out[f"auc_{name}"] = auc(said["touch"][group], touch[group])
    for name in ("overlap_no_touch", "no_touch", "object_at_mouth", "object_at_face"):
        out[name] = float(hit[label == name].mean()) if (label == name).any() else float("nan")
    known = touch & (table["region"][rows].sum(1) > 0)
    best = said["region"].argmax(1)
    right = table["region"][rows, best] > 0
    for name, group in (("web", known & ~photo), ("photo", known & photo)):
        out[f"region_{name}"] = float(right[group].mean())
        truth, hits = table["region"][rows][group] > 0, said["region"][group].argmax(1)
        out[f"macro_{name}"] = macro(truth, hits)
    out["auc_object"] = auc(said["object"].max(1), thing)
    return {k: round(v, 3) for k, v in out.items()}


def macro(truth: NDArray[np.bool_], named: NDArray[np.int64]) -> float:
    """Mean over regions of how often the region named (n,) is a true one, of touches (n, 7) of that region."""
    right = truth[np.arange(len(named)), named]
    return float(np.mean([right[truth[:, r]].mean() for r in range(truth.shape[1]) if truth[:, r].any()]))


class Average:
    """Exponential mean of the weights, young at first."""

    def __init__(self, net: nn.Module, keep: float) -> None:
        self.net, self.keep, self.steps = copy.deepcopy(net).eval(), keep, 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take the net's present weights in."""
        self.steps += 1
        keep = min(self.keep, (1 + self.steps) / (10 + self.steps))
        for mean, now in zip(self.net.state_dict().values(), net.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)


def rate_at(p: float, warmup: float = 0.08) -> float:
    """Share of the highest rate at progress p: a short rise, then half a cosine down to 1 %."""
    return p / warmup if p < warmup else 0.01 + 0.99 * (1 + math.cos(math.pi * (p - warmup) / (1 - warmup))) / 2


class Clock:
    """How much of a run is done, in work rather than in time: a busy machine may give little now and more later.

    Work done counts against what the time left would bring at `share` of a core, or at the recent share where that is
    more. So the progress reaches 1 at the end of the time whatever the machine does.
    """

    def __init__(self, seconds: float, share: float = 0.22, done: float = 0.0) -> None:
        self.begin, self.seconds, self.share = time.time(), seconds, share
        self.last = (self.begin, time.process_time())
        self.done, self.recent = done, share

    def progress(self) -> float:
        """Progress so far, 0 to 1; call it once a step."""
        now, work = time.time(), time.process_time()
        wall, spent = max(1e-6, now - self.last[0]), work - self.last[1]
        self.last = (now, work)
        self.recent += min(1.0, wall / 300) * (spent / wall - self.recent)
        left = self.begin + self.seconds - now
        if left <= 0:
            return 1.0
        self.done += (1 - self.done) * min(1.0, spent / (max(self.share, self.recent) * left))
        return self.done


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=75, help="wall-clock time")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--made", type=float, default=0.4, help="share of composites")
    parser.add_argument("--rendered", type=float, default=0.08, help="share of rendered people and hands, if there are")
    parser.add_argument(
        "--sizes", type=int, nargs=2, default=(112, 144), help="side of the input, first and at the end"
    )
    parser.add_argument("--grow", type=float, default=0.7, help="progress at which the side grows")
    parser.add_argument("--rates", type=float, nargs=2, default=(4e-4, 2e-3), help="of the body, of the head")
    parser.add_argument("--every", type=int, default=500)
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from, .pt or .safetensors")
    parser.add_argument("--sides", action="store_true", help="learn contacts and sides only; all else stays as it is")
    parser.add_argument("--splits", nargs="+", default=["train"])
    parser.add_argument("--drop", type=float, default=0.0, help="share of samples that pass the last block unchanged")
    parser.add_argument("--teachers", type=Path, nargs="+", help="weights of nets whose mean answer is learned too")
    parser.add_argument("--shares", type=float, nargs="+", help="of the teachers, else equal")
    parser.add_argument("--trust", type=float, default=0.6, help="share of the teachers in a label")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


class Run:
    """A training that can be killed: net, averaged net, optimiser, random stream and progress, in OUT/last.pt."""

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(args.seed)
        self.args, self.rng = args, np.random.default_rng(args.seed)
        self.net: nn.Module = FaceTouch(pretrained=not args.start)
        if args.start:
            print(json.dumps({"new layers": fill(self.net, args.start)}), flush=True)
        blocks = [block for block in self.net.modules() if isinstance(block, FoldedBlock)]
        for number, block in enumerate(blocks, 1):  # the deeper, the more (arXiv 1603.09382)
            block.drop = args.drop * number / len(blocks)
        self.net = self.net.to(memory_format=torch.channels_last)
        if args.sides:
            with torch.no_grad():
                self.net.contact_gain.zero_()
            for name, parameter in self.net.named_parameters():
                parameter.requires_grad_(name.startswith(SIDES))
        body = [p for p in self.net.body.parameters() if p.requires_grad]
        own = {id(p) for p in self.net.body.parameters()}
        head = [p for p in self.net.parameters() if id(p) not in own and p.requires_grad]
        groups = [{"params": body, "top": args.rates[0]}, {"params": head, "top": args.rates[1]}]
        self.optimiser = torch.optim.AdamW([group for group in groups if group["params"]], weight_decay=0.05)
        self.mean, self.step, self.spent = Average(self.net, 0.998), 0, 0.0
        # After the copy of the mean, which no teacher has to see.
        self.teachers = Teachers(args.teachers, args.shares, self.net) if args.teachers else None
        done = self._resume()
        self.begin = time.time() - self.spent
        self.clock = Clock(60 * args.minutes - self.spent, done=done)

    def _resume(self) -> float:
        state = stored_run.go_on(self.args.out / "last.pt", self.net, self.mean, self.optimiser)
        if state is None:
            return 0.0
        self.rng.bit_generator.state = json.loads(state["random"])
        self.step, self.spent = state["step"], state["spent"]
        print(json.dumps({"resumed at step": self.step}), flush=True)
        return float(state["done"])

    def save(self) -> None:
        """Store all that the run needs to go on."""
        stored_run.store(
            self.args.out / "last.pt", self.net, self.mean, self.optimiser, self.step,
            random=json.dumps(self.rng.bit_generator.state), done=self.clock.done, spent=time.time() - self.begin,
        )  # fmt: skip

    def learn(self, batch: dict[str, Tensor], rate: float) -> dict[str, float]:
        """One step; return its losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * rate
        self.net.train(not self.args.sides)
        if self.args.sides:
            self.net.contact.train()  # type: ignore[union-attr]
        x = inputs(batch["image"])
        maps = self.net(x)
        told = taught(batch, self.teachers.answers(x), self.args.trust) if self.teachers else None
        parts = losses(maps, batch, told)
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.mean.update(self.net)
        self.step += 1
        return {key: float(value.detach()) for key, value in parts.items()}


def main() -> None:
    """Train; every --every steps ask the left-out sources and the val part, and store the averaged weights.

    Killed and called again it goes on from the last 200 steps.
    """
    args = arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    real, made = Store(args.cache, "crops", CROP_SIZE, CROP_SPAN), composites(args.cache)
    draws, run, sums = Draws(real, tuple(args.splits)), Run(args), dict[str, float]()
    while (progress := run.clock.progress()) < 1:
        size, rng = args.sizes[progress > args.grow], run.rng
        samples = []
        for parts, share in zip(made, (args.made, args.rendered), strict=True):
            count = round(args.batch * share) if parts else 0
            samples += [drawn(rng, parts[int(rng.integers(len(parts)))], size) for _ in range(count)]
        samples += [sample(rng, real, draws.next(rng), size) for _ in range(args.batch - len(samples))]
        for key, value in run.learn(batch_of(samples), rate_at(progress)).items():
            sums[key] = sums.get(key, 0.0) + value
        if run.step % 50 == 0:
            line = {k: round(v / 50, 3) for k, v in sums.items()}
            spending = {"wall": round(time.time() - run.begin), "cpu": round(time.process_time())}
            print(json.dumps({"step": run.step, "p": round(progress, 3), **spending, "size": size, **line}), flush=True)
            sums, made = {}, composites(args.cache)
        if run.step % 200 == 0:
            run.save()
        if run.step % args.every == 0:
            report(run.mean.net, real, args, run.step)
    report(run.mean.net, real, args, run.step)


def report(net: nn.Module, real: Store, args: argparse.Namespace, step: int) -> None:
    """Store the weights, ask and print."""
    torch.save(net.state_dict(), args.out / f"mean-{step:05d}.pt")
    torch.save(net.state_dict(), args.out / "mean.pt")
    for split in ("left_out", "val"):
        rows = real.rows(split)
        found = summary(asked(net, real, rows, args.sizes[1]), real.table, rows, 0.0)
        print(json.dumps({"step": step, "split": split, **found}), flush=True)


if __name__ == "__main__":
    main()
