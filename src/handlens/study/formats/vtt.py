"""WebVTT: touches as subtitles that players and web pages show beside the video."""

import re
from html import escape, unescape
from pathlib import Path

from handlens.errors import InputError
from handlens.study.formats.coding import Coding, Mark, need_span, read_text, words_of
from handlens.study.results import Observation

_CUE = re.compile(r"(?:(\d+):)?(\d{2}):(\d{2})\.(\d{3})\s+-->\s+(?:(\d+):)?(\d{2}):(\d{2})\.(\d{3})")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")


def document(one: Observation) -> str:
    """Return the text of a .vtt file; the person is the voice of the cue."""
    lines = ["WEBVTT", "", f"NOTE {one.name}, coded by {one.coder}".replace("-->", "to"), ""]
    for number, event in enumerate(one.events, 1):
        lines += [str(number), f"{_time(event.start)} --> {_time(max(event.stop, event.start + 0.001))}"]
        lines += [f"<v {escape(event.subject, quote=False)}>{' '.join(words_of(event))}</v>", ""]
    return "\n".join(lines) + "\n"


def _time(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def read(path: Path) -> list[Coding]:
    """Return what a .vtt file holds.

    Raises:
        InputError: it does not begin as WebVTT does.
    """
    text = read_text(path)
    if not text.startswith("WEBVTT"):
        raise InputError(f"'{path}' is not a WebVTT file: it does not begin with WEBVTT.")
    marks = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.split("\n")
        place = next((row for row, line in enumerate(lines) if _CUE.search(line)), None)
        if place is None:
            continue
        cue = _CUE.search(lines[place])
        if cue is None:
            continue
        start, stop = _seconds(cue.groups()[:4]), _seconds(cue.groups()[4:])
        need_span(start, stop, path, f"the cue '{lines[place].strip()}'")
        said = "\n".join(lines[place + 1 :])
        voice = _VOICE.search(said)
        label = unescape(re.sub(r"<[^>]*>", "", said)).strip()
        subject = unescape(voice[1]).strip() if voice else ""
        marks.append(Mark(subject, (label,), start, stop))
    return [Coding(path.stem, "", tuple(sorted(marks, key=lambda mark: mark.start)))]


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, milliseconds = (int(part or 0) for part in parts)
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
