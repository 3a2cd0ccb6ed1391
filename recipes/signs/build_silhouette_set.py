"""Silhouettes of many people's hands as one set: `python -m recipes.signs.build_silhouette_set digits ...`.

One hand in one video teaches a net that hand. So the silhouettes of every source are put together under the names of
one model, few of each, with hands cut out of photographs and rendered ones. It knows no network.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.data.formats.silhouettes import read_silhouettes
from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from handlens.kinds.hand_crop import find_crops
from handlens.predictor import load
from handlens.preprocess import prepare
from recipes.shared.source_data import Pooled, read_pool, read_rgb, read_rows, with_late


def read_masked(data: Path, model: str, on_picture: Callable[[], None] = lambda: None) -> Iterator[Pooled]:
    """Return the largest hand that a model of kind "segment" sees in each photograph of `gestures/photos`, cropped.

    Photographs in which it sees none are left out.

    Raises:
        InputError: the model knows no hand.
    """
    runner = load(model).runner
    if runner.card.kind != "segment" or "hand" not in runner.card.names:
        raise InputError(f"'{model}' draws no masks of hands; give a model of kind segment with the class hand.")
    hand = runner.card.names.index("hand")
    for row, late in with_late(read_rows(data / "gestures" / "photos" / "labels.csv")):
        on_picture()
        tensor, _ = prepare(read_rgb(data / "gestures" / "photos" / "images" / row["file"]), runner.card)
        crops = find_crops(runner.run(tensor)["probabilities"][0], hand, runner.card.threshold("hand", 0.0))
        if crops:
            x1, y1, x2, y2 = crops[0].shape.box.astype(int)
            mask = crops[0].shape.mask[y1:y2, x1:x2]
            yield Pooled(None, mask, row["label"], row["source"], row["group"], late)


SIDE = 128
FISTS = "AEMNST"

_COUNTED = {**{str(n): str(n) for n in range(6)}, "O": "0", "D": "1", "V": "2", "L": "2", "W": "3", "6": "3"}
_COUNTED |= dict.fromkeys(FISTS, "0")
_SHOWN = {"5": "five", "4": "four", "W": "three", "6": "three", "3": "on", "2": "two", "V": "two", "1": "one",
          "D": "one", "0": "zero", "O": "zero", "Y": "six", "F": "ok", "9": "ok", "L": "eight", "X": "nine",
          **dict.fromkeys(FISTS, "off")}  # fmt: skip
_NAMED = {"zero": "0", "off": "0", "one": "1", "two": "2", "three": "3", "on": "3", "four": "4", "five": "5"}
_RENDERED = {str(n): str(n) for n in range(6)}

SCHEMES: dict[str, dict[str, Mapping[str, str]]] = {
    "digits": {"pool": _COUNTED, "digits": _RENDERED, "gestures17": _NAMED, "signs44": _COUNTED, "render": _RENDERED},
    "gestures": {
        "pool": _SHOWN,
        "signs44": {k: v for k, v in _SHOWN.items() if k not in "03"},
        "gestures17": {name: name for name in
                       ("down", "eight", "five", "four", "left", "nine", "off", "ok", "on", "one", "right", "seven",
                        "six", "three", "two", "up", "zero")},
        "render": {"1": "one", "2": "two", "4": "four", "B": "four", "5": "five", "thumb_up": "up", "Y": "six",
                   "L": "eight", "nine": "ok"},
    },
}  # fmt: skip
"""Model -> source -> the source's sign -> the model's name. Finger numbers: a fist and an O are 0; 2 (L) and 3 are
with or without thumb. Gestures keep the names of gestures17, where `on` is thumb, index and middle finger."""

EACH = {"digits": 250, "gestures17": 120, "signs44": 60}
"""Silhouettes taken of each name of a source that is one hand, evenly over its frames."""
LAST = ("sign_digits", "fingers_cluttered")
"""Sources whose last pictures are for val."""
HELD_OUT = ("sign_digits", "asl_photos")
"""Sources of the pool that only measure, where asked for."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """One silhouette. mask: (h, w) uint8."""

    mask: NDArray[np.uint8]
    name: str
    group: str
    split: str


def gather(scheme: str, data: Path, pool: Sequence[Pooled], renders: Sequence[Path], hold_out: bool) -> list[Drawn]:
    """Return the silhouettes of a scheme, each with its split.

    Args:
        hold_out: True keeps the people of `sign_digits` and `asl_photos` for val; False trains on all but the last
            people of `sign_digits`, the last person of `asl_photos` and the last frames of each video.
    """
    drawn = []
    for hand in pool:
        name = SCHEMES[scheme]["pool"].get(_source_name(hand))
        if name is None:
            continue
        apart = hand.source in HELD_OUT
        late = (hand.late and hand.source in LAST) or (hand.source == "asl_photos" and hand.group == "3")
        split = "val" if (apart if hold_out else late) else "train"
        drawn.append(Drawn(hand.mask, name, f"{hand.source}/{hand.group}", split))
    for source in EACH.keys() & SCHEMES[scheme].keys():
        drawn += _frames(source, SCHEMES[scheme][source], data, hold_out)
    for path in renders:
        for mask, sign, group in _rendered(path):
            name = SCHEMES[scheme]["render"].get(sign)
            if name is not None:
                drawn.append(Drawn(mask, name, f"render/{group}", "train"))
    return drawn


def _rendered(path: Path) -> Iterator[tuple[NDArray[np.uint8], str, str]]:
    """(mask, sign, group) of each hand of `recipes.signs.render`, silhouettes or colour pictures."""
    with np.load(path, allow_pickle=False) as pack:
        if "rgba" in pack.files:
            names = pack["names"]
            for place, (rgba, y) in enumerate(zip(pack["rgba"], pack["y"], strict=True)):
                yield rgba[..., 3], str(names[y]), f"colour {place}"
            return
    found = read_silhouettes(path)
    for picture in found:
        yield picture.image()[..., 0], found.names[int(picture.labels[0])], picture.group


def _source_name(hand: Pooled) -> str:
    """Return the sign as finger numbers have it: these two sources show 3 without the thumb."""
    return "W" if hand.sign == "3" and hand.source == "epsrc_composites" else hand.sign


def _frames(source: str, names: Mapping[str, str], data: Path, hold_out: bool) -> list[Drawn]:
    """Return some frames of a video, evenly; its last block of frames is for val."""
    found = read_silhouettes(data / "gestures" / f"{source}_silhouettes.npz")
    places: dict[str, list[int]] = defaultdict(list)
    for place, picture in enumerate(found):
        places[found.names[int(picture.labels[0])]].append(place)
    last = max((int(picture.group) for picture in found), default=0)
    drawn = []
    for sign, rows in places.items():
        for place in np.linspace(0, len(rows) - 1, min(EACH[source], len(rows))).astype(int) if sign in names else ():
            picture = found.pictures[rows[place]]
            split = "train" if hold_out or int(picture.group) < last else "val"
            drawn.append(Drawn(picture.image()[..., 0], names[sign], f"{source}/{picture.group}", split))
    return drawn


def write(drawn: Sequence[Drawn], path: Path) -> None:
    """Write the packed set, each silhouette in the middle of 128 x 128 pixels."""
    names = sorted({one.name for one in drawn})
    bits = np.zeros((len(drawn), SIDE, SIDE // 8), np.uint8)
    for row, one in zip(bits, drawn, strict=True):
        height, width = one.mask.shape
        scale = SIDE / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas, x, y = np.zeros((SIDE, SIDE), np.uint8), (SIDE - size[0]) // 2, SIDE - size[1]  # wrists end below
        small = cv2.resize(one.mask, size, interpolation=cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA)
        canvas[y : y + size[1], x : x + size[0]] = small
        row[:] = np.packbits(canvas > 127, axis=-1)
    columns: dict[str, Any] = {name: np.array([getattr(one, name) for one in drawn]) for name in ("group", "split")}
    y_ = np.array([names.index(one.name) for one in drawn], np.int16)
    with AtomicFile(path) as draft:
        np.savez_compressed(draft.file, bits=bits, width=np.int32(SIDE), y=y_, names=np.array(names), **columns)


def main(arguments: Sequence[str] | None = None) -> None:
    """Gather and write, and say how many of each there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scheme", choices=sorted(SCHEMES))
    parser.add_argument("--data", type=Path, required=True, help="folder with gestures/")
    parser.add_argument(
        "--pool", type=Path, required=True, help="cache of hands cut out of photographs, made when missing"
    )
    parser.add_argument("--render", type=Path, action="append", default=[], help="sets of recipes.signs.render")
    parser.add_argument(
        "--masks",
        action="append",
        default=[],
        metavar="MODEL",
        help="add photographed hands as this mask net sees them",
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hold-out", action="store_true", help="keep whole sources for val")
    args = parser.parse_args(arguments)
    pool = read_pool(args.data, args.pool)
    for model in args.masks:
        pool += read_masked(args.data, model)
    drawn = gather(args.scheme, args.data, pool, args.render, args.hold_out)
    write(drawn, args.out)
    counts = Counter((one.split, one.name) for one in drawn)
    print("\n".join(f"{split:<6}{name:<8}{number:>6}" for (split, name), number in sorted(counts.items())))


if __name__ == "__main__":
    main()
