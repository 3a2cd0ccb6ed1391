"""Trains the detector of faces and hands on what face_hand_cache.py made, in one process with one thread.

    python -m recipes.touch.face_hand_train --cache CACHE --out RUN --minutes 70

Called again it goes on where it was stopped. The rate falls with the work done, measured by the time left. Sources
that cache.py names LEFT_OUT are only asked; the val part is not touched.
"""

from __future__ import annotations

import argparse
import dataclasses
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

from handlens.card import ModelCard
from handlens.predictor import Predictor
from handlens.train.augment.photometric import light_and_lens
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.inputs import network_input
from handlens.train.nets.centre_loss import STRIDE, facehand_loss
from handlens.train.nets.lite_detector import LiteDetector
from recipes.shared import stored_run
from recipes.touch.face_hand_cache import NONE, Boxes, Known, moved, picture_of, read
from recipes.touch.face_hand_scores import asked, numbers, tallies
from recipes.touch.train import Average, Clock, rate_at

MEAN, STD = (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)
LONGEST = 288
"""Side of the input of the shipped detector, pixels."""
ODDS = {"marked": 0.21, "photo": 0.19, "other": 0.09, "portrait": 0.05, "whole": 0.1, "hand": 0.08, "made": 0.28}
"""Share of each group of pictures."""
ZOOM = {"whole": (0.7, 3.2), "hand": (0.35, 1.3)}
"""Range of the factor on the size that pictures of a group have in use; else 0.6 to 1.9."""
WHOLE = 0.35
"""Share of looks at the whole picture, as in use: a face may fill it."""
MOSAIC, GREY = 0.12, 0.08
DOUBT = 0.35
"""Where a hand may be unmarked, a place that the net itself calls a hand so surely is hardly held against it."""
SURE = 0.3


def detector_card(version: str = "0", size: int = LONGEST) -> ModelCard:
    """Return the card of the detector before it is shipped; it answers everything that is at all likely."""
    return ModelCard(
        name="facehand", task="touch", kind="detect", names=("face", "hand"), size=(size, size), resize="fit",
        mean=MEAN, std=STD, thresholds={"face": 0.02, "hand": 0.02}, version=version, options={"nms": 0.45},
    )  # fmt: skip


class Draws:
    """Which picture comes next: by group, then by the weight of its person."""

    def __init__(self, items: Sequence[Known]) -> None:
        self.groups: dict[str, tuple[list[Known], NDArray[np.float64]]] = {}
        for name in ODDS:
            mine = [item for item in items if item.group == name and item.split == "train"]
            if mine:
                _, person = np.unique([item.person for item in mine], return_inverse=True)
                weight = np.bincount(person)[person] ** -0.5
                self.groups[name] = (mine, weight / weight.sum())
        self.names = list(self.groups)
        odds = np.array([ODDS[name] for name in self.names])
        self.odds = odds / odds.sum()

    def next(self, rng: Generator) -> Known:
        """Return a picture."""
        items, odds = self.groups[self.names[int(rng.choice(len(self.names), p=self.odds))]]
        return items[int(rng.choice(len(items), p=odds))]


@dataclasses.dataclass(eq=False)
class View:
    """A window of a picture: image (s, s, 3); boxes and blind areas of faces and hands in it; which faces are covered;
    trust (2, s/8, s/8): how sure it is that a place without a box holds no face, and no hand."""

    image: NDArray[np.uint8]
    boxes: tuple[Boxes, Boxes]
    blind: tuple[Boxes, Boxes]
    covered: NDArray[np.bool_]
    trust: NDArray[np.float32]


def camera(rng: Generator, item: Known, shape: tuple[int, ...], size: int) -> NDArray[np.float64]:
    """Return a zoom, turn, shift and mirror around one of its boxes, or anywhere."""
    height, width = shape[:2]
    low, high = ZOOM.get(item.group, (0.6, 1.9))
    full = rng.random() < WHOLE
    scale = LONGEST / max(height, width) * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if full:
        scale = size / max(height, width) * float(rng.uniform(0.8, 1.12))
    angle = np.radians(rng.normal(0, 8) if rng.random() < 0.9 else rng.normal(0, 35))
    stretch = float(np.exp(rng.normal(0, 0.06)))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    m = np.array([[cos * stretch, -sin], [sin, cos / stretch]])
    if rng.random() < 0.5:
        m[:, 0] *= -1
    every = np.concatenate((item.faces, item.hands))
    if full:
        focus, to = np.array([width, height]) / 2, size * (0.5 + rng.normal(0, 0.04, 2))
    elif len(every) and rng.random() < 0.75:
        box = every[int(rng.integers(len(every)))]
        focus, to = (box[:2] + box[2:]) / 2, rng.uniform(0.15, 0.85, 2) * size
    else:
        focus, to = rng.uniform(0.2, 0.8, 2) * (width, height), np.full(2, size / 2)
    return np.concatenate((m, (to - m @ focus)[:, None]), 1)


