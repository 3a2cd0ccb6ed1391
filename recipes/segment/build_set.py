"""Builds the set that `segment` learns from: `python -m recipes.segment.build_set ...`.

Hands cut out of photographs are laid over, before and beside real faces, and over rooms and streets, so that every
pixel is known, also what lies under a hand: masks say 0 background, 1 hand, 2 face, 3 hand over face, 255 not known.
With --arms 3 is bare forearm, wherever it lies, and 4 hand over face. It knows no network.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from rich.progress import track

from handlens.data.new_folder import new_folder
from handlens.kinds import detect
from handlens.predictor import open_part
from handlens.preprocess import prepare
from handlens.synth.backdrop import backdrop
from handlens.types import IGNORE
from recipes.segment.backgrounds import recoloured, texture
from recipes.segment.portraits import FACE, PERSONS, U8, Base, Floats, is_late, read_bases
from recipes.shared.composite import Scene, add_beard, add_hand, add_object
from recipes.shared.cutouts import Cutout, describe, taught_joints
from recipes.shared.face_regions import paint_regions
from recipes.shared.source_data import Pooled, read_pool, read_rgb, read_rows
from recipes.signs.build_colour_set import read_renders, toned
from recipes.touch.detector_data import camera

NAMES = ("background", "hand", "face", "hand over face")
PORTRAITS = ("sfa_skin", "lfw_hair", "fasseg", "facesynthetics")
STREETS = ("pratheepan_skin", "ccp_skin")
HAND, OVER = 1, 3
FOREARM, OVER_WITH_ARMS = 3, 4
SIDE = 320
LARGE = 280
WITH_ARMS = ("background", "hand", "face", "forearm", "hand over face")
SHARES = {"hands_white": 0.3, "hgr1": 0.1, "massey_black": 0.15, "sign_digits": 0.2, "asl_photos": 0.15,
          "epsrc_composites": 0.05, "render": 0.2}  # fmt: skip
"""How often a hand of each source is drawn."""
KINDS = ("touch", "front", "beside", "free")
CUT_AT_WRIST = ("massey_black", "sign_digits")
"""Sources whose cut-outs end near the wrist: what is painted beyond is forearm."""


@dataclass(frozen=True, eq=False)
class Stock:
    """What scenes are made of, with the odds of each hand."""

    bases: Sequence[Base]
    hands: Sequence[Cutout]
    odds: Floats


def stock_of(bases: Sequence[Base], hands: Sequence[Cutout]) -> Stock:
    """Bases and hands, every source of hands as often as `SHARES` says."""
    sources = [hand.source for hand in hands]
    odds = np.array([SHARES[source] / sources.count(source) for source in sources])
    return Stock(bases, hands, odds / odds.sum())


def drawn(rng: Generator, stock: Stock, rough: bool = False, arms: bool = False) -> tuple[U8, U8]:
    """One picture (320, 320, 3) and its mask (320, 320).

    Args:
        rough: more hands without faces, on hard grounds.
        arms: bare forearms are a class of their own.
    """
    kind = str(rng.choice(["faces", "hands", "plain"], p=[0.3, 0.5, 0.2] if rough else [0.58, 0.27, 0.15]))
    base = stock.bases[int(rng.integers(len(stock.bases)))]
    matrix = camera(rng, base.picture, SIDE) if kind != "hands" else _elsewhere(rng, base)
    image, marks = _window(rng, base, matrix)
    if kind == "hands" and rng.random() < 0.3:
        light = np.clip(backdrop(rng, (SIDE, SIDE)), 0, 1) ** (1 / 2.2) * 255
        image, marks = light.astype(np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    if rough and kind != "faces":
        image, marks = _roughened(rng, image, marks)
    points = _points(rng, base, matrix) if kind == "faces" else None
    parts = np.zeros((SIDE, SIDE), np.uint8) if points is None else paint_regions(points, (SIDE, SIDE))
    scene = Scene(image.astype(np.float32), parts, points, np.zeros((SIDE, SIDE), np.float32))
    if points is not None and rng.random() < 0.12:
        add_beard(rng, scene)
    if points is not None and rng.random() < 0.15:
        add_object(rng, scene)
    for _ in range(0 if kind == "plain" else int(rng.choice([1, 2, 3], p=[0.55, 0.35, 0.1]))):
        hand = stock.hands[int(rng.choice(len(stock.hands), p=stock.odds))]
        if rng.random() < 0.5:
            hand = replace(hand, rgb=toned(rng, hand.rgb))
        add_hand(rng, scene, hand, "free" if points is None else str(rng.choice(KINDS, p=[0.4, 0.25, 0.2, 0.15])))
    return np.clip(scene.image, 0, 255).astype(np.uint8), _mask(marks, scene, arms)


def _roughened(rng: Generator, image: U8, marks: U8) -> tuple[U8, U8]:
    """Return the ground as it is, in other colours, or a texture instead; faces in wrong colours are not known."""
    roll = rng.random()
    if roll < 0.35:
        return texture(rng, SIDE), np.zeros((SIDE, SIDE), np.uint8)
    if roll < 0.65:
        return recoloured(rng, image), np.where(marks == 0, 0, IGNORE).astype(np.uint8)
    return image, marks


def _mask(marks: U8, scene: Scene, arms: bool) -> U8:
    """Return what is seen of the marks, and the hands over them."""
    mask = np.where(scene.hidden > 0.5, 0, marks).astype(np.uint8)
    hand = scene.hand > 0.5
    mask[hand] = np.where(marks[hand] == FACE, OVER_WITH_ARMS if arms else OVER, HAND)
    if arms:
        mask[hand & (scene.arm > 0.5)] = FOREARM
    return mask


def _window(rng: Generator, base: Base, matrix: Floats) -> tuple[U8, U8]:
    fill = tuple(int(v) for v in rng.integers(0, 255, 3)) if rng.random() < 0.4 else (114, 114, 114)
    source, inner = base.picture.image, matrix
    while abs(np.linalg.det(inner[:, :2])) < 0.3 and min(source.shape[:2]) > 64:
        source = np.asarray(cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        inner = np.concatenate((inner[:, :2] * 2, inner[:, 2:]), 1).astype(np.float32)
    size = (SIDE, SIDE)
    image = cv2.warpAffine(source, inner, size, flags=cv2.INTER_LINEAR, borderValue=fill)
    marks = cv2.warpAffine(base.marks, matrix, size, flags=cv2.INTER_NEAREST, borderValue=(0,))
    return np.asarray(image, np.uint8), np.asarray(marks, np.uint8)


def _elsewhere(rng: Generator, base: Base) -> Floats:
    """Return a piece of the picture, anywhere and turned in any way: a ground for hands alone."""
    height, width = base.picture.image.shape[:2]
    scale = SIDE / min(height, width) * float(rng.uniform(1.0, 3.0))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-180, 180)), scale)
    focus = np.array([rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height, 1.0])
    matrix[:, 2] += SIDE / 2 - matrix @ focus
    return np.asarray(matrix, np.float32)


def _points(rng: Generator, base: Base, matrix: Floats) -> Floats | None:
    """One of the faces (468, 2), where it lies in the window; None where none does."""
    inside = []
    for mesh in base.picture.meshes:
        points = (mesh @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        if 0 < points[:, 0].mean() < SIDE and 0 < points[:, 1].mean() < SIDE:
            inside.append(points)
    return inside[int(rng.integers(len(inside)))] if inside else None


def read_hands(
    data: Path, pool: Path, renders: Sequence[Path], left_out: Sequence[str], arms: bool = False
) -> list[tuple[Cutout, bool]]:
    """Every usable hand that is cut out, and whether it is for validation. arms: only those whose wrist is known."""
    out: list[tuple[Cutout | None, bool]] = []
    taught = taught_joints(data) if arms else {}
    for row in read_rows(data / "segmentation" / "labels.csv"):
        if row["source"] in ("hands_white", "hgr1") and row["source"] not in left_out:
            rgb = read_rgb(data / "segmentation" / "images" / row["image"])
            mask = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
            late = is_late(f"{row['source']}/{row['group']}")
            solid = np.asarray((mask == HAND) * 255, np.uint8)
            joints = taught.get(f"segmentation/images/{row['image']}")
            if not arms or joints is not None:
                out.append((describe(rgb, solid, row["source"], longest=LARGE, joints=joints), late))
    for hand in [*read_pool(data, pool), *(one for path in renders for one in read_renders(path))]:
        unknown = arms and hand.source not in CUT_AT_WRIST
        if hand.source not in left_out and hand.rgb is not None and not unknown:
            arm = (0.0, 1.0) if hand.source == "massey_black" else None
            out.append((describe(hand.rgb, hand.mask, hand.source, arm), for_validation(hand)))
    return [(hand, late) for hand, late in out if hand is not None]


def for_validation(hand: Pooled) -> bool:
    """Whether a photographed hand belongs to the people that measure: the last of each source."""
    return hand.group == PERSONS[hand.source] if hand.source in PERSONS else hand.late


class Finder:
    """The shipped finder of hands: picture -> (n, 4) boxes of whatever may be one."""

    def __init__(self) -> None:
        self.runner = open_part("facehand")

    def __call__(self, image: U8) -> Floats:
        """Return the boxes (n, 4) of what may be a hand, in source pixels."""
        tensor, geometry = prepare(image, self.runner.card)
        found = detect.decode(self.runner.run(tensor), self.runner.card, geometry, 0.3)
        return np.asarray(found.xyxy[found.of("hand")], np.float32)


_STOCK: dict[str, Stock] = {}


def _write(task: tuple[str, str, int, bool, bool, Path]) -> None:
    split, part, number, rough, arms, folder = task
    cv2.setNumThreads(0)
    rng = np.random.default_rng([*part.encode(), number])
    image, mask = drawn(rng, _STOCK[split], rough, arms)
    name = f"{part}{number:05d}"
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 97))]
    cv2.imwrite(str(folder / "images" / split / f"{name}.jpg"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
    cv2.imwrite(str(folder / "masks" / split / f"{name}.png"), mask)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read what there is, draw scenes and write them as pictures and index masks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation/, touch/ and gestures/")
    parser.add_argument(
        "--pool", type=Path, required=True, help="cache of hands cut out of photographs, made when missing"
    )
    parser.add_argument("--render", type=Path, action="append", default=[], help="colour sets of recipes.signs.render")
    parser.add_argument("--count", type=int, default=14000)
    parser.add_argument("--leave-out", action="append", default=[], metavar="SOURCE", help="a source to measure on")
    parser.add_argument("--rough", action="store_true", help="more hands without faces, on hard grounds and streets")
    parser.add_argument("--arms", action="store_true", help="bare forearms as a class of their own")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    hands = read_hands(args.data, args.pool, args.render, args.leave_out, args.arms)
    sources = [s for s in (*PORTRAITS, *(STREETS if args.rough else ())) if s not in args.leave_out]
    bases = read_bases(args.data, sources, Finder())
    counts = {"train": args.count, "val": max(2, args.count // 50)}
    for split in counts:
        late = split == "val"
        _STOCK[split] = stock_of([b for b in bases if b.late == late], [h for h, last in hands if last == late])
    with new_folder(args.out) as folder:
        for split in counts:
            for kind in ("images", "masks"):
                (folder / kind / split).mkdir(parents=True)
        names = WITH_ARMS if args.arms else NAMES
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")
        prefix = "rough" if args.rough else ""
        numbers = [(split, number) for split, count in counts.items() for number in range(count)]
        tasks = [(split, prefix + split, number, args.rough, args.arms, folder) for split, number in numbers]
        with ProcessPoolExecutor(args.workers) as pool:
            list(track(pool.map(_write, tasks, chunksize=16), "drawing", len(tasks)))


if __name__ == "__main__":
    main()
