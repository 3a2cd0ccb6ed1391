"""A labelled set -> what is wrong with it, first of all what leaks between its splits; it must not print or draw."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handlens.boxes import iou
from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.problems import (
    NO_LABEL,
    NO_PICTURE,
    OUTSIDE,
    TWO_SPLITS,
    UNREADABLE,
    WRONG_BOX,
    WRONG_CLASS,
    WRONG_LINE,
    WRONG_SIZE,
    Problem,
)
from handlens.data.scan import NEAR, Survey, near_pairs
from handlens.errors import FrameError
from handlens.io.draw import FACE, HAND, OTHER, REGION, Colour, captioned, fitted, grid, write_tags
from handlens.io.tags import Tag
from handlens.types import Image

LEAK_GROUP = "group in two splits"
LEAK_SAME = "same picture in two splits"
LEAK_NEAR = "near copy in two splits"
SAME = "same picture twice"
NEAR_COPY = "near copy"
EMPTY = "no objects"
TINY = "tiny box"
TWICE = "box twice"
NO_CLASS = "class missing"

LEAKS = (LEAK_GROUP, LEAK_SAME, LEAK_NEAR)
ERRORS = frozenset({UNREADABLE, WRONG_LINE, WRONG_CLASS, WRONG_BOX, WRONG_SIZE, TWO_SPLITS, *LEAKS})
"""What stops a training or spoils what it tells; everything else is worth a look."""

_SMALLEST = 0.01  # of the picture's longer side: at an input of 320 such a box is 3 pixels, less than one cell of a net
_SAME_BOX = 0.95  # IoU from which two boxes of one class are the same one

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Findings:
    """problems: the worst kinds first. pairs: the two rows of `found` that each leak of a picture speaks of."""

    found: LabelledSet
    seen: Survey
    problems: tuple[Problem, ...]
    pairs: tuple[tuple[Problem, Pair], ...]

    @property
    def errors(self) -> list[Problem]:
        """The problems that stop or spoil a training."""
        return [problem for problem in self.problems if is_error(problem)]

    def counts(self) -> dict[str, int]:
        """How many problems there are of each kind, the worst kinds first."""
        kinds = [problem.kind for problem in self.problems]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def is_error(problem: Problem) -> bool:
    """Return whether a problem stops or spoils a training; a label without picture does where a training needs it."""
    return problem.kind in ERRORS or (problem.kind in (NO_PICTURE, NO_LABEL) and not problem.harmless)


def check_set(found: LabelledSet, seen: Survey, reported: Iterable[Problem] = (), near: float = NEAR) -> Findings:
    """Return all that is wrong with a set. reported: what its reader said; near: bits, see fingerprints."""
    problems = list(reported)
    problems += [Problem(UNREADABLE, found.pictures[row].path, text) for row, text in seen.faults.items()]
    problems += _labels(found, {problem.path for problem in problems if problem.kind == NO_LABEL}, seen)
    problems += _absent(found, seen)
    problems += _torn(found)
    pairs = [*_same(found, seen), *_near(found, seen, near)]
    problems += [problem for problem, _ in pairs]
    order = [*LEAKS, UNREADABLE, WRONG_CLASS, WRONG_LINE, WRONG_BOX, WRONG_SIZE, TWO_SPLITS, OUTSIDE]
    rank = {kind: number for number, kind in enumerate(order)}
    problems.sort(key=lambda problem: rank.get(problem.kind, len(rank)))
    return Findings(found, seen, tuple(problems), tuple(pair for pair in pairs if pair[0].kind in LEAKS))


def _labels(found: LabelledSet, unlabelled: set[object], seen: Survey) -> Iterator[Problem]:
    """Return what is odd about the boxes of each picture."""
    for row, picture in enumerate(found):
        where = f"'{picture.path}'"
        first = int(found.label_kind.has_background)  # the background is not an object
        if not found.label_kind.one_label and not seen.tally[row, first:].any():
            if picture.path not in unlabelled and row not in seen.faults:
                yield Problem(EMPTY, picture.path, f"{where} has a label, but no object is in it.")
            continue
        if not found.label_kind.has_boxes:
            continue
        sides = picture.boxes[:, 2:] - picture.boxes[:, :2]
        least = _SMALLEST * max(picture.width, picture.height)
        for box in np.flatnonzero(sides.min(axis=1) < least):
            name, (wide, high) = found.names[picture.labels[box]], sides[box]
            text = f"{where}: the box '{name}' is {wide:.1f} x {high:.1f} pixels, too small to be seen in training."
            yield Problem(TINY, picture.path, text)
        alike = np.triu(iou(picture.boxes, picture.boxes) > _SAME_BOX, 1)
        alike &= picture.labels[:, None] == picture.labels[None, :]
        for box in np.flatnonzero(alike.any(axis=0)):
            yield Problem(TWICE, picture.path, f"{where}: the box '{found.names[picture.labels[box]]}' is there twice.")


def _absent(found: LabelledSet, seen: Survey) -> Iterator[Problem]:
    """Classes that the set or a split has no object of."""
    nowhere = seen.tally.sum(axis=0) == 0
    for number in np.flatnonzero(nowhere):
        yield Problem(NO_CLASS, found.root, f"the set has no object of the class '{found.names[number]}'.")
    for split in found.splits:
        rows = [row for row, picture in enumerate(found) if picture.split == split]
        for number in np.flatnonzero((seen.tally[rows].sum(axis=0) == 0) & ~nowhere):
            yield Problem(NO_CLASS, found.root, f"{split} has no object of the class '{found.names[number]}'.")


def _torn(found: LabelledSet) -> Iterator[Problem]:
    """Return the groups that lie in more than one split."""
    splits: dict[str, dict[str, Labelled]] = {}
    for picture in found:
        if picture.group and picture.split:
            splits.setdefault(picture.group, {}).setdefault(picture.split, picture)
    for group, there in splits.items():
        if len(there) > 1:
            names = [split for split in SPLITS if split in there]
            text = (
                f"the group '{group}' is in {' and in '.join(names)}: what is seen in one tells nothing of the other."
            )
            yield Problem(LEAK_GROUP, there[names[-1]].path, text)


def _same(found: LabelledSet, seen: Survey) -> Iterator[tuple[Problem, Pair]]:
    """Pictures that are, byte for byte, there before."""
    first: dict[str, int] = {}
    for row in _by_split(found):
        if not seen.digests[row]:
            continue
        other = first.setdefault(seen.digests[row], row)
        if other != row:
            kind = LEAK_SAME if _leaks(found, row, other) else SAME
            yield _pair(found, kind, row, other, "is the same file as")


def _near(found: LabelledSet, seen: Survey, limit: float) -> Iterator[tuple[Problem, Pair]]:
    """For each picture that has a near copy before it the nearest one: one in another split if there is one.

    A clip of n frames has n^2 pairs; one for each picture is enough to tell. Within a split, those of one group are no
    news: that they are alike is what the group says.
    """
    if not len(found):
        return
    rank = np.array([SPLITS.index(picture.split) if picture.split else -1 for picture in found])
    marks = np.unique(np.array(seen.digests), return_inverse=True)[1]
    groups = np.unique(np.array([picture.group_key for picture in found]), return_inverse=True)[1]
    most = np.iinfo(np.int64).max
    best = {True: np.full(len(found), most), False: np.full(len(found), most)}
    for pairs in near_pairs(seen.prints, limit):
        swap = rank[pairs.first] > rank[pairs.second]
        later, before = np.where(swap, pairs.first, pairs.second), np.where(swap, pairs.second, pairs.first)
        leak = (rank[later] != rank[before]) & (rank[before] >= 0)
        code = (pairs.distance * 2).astype(np.int64) * len(found) + before
        for kind in (True, False):
            chosen = (leak == kind) & (marks[later] != marks[before]) & (leak | (groups[later] != groups[before]))
            np.minimum.at(best[kind], later[chosen], code[chosen])
    leaks = np.flatnonzero(best[True] < most)
    for row in leaks[np.argsort(best[True][leaks], kind="stable")].tolist():
        yield _near_pair(found, LEAK_NEAR, row, int(best[True][row]))
    for row in np.flatnonzero((best[False] < most) & (best[True] == most)).tolist():
        yield _near_pair(found, NEAR_COPY, row, int(best[False][row]))


def _near_pair(found: LabelledSet, kind: str, row: int, code: int) -> tuple[Problem, Pair]:
    twice, before = divmod(code, len(found))
    return _pair(found, kind, row, before, f"looks like ({twice / 2:g} bits apart)")


def _pair(found: LabelledSet, kind: str, row: int, other: int, how: str) -> tuple[Problem, Pair]:
    one, two = found.pictures[row], found.pictures[other]
    place = f" in {two.split}" if two.split else ""
    home = f" in {one.split}" if one.split else ""
    return Problem(kind, one.path, f"'{one.path}'{home} {how} '{two.path}'{place}."), (row, other)


def _leaks(found: LabelledSet, row: int, other: int) -> bool:
    one, two = found.pictures[row].split, found.pictures[other].split
    return bool(one and two and one != two)


def _by_split(found: LabelledSet) -> Sequence[int]:
    rank = [SPLITS.index(picture.split) if picture.split else -1 for picture in found]
    return sorted(range(len(found)), key=lambda row: rank[row])


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
        reason = problem.text.partition(f"{problem.path}'")[2].lstrip(": ").rstrip(".")
        cells.append(_cell(found, picture, picture.path.name, f"{problem.kind}: {reason}", _ODD))
    return grid(cells, COLUMNS) if cells else None


def _worst_pairs(findings: Findings) -> list[tuple[Problem, Pair]]:
    """Return the same picture first, then the nearest copies, one for each two groups as long as there are others."""
    pictures = findings.found.pictures
    first: list[tuple[Problem, Pair]] = []
    again: list[tuple[Problem, Pair]] = []
    seen: set[tuple[str, str]] = set()
    for problem, (row, other) in findings.pairs:
        groups = (pictures[row].group_key, pictures[other].group_key)
        (again if groups in seen else first).append((problem, (row, other)))
        seen.add(groups)
    return [*first, *again][:MOST_PAIRS]


def _odd_pictures(findings: Findings) -> list[tuple[Problem, Labelled]]:
    """Return the pictures whose boxes are odd, the worst kind first, each once."""
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
    if found.label_kind.has_boxes:
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