def window(rng: Generator, item: Known, size: int) -> View:
    """Return a random look at a picture."""
    image = picture_of(item)
    matrix = camera(rng, item, image.shape, size)
    fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 255, 3))
    shrink = abs(np.linalg.det(matrix[:, :2])) < 0.6
    flags = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    if abs(np.linalg.det(matrix[:, :2])) < 0.3:
        image = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        inner = np.concatenate((matrix[:, :2] * 2, matrix[:, 2:]), 1)
    else:
        inner = matrix
    out = np.asarray(cv2.warpAffine(image, inner, (size, size), flags=flags, borderValue=fill), np.uint8)
    boxes, blind, covered = [], [], np.zeros(0, bool)
    for kind, (known, unknown) in enumerate(((item.faces, item.blind_faces), (item.hands, item.blind_hands))):
        whole = [moved(box[None], matrix, size) for box in known]
        rest = [moved(b[None], matrix, size, 0.03) for b, w in zip(known, whole, strict=True) if not len(w)]
        boxes.append(np.concatenate((NONE, *whole)))
        blind.append(np.concatenate((moved(unknown, matrix, size, 0.0), *rest)))
        if kind == 0:
            covered = np.array([c for c, w in zip(item.covered, whole, strict=True) if len(w)], bool)
    trust = np.ones((2, size // STRIDE, size // STRIDE), np.float32) * np.array(item.trust, np.float32)[:, None, None]
    return View(out, (boxes[0], boxes[1]), (blind[0], blind[1]), covered, trust)


def mosaic(rng: Generator, draws: Draws, size: int) -> View:
    """Four looks in one picture: small faces and hands."""
    half, shift = size // 2, size // 2 // STRIDE
    image, trust = np.zeros((size, size, 3), np.uint8), np.zeros((2, 2 * shift, 2 * shift), np.float32)
    boxes: list[list[Boxes]] = [[NONE], [NONE]]
    blind: list[list[Boxes]] = [[NONE], [NONE]]
    covered = []
    for row in (0, 1):
        for column in (0, 1):
            part = window(rng, draws.next(rng), half)
            y, x, move = row * half, column * half, np.tile([column * half, row * half], 2)
            image[y : y + half, x : x + half] = part.image
            trust[:, row * shift : (row + 1) * shift, column * shift : (column + 1) * shift] = part.trust
            for kind in (0, 1):
                boxes[kind].append((part.boxes[kind] + move).astype(np.float32))
                blind[kind].append((part.blind[kind] + move).astype(np.float32))
            covered.append(part.covered)
    first, second = (np.concatenate(b) for b in boxes), (np.concatenate(b) for b in blind)
    return View(image, tuple(first), tuple(second), np.concatenate(covered), trust)  # type: ignore[arg-type]


def targets(view: View) -> dict[str, NDArray[Any]]:
    """Heat maps with a Gaussian a box, their weights, and box targets near each centre (the nearest box wins)."""
    cells = view.image.shape[0] // STRIDE
    heat, weight = np.zeros((2, cells, cells), np.float32), view.trust.copy()
    box, centre = np.zeros((2, 4, cells, cells), np.float32), np.zeros((2, cells, cells), np.float32)
    ys, xs = np.mgrid[:cells, :cells].astype(np.float32)
    for c in (0, 1):
        for x1, y1, x2, y2 in view.blind[c] / STRIDE:
            weight[c, int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = 0
        for x1, y1, x2, y2 in view.boxes[c] / STRIDE:
            place = weight[c, int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))]
            np.maximum(place, 0.7, out=place)
        for k, b in enumerate(view.boxes[c] / STRIDE):
            size, middle = np.maximum(b[2:] - b[:2], 0.4), (b[:2] + b[2:]) / 2
            sigma = np.maximum(size * 0.13, 0.55)
            column, row = (int(v) for v in np.clip(np.floor(middle), 0, cells - 1))
            bell = np.exp(-(((xs - column) / sigma[0]) ** 2 + ((ys - row) / sigma[1]) ** 2) / 2).astype(np.float32)
            near = (bell > heat[c]) & (bell > 0.35)
            values = (np.log(size[0]), np.log(size[1]), middle[0] - xs, middle[1] - ys)
            for channel, value in enumerate(values):
                box[c, channel][near] = np.broadcast_to(value, near.shape)[near]
            centre[c][near] = bell[near]
            heat[c] = np.maximum(heat[c], bell)
            weight[c][bell > 0.1] = 2.0 if c == 0 and view.covered[k] else 1.0
    return {"heat": heat, "heat_weight": weight, "box": box, "centre": centre}


def sample(rng: Generator, draws: Draws, size: int) -> dict[str, NDArray[Any]]:
    """One training picture with its targets."""
    view = mosaic(rng, draws, size) if rng.random() < MOSAIC else window(rng, draws.next(rng), size)
    image = view.image
    if rng.random() < GREY:
        image = np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    return {"image": light_and_lens(rng, image), **targets(view)}


def losses(net: nn.Module, batch: dict[str, Tensor], doubt: bool) -> dict[str, Tensor]:
    """Return the parts and their sum `loss`."""
    raw = net(network_input(batch["image"].permute(0, 3, 1, 2), MEAN, STD))
    weight = batch["heat_weight"]
    if doubt:
        unsure = (torch.sigmoid(raw.heat.detach()) > DOUBT) & (batch["heat"] < 0.1) & (weight < 0.65)
        batch = {**batch, "heat_weight": torch.where(unsure, 0.2 * weight, weight)}
    return facehand_loss(raw, batch)


def measured(net: nn.Module, held: Sequence[Known], size: int = LONGEST) -> dict[str, float]:
    """Scores of the net on pictures, at full precision of scores."""
    predictor = Predictor(TorchRunner(net.eval().graph(), detector_card(size=size)))  # type: ignore[operator]
    return {k: round(v, 4) for k, v in numbers(tallies(asked(predictor, held), held, SURE)).items()}


def items_in(cache: Path) -> list[Known]:
    """Every picture and every finished composite."""
    made = [item for path in sorted(cache.glob("made-*.pickle")) for item in read(path)]
    return [*read(cache / "pictures.pickle"), *made]


class Run:
    """Net, averaged net and optimiser, with how far they came; stored and found again."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.path = args, args.out / "last.pt"
        self.net = LiteDetector(pretrained=True)
        if args.start:
            self.net.load_state_dict(torch.load(args.start, weights_only=True))
        self.net = self.net.to(memory_format=torch.channels_last)
        body = [p for p in self.net.body.parameters() if p.requires_grad]
        own = {id(p) for p in self.net.body.parameters()}
        head = [p for p in self.net.parameters() if id(p) not in own]
        self.optimiser = torch.optim.AdamW(
            [{"params": body, "top": args.rates[0]}, {"params": head, "top": args.rates[1]}], weight_decay=0.03
        )
        self.mean, self.step, self.spent, progress = Average(self.net, 0.998), 0, 0.0, 0.0
        kept = stored_run.go_on(self.path, self.net, self.mean, self.optimiser)
        if kept is not None:
            self.step, self.spent, progress = kept["step"], kept["spent"], kept["progress"]
        self.begin = time.time()
        self.clock = Clock(60 * args.minutes - self.spent)
        self.clock.done = progress

    def progress(self) -> float:
        """Return how much of the run is done, 0 to 1; call it once a step."""
        return self.step / self.args.steps if self.args.steps else self.clock.progress()

    def store(self) -> None:
        """Write the checkpoint; the one before stays until it is whole."""
        stored_run.store(
            self.path, self.net, self.mean, self.optimiser, self.step,
            progress=self.clock.done, spent=self.spent + time.time() - self.begin,
        )  # fmt: skip
        torch.save(self.mean.net.state_dict(), self.args.out / "mean.pt")


def main() -> None:
    """Train; every --every steps ask the left-out sources and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=70, help="wall-clock time")
    parser.add_argument("--steps", type=int, help="end after so many steps, and not by the clock")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sizes", type=int, nargs="+", default=(192, 224, 288), help="sides of a window, by chance")
    parser.add_argument("--rates", type=float, nargs=2, default=(4e-4, 2e-3), help="of the body, of the head")
    parser.add_argument("--every", type=int, default=400)
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    items = items_in(args.cache)
    held = [item for item in items if item.split == "left_out"]
    draws, run = Draws(items), Run(args)
    rng, sums, work = np.random.default_rng((args.seed, run.step)), dict[str, float](), time.process_time()
    while (progress := run.progress()) < 1:
        size = int(rng.choice(args.sizes))
        for group in run.optimiser.param_groups:
            group["lr"] = group["top"] * rate_at(progress)
        run.net.train()
        samples = [sample(rng, draws, size) for _ in range(args.batch)]
        batch = {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}
        parts = losses(run.net, batch, progress > 0.3)
        run.optimiser.zero_grad(set_to_none=True)
        parts["loss"].backward()
        nn.utils.clip_grad_norm_(run.net.parameters(), 5.0)
        run.optimiser.step()
        run.mean.update(run.net)
        run.step += 1
        for key, value in parts.items():
            sums[key] = sums.get(key, 0.0) + float(value.detach())
        if run.step % 50 == 0:
            line = {k: round(v / 50, 3) for k, v in sums.items()}
            spending = {"wall": round(run.spent + time.time() - run.begin), "cpu": round(time.process_time() - work)}
            print(json.dumps({"step": run.step, "p": round(progress, 3), **spending, "size": size, **line}), flush=True)
            sums = {}
            run.store()
        if run.step % args.every == 0:
            print(json.dumps({"step": run.step, "left_out": measured(run.mean.net, held)}), flush=True)
            draws = Draws(items_in(args.cache))
    run.store()
    print(json.dumps({"step": run.step, "left_out": measured(run.mean.net, held)}), flush=True)


if __name__ == "__main__":
    main()
