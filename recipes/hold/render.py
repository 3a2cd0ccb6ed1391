"""Renders crops of hands that hold a thing or nothing into class folders; it must not know nets.

`python -m recipes.hold.render --out FOLDER --count 6000 --backgrounds PHOTOS` writes 96 x 96 JPEGs into
train/holding_object and train/holding_nothing. Hands and things are drawn from a seed; the photographs, if any, are
what patches behind them are cut from.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from handlens.data.new_folder import new_folder
from handlens.errors import InputError
from handlens.io.pictures.read import read_picture
from handlens.synth.backdrop import backdrop
from handlens.synth.rasterize import F32, U8, linear
from handlens.train.augment.photometric import coloured, compressed, light_and_lens
from recipes.hold.held_hand import CANVAS, held_picture
from recipes.shared.exit_status import exit_status

NAMES = ("holding_object", "holding_nothing")
_PICTURES = (".jpg", ".jpeg", ".png")
_PHOTO = 0.75  # of the crops lie on a photograph, where there are any


@dataclass(frozen=True)
class Plan:
    """What to render. photos: pictures to cut patches from; size: side of a crop, pixels."""

    photos: tuple[Path, ...] = ()
    size: int = 96
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            InputError: a size that is out of range.
        """
        if not 32 <= self.size <= 256:
            raise InputError(f"the size is {self.size}: allowed are 32 to 256 pixels.")


def render_crop(plan: Plan, number: int) -> U8:
    """Crop `number` of a plan, (size, size, 3) uint8 RGB, always the same; even ones hold a thing, odd ones nothing."""
    rng = np.random.default_rng((plan.seed, number))
    found = held_picture(rng, number % 2 == 0, _ground(plan.photos, rng))
    side = int(np.clip(np.exp(rng.normal(np.log(62), 0.4)), 26, plan.size * 1.3))  # pixels the camera had for the hand
    small = cv2.resize(found.rgb, (side, side), interpolation=cv2.INTER_AREA)
    how = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_CUBIC
    full = np.asarray(cv2.resize(small, (plan.size, plan.size), interpolation=how), np.uint8)
    if rng.random() < 0.35:
        return light_and_lens(rng, full, 0.6)
    tinted = coloured(full, *(float(rng.normal(0, spread)) for spread in (0.012, 0.16, 0.14)))
    return compressed(tinted, int(rng.integers(50, 95)))


def _ground(photos: Sequence[Path], rng: np.random.Generator) -> F32:
    """Linear RGB (CANVAS, CANVAS, 3): a square of a photograph, sharp or not, or a made room."""
    if not photos or rng.random() > _PHOTO:
        return backdrop(rng, (CANVAS, CANVAS))
    image = read_picture(str(photos[int(rng.integers(len(photos)))]))
    side = int(min(image.shape[:2]) * rng.uniform(0.25, 1.0))
    y, x = (int(rng.integers(0, length - side + 1)) for length in image.shape[:2])
    patch = cv2.resize(image[y : y + side, x : x + side], (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5:
        patch = cv2.GaussianBlur(patch, (0, 0), float(rng.uniform(0.5, 5)))
    return linear(patch[:, ::-1] if rng.random() < 0.5 else patch)


def crops(plan: Plan, count: int, workers: int = 1) -> Iterator[U8]:
    """Return the first `count` crops of a plan, the same with any number of worker processes."""
    if workers <= 1:
        yield from (render_crop(plan, number) for number in range(count))
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(render_crop, plan), range(count), chunksize=8)


def find_photos(folder: Path | None) -> tuple[Path, ...]:
    """Return the pictures of a folder, sorted; none without a folder.

    Raises:
        InputError: no such folder, or no picture in it.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        raise InputError(f"'{folder}' is not a folder: give --backgrounds a folder of photographs.")
    found = tuple(sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES))
    if not found:
        raise InputError(f"'{folder}' has no pictures: give --backgrounds a folder of {', '.join(_PICTURES)} files.")
    return found


def write_held(out: Path, plan: Plan, count: int, workers: int = 1) -> None:
    """Render `count` crops into a new folder, half of them with a thing; it appears when it is complete.

    Raises:
        InputError: `count` is below 2, or a photograph cannot be read.
        OutputError: `out` exists and is not empty, or cannot be written.
    """
    if count < 2:
        raise InputError(f"the count is {count}: ask for 2 crops or more, one of each class.")
    console = Console(stderr=True)
    with new_folder(out) as folder:
        for name in NAMES:
            (folder / "train" / name).mkdir(parents=True)
        found = crops(plan, count, workers)
        bar = track(found, "rendering crops", count, console=console, disable=not console.is_terminal)
        for number, image in enumerate(bar):
            _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            (folder / "train" / NAMES[number % 2] / f"{number:06d}.jpg").write_bytes(data.tobytes())


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; return 0, or 2 after a mistake of the user."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--backgrounds", type=Path, help="a folder of photographs; without it rooms are made up")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args(arguments)

    def work() -> None:
        plan = Plan(find_photos(args.backgrounds), args.size, args.seed)
        write_held(args.out, plan, args.count, args.workers)

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main())
