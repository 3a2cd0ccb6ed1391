"""Makes rendered people for the face net: their own hands, rendered hands on real faces, real hands on their faces.

    python -m recipes.touch.rendered --data DATA --cache CACHE [--first 97] [--parts 8]

The cache is that of recipes.touch.cache. Composites know where a hand lies in the picture; the renderer knows where
skin meets skin, in millimetres. Nets that never saw a rendered person are wrong on them, so that the training lets the
labels of these rows count alone. The person of the demo clip is none of them: no training sees that clip.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.synth.backdrop import backdrop
from handlens.synth.camera_stage import PIVOT, Stage, random_stage
from handlens.synth.hand_on_face import distance, regions_met, touched_rows
from handlens.synth.hand_plans import Plan, plan_hands
from handlens.synth.head_model import random_person
from handlens.synth.points import Camera
from handlens.synth.scene import compose
from handlens.synth.shading import random_light
from handlens.tasks.touch import REGIONS
from handlens.train.augment.photometric import random_affine
from handlens.types import Floats
from recipes.shared.composite import FIST_GOALS, GOALS, Scene, add_hand
from recipes.shared.cutouts import Cutout, read_cutouts, rendered_cutouts
from recipes.shared.face_regions import BOTTOM, EARS, NOSE_TIP, OVAL, TOP
from recipes.shared.own_pickle import read_own, write_own
from recipes.touch.cache import CONTACTS, MADE_SIZE, MADE_SPAN, RENDERED, Composer, Row, made_row, write_table

SEED = 7713
PART = 240
"""Pictures in one file: the training may begin before all are made."""
KINDS = {"touch": 0.5, "two": 0.08, "near": 0.16, "front": 0.18, "beside": 0.08}
EACH, ON_REAL, ON_RENDERED = 4, 2, 2
"""Of one person: with own hands; of a real face with rendered hands; of the person's face with real hands."""
FACE_HEIGHT = 160.0
"""Of a face box as the detector gives it, mm."""
FACE_MIDDLE = -35.0
"""Height of the middle of a face box, mm."""
DOUBT = 20.0
"""A hand that is nearer than this, mm, and does not touch can hardly be told from one that does: it counts by half."""


@dataclass(eq=False)
class Sample:
    """A picture (176, 176, 3), maps (88, 88, 4) as cache.py has them, and its row."""

    image: NDArray[np.uint8]
    planes: NDArray[np.uint8]
    row: Row


def close_stage(rng: Generator) -> Stage:
    """Return anybody, with the face in the middle of a picture as the net is given it."""
    size = (MADE_SIZE, MADE_SIZE)
    stage = random_stage(rng, size, random_person(rng))
    return seen_anew(rng, stage)


def seen_anew(rng: Generator, stage: Stage) -> Stage:
    """Return the same person and expression before another ground, in other light, a little nearer or farther."""
    scale = MADE_SIZE / MADE_SPAN / FACE_HEIGHT * float(np.exp(rng.uniform(np.log(0.85), np.log(1.2))))
    middle = MADE_SIZE * (0.5 + rng.uniform(-0.04, 0.04, 2))
    head = stage.head @ (np.array([0, FACE_MIDDLE, 60], np.float32) - PIVOT) + PIVOT + stage.lean
    shown = Camera(scale, float(rng.uniform(600, 1800)), (0.0, 0.0))
    offset = shown.project(head[None].astype(np.float32))[0]
    camera = replace(shown, centre=(float(middle[0] - offset[0]), float(middle[1] - offset[1])))
    return replace(stage, camera=camera, light=random_light(rng), ground=backdrop(rng, stage.size))


