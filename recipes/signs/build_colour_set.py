"""Colour pictures of signing hands as one set: `python -m recipes.signs.build_colour_set --data DATA --out SET`.

Photographs as they are, and their hands cut out, changed in tone, turned, and laid on other grounds. A name means a
shape, whichever way it points: H is U, P is K and Q is G, turned. Where a letter and a finger number are one shape, the
number wins: a fist or an O is 0, D and Z are 1, V is 2, B is 4, W is 6, F is 9. It knows no network.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.card import ModelCard
from handlens.data.new_folder import new_folder
from handlens.preprocess import resize
from recipes.shared.source_data import HELD_BACK, Pooled, box_list, read_pool, read_rgb, read_rows
from recipes.signs.build_silhouette_set import FISTS

U8 = NDArray[np.uint8]
SIDE = 128
NAMES = (*map(str, range(10)), *"CGIKLRUXY")
SAME = {**dict.fromkeys(f"O{FISTS}", "0"), "D": "1", "Z": "1", "V": "2", "B": "4", "W": "6", "F": "9",
        "J": "I", "H": "U", "P": "K", "Q": "G"}  # fmt: skip
RENDERED = {**{str(n): str(n) for n in range(6)}, "six": "6", "seven": "7", "eight": "8", "nine": "9", "B": "4",
            **{name: name for name in "CILUY"}}  # fmt: skip
GROUNDS = ("lfw_hair", "ccp_skin", "fasseg", "sfa_skin", "pratheepan_skin")
WEIGHTS = {"sign_digits": 1.0, "asl_photos": 1.0, "massey_black": 1.5, "epsrc_composites": 0.8, "render": 0.7}
"""How often hands of a source are drawn for composites, for each hand."""


@dataclass(frozen=True, eq=False)
class Shown:
    """One picture of the set. image: (128, 128, 3)."""

    image: U8
    name: str
    group: str


def name_of(sign: str) -> str | None:
    """Return the name that a source's sign has in the set, or None where it has none."""
    name = SAME.get(sign, sign)
    return name if name in NAMES else None


def whole_pictures(data: Path, held: Sequence[str]) -> Iterator[tuple[str, Shown]]:
    """(split, picture) of every photograph as it is. held: sources that are for val; none: the last people of each."""
    rows = read_rows(data / "gestures" / "photos" / "labels.csv")
    order: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        order.setdefault((row["source"], row["label"]), []).append(row)
    for (source, sign), same in order.items():
        name = name_of(sign)
        for place, row in enumerate(same if name else ()):
            late = place >= (1 - HELD_BACK) * len(same) if source != "asl_photos" else row["group"] == "3"
            val = source in held if held else late and source != "massey_black"
            if not held and not val and source != "asl_photos" and place >= (0.97 - HELD_BACK) * len(same):
                continue  # neighbours of what measures
            image = read_rgb(data / "gestures" / "photos" / "images" / row["file"])
            group = f"{source}/{row['group']}" if row["group"] else f"{source}/{place // 10 if val else place}"
            yield "val" if val else "train", Shown(boxed(image), str(name), group)


def boxed(image: U8) -> U8:
    """Return the picture in a square of 128 pixels, in proportion."""
    card = ModelCard("set", "gesture", "classify", NAMES, (SIDE, SIDE), "letterbox")
    return resize(image, card)[0]


def composite(rng: Generator, hand: Pooled, ground: U8) -> U8:
    """Return a hand laid on a patch of another picture: (128, 128, 3).

    Mostly upright and at times turned any way, mirrored or not, of another tone, with soft edges and perhaps a shadow;
    the wrist often leaves the picture.
    """
    assert hand.rgb is not None
    rgb, alpha = toned(rng, hand.rgb), cv2.erode(hand.mask, np.ones((3, 3), np.uint8))
    if rng.random() < 0.5:
        rgb, alpha = rgb[:, ::-1], alpha[:, ::-1]
    ys, xs = np.nonzero(alpha)
    if not len(xs):
        return patch(rng, ground)
    centre = np.array([(xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2])
    scale = float(rng.uniform(0.5, 1.05)) * SIDE / max(np.ptp(xs) + 1, np.ptp(ys) + 1)
    turn = float(rng.normal(0, 16) if rng.random() < 0.55 else rng.uniform(-135, 135))
    matrix = np.asarray(cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), turn, scale), np.float64)
    matrix[:, 2] += SIDE / 2 - centre + rng.uniform(-0.08, 0.08, 2) * SIDE
    if rng.random() < 0.55:  # the wrist leaves the picture where it points to
        foot, down = matrix @ np.array([centre[0], ys.max(), 1.0]), matrix[:, 1] / scale
        side = int(np.abs(down).argmax())
        gap = SIDE - foot[side] if down[side] > 0 else foot[side]
        matrix[side, 2] += np.sign(down[side]) * max(0.0, float(gap))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    rgba = np.ascontiguousarray(np.dstack((rgb, alpha)))
    moved = cv2.warpAffine(rgba, matrix, (SIDE, SIDE), flags=how, borderMode=cv2.BORDER_CONSTANT)
    over = cv2.GaussianBlur(moved[..., 3], (0, 0), float(rng.uniform(0.4, 1.0))).astype(np.float32)[..., None] / 255
    below = patch(rng, ground).astype(np.float32)
    if rng.random() < 0.4:
        shade = cv2.GaussianBlur(np.roll(over[..., 0], rng.integers(-7, 8, 2).tolist(), (0, 1)), (0, 0), 4.0)
        below *= 1 - float(rng.uniform(0.1, 0.5)) * shade[..., None]
    return np.asarray(np.clip(below * (1 - over) + moved[..., :3] * over, 0, 255), np.uint8)


