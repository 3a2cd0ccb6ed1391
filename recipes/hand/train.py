"""Trains the hand net on the tables of cache.py, in one process with one thread.

    python -m recipes.hand.train --cache CACHE --out RUN --minutes 70

Photographs with landmarks, labelled crops, hands laid on grounds and pieces without a hand share every batch; what a
source does not know counts nothing there. The rate falls with the work done. A run that was stopped goes on with
--resume. Left-out people and sources are only asked.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.train.inputs import network_input
from handlens.train.nets.handnet import HandMaps, HandNet
from handlens.types import IGNORE
from recipes.hand.cache import PHOTO_SPAN, SIGNS_LEFT_OUT, Cutout, Shown, opened
from recipes.hand.samples import (
    CUTOUTS,
    MIRRORED,
    PHOTOS,
    SPAN,
    Composer,
    Look,
    affine,
    by_label,
    by_source,
    crop,
    moved,
    nothing,
    odds_of,
    photo,
)
from recipes.shared import stored_run
from recipes.shared.own_pickle import read_own
from recipes.signs.build_colour_set import NAMES
from recipes.touch.teachers import fill
from recipes.touch.train import Average, Clock, auc, rate_at

MEAN, STD = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
"""Of the card."""
SIZE = 128
"""Side of the input as shipped."""
SHARES = {"photo": 0.3, "composite": 0.34, "hold": 0.31, "nothing": 0.05}
CELLS = 0.8
"""Width of the bell around a landmark that its map learns, in cells."""


CUT_OUT = ("cutouts", "grabbed", "rendered")
"""Tables of cut-out hands; the last two may come while the training runs."""


def _read(cache: Path, name: str) -> list[Any]:
    return list(read_own(cache / f"{name}.pickle"))


class Tables:
    """The tables of cache.py, and what the training draws from them."""

    def __init__(self, cache: Path, mirror: float = MIRRORED) -> None:
        self.cache, self.mirror = cache, mirror
        self.photos, self.holding, self.grounds = (_read(cache, name) for name in ("photos", "holding", "grounds"))
        self.cutouts: list[Cutout] = []
        self.there: set[str] = set()
        self.refresh()
        self.draw_photo = by_source([r for r in self.photos if r.split == "train"], PHOTOS)
        self.draw_crop = by_label([r for r in self.holding if r.split == "train"])
        free = [g for g in self.grounds if g.split == "train" and g.free]
        self.draw_free = odds_of(free, [1.0] * len(free))

    def refresh(self) -> None:
        """Take in the tables of cut-out hands that came since."""
        new = {name for name in CUT_OUT if (self.cache / f"{name}.pickle").exists()} - self.there
        if new:
            self.there |= new
            self.cutouts = [hand for name in CUT_OUT if name in self.there for hand in _read(self.cache, name)]
            self.composer = self.composer_of("train")

    def composer_of(self, split: str) -> Composer:
        """Return what makes composites of people, and portraits, of one split."""
        grounds = [g for g in self.grounds if g.split == split]
        faces = [g for g in grounds if g.face is not None]
        hands = by_source([c for c in self.cutouts if c.split == split], CUTOUTS)
        return Composer(hands, odds_of(grounds, [1.0] * len(grounds)), odds_of(faces, [1.0] * len(faces)), self.mirror)

    def looks(self, rng: Generator, count: int, size: int) -> list[Look]:
        """Return a batch."""
        kinds = rng.choice(list(SHARES), count, p=list(SHARES.values()))
        out = []
        for kind in kinds:
            if kind == "photo":
                out.append(photo(rng, self.draw_photo.next(rng), size, self.mirror))
            elif kind == "hold":
                out.append(crop(rng, self.draw_crop.next(rng), size))
            elif kind == "nothing":
                out.append(nothing(rng, self.draw_free, size))
            else:
                out.append(self.composer.look(rng, size))
        return out


def batch_of(looks: Sequence[Look]) -> dict[str, Tensor]:
    """Stack looks into tensors."""
    return {key: torch.from_numpy(np.stack([look[key] for look in looks])) for key in looks[0]}


def inputs(images: Tensor) -> Tensor:
    """(n, h, w, 3) uint8 -> (n, 3, h, w) with mean and std 0.5, channels last."""
    return network_input(images.permute(0, 3, 1, 2), MEAN, STD)


def losses(maps: HandMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the parts and their sum `loss`."""
    points, known = batch["points"], batch["known"]
    extent = (points.amax(1) - points.amin(1)).amax(1).clamp(min=0.2)
    away = (maps.points - points).abs().sum(2) / extent[:, None]
    place = (fn.smooth_l1_loss(away, torch.zeros_like(away), reduction="none", beta=0.05) * known).sum() / (
        known.sum() + 1
    )
    heat = (heat_loss(maps.heat, points) * known).sum() / (known.sum() + 1)
    balance = torch.tensor([0.7, 1.0, 1.3])
    parts = fn.cross_entropy(maps.parts, batch["parts"].long(), balance, ignore_index=IGNORE)
    present = weighted(maps.present[:, 0], batch["present"])
    right = weighted(maps.right[:, 0], batch["right"])
    told = (batch["fingers"] >= 0).float()
    fingers = fn.binary_cross_entropy_with_logits(maps.fingers, batch["fingers"].clamp(min=0), reduction="none")
    fingers = (fingers * told).sum() / (told.sum() + 1)
    sign = fn.cross_entropy(maps.sign, batch["sign"].long(), ignore_index=-1, label_smoothing=0.05)
    trust = batch["hold"][:, 1]
    hold = fn.cross_entropy(maps.hold, batch["hold"][:, 0].clamp(min=0).long(), reduction="none", label_smoothing=0.04)
    hold = (hold * trust).sum() / (trust.sum() + 1)
    has_kind = (batch["kind"] >= 0).any()
    kind = fn.cross_entropy(maps.kind, batch["kind"].long(), ignore_index=-1) if has_kind else maps.kind.sum() * 0
    loss = 5 * place + 0.4 * heat + 0.5 * parts + 0.3 * present + 0.8 * right + 0.4 * fingers + sign + 2 * hold
    loss = loss + 0.2 * kind
    return {"loss": loss, "place": place, "heat": heat, "parts": parts, "present": present, "right": right,
            "fingers": fingers, "sign": sign, "hold": hold, "kind": kind}  # fmt: skip


