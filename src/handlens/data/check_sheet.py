"""The worst findings of a check as one picture: leaks side by side, odd boxes drawn; it must not judge anything."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from handlens.data.check import TINY, TWICE, Findings, Pair
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.problems import OUTSIDE, WRONG_BOX, WRONG_CLASS, WRONG_LINE, Problem
from handlens.errors import FrameError
from handlens.io.draw import FACE, HAND, OTHER, REGION, Colour, write_tags
from handlens.io.sheet import captioned, fitted, grid
from handlens.io.tags import Tag
from handlens.types import Image

SIDE, EDGE, COLUMNS = 300, 4, 4  # pixels; an even number of columns keeps the two pictures of a pair in one row
MOST_PAIRS, MOST_BOXES = 12, 12

_LEAK, _ODD = (200, 30, 40), (230, 150, 0)  # the colours of a picture's frame
_SHADES: tuple[Colour, ...] = (HAND, FACE, REGION, OTHER)
_BOX_KINDS = (WRONG_BOX, OUTSIDE, WRONG_CLASS, WRONG_LINE, TWICE, TINY)
_LONGEST = 56  # characters


def check_sheet(findings: Findings) -> Image | None:
    """Return (H, W, 3) uint8 RGB: up to 12 leaking pairs, then up to 12 pictures with odd boxes; None: there is none.

    A box that reaches outside is seen as it is used, cut at the edge of its picture.
    """
    found = findings.found
    cells = []
    for problem, (row, other) in _worst_pairs(findings):
        for picture in (found.pictures[other], found.pictures[row]):
            group = f" (group {picture.group})" if picture.group else ""
            cells.append(_cell(found, picture, f"{picture.split}: {picture.path.name}{group}", problem.kind, _LEAK))
    for problem, picture in _odd_pictures(findings):
        said = problem.text.partition(f"{problem.path}'")[2].lstrip(": ").rstrip(".")
        cells.append(_cell(found, picture, picture.path.name, f"{problem.kind}: {said}", _ODD))
    return grid(cells, COLUMNS) if cells else None


def _worst_pairs(findings: Findings) -> list[tuple[Problem, Pair]]:
    """The same picture first, then the nearest copies, one for each two groups as long as there are others."""
    pictures = findings.found.pictures
    first: list[tuple[Problem, Pair]] = []
    again: list[tuple[Problem, Pair]] = []
    seen: set[tuple[str, str]] = set()
    for problem, (row, other) in findings.pairs:
        kin = (pictures[row].kin, pictures[other].kin)
        (again if kin in seen else first).append((problem, (row, other)))
        seen.add(kin)
    return [*first, *again][:MOST_PAIRS]


def _odd_pictures(findings: Findings) -> list[tuple[Problem, Labelled]]:
    """The pictures whose boxes are odd, the worst kind first, each once."""
    by_path = {picture.path: picture for picture in findings.found}
    by_name: dict[str, list[Labelled]] = {}
    for picture in findings.found:
        by_name.setdefault(picture.name, []).append(picture)
    chosen: dict[Path, tuple[Problem, Labelled]] = {}
    odd = [problem for problem in findings.problems if problem.kind in _BOX_KINDS]
    for problem in sorted(odd, key=lambda problem: _BOX_KINDS.index(problem.kind)):
        named = by_name.get(problem.path.stem, [])  # a label file is called as its picture
        whose = by_path.get(problem.path) or (_nearest(named, problem.path) if named else None)
        if whose is not None:
            chosen.setdefault(whose.path, (problem, whose))
    return list(chosen.values())[:MOST_BOXES]


def _nearest(named: Sequence[Labelled], path: Path) -> Labelled:
    """Return the picture whose folders have most in common with those of a label file."""
    return max(named, key=lambda picture: len(set(picture.path.parts) & set(path.parts)))


def _cell(found: LabelledSet, picture: Labelled, title: str, text: str, colour: Colour) -> Image:
    """Return the picture with its boxes in a frame, and two lines below it."""
    try:
        image = picture.image()
    except FrameError:
        image = np.full((SIDE, SIDE, 3), 128, np.uint8)
    shown = fitted(image, SIDE)
    if found.kind == "detect":
        high, wide = image.shape[:2]
        scale = SIDE / max(high, wide)
        tags: list[Tag] = []
        shift = np.array([SIDE - wide * scale, SIDE - high * scale] * 2) / 2
        for label, box in zip(picture.labels.tolist(), picture.boxes * scale + shift, strict=True):
            x1, y1, x2, y2 = (round(float(side)) for side in box)
            shade = _SHADES[label % len(_SHADES)]
            cv2.rectangle(shown, (x1, y1), (x2, y2), shade, 2, cv2.LINE_AA)
            tags.append(Tag((_plain(found.names[label]),), (x1, y1, x2 + 1, y2 + 1), shade))
        write_tags(shown, tags, 0.45)
    framed = cv2.copyMakeBorder(shown, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_CONSTANT, value=colour)
    return captioned(captioned(np.asarray(framed, np.uint8), _plain(title)), _plain(text))


def _plain(text: str) -> str:
    """Return a text in ASCII, which is all that OpenCV can write, and short enough to stay legible below a picture."""
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return short.encode("ascii", "replace").decode()
