"""The settings of `watch`: one value with the names of its flags, kept as a TOML file; it must not know who shows them.

A flag of the command line comes before the file, and the file before the defaults.
"""

import dataclasses
import json
import math
import re
import threading
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile
from handlens.live.folders import config_dir, made, set_aside
from handlens.tasks.touch import REGIONS

FILE = "settings.toml"
VERSION = 1
SOUNDS = ("voice", "beep", "off")
_HEADING = "# Settings of 'handlens watch'; each has the name of its flag. Flags come first.\n"


@dataclass(frozen=True)
class Settings:
    """What `watch` does. The names are those of its flags, with _ for -.

    Attributes:
        source: A camera's number, a stream's address, or a video.
        model: A shipped model or an .onnx file.
        open, close: Probabilities at which a touch begins and ends; close None: .35, or open where that is lower.
        min_time, gap: Seconds that a touch lasts at least, and that it may be interrupted.
        cooldown: Seconds from one alarm to the next.
        reconnect: Seconds for which a camera that drops is tried again.
        every: Look at every n-th frame only.
        rotate: Degrees clockwise: 0, 90, 180 or 270.
        mirror: Change left and right.
        threads: CPU threads for the model, or None.
        min_score: Leave out boxes below it, or None.
        regions: Regions of the face to warn for; all are recorded.
        voice: What the alarm says, or None.
        sound: "voice", "beep" or "off".
        volume: Of the beep and the voice, 0 to 1.
        notify, glow: Whether the page shows a notification, and glows.
        no_sound: Never make a sound.
        no_page: Show it in the terminal.
        early: Warn before the contact, from the hand's approach.
        low_power: Look at 5 frames a second, and sleep while nobody is there.
        no_history: Keep no history.
        keep_days: Days for which the history is kept; 0: for ever.
        keep_wrong: Keep a crop of a touch that the person answers, for training.

    Raises:
        InputError: a value is not allowed.
    """

    source: str = "0"
    model: str = "touch"
    open: float = 0.5
    close: float | None = None
    min_time: float = 0.25
    gap: float = 0.5
    cooldown: float = 5.0
    reconnect: float = 30.0
    every: int = 1
    rotate: int = 0
    mirror: bool = False
    threads: int | None = None
    min_score: float | None = None
    regions: tuple[str, ...] = REGIONS
    voice: str | None = None
    sound: str = "voice"
    volume: float = 0.8
    notify: bool = False
    glow: bool = True
    no_sound: bool = False
    no_page: bool = False
    early: bool = False
    low_power: bool = False
    no_history: bool = False
    keep_days: int = 365
    keep_wrong: bool = False

    def __post_init__(self) -> None:
        for name in NAMES:
            object.__setattr__(self, name, checked(name, getattr(self, name)))
        if self.close is not None and self.close > self.open:
            raise InputError(f"the setting 'close' must be at most 'open', got {self.close} and {self.open}.")

    @property
    def closes(self) -> float:
        """The probability below which a touch ends."""
        return min(0.35, self.open) if self.close is None else self.close

    def changed(self, **values: Any) -> "Settings":
        """Return the settings with other values; a name may have - for _.

        Raises:
            InputError: an unknown name, or a value that is not allowed.
        """
        return dataclasses.replace(self, **{_name(key): value for key, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        told = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    def to_toml(self) -> str:
        """Return the text of the file; what is None stands there as a remark."""
        lines = [_HEADING, f"version = {VERSION}\n"]
        for name, value in self.to_dict().items():
            lines.append(f"# {name} = ...\n" if value is None else f"{name} = {_toml(value)}\n")
        return "".join(lines)


NAMES = tuple(field.name for field in dataclasses.fields(Settings))


class SettingsFile:
    """The file of the settings; may be used from several threads and processes, the last change of a name counts.

    Args:
        path: The file; left out: settings.toml in the platform's folder.
        say: Takes one sentence about a file that cannot be read; nothing is lost then, see `change`.
    """

    def __init__(self, path: Path | None = None, say: Callable[[str], None] | None = None) -> None:
        self.path = config_dir() / FILE if path is None else path
        self._say = say or (lambda sentence: None)
        self._lock = threading.Lock()

    def load(self) -> Settings:
        """Return the settings; for what the file does not say, or says wrongly, the defaults.

        A file of a newer handlens is read as far as it is known here.
        """
        settings, problem = self._read()
        if problem:
            self._say(problem)
        return settings

    def change(self, **values: Any) -> Settings:
        """Change some settings, write the file, and return all.

        A file that could not be read as a whole is kept beside the new one, as settings.toml.kept.

        Raises:
            InputError: an unknown name, or a value that is not allowed; the file stays as it is.
            OutputError: the file cannot be written.
        """
        with self._lock:
            settings, problem = self._read()
            settings = settings.changed(**values)
            made(self.path.parent)
            if problem and self.path.exists():
                place = set_aside(self.path, "kept")
                self._say(f"the old settings could not be read as a whole; they are kept as '{place}'.")
            with AtomicFile(self.path) as draft:
                draft.write(settings.to_toml().encode())
            return settings

    def reset(self) -> Settings:
        """Go back to the defaults and return them; the old file is kept as settings.toml.old.

        Raises:
            OutputError: the file cannot be moved.
        """
        with self._lock:
            if self.path.exists():
                set_aside(self.path, "old")
            return Settings()

    def _read(self) -> tuple[Settings, str]:
        """Return the settings of the file, and a sentence where it cannot be read as a whole."""
        try:
            told = tomllib.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return Settings(), ""
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            why = str(error.strerror if isinstance(error, OSError) else error).rstrip(".")
            return Settings(), f"the settings in '{self.path}' cannot be read ({why}); the defaults are used."
        version = told.pop("version", VERSION)
        settings, wrong = understood(told)
        if isinstance(version, int) and version > VERSION:
            wrong = [f"they were written by a newer handlens (version {version} of the file, known is {VERSION})"]
        if not wrong:
            return settings, ""
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        first = wrong[0].rstrip(".")
        return settings, f"in the settings '{self.path}': {first}{more}; what is understood is used."


def understood(told: Mapping[str, Any]) -> tuple[Settings, list[str]]:
    """Return the settings of a table, and sentences about what is wrong in it; wrong values become the defaults."""
    good: dict[str, Any] = {}
    wrong: list[str] = []
    for key, value in told.items():
        try:
            name = _name(key)
            good[name] = checked(name, value)
        except InputError as error:
            wrong.append(str(error))
    try:
        return Settings(**good), wrong
    except InputError as error:  # two values that contradict each other
        good.pop("close", None)
        return Settings(**good), [*wrong, str(error)]


def checked(name: str, value: Any) -> Any:
    """Return the value of a setting in its own type.

    Raises:
        InputError: it is not allowed.
    """
    rule, allowed = _RULES[name]
    try:
        return rule(value)
    except (TypeError, ValueError) as error:
        shown = json.dumps(value, default=str, ensure_ascii=False)[:60]
        raise InputError(f"the setting '{name}' needs {allowed}, got {shown}.") from error


def _name(key: str) -> str:
    name = key.replace("-", "_")
    if name not in NAMES:
        raise InputError(unknown("setting", key, NAMES))
    return name


def _number(least: float, most: float) -> Callable[[Any], float]:
    def rule(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError
        if not (math.isfinite(value) and least <= value <= most):
            raise ValueError
        return float(value)

    return rule


def _integer(least: int, most: int) -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError
        if not least <= value <= most:
            raise ValueError
        return value

    return rule


def _or_none(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else rule(value)


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(longest: int) -> Callable[[Any], str]:
    def rule(value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        if not value.strip() or len(value) > longest or re.search(r"[\x00-\x1f\x7f]", value):
            raise ValueError
        value.encode()  # half a character, as in the name of a file of another encoding, is a ValueError
        return value

    return rule


def _quarter(value: Any) -> int:
    if isinstance(value, bool) or value not in (0, 90, 180, 270):
        raise ValueError
    return int(value)


def _one_of(known: Iterable[str]) -> Callable[[Any], str]:
    choices = tuple(known)

    def rule(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return rule


def _some_of(known: Iterable[str]) -> Callable[[Any], tuple[str, ...]]:
    order = tuple(known)

    def rule(value: Any) -> tuple[str, ...]:
        if isinstance(value, str) or not all(isinstance(each, str) for each in value):
            raise TypeError
        if set(value) - set(order):
            raise ValueError
        return tuple(name for name in order if name in value)

    return rule


_SECONDS = (_number(0, 86400), "seconds from 0 to 86400")
_SHARE = (_number(0, 1), "a number from 0 to 1")
_SWITCH = (_switch, "true or false")
_RULES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "source": (_text(2000), "a camera's number, an address or a file, as a text"),
    "model": (_text(2000), "the name of a model or a file, as a text"),
    "open": _SHARE,
    "close": (_or_none(_number(0, 1)), "a number from 0 to 1"),
    "min_time": _SECONDS,
    "gap": _SECONDS,
    "cooldown": _SECONDS,
    "reconnect": _SECONDS,
    "every": (_integer(1, 10000), "a whole number from 1 on"),
    "rotate": (_quarter, "0, 90, 180 or 270"),
    "mirror": _SWITCH,
    "threads": (_or_none(_integer(1, 256)), "a whole number from 1 to 256"),
    "min_score": (_or_none(_number(0, 1)), "a number from 0 to 1"),
    "regions": (_some_of(REGIONS), f"a list of some of {', '.join(REGIONS)}"),
    "voice": (_or_none(_text(200)), "a text of at most 200 characters in one line"),
    "sound": (_one_of(SOUNDS), f"one of {', '.join(SOUNDS)}"),
    "volume": _SHARE,
    "notify": _SWITCH,
    "glow": _SWITCH,
    "no_sound": _SWITCH,
    "no_page": _SWITCH,
    "early": _SWITCH,
    "low_power": _SWITCH,
    "no_history": _SWITCH,
    "keep_days": (_integer(0, 36500), "a whole number of days, 0 for ever"),
    "keep_wrong": _SWITCH,
}
"""Name -> (what returns the value in its own type, what is allowed)."""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