def heat_loss(heat: Tensor, points: Tensor) -> Tensor:
    """Cross entropy (n, 21) of each landmark's map against a bell around its place."""
    height, width = heat.shape[2:]
    ys = (torch.arange(height) + 0.5)[None, None] - points[..., 1:] * height
    xs = (torch.arange(width) + 0.5)[None, None] - points[..., :1] * width
    bell_y, bell_x = torch.exp(-ys.square() / (2 * CELLS**2)), torch.exp(-xs.square() / (2 * CELLS**2))
    bell_y, bell_x = bell_y / (bell_y.sum(2, keepdim=True) + 1e-6), bell_x / (bell_x.sum(2, keepdim=True) + 1e-6)
    said = fn.log_softmax(heat.flatten(2), dim=2).view_as(heat)
    return -torch.einsum("nkyx,nky,nkx->nk", said, bell_y, bell_x)


def weighted(logit: Tensor, goal: Tensor) -> Tensor:
    """Binary cross entropy of logits (n,) against (n, 2): value and how much it counts."""
    value = fn.binary_cross_entropy_with_logits(logit, goal[:, 0] * 0.96 + 0.02, reduction="none")
    return (value * goal[:, 1]).sum() / (goal[:, 1].sum() + 1)


def plain_crop(row: Shown, size: int) -> NDArray[np.uint8]:
    """Return the unchanged look at a labelled crop."""
    return np.asarray(cv2.resize(opened(row.image), (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def plain_photo(row: Shown, size: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the unchanged look at a photograph, and its landmarks as shares."""
    image = opened(row.image)
    assert row.points is not None
    middle = np.full(2, image.shape[0] / 2 - 0.5, np.float32)
    matrix = affine(
        middle, size * PHOTO_SPAN / (image.shape[0] * SPAN), 0.0, False, np.full(2, size / 2 - 0.5, np.float32)
    )
    shown = cv2.warpAffine(image, matrix, (size, size), borderValue=(114, 114, 114))
    return np.asarray(shown, np.uint8), np.asarray((moved(row.points, matrix) + 0.5) / size, np.float32)


@torch.no_grad()
def ask(net: nn.Module, images: Sequence[NDArray[np.uint8]], mirrored: bool = False) -> HandMaps:
    """Return the answers to pictures, stacked; heat and parts are left empty."""
    net.eval()
    out = []
    for start in range(0, len(images), 32):
        x = inputs(torch.from_numpy(np.stack(images[start : start + 32])))
        maps = net(x.flip(3).contiguous(memory_format=torch.channels_last) if mirrored else x)
        out.append(maps._replace(heat=maps.heat[:, :, :0, 0], parts=maps.parts[:, :, :0, 0]))
    return HandMaps(*(torch.cat(part) for part in zip(*out, strict=True)))


def errors_of_palm(said: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """Return (n, 21): the error of each landmark as a share of the palm's length.

    The palm is as long as from wrist to middle knuckle or 1.3 x from index to little knuckle, whichever is longer in
    the picture: a palm seen from its end would make every error infinite.
    """
    along = np.linalg.norm(true[:, 9] - true[:, 0], axis=1)
    across = 1.3 * np.linalg.norm(true[:, 17] - true[:, 5], axis=1)
    return np.asarray(np.linalg.norm(said - true, axis=2) / np.maximum(along, across)[:, None], np.float64)


def balanced(score: NDArray[Any], positive: NDArray[np.bool_], cut: float = 0.0) -> float:
    """Return the mean of both recalls."""
    return float(((score > cut)[positive].mean() + (score <= cut)[~positive].mean()) / 2)


def hold_rows(tables: Tables) -> dict[str, list[Shown]]:
    """Left-out sources and val parts of the labelled crops."""
    big = "umareddy123/Human_activity_recognition"
    rows = tables.holding
    return {
        "left_out": [r for r in rows if r.split == "left_out"],
        "val photos": [r for r in rows if r.split == "val" and r.source == "holding/photos"],
        "val activities": [r for r in rows if r.split == "val" and r.source == big],
        "val others": [r for r in rows if r.split == "val" and r.source not in ("holding/photos", big)],
    }


def summary(net: nn.Module, tables: Tables, size: int = SIZE, most: int = 400) -> dict[str, Any]:
    """Ask about the left-out sources and people."""
    out: dict[str, Any] = {}
    for name, rows in hold_rows(tables).items():
        images = [plain_crop(r, size) for r in rows]
        both = [(m.hold[:, 1] - m.hold[:, 0]).numpy() / 2 for m in (ask(net, images), ask(net, images, True))]
        logit = both[0] + both[1]
        positive = np.array([r.hold == 1 for r in rows])
        out[f"hold {name}"] = [len(rows), round(balanced(logit, positive), 3), round(auc(logit, positive), 3)]
    rng = np.random.default_rng(0)
    for name in (
        "sign_digits",
        "asl_photos",
        "massey_black",
        "epsrc_composites",
        SIGNS_LEFT_OUT,
        "hands_white",
        "touch",
    ):
        rows = [r for r in tables.photos if r.split != "train" and r.source.split(":")[0].startswith(name)]
        rows = [rows[i] for i in rng.permutation(len(rows))[:most]]
        looks = [plain_photo(r, size) for r in rows]
        said = ask(net, [look[0] for look in looks])
        error = errors_of_palm(said.points.numpy(), np.stack([look[1] for look in looks]))
        signs = np.array([r.sign for r in rows])
        sides = np.array([r.side for r in rows])
        side_right = ((said.right[:, 0].numpy() > 0) == (sides == 1))[sides >= 0].mean()
        true = np.array([r.fingers for r in rows])
        fingers = ((said.fingers.numpy() > 0) == (true == 1))[true >= 0].mean()
        line = {
            "n": len(rows), "error": round(float(error.mean()), 4), "median": round(float(np.median(error.mean(1))), 4),
            "side": round(float(side_right), 3), "fingers": round(float(fingers), 3),
        }  # fmt: skip
        if (signs >= 0).any():
            line["sign"] = round(float((said.sign.argmax(1).numpy() == signs)[signs >= 0].mean()), 3)
            numbers = np.array([int(NAMES[s]) if s >= 0 and NAMES[s] in "12345" else -1 for s in signs])
            count = (said.fingers.numpy() > 0).sum(1)
            line["count"] = round(float((count == numbers)[numbers > 0].mean()), 3)
        out[name] = line
    made = composites(tables, 200, size)
    said = ask(net, [look["image"] for look in made])
    error = errors_of_palm(said.points.numpy(), np.stack([look["points"] for look in made]))
    known = np.stack([look["known"] for look in made]) > 0
    out["at faces"] = {"n": len(made), "error": round(float(error[known].mean()), 4)}
    return out


def composites(tables: Tables, count: int, size: int = SIZE) -> list[Look]:
    """Hands of left-out people laid on left-out faces, always the same."""
    rng, composer = np.random.default_rng(7), tables.composer_of("val")
    return [composer.look(rng, size, at_face=1.0, plain=True) for _ in range(count)]


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=70, help="wall-clock time")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rates", type=float, nargs=2, default=(5e-4, 2e-3), help="of the body, of the head")
    parser.add_argument(
        "--sizes", type=int, nargs=2, default=(96, SIZE), help="side of the input, first and at the end"
    )
    parser.add_argument("--mirrored", type=float, default=MIRRORED, help="share of hands that are mirrored")
    parser.add_argument("--grow", type=float, default=0.4, help="progress at which the side grows")
    parser.add_argument("--keep", type=float, default=0.998, help="of the mean of the weights, at each step")
    parser.add_argument("--share", type=float, default=0.5, help="of a core that the machine will give at least")
    parser.add_argument("--every", type=int, default=500, help="steps after which all is stored")
    parser.add_argument("--ask", type=int, default=1000, help="steps after which the left-out sources are asked")
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from")
    parser.add_argument("--resume", action="store_true", help="go on where this run was stopped")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def groups_of(net: HandNet, rates: Sequence[float]) -> list[dict[str, Any]]:
    """Return the parameters of the body and those of the heads, each with its highest rate."""
    own = {id(p) for p in net.body.parameters()}
    return [
        {"params": [p for p in net.body.parameters() if p.requires_grad], "top": rates[0]},
        {"params": [p for p in net.parameters() if id(p) not in own], "top": rates[1]},
    ]


class Learning:
    """A net that learns: its optimiser, the mean of its weights, and how far its time has gone.

    Args:
        groups: of parameters, each with its highest rate as "top".
        keep: of the mean, at each step.
        each: steps after which the losses are printed.
    """

    def __init__(self, net: nn.Module, groups: list[dict[str, Any]], keep: float, clock: Clock, each: int = 50) -> None:
        self.net, self.clock, self.each = net.train(), clock, each
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
        self.mean, self.step, self.begin = Average(net, keep), 0, time.time()
        self.sums: dict[str, float] = {}

    def learn(self, maps: HandMaps, batch: dict[str, Tensor], progress: float) -> None:
        """Take one step by the answers to a batch; print the mean losses now and then."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * rate_at(progress)
        parts = losses(maps, batch)
        self.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.mean.update(self.net)
        self.step += 1
        for key, value in parts.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value.detach())
        if self.step % self.each == 0:
            said = {key: round(value / self.each, 3) for key, value in self.sums.items()}
            about = {"step": self.step, "p": round(progress, 3), "wall": round(time.time() - self.begin)}
            print(json.dumps(about | said), flush=True)
            self.sums = {}

    def store(self, path: Path, progress: float) -> None:
        """Write all that is needed to go on."""
        stored_run.store(path, self.net, self.mean, self.optimiser, self.step, progress=progress)

    def go_on(self, path: Path) -> None:
        """Go on from a stored state, where there is one; the highest rates stay those of now."""
        tops = [group["top"] for group in self.optimiser.param_groups]
        state = stored_run.go_on(path, self.net, self.mean, self.optimiser)
        if state is None:
            return
        for group, top in zip(self.optimiser.param_groups, tops, strict=True):
            group["top"] = top
        self.step, self.clock.done = int(state["step"]), float(state["progress"])


def main() -> None:
    """Train; every --every steps ask about what is left out, and store the averaged weights."""
    args = arguments()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    tables = Tables(args.cache, args.mirrored)
    net = HandNet(len(NAMES))
    if args.start:
        print(json.dumps({"new layers": fill(net, args.start)}), flush=True)
    net = net.to(memory_format=torch.channels_last)
    run = Learning(net, groups_of(net, args.rates), args.keep, Clock(60 * args.minutes, args.share))
    stored = args.out / "state.pt"
    if args.resume:
        run.go_on(stored)
    rng = np.random.default_rng((args.seed, run.step))
    while (progress := run.clock.progress()) < 1:
        batch = batch_of(tables.looks(rng, args.batch, args.sizes[progress > args.grow]))
        run.learn(net(inputs(batch["image"])), batch, progress)
        if run.step % run.each == 0:
            tables.refresh()
        if run.step % args.every == 0:
            run.store(stored, progress)
            torch.save(run.mean.net.state_dict(), args.out / "mean.pt")
        if run.step % args.ask == 0:
            report(run.mean.net, tables, args.out, run.step, args.sizes[1])
    report(run.mean.net, tables, args.out, run.step, args.sizes[1])


def report(net: nn.Module, tables: Tables, out: Path, step: int, size: int = SIZE) -> None:
    """Store the weights, ask and print."""
    torch.save(net.state_dict(), out / f"mean-{step:05d}.pt")
    torch.save(net.state_dict(), out / "mean.pt")
    print(json.dumps({"step": step, **summary(net, tables, size)}), flush=True)


if __name__ == "__main__":
    main()
