"""Makes looks at hands once, and what the body sees of them, so that the heads can learn much longer.

    python -m recipes.hand.views --cache CACHE --out VIEWS --count 30000
    python -m recipes.hand.views --cache CACHE --out VIEWS --weights RUN/mean.pt

The first call writes pictures and labels, the second the body's levels at strides 8, 16 and 32 in 16-bit floats. A step
of all the net costs five times as much as a step of its heads on these.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from handlens.train.nets.lite import Lite0
from recipes.hand.samples import MIRRORED
from recipes.hand.train import Tables, inputs

LEVELS = ((40, 8), (112, 16), (320, 32))
"""Channels and stride of the levels that are kept."""
KEYS = ("points", "known", "parts", "present", "right", "fingers", "sign", "hold", "kind")
BLOCK = 500
SIZE = 96
"""Side of the looks: the heads learn here before the whole net goes on at its full size."""


def level_shape(channels: int, stride: int) -> tuple[int, int, int]:
    """Return the shape of one picture's level."""
    side = -(-SIZE // stride)
    return channels, side, side


def write_views(tables: Tables, out: Path, count: int, seed: int) -> None:
    """Write images.u8 and labels.npz."""
    rng = np.random.default_rng(seed)
    kept: dict[str, list[NDArray[Any]]] = {key: [] for key in KEYS}
    with (out / "images.u8").open("wb") as file:
        for _ in range(count // BLOCK):
            for look in tables.looks(rng, BLOCK, SIZE):
                file.write(np.ascontiguousarray(look["image"]).tobytes())
                for key in KEYS:
                    kept[key].append(look[key])
            tables.refresh()
            print(len(kept["sign"]), flush=True)
    np.savez(out / "labels.npz", **{key: np.stack(rows) for key, rows in kept.items()})  # type: ignore[arg-type]


def body_of(weights: Path) -> Lite0:
    """Return the body of a stored net, whatever its heads are."""
    state = torch.load(weights, weights_only=True)
    body = Lite0(pretrained=False)
    body.load_state_dict({key.removeprefix("body."): v for key, v in state.items() if key.startswith("body.")})
    return body


@torch.no_grad()
def write_levels(weights: Path, out: Path, part: int, parts: int) -> None:
    """Write level8.f16, level16.f16 and level32.f16, or one of several parts of their rows."""
    body = body_of(weights).eval().to(memory_format=torch.channels_last)
    images = np.memmap(out / "images.u8", np.uint8, "r").reshape(-1, SIZE, SIZE, 3)
    files = []
    for channels, stride in LEVELS:
        path, shape = out / f"level{stride}.f16", (len(images), *level_shape(channels, stride))
        with path.open("ab") as file:
            file.truncate(2 * int(np.prod(shape)))
        files.append(np.memmap(path, np.float16, "r+", shape=shape))
    rows = np.array_split(np.arange(len(images)), parts)[part]
    for start in range(int(rows[0]), int(rows[-1]) + 1, 50):
        stop = min(start + 50, int(rows[-1]) + 1)
        levels = body(inputs(torch.from_numpy(images[start:stop].copy())))[2:]
        for stored, level in zip(files, levels, strict=True):
            stored[start:stop] = level.contiguous().half().numpy()
        if start % 2000 == 0:
            print(start, flush=True)


def main() -> None:
    """Write views, or levels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--mirrored", type=float, default=MIRRORED, help="share of hands that are mirrored")
    parser.add_argument("--weights", type=Path, help="of the net whose body is asked; none: the pictures are made")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), help="which of how many parts of the rows")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.weights:
        write_levels(args.weights, args.out, *args.part)
    else:
        write_views(Tables(args.cache, args.mirrored), args.out, args.count, args.seed)


if __name__ == "__main__":
    main()
