"""Renders hands that show numbers and signs into an .npz file; it must not know nets or photographs.

`python -m recipes.signs.render --out FILE.npz --count 12000` writes silhouettes as data/silhouettes.py
reads them (bits, width, y, names, group); `--kind colour` writes cut-outs: rgba (n, size, size, 4) uint8, y, names and
group.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile
from handlens.synth.hand_model import draw_hand
from handlens.synth.hand_skin import HandAppearance, random_appearance
from recipes.shared.exit_status import exit_status
from recipes.signs.finger_poses import FINGER_POSES, NUMBERS, finger_pose
from recipes.signs.hand_mask import View, hand_mask, legible, upright_turn

U8 = NDArray[np.uint8]

KINDS = ("silhouette", "colour")
PER_HAND = 6  # pictures of the same person's hand
_TRIES = 12


@dataclass(frozen=True)
class Plan:
    """What to render. names: classes, in the order of their numbers; size: side of a picture, pixels."""

    names: tuple[str, ...] = NUMBERS
    kind: str = "silhouette"
    size: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            InputError: an unknown or repeated name, an unknown kind, a size that is out of range.
        """
        strange = next((name for name in self.names if name not in FINGER_POSES), None)
        if strange is not None:
            raise InputError(unknown("finger pose", strange, FINGER_POSES))
        if not self.names or len(set(self.names)) < len(self.names):
            raise InputError(f"names are '{','.join(self.names)}': give each once, such as {','.join(NUMBERS)}.")
        if self.kind not in KINDS:
            raise InputError(unknown("kind", self.kind, KINDS))
        if not 32 <= self.size <= 512:
            raise InputError(f"the size is {self.size}: allowed are 32 to 512 pixels.")


def render_one(plan: Plan, number: int) -> U8:
    """Picture `number` of a plan, always the same: (size, size) 0 or 255, or (size, size, 4) RGBA.

    Pictures follow each other in the order of the names; `PER_HAND` in a row show one person's hand.
    """
    rng = np.random.default_rng((plan.seed, 1, number))
    name = plan.names[number % len(plan.names)]
    appearance, left, build = _person(np.random.default_rng((plan.seed, 0, number // PER_HAND)))
    for _ in range(_TRIES):
        pose = finger_pose(name, rng)
        turn = upright_turn(name, pose, rng)
        if legible(pose, turn):
            break
    if plan.kind == "silhouette":
        arm = float(rng.choice([rng.uniform(-8, 25), rng.uniform(30, 110), 265.0], p=(0.35, 0.25, 0.4)))
        return hand_mask(pose, appearance, View(turn, left, float(rng.uniform(320, 1100)), arm, build), plan.size, rng)
    arm = float(rng.choice([rng.uniform(0, 90), 265.0], p=(0.25, 0.75)))
    drawn = draw_hand(rng, plan.size, pose, view=turn, appearance=appearance, left=left, arm=arm)
    rgb, alpha = drawn.rgb, drawn.alpha
    out: U8 = np.dstack((rgb, alpha * 255 + 0.5)).astype(np.uint8)
    return out


def _person(rng: np.random.Generator) -> tuple[HandAppearance, bool, NDArray[np.float32]]:
    """Skin and sleeve, left hand or right, and how broad the hand is."""
    build = 1 + np.clip(rng.normal(0, (0.05, 0.03, 0.05)), -0.1, 0.1)
    return random_appearance(rng), bool(rng.random() < 0.5), np.asarray(build, np.float32)


def pictures(plan: Plan, count: int, workers: int = 1) -> Iterator[U8]:
    """Return the first `count` pictures of a plan, the same with any number of worker processes."""
    if workers <= 1:
        yield from (render_one(plan, number) for number in range(count))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(render_one, plan), range(count), chunksize=16)


def write_hands(out: Path, plan: Plan, count: int, workers: int = 1) -> None:
    """Render `count` hands into an .npz file, which appears when it is complete.

    Raises:
        InputError: `count` is below 1, or `out` is no .npz name. OutputError: it cannot be written.
    """
    if count < 1:
        raise InputError(f"the count is {count}: ask for 1 hand or more.")
    if out.suffix != ".npz":
        raise InputError(f"'{out}' does not end in .npz: name the file such as hands.npz.")
    console = Console(stderr=True)
    with AtomicFile(out) as draft:
        found = pictures(plan, count, workers)
        images = np.stack(
            list(track(found, "rendering hands", count, console=console, disable=not console.is_terminal))
        )
        rows = np.arange(count)
        about = {"y": (rows % len(plan.names)).astype(np.int16), "names": np.array(plan.names)}
        about["group"] = (rows // PER_HAND).astype(np.int32)
        if plan.kind == "silhouette":
            about |= {"bits": np.packbits(images > 0, axis=-1), "width": np.array(plan.size, np.int32)}
        else:
            about["rgba"] = images
        np.savez_compressed(draft.file, allow_pickle=False, **about)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; return 0, or 2 after a mistake of the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--kind", choices=KINDS, default=KINDS[0])
    parser.add_argument("--names", default=",".join(NUMBERS), help=f"of {','.join(FINGER_POSES)}; or all")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args(arguments)
    names = FINGER_POSES if args.names == "all" else tuple(args.names.split(","))

    def work() -> None:
        write_hands(args.out, Plan(names, args.kind, args.size, args.seed), args.count, args.workers)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
