"""The sets of the combined model: hands with masks for its U-Net, and hands that show a number, for both nets.

The authors' own frames are not available. It knows no network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.data.new_folder import new_folder
from recipes.shared.source_data import read_rgb, read_rows

WHITE, PLACED = 250, 150
"""So many hands before white, and before other grounds: 400 frames, as the mask nets had."""
HELD_OUT = 0.2
SIDE = 256
ENCODED: dict[str, list[int]] = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 90], ".png": []}
NUMBERS = ("0", "1", "2", "3", "4", "5")
"""What digits6 tells; the pictures show 1 to 5 as the video does, 3 without the thumb."""
SOURCE, LATE = "epsrc_composites", "testing_set"


@dataclass(frozen=True)
class _Shown:
    """A hand: its picture and mask below the data folder, who it is, and the part it is in."""

    image: Path
    mask: Path
    group: str
    part: str


def spread(rows: Sequence[dict[str, str]], most: int) -> list[dict[str, str]]:
    """Return about so many rows, evenly spread; 0: all."""
    return list(rows[:: max(1, len(rows) // most)] if most else rows)


def write_hands(data: Path, dest: Path, most: int = 0) -> None:
    """Write 400 pictures with masks of one hand: 0 background, 1 hand. People before white are in one part only."""
    with new_folder(dest) as folder:
        groups = []
        for number, hand in enumerate([*_white(data, most or WHITE), *_placed(data, most or PLACED)]):
            name = f"{number:03}"
            rgb, mask = read_rgb(hand.image), cv2.imread(str(hand.mask), cv2.IMREAD_UNCHANGED)
            assert mask is not None
            for kind, pixels, ending, how in (
                ("images", rgb[..., ::-1], ".jpg", cv2.INTER_AREA),
                ("masks", (mask > 0).astype(np.uint8), ".png", cv2.INTER_NEAREST_EXACT),
            ):
                place = folder / kind / hand.part / (name + ending)
                place.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(place), _fitted(pixels, how), ENCODED[ending])
            groups.append(f"images/{hand.part}/{name}.jpg,{hand.group}\n")
        (folder / "names.txt").write_text("background\nhand\n", "utf-8")
        (folder / "groups.csv").write_text("file,group\n" + "".join(groups), "utf-8")


def write_numbers(data: Path, dest: Path, most: int = 0) -> None:
    """Write hands of the late part of a source, by the number that they show."""
    home = data / "gestures" / "photos"
    with new_folder(dest) as folder:
        for name in NUMBERS:  # 0 is among the names and has no picture
            (folder / "test" / name).mkdir(parents=True)
        for row in spread(_rows(home, LATE), most):
            rgb = read_rgb(home / "images" / row["file"])
            place = folder / "test" / row["label"] / f"{Path(row['file']).stem}.jpg"
            cv2.imwrite(str(place), _fitted(rgb[..., ::-1], cv2.INTER_AREA), ENCODED[".jpg"])


def _white(data: Path, count: int) -> Iterator[_Shown]:
    """Yield hands before white, whole people in one part."""
    home = data / "segmentation"
    rows = [row for row in read_rows(home / "labels.csv") if row["source"] == "hands_white"]
    people = sorted({row["group"] for row in rows})
    rng = np.random.default_rng(0)
    held = set(rng.permutation(people)[: round(HELD_OUT * len(people))].tolist())
    for part, number in (("val", round(HELD_OUT * count)), ("train", count - round(HELD_OUT * count))):
        mine = [row for row in rows if (row["group"] in held) == (part == "val")]
        for row in _some(mine, number):
            yield _Shown(home / "images" / row["image"], home / "masks" / row["mask"], f"white-{row['group']}", part)


def _placed(data: Path, count: int) -> Iterator[_Shown]:
    """Yield hands before other grounds, of the source's early part."""
    home = data / "gestures" / "photos"
    rows = _some(_rows(home, "training_set"), count)
    parts = np.where(np.random.default_rng(0).permutation(len(rows)) < HELD_OUT * len(rows), "val", "train")
    for row, part in zip(rows, parts.tolist(), strict=True):
        yield _Shown(home / "images" / row["file"], home / "masks" / row["mask"], f"placed-{row['file']}", part)


def _rows(home: Path, group: str) -> list[dict[str, str]]:
    return [row for row in read_rows(home / "labels.csv") if row["source"] == SOURCE and row["group"] == group]


def _some(rows: Sequence[dict[str, str]], number: int) -> list[dict[str, str]]:
    order = np.random.default_rng(0).permutation(len(rows))[:number]
    return [rows[place] for place in sorted(order.tolist())]


def _fitted(pixels: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
    scale = min(1.0, SIDE / max(pixels.shape[:2]))
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)
