"""What is wrong with a labelled set, one thing at a time; it must not know the formats or what is done about it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from handlens.errors import InputError

WRONG_LINE = "wrong line"  # an entry that cannot be read
WRONG_CLASS = "wrong class"
WRONG_BOX = "wrong box"  # no area, no number, or wholly outside its picture
OUTSIDE = "box outside"  # reaches over the edge; it is kept, cut at the edge
NO_LABEL = "no label file"  # the picture counts as one without objects
NO_PICTURE = "no picture"
UNREADABLE = "unreadable"
WRONG_SIZE = "wrong size"  # the labels are for a picture of another size
TWO_SPLITS = "two splits"
IGNORED = "ignored"  # something that a box or a class cannot carry, such as a rotation
UNCHECKED = "unchecked"  # a label that a program made and nobody has looked at; it counts
TURNED = "turned by EXIF"  # the picture is stored otherwise than it is shown, and its labels do not say which they mean

_SHOWN = 4  # kinds in one sentence


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: One of the words above.
        path: The file it is in.
        text: One whole sentence.
        harmless: Nothing was left out that could have been used.
    """

    kind: str
    path: Path
    text: str
    harmless: bool = False


OnProblem = Callable[[Problem], None]
"""Told of each problem; the entry it speaks of is left out and reading goes on."""


def complain(on_problem: OnProblem | None, kind: str, path: Path, text: str) -> None:
    """Tell `on_problem`, or raise where nobody listens.

    Raises:
        InputError: `on_problem` is None.
    """
    if on_problem is None:
        raise InputError(text)
    on_problem(Problem(kind, path, text))


def mention(on_problem: OnProblem | None, kind: str, path: Path, text: str) -> None:
    """Tell `on_problem` of something that is worth knowing and stops nobody."""
    if on_problem is not None:
        on_problem(Problem(kind, path, text, harmless=True))


def reasons(problems: Sequence[Problem]) -> str:
    """Return why nothing could be used, the most frequent kind first, each with an example; "" where nothing is wrong.

    Harmless things count only where there is nothing else.
    """
    wrong = [problem for problem in problems if not problem.harmless] or list(problems)
    count = Counter(problem.kind for problem in wrong)
    first = {problem.kind: problem.text for problem in reversed(wrong)}
    parts = [f"{kind} ({number}): {first[kind].rstrip('.')}" for kind, number in count.most_common(_SHOWN)]
    more = f"; and {len(count) - _SHOWN} more kinds" if len(count) > _SHOWN else ""
    return f"{'; '.join(parts)}{more}." if parts else ""