def toned(rng: Generator, rgb: U8) -> U8:
    """Return the hand of another person in another light: lighter or darker, redder or yellower."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    middle = float(lab[..., 0].mean())
    lab[..., 0] = (lab[..., 0] - middle) * rng.uniform(0.75, 1.25) + middle * rng.uniform(0.45, 1.25)
    lab[..., 1:] = (lab[..., 1:] - 128) * rng.uniform(0.6, 1.3) + 128 + rng.normal(0, 4, 2)
    return np.asarray(cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB), np.uint8)


def rows_without_hands(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows of `touch/` whose source marked no hand."""
    return [row for row in rows if not len(box_list(row["hand_boxes"]))]


def patch(rng: Generator, ground: U8) -> U8:
    """Return a square piece of a picture, (128, 128, 3)."""
    height, width = ground.shape[:2]
    side = int(rng.uniform(0.35, 1.0) * min(height, width))
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    piece = np.rot90(ground[y : y + side, x : x + side], int(rng.integers(4)) if rng.random() < 0.4 else 0)
    return np.asarray(cv2.resize(piece, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def read_renders(path: Path) -> list[Pooled]:
    """Return the rendered hands (`recipes.signs.render --kind colour`) that have a name here."""
    with np.load(path, allow_pickle=False) as pack:
        signs = [RENDERED.get(str(pack["names"][y])) for y in pack["y"]]
        hands = pack["rgba"]
        return [
            Pooled(rgba[..., :3], rgba[..., 3], sign, "render", str(place), late=False)
            for place, (rgba, sign) in enumerate(zip(hands, signs, strict=True))
            if sign is not None
        ]


def composites(rng: Generator, hands: Sequence[Pooled], grounds: Sequence[Path], count: int) -> Iterator[Shown]:
    """So many composites, every name alike often."""
    by_name: dict[str, list[Pooled]] = {}
    for hand in hands:
        name = name_of(hand.sign)
        if name is not None:
            by_name.setdefault(name, []).append(hand)
    odds = {name: np.array([WEIGHTS[hand.source] for hand in same]) for name, same in by_name.items()}
    for number in range(count):
        name = sorted(by_name)[number % len(by_name)]
        hand = by_name[name][int(rng.choice(len(odds[name]), p=odds[name] / odds[name].sum()))]
        ground = read_rgb(grounds[int(rng.integers(len(grounds)))])
        yield Shown(composite(rng, hand, ground), name, f"composite/{hand.source}/{hand.group}")


def write(pictures: Sequence[Shown], folder: Path) -> list[str]:
    """Write images.npy and labels.npy; return the groups in their order."""
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", np.stack([one.image for one in pictures]))
    np.save(folder / "labels.npy", np.array([NAMES.index(one.name) for one in pictures], np.int64))
    return [one.group for one in pictures]


def main(arguments: Sequence[str] | None = None) -> None:
    """Gather, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with gestures/ and segmentation/")
    parser.add_argument(
        "--pool", type=Path, required=True, help="cache of hands cut out of photographs, made when missing"
    )
    parser.add_argument("--render", type=Path, action="append", default=[], help="colour sets of recipes.signs.render")
    parser.add_argument("--composites", type=int, default=16000)
    parser.add_argument("--hold-out", action="append", default=[], metavar="SOURCE", help="a source for val alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    splits: dict[str, list[Shown]] = {"train": [], "val": []}
    for split, shown in whole_pictures(args.data, args.hold_out):
        splits[split].append(shown)
    hands = [hand for hand in read_pool(args.data, args.pool) if _trains(hand, args.hold_out)]
    hands += [hand for path in args.render for hand in read_renders(path)]
    rows = read_rows(args.data / "segmentation" / "labels.csv")
    grounds = [args.data / "segmentation" / "images" / row["image"] for row in rows if row["source"] in GROUNDS]
    rooms = [row for row in read_rows(args.data / "touch" / "labels.csv") if row["label"] == "no_touch"]
    grounds += [args.data / "touch" / "images" / row["file"] for row in rows_without_hands(rooms)]
    splits["train"] += composites(np.random.default_rng(args.seed), hands, grounds, args.composites)
    with new_folder(args.out) as folder:
        lines = ["file,group"]
        for split, pictures in splits.items():
            lines += [f"{split}/images.npy/{n},{group}" for n, group in enumerate(write(pictures, folder / split))]
        (folder / "groups.csv").write_text("\n".join(lines) + "\n", "utf-8")
        (folder / "names.txt").write_text("\n".join(NAMES) + "\n", "utf-8")
    print({split: len(pictures) for split, pictures in splits.items()})


def _trains(hand: Pooled, held: Sequence[str]) -> bool:
    if held:
        return hand.source not in held
    return hand.group != "3" if hand.source == "asl_photos" else not hand.late or hand.source == "massey_black"


if __name__ == "__main__":
    main()
