"""Pictures with a label each, as a list or a table claims -> a set to classify; it must not know where they stand.

A label is a number or a name. Numbers get their names from a names file, else from the folders where each number has
a folder of its own, else they are called as they are.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.text_files import read_groups, read_names
from handlens.data.pictures import below
from handlens.data.problems import TWO_SPLITS, WRONG_CLASS, OnProblem, complain

_NAMES_FILES = ("names.txt", "classes.txt")


@dataclass(frozen=True)
class Claim:
    """What one line says. where: the file and line, for sentences; folder: the picture's, as the line writes it."""

    path: Path
    label: str
    split: str
    group: str
    where: str
    folder: str = ""


def believe(
    claims: Sequence[Claim], root: Path, on_problem: OnProblem | None, mostly_numbers: bool = False
) -> LabelledSet:
    """Return the set that these claims make; groups.csv speaks where a claim has no group.

    Labels are numbers where all of them are. mostly_numbers: where most of them are, and the others are wrong.

    Raises:
        InputError: without `on_problem`, a label that is no class or a picture in two splits.
    """
    share = sum(_is_number(claim.label) for claim in claims) / len(claims)
    numbered = share > 0.5 if mostly_numbers else share == 1
    names, classes = _numbers(claims, root) if numbered else _words(claims, root)
    groups = read_groups(root)
    pictures: dict[Path, Labelled] = {}
    for claim in claims:
        path, before = claim.path, pictures.get(claim.path)
        label = str(int(claim.label)) if numbered and _is_number(claim.label) else claim.label
        if label not in classes:
            what = "is no number as the others are" if not label.lstrip("-").isdecimal() and numbered else "is no class"
            sentence = f"{claim.where}: the label '{claim.label}' {what}; allowed: {_listed(classes)}."
            complain(on_problem, WRONG_CLASS, path, sentence)
        elif before is not None and before.split != claim.split:
            sentence = f"'{path}' is in {before.split or 'no split'} and in {claim.split}: it may be in one only."
            complain(on_problem, TWO_SPLITS, path, sentence)
        else:
            group = claim.group or groups.get(below(path, root), "")
            pictures[path] = Labelled(path, labels=np.array([classes[label]]), split=claim.split, group=group)
    return LabelledSet("classify", names, tuple(pictures.values()), root)


def names_beside(root: Path) -> tuple[str, ...] | None:
    """Return the names in names.txt or classes.txt of a folder, or None where it has neither.

    Raises:
        InputError: the file cannot be used.
    """
    files = [root / name for name in _NAMES_FILES if (root / name).is_file()]
    return read_names(files[0]) if files else None


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdecimal()


def _listed(classes: Mapping[str, int]) -> str:
    known = list(classes)
    return ", ".join(known if len(known) <= 30 else [*known[:30], f"... ({len(known)} in all)"])


def _words(claims: Sequence[Claim], root: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    names = names_beside(root) or ordered({claim.label for claim in claims})
    return names, {name: place for place, name in enumerate(names)}


def _numbers(claims: Sequence[Claim], root: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the names, and the class of each number as text."""
    told = names_beside(root)
    if told is not None:
        return told, {str(number): number for number in range(len(told))}
    pairs = Counter((int(claim.label), claim.folder) for claim in claims if _is_number(claim.label))
    numbers = sorted({number for number, _ in pairs})
    folders = [folder for _, folder in sorted(pairs)]
    own = len(pairs) == len(numbers) == len(set(folders)) > 1 and all(folders)
    names = tuple(folders) if own else tuple(map(str, numbers))
    return names, {str(number): place for place, number in enumerate(numbers)}
