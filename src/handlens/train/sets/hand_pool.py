"""Photographs of single hands with their masks and signs, gathered from the data folder; knows nothing of nets.

Masks come with the source, from its black ground, or are cut out here by colour (GrabCut, SIGGRAPH 2004), which the
plain grounds of `sign_digits` and `asl_photos` allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from recipes.shared.source_data import read_rgb, read_rows

U8 = NDArray[np.uint8]
SIDE = 160
CUT_AT = 256
"""Longest side at which hands are cut out, pixels."""
HELD_BACK = 0.15
"""Share of each class of `sign_digits`, the last people of its order, that is for validation."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """One hand. rgb (h, w, 3) or None where only the shape is known; mask (h, w) 0 or 255; sign: as its source says."""

    rgb: U8 | None
    mask: U8
    sign: str
    source: str
    group: str
    late: bool
    """Whether it is among the last people of its source."""


def read_pool(data: Path, cache: Path, on_picture: Callable[[], None] = lambda: None) -> list[Pooled]:
    """The photographs of `gestures/photos` whose hand can be told from its ground, at most 160 pixels a side.

    cache: an .npz file that keeps them, for cutting out takes some minutes.
    """
    if not cache.is_file():
        _write(list(_cut(read_rows(data / "gestures" / "photos" / "labels.csv"), data, on_picture)), cache)
    with np.load(cache, allow_pickle=False) as pack:
        arrays = {name: pack[name] for name in pack.files}
    found = []
    for row in range(len(arrays["sign"])):
        height, width = arrays["size"][row]
        rgba = arrays["rgba"][row, :height, :width]
        texts = [str(arrays[name][row]) for name in ("sign", "source", "group")]
        found.append(Pooled(rgba[..., :3], rgba[..., 3], *texts, bool(arrays["late"][row])))
    return found


def cut_out(rgb: U8) -> U8 | None:
    """The mask (h, w), 0 or 255, of a hand on a ground without colour, or None where nothing stands out.

    A first guess by how red and yellow pixels are (Otsu's threshold), then GrabCut around it.
    """
    scale = CUT_AT / max(rgb.shape[:2])
    big = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    lab = cv2.cvtColor(cv2.GaussianBlur(big, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    warmth = lab[..., 1] + 0.8 * lab[..., 2]
    level = np.clip((warmth - warmth.min()) / (np.ptp(warmth) + 1e-6) * 255, 0, 255).astype(np.uint8)
    guess = largest(np.asarray(cv2.threshold(level, 0, 255, cv2.THRESH_OTSU)[1], np.uint8))
    if guess is None:
        return None
    marks = np.full(guess.shape, cv2.GC_PR_BGD, np.uint8)
    marks[guess > 0] = cv2.GC_PR_FGD
    marks[cv2.erode(guess, np.ones((9, 9), np.uint8)) > 0] = cv2.GC_FGD
    marks[cv2.dilate(guess, np.ones((25, 25), np.uint8)) == 0] = cv2.GC_BGD
    if not {cv2.GC_FGD, cv2.GC_BGD} <= set(np.unique(marks).tolist()):
        return None
    cv2.setRNGSeed(0)  # GrabCut draws its first colours
    cv2.grabCut(big, marks, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    mask = np.where((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    mask = largest(np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8))
    if mask is None or not 0.03 < (mask > 0).mean() < 0.8:
        return None
    return np.asarray(cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)


def largest(mask: U8) -> U8 | None:
    """The largest blob of a mask (h, w), 0 or 255, or None where it is empty."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    if count < 2:
        return None
    return np.where(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), 255, 0).astype(np.uint8)


def with_late(rows: list[dict[str, str]]) -> Iterator[tuple[dict[str, str], bool]]:
    """Each row, and whether it is among the last pictures of its source and sign."""
    total, seen = Counter((row["source"], row["label"]) for row in rows), Counter[tuple[str, str]]()
    for row in rows:
        kind = row["source"], row["label"]
        seen[kind] += 1
        yield row, seen[kind] > (1 - HELD_BACK) * total[kind]


def _cut(rows: list[dict[str, str]], data: Path, on_picture: Callable[[], None]) -> Iterable[Pooled]:
    for row, late in with_late(rows):
        on_picture()
        source, sign = row["source"], row["label"]
        folder = data / "gestures" / "photos"
        if source == "fingers_cluttered":
            continue  # no ground to cut from
        rgb = read_rgb(folder / "images" / row["file"])
        if row["mask"]:
            mask = np.where(read_rgb(folder / "masks" / row["mask"])[..., 0] > 0, 255, 0).astype(np.uint8)
        elif source == "massey_black":
            mask = np.where(cv2.GaussianBlur(rgb, (0, 0), 0.7).max(axis=2) > 16, 255, 0).astype(np.uint8)
        else:
            mask = cut_out(rgb)
        whole = largest(mask) if mask is not None else None
        if whole is None:
            continue
        scale = min(1.0, SIDE / max(rgb.shape[:2]))
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        small = (np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in (rgb, whole))
        yield Pooled(*small, sign, source, row["group"], late)


def _write(found: list[Pooled], cache: Path) -> None:
    rgba = np.zeros((len(found), SIDE, SIDE, 4), np.uint8)
    size = np.array([hand.mask.shape for hand in found], np.int32)
    for place, hand in zip(rgba, found, strict=True):
        assert hand.rgb is not None
        height, width = hand.mask.shape
        place[:height, :width] = np.dstack((hand.rgb, hand.mask))
    texts = {name: np.array([getattr(hand, name) for hand in found]) for name in ("sign", "source", "group", "late")}
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_suffix(".part.npz")
    np.savez_compressed(temporary, rgba=rgba, size=size, **texts)
    temporary.replace(cache)
