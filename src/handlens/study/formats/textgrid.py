"""Praat TextGrid files: one interval tier for each person; long and short text files are read."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from handlens.errors import InputError
from handlens.study.formats.coding import Coding, Mark, layers, need_span, read_text, words_of
from handlens.study.results import Observation


def document(one: Observation) -> str:
    """Return the text of a TextGrid; the tiers of each person cover the whole time, as Praat needs it."""
    end = max(one.duration, 0.001)
    tiers = [
        (subject if number == 1 else f"{subject} ({number})", layer)
        for subject in one.subjects or ["nobody"]
        for number, layer in enumerate(layers(e for e in one.events if e.subject == subject) or [[]], 1)
    ]
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {_time(end)}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for place, (name, layer) in enumerate(tiers, 1):
        spans = list(_filled([(e.start, e.stop, " ".join(words_of(e))) for e in layer], end))
        lines += [f"    item [{place}]:", '        class = "IntervalTier"', f"        name = {_quoted(name)}"]
        lines += ["        xmin = 0", f"        xmax = {_time(end)}", f"        intervals: size = {len(spans)}"]
        for number, (start, stop, label) in enumerate(spans, 1):
            lines += [f"        intervals [{number}]:", f"            xmin = {_time(start)}"]
            lines += [f"            xmax = {_time(stop)}", f"            text = {_quoted(label)}"]
    return "\n".join(lines) + "\n"


def _filled(spans: Sequence[tuple[float, float, str]], end: float) -> Iterator[tuple[float, float, str]]:
    """Yield the spans with empty ones between them; spans of no length are left out, for Praat refuses them."""
    at = 0.0
    for start, stop, label in spans:
        if stop <= start:
            continue
        if start > at:
            yield at, start, ""
        yield max(at, start), stop, label
        at = stop
    if at < end:
        yield at, end, ""


def _time(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") or "0"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.\[])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])|(<exists>)')


def read(path: Path) -> list[Coding]:
    """Return what a TextGrid holds: each interval or point with a text; the tier is the person.

    Raises:
        InputError: it is not a TextGrid that is written as text, or it ends too early.
    """
    tokens = list(_tokens(read_text(path)))
    if len(tokens) < 6 or tokens[:2] != ["ooTextFile", "TextGrid"]:
        raise InputError(f"'{path}' is not a TextGrid in text form: save it in Praat with 'Save as text file'.")
    try:
        marks = list(_marks(path, iter(tokens[5:])))
    except (StopIteration, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"'{path}' is a TextGrid that is cut off or damaged.") from error
    return [Coding(path.stem, "", tuple(sorted(marks, key=lambda mark: mark.start)))]


def _tokens(text: str) -> Iterator[str | float]:
    """Yield the texts and numbers of a TextGrid; those of the long and of the short form are the same."""
    for quoted, digits, _flag in (match.groups() for match in _TOKEN.finditer(text)):
        if digits is not None:
            yield float(digits)
        elif quoted is not None:
            yield quoted.replace('""', '"')


def _marks(path: Path, tokens: Iterator[str | float]) -> Iterator[Mark]:
    for kind in tokens:
        name, _first, _last, count = (next(tokens) for _ in range(4))
        for place in range(1, int(count) + 1):
            start = float(next(tokens))
            stop = float(next(tokens)) if kind == "IntervalTier" else start
            label = str(next(tokens)).strip()
            if label:
                need_span(start, stop, path, f"tier '{name}', interval {place}")
                subject = re.sub(r" \(\d+\)$", "", str(name))
                yield Mark(subject, (label,), start, stop)