def maps_of(parts: NDArray[np.uint8], hand: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return maps (88, 88, 4): face part, hand 0..255, known everywhere, nothing marked."""
    full = np.full_like(hand, 255)
    return np.ascontiguousarray(np.stack((parts, hand, full, np.zeros_like(hand)), 2)[1::2, 1::2])


def own_hands(rng: Generator, stage: Stage, kind: str, person: str) -> Sample | None:
    """Return a person with hands; None where a touching hand is not to be seen."""
    plan = plan_hands(rng, stage, stage.skin, kind)
    image, _, regions, mask = compose(stage, [(hand, plan.appearance) for hand in plan.hands], rng)
    if plan.touch and mask.mean() < 0.004:
        return None
    row = rendered_row(stage, plan, regions, mask, person)
    return Sample(image, maps_of(regions, (mask * 255).astype(np.uint8)), row)


def rendered_row(stage: Stage, plan: Plan, regions: NDArray[np.uint8], mask: NDArray[np.uint8], person: str) -> Row:
    """Return what the renderer knows of a picture: which skin lies within 2 mm of a hand."""
    row = Row(0, RENDERED, "train", RENDERED, person, plan.kind, 1.0, False)
    row.object = (0.0, 0.0, 0.5)
    covered = float((mask[regions > 0] > 0).mean()) if (regions > 0).any() else 0.0
    row.over = (float(plan.touch or covered > 0.04), 1.0 if plan.touch or not 0.005 < covered < 0.04 else 0.0)
    skin = stage.skin
    if not plan.touch:
        gap = min((distance(hand.points, skin) for hand in plan.hands), default=np.inf)
        row.touch = (0.0, 0.5 if gap < DOUBT else 1.0)
        return row
    row.touch = (1.0, 1.0)
    met = np.unique(np.concatenate([touched_rows(hand.points, skin) for hand in plan.hands]))
    touched = {*plan.regions, *regions_met(skin, met)}
    across = (skin.points[met] - PIVOT - stage.lean) @ stage.head[:, 0]
    for i in range(len(REGIONS)):
        area, own = regions == i + 1, skin.region[met] == i + 1
        share = float((mask[area] > 0).mean()) if area.any() else 0.0
        row.region[i] = float(i + 1 in touched)
        row.trust[i] = float(row.region[i] or share < 0.08)
        if row.region[i] and own.sum() > 2:
            half = np.array([(across[own] < -4).mean(), (across[own] > 4).mean()])
            row.side[i] = half >= 0.3
            row.side_trust[i] = float(half.max() >= 0.3 and not ((half > 0.1) & (half < 0.3)).any())
    row.contacts = contacts_of(stage.camera.project(skin.points[met[skin.region[met] > 0]]))
    return row


def contacts_of(points: Floats) -> NDArray[np.float32]:
    """Return up to eight of the points (n, 2), far from one another; NaN where there are fewer."""
    out = np.full((CONTACTS, 2), np.nan, np.float32)
    inside = points[((points > 0) & (points < MADE_SIZE)).all(1)]
    if not len(inside):
        return out
    out[0] = inside[np.argmin(((inside - inside.mean(0)) ** 2).sum(1))]
    far = np.hypot(*(inside - out[0]).T)
    for k in range(1, CONTACTS):
        if far.max() < 6:  # pixels: a finger's width
            break
        out[k] = inside[int(far.argmax())]
        far = np.minimum(far, np.hypot(*(inside - out[k]).T))
    return out


def outline_of(stage: Stage) -> Floats:
    """Return a stand-in (468, 2) for the mesh of a rendered face: what composites ask of it is in its place."""
    marks = {TOP: (0, 70, 55), BOTTOM: (0, -112, 55), EARS[0]: (-74, -20, 0), EARS[1]: (74, -20, 0),
             NOSE_TIP: (0, -38, 95)}  # fmt: skip
    places = np.tile(np.array([0, FACE_MIDDLE, 60], np.float32), (468, 1))
    angle = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False)
    places[list(OVAL)] = np.stack((66 * np.sin(angle), -21 + 91 * np.cos(angle), np.full(len(OVAL), 40)), 1)
    for number, at in marks.items():
        places[number] = at
    return stage.camera.project(((places - PIVOT) @ stage.head.T + PIVOT + stage.lean).astype(np.float32))


def real_hands(rng: Generator, stage: Stage, composer: Composer, person: str) -> Sample:
    """Return a rendered face with cut-out hands of real people, or with none."""
    image, _, regions, _ = compose(stage, [], rng)
    matrix, _ = random_affine(rng, MADE_SIZE, MADE_SIZE, 1.0, 6.0, (0.95, 1.05), 0.02)
    side = (MADE_SIZE, MADE_SIZE)
    moved = cv2.warpAffine(image, matrix, side, borderMode=cv2.BORDER_REFLECT_101)
    parts = cv2.warpAffine(regions, matrix, side, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    points = (outline_of(stage) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    scene = Scene(moved.astype(np.float32), np.asarray(parts, np.uint8), points, np.zeros(side, np.float32))
    roll = rng.random()
    kind = "touch" if roll < 0.5 else "front" if roll < 0.8 else "beside" if roll < 0.9 else ""
    fist = rng.random() < 0.3
    for _ in range(4 if kind else 0):
        if add_hand(rng, scene, composer.hand(fist), kind, FIST_GOALS if fist else GOALS) is not None:
            break
    return composed(scene, person, "real hands")


def composed(scene: Scene, person: str, how: str) -> Sample:
    """Return the sample of a composite."""
    row = made_row(scene, 0)
    row.label, row.source, row.person, row.picture = RENDERED, RENDERED, person, how
    row.touch, row.over, row.object = (row.touch[0], 1.0), (row.over[0], 1.0), (0.0, 0.0, 0.0)
    hand = (np.clip(scene.hand, 0, 1) * 255).astype(np.uint8)
    return Sample(np.clip(scene.image, 0, 255).astype(np.uint8), maps_of(scene.parts, hand), row)


def samples(part: int, on_real: Composer, on_rendered: Composer) -> Iterator[Sample]:
    """Yield pictures without end, each person's one after another."""
    names, odds = list(KINDS), np.array(list(KINDS.values()))
    number = 0
    while True:
        number += 1
        rng, person = np.random.default_rng([SEED, part, number]), f"rendered {part} {number}"
        stage = close_stage(rng)
        for _ in range(EACH):
            made = own_hands(rng, seen_anew(rng, stage), str(rng.choice(names, p=odds / odds.sum())), person)
            if made is not None:
                yield made
        for _ in range(ON_RENDERED):
            yield real_hands(rng, seen_anew(rng, stage), on_rendered, person)
        for _ in range(ON_REAL):
            yield composed(on_real.scene(), person, "rendered hands")


def write_part(cache: Path, part: int, on_real: Composer, on_rendered: Composer, count: int = PART) -> None:
    """Write made-NN.u8, made-NN_planes.u8 and, last, their table, by which the training finds them."""
    rows, name = [], f"made-{part:02d}"
    with (cache / f"{name}.u8").open("wb") as images, (cache / f"{name}_planes.u8").open("wb") as planes:
        for place, made in zip(range(count), samples(part, on_real, on_rendered), strict=False):
            images.write(made.image.tobytes())
            planes.write(made.planes.tobytes())
            made.row.place = place
            rows.append(made.row)
    write_table(rows, cache / f"{name}.npz")


def stored_hands(data: Path, cache: Path) -> list[Cutout]:
    """Real hands, cut out once."""
    stored = cache / "hands.pickle"
    if not stored.exists():
        write_own(read_cutouts(data), stored)
    return list(read_own(stored))


def main() -> None:
    """Write the parts that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="as recipes.touch.cache left it")
    parser.add_argument("--first", type=int, default=97, help="number of the first part")
    parser.add_argument("--parts", type=int, default=8)
    parser.add_argument("--hands", type=int, default=600, help="rendered hands for real faces")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    bases, real = read_own(args.cache / "bases.pickle"), stored_hands(args.data, args.cache)
    drawn = rendered_cutouts(args.cache, args.hands, SEED)
    for part in range(args.first, args.first + args.parts):
        if not (args.cache / f"made-{part:02d}.npz").exists():
            write_part(args.cache, part, Composer(bases, drawn, part), Composer(bases[:1], real, part))
            print(f"made-{part:02d}", flush=True)


if __name__ == "__main__":
    main()
