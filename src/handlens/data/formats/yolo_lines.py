"""The form of the label lines of a YOLO set: boxes, polygons or key points; it must not know how a set is laid out.

A line begins with the number of the class. What follows depends on the program that wrote it:

    cx cy w h                       a box
    cx cy w h score [track]         a box that a detector or a tracker saved
    cx cy w h x y x y ...           a box with key points, (x, y) or (x, y, visibility) for each
    x y x y x y ...                 a polygon; the four corners of an oriented box are one, too

A polygon of 3 points and a box with a score and a track have the same number of columns, and so have many polygons and
boxes with key points. The description of the set says which it is (`task`, `kpt_shape`), or the lines themselves prove
it; otherwise they are refused.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from handlens.data.formats.text_files import read_text
from handlens.data.problems import IGNORED, WRONG_BOX, WRONG_CLASS, WRONG_LINE, OnProblem, complain, mention
from handlens.errors import InputError

TASKS = ("detect", "track", "pose", "segment", "obb")
"""Values of `task` that say what a line is."""

_SLACK = 0.002  # fractions may leave [0, 1] by this much: rounding
_BOX = 5  # numbers of a line with a box, the class among them
_FAR = 0.1  # of the picture: a box that leaves it by more is none
_WIDE = 1.5  # key points lie in their box widened by this
_LEAST = 0.1  # of the lines must contradict a reading, so that one slip does not
_LENGTHS, _COMMON = 3, 0.8  # polygons: so many lengths, none of which has more than this share
_MOST_STRANGE = 0.1  # of all lines; with more in doubt the whole set is refused, with fewer only they are

_FORMS = {
    "": "expected 'class cx cy w h' or a polygon 'class x1 y1 x2 y2 x3 y3 ...'",
    "detect": "with 'task: detect' expected 'class cx cy w h', and perhaps a score and a track id",
    "pose": "with 'kpt_shape: [{points}, {values}]' expected 'class cx cy w h' and {count} numbers of key points",
    "segment": "expected a polygon 'class x1 y1 x2 y2 x3 y3 ...', or 'class cx cy w h'",
    "obb": "with 'task: obb' expected four corners, 'class x1 y1 x2 y2 x3 y3 x4 y4'",
}


@dataclass(frozen=True)
class Stated:
    """What the description of a set says of its lines.

    Attributes:
        task: One of TASKS, or "" where it says nothing.
        points: How many key points and how many numbers each has (2 or 3).
        file: The description, or the one to write.
        names: The line with the names that has to stand in it, or "".
        unknown: The task that is none.
    """

    task: str = ""
    points: tuple[int, int] | None = None
    file: Path = Path("data.yaml")
    names: str = ""
    unknown: str = ""


@dataclass(frozen=True)
class Form:
    """How lines are to be read. task: detect, pose, segment or obb, or "" where only boxes of five numbers are sure.

    doubt: why a line with more numbers is refused where `task` is "".
    """

    task: str
    points: tuple[int, int] | None = None
    stated: Stated = field(default_factory=Stated)

    def wrong(self, count: int, values: Sequence[float]) -> str:
        """Return why a line of so many numbers cannot be read, or ""."""
        if count == _BOX and self.task != "obb":
            return ""
        problem = f"has {count} number{'' if count == 1 else 's'}"
        if self.task == "detect":
            good = count in (_BOX + 1, _BOX + 2) and _is_scored(values)
        elif self.task == "pose":
            points, each = self.points or (0, 2)
            wanted = _BOX + points * each
            good = count == wanted or (count in (wanted + 1, wanted + 2) and _is_scored(values, wanted))
            form = _FORMS["pose"].format(points=points, values=each, count=points * each)
            return "" if good else f"{problem}; {form}"
        elif self.task == "obb":
            good = count == 9
        elif self.task == "segment":
            good = _is_polygonal(count)
        else:
            if count > _BOX:
                return f"{problem}, {_readings(count)}. {_say_which(count, self.stated)}"
            good = False
        return "" if good else f"{problem}; {_FORMS[self.task]}"

    def kept(self, values: Sequence[float]) -> Sequence[float]:
        """Return the four numbers of the box or those of the polygon, of a line that is right."""
        return values[1:] if self.task in ("segment", "obb") else values[1:_BOX]


def read_lines(
    file: Path, names: tuple[str, ...], form: Form, on_problem: OnProblem | None
) -> Iterator[tuple[str, list[float], str]]:
    """Yield (name, numbers, where) of each line: the four numbers of a box or those of a polygon, in fractions.

    Raises:
        InputError: without `on_problem`, a line that is wrong.
    """
    try:
        text = read_text(file)
    except InputError as error:
        complain(on_problem, WRONG_LINE, file, str(error))
        return
    for number, words in _numbered(text):
        where = f"'{file}' line {number}"
        kind, why, values = _check_line(words, names, form)
        if kind:
            complain(on_problem, kind, file, f"{where}: {why}" + ("" if why.endswith(".") else "."))
        else:
            yield names[int(values[0])], list(form.kept(values)), where


def find_form(files: Iterable[Path], stated: Stated, root: Path, on_problem: OnProblem | None = None) -> Form:
    """Return how the lines of a set are to be read: as its description says, or as the lines prove.

    Raises:
        InputError: more than a few lines can be read in several ways, and the description does not say which.
    """
    if stated.task:
        return _stated_form(stated)
    tally = _Tally()
    for file in files:
        try:
            text = read_text(file)
        except InputError:
            continue  # reading its lines says so
        for number, words in _numbered(text):
            tally.add(words, file, number)
    if not tally.long:
        return Form("", stated=stated)
    if tally.are_polygons():
        return Form("segment", stated=stated)
    if tally.are_tracks():
        text = f"'{root}': {tally.long} lines have a score and a track id behind their box: these are left out."
        mention(on_problem, IGNORED, root, text)
        return Form("detect", stated=stated)
    if tally.long > _MOST_STRANGE * tally.lines:
        raise InputError(_doubt(tally, stated, root))
    return Form("", stated=stated)


def may_be_polygons(files: Iterable[Path], stated: Stated) -> bool:
    """Return whether some line of these files can be a polygon, as far as the description allows."""
    if stated.task:
        return stated.task in ("segment", "obb")
    for file in files:
        try:
            text = read_text(file)
        except InputError:
            continue
        for _, words in _numbered(text):
            if _is_polygonal(len(words)) and _numbers(words) is not None:
                return True
    return False


class _Tally:
    """What speaks for and against each reading of the lines that have more numbers than a box."""

    def __init__(self) -> None:
        self.lines = 0
        self.example: tuple[Path, int, int] | None = None
        self._lengths: Counter[int] = Counter()
        self._polygons: Counter[int] = Counter()
        self._outside = 0  # polygons, or boxes that leave the picture
        self._apart = 0  # polygons, or boxes whose key points lie elsewhere
        self._tracks = 0
        self._sure_tracks = 0

    @property
    def long(self) -> int:
        """Lines that could be more than a box."""
        return self._lengths.total()

    def add(self, words: Sequence[str], file: Path, number: int) -> None:
        values = _numbers(words)
        if values is None or len(values) < _BOX:
            return
        self.lines += 1
        count = len(values)
        if count == _BOX or not all(map(_is_fraction, values[1:_BOX])):
            return  # a box, or wrong in any reading
        self._lengths[count] += 1
        self.example = self.example or (file, number, count)
        if count == _BOX + 2 and _is_scored(values):
            self._tracks += 1
            self._sure_tracks += values[6] > 1
        if _is_polygonal(count) and all(map(_is_fraction, values[1:])):
            self._polygons[count] += 1
            outside = _leaves(values) and not (count == _BOX + 2 and _is_scored(values))
            self._outside += outside
            self._apart += outside or _is_apart(values)

    def are_polygons(self) -> bool:
        """Return whether the lines cannot be boxes: nearly all may be polygons, and enough are nothing else.

        Boxes with key points are all of one length and hold their points; a box lies in its picture.
        """
        total = self._polygons.total()
        if total < (1 - _LEAST) * self.long:
            return False
        varied = len(self._polygons) >= _LENGTHS and max(self._polygons.values()) <= _COMMON * total
        return (self._apart if varied else self._outside) >= max(1, _LEAST * total)

    def are_tracks(self) -> bool:
        """Return whether every line has a score and a whole number, and one is larger than a fraction can be."""
        return self._tracks == self.long and self._sure_tracks > 0


def _stated_form(stated: Stated) -> Form:
    task = "detect" if stated.task == "track" else stated.task
    if task == "pose" and stated.points is None:
        raise InputError(
            f"'{stated.file}' says 'task: pose', but not how many key points a line has: add 'kpt_shape: [5, 2]' for 5"
            " points of x, y, or 'kpt_shape: [5, 3]' where each has a visibility, too."
        )
    if task != "pose" and stated.points is not None:
        raise InputError(
            f"'{stated.file}' says 'task: {stated.task}' and 'kpt_shape': leave out the one that is wrong."
        )
    return Form(task, stated.points, stated)


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words:
            yield number, words


def _numbers(words: Sequence[str]) -> list[float] | None:
    """Return the numbers of a line, or None; what only Python calls a number (1_0) is none."""
    try:
        values = [float(word) for word in words if word.isascii() and "_" not in word]
    except ValueError:
        return None
    return values if len(values) == len(words) and all(map(math.isfinite, values)) else None


def _check_line(words: list[str], names: tuple[str, ...], form: Form) -> tuple[str, str, list[float]]:
    """Return the kind of what is wrong with a line, or "", why, and its numbers."""
    values = _numbers(words)
    if values is None:
        return WRONG_LINE, _no_numbers(words, names), []
    beyond = _beyond(words[1:_BOX], values[1:_BOX])
    wrong = form.wrong(len(values), values)
    if wrong:  # of pixels or percent it is not news that they are many
        return (WRONG_BOX, beyond, []) if beyond and len(values) > _BOX else (WRONG_LINE, wrong, [])
    label = int(values[0])
    if label != values[0] or not 0 <= label < len(names):
        return WRONG_CLASS, f"class {words[0]} does not exist; allowed: {_known(names)}", []
    kept = form.kept(values)
    beyond = _beyond(words[1 : 1 + len(kept)], kept)
    if beyond:
        return WRONG_BOX, beyond, []
    return "", "", values


def _beyond(words: Sequence[str], values: Sequence[float]) -> str:
    """Return why some of these numbers are not fractions of a picture, or ""."""
    word = next((word for word, value in zip(words, values, strict=True) if not _is_fraction(value)), None)
    if word is None:
        return ""
    large = ", not in pixels or percent" if max(map(abs, values)) > 1 + _SLACK else ""
    return f"{word} is not a fraction of the picture; the box must be written in numbers from 0 to 1{large}"


def _no_numbers(words: Sequence[str], names: tuple[str, ...]) -> str:
    line = " ".join(words)[:60]
    if any("," in word for word in words):
        return f"'{line}' has commas; numbers are separated by spaces, and their decimals begin with a point"
    if words[0] in names:
        return f"'{line}' begins with a name; the class is written as its number: {_known(names)}"
    if any(word.lower().strip("+-") in ("nan", "inf", "infinity") for word in words):
        return f"'{line}' has a number that is none; {_FORMS['']}"
    return f"'{line}' is not all numbers; {_FORMS['']}"


def _known(names: tuple[str, ...]) -> str:
    return f"0 ({names[0]})" if len(names) == 1 else f"0 to {len(names) - 1} ({', '.join(names)})"


def _is_fraction(value: float) -> bool:
    return -_SLACK <= value <= 1 + _SLACK


def _is_polygonal(count: int) -> bool:
    return count >= 7 and count % 2 == 1


def _is_scored(values: Sequence[float], place: int = _BOX) -> bool:
    """Return whether a score from 0 to 1 stands at a place, and perhaps a track id behind it, a whole number."""
    score, track = values[place], values[place + 1 :]
    return 0 <= score <= 1 and all(number == int(number) and number >= -1 for number in track)


def _leaves(values: Sequence[float]) -> bool:
    """Return whether the first numbers cannot be a box, because it would have no area or lie outside of its picture."""
    x, y, wide, high = values[1:_BOX]
    if wide <= 0 or high <= 0:
        return True
    return any(middle - side / 2 < -_FAR or middle + side / 2 > 1 + _FAR for middle, side in ((x, wide), (y, high)))


def _is_apart(values: Sequence[float]) -> bool:
    """Return whether the numbers behind a box cannot be its key points, because some lie far from it."""
    x, y, wide, high = values[1:_BOX]
    rest = values[_BOX:]
    for each in (2, 3):
        if len(rest) % each:
            continue
        points = list(zip(rest[0::each], rest[1::each], strict=True))
        near = [abs(px - x) <= _WIDE * wide / 2 and abs(py - y) <= _WIDE * high / 2 for px, py in points]
        if all(good or point == (0, 0) for good, point in zip(near, points, strict=True)):
            return False
    return not (len(values) == _BOX + 2 and _is_scored(values))


def _choices(count: int) -> list[tuple[str, str]]:
    """Return what a line of so many numbers can be, each with what states it."""
    rest = count - _BOX
    found = []
    if _is_polygonal(count):
        corners = " (or an oriented box)" if count == 9 else ""
        found.append((f"a polygon of {rest // 2 + 2} points{corners}", "task: segment"))
    if rest in (1, 2):
        found.append((f"a box with a score{' and a track id' if rest == 2 else ''}", "task: detect"))
    for each, what in ((2, "x, y"), (3, "x, y, visibility")):
        if rest % each == 0:
            points = f"{rest // each} key point{'' if rest == each else 's'} ({what})"
            found.append((f"a box with {points}", f"kpt_shape: [{rest // each}, {each}]"))
    if not found:
        found.append(
            (f"a box with {(rest - 1) // 2} key points (x, y) and a score", f"kpt_shape: [{(rest - 1) // 2}, 2]")
        )
    return found


def _readings(count: int) -> str:
    found = [what for what, _ in _choices(count)]
    return f"which {'is' if len(found) == 1 else 'can be'} {_listed(found)}"


def _say_which(count: int, stated: Stated) -> str:
    """Return how to state what the lines are."""
    keys = [key for _, key in _choices(count)]
    if stated.file.suffix == ".data":
        keys = [key.replace(":", " =").replace("[", "").replace("]", "") for key in keys]
    beside = f", beside '{stated.names}'" if stated.names else ""
    unknown = f" (its task '{stated.unknown}' is not one of {', '.join(TASKS)})" if stated.unknown else ""
    quoted = _listed([f"'{key}'" for key in keys])
    return f"Write which it is into '{stated.file}'{beside}{unknown}: {quoted}"


def _listed(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} or {found[-1]}"


def _doubt(tally: _Tally, stated: Stated, root: Path) -> str:
    assert tally.example is not None
    file, number, count = tally.example
    many = f"{tally.long} of {tally.lines} label lines have" if tally.lines > 1 else "the one label line has"
    return (
        f"'{root}': {many} more numbers than a box, and nothing says what they are: '{file}' line {number} has {count}"
        f" numbers, {_readings(count)}. {_say_which(count, stated)}."
    )
