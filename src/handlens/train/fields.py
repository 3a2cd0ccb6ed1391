"""What a class of settings says of its fields: their meaning and the values that they take; it must not know a setting.

    epochs: Annotated[int, Doc("Passes over the training part.", above=0)] = 100

The same words are the help of a flag and the row of the page of settings.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from handlens.errors import InputError, unknown


@dataclass(frozen=True)
class Doc:
    """What a setting means and which values are allowed.

    Args:
        text: Markdown. The first sentence stands in the help of the flag, all of it on the page of settings.
        shown: the default in words, where its value says little.
        least, most: bounds that are allowed themselves.
        above, below: bounds that are not.
        choices: the words that are allowed; none: any.
    """

    text: str
    shown: str | None = None
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """The first sentence, with quotation marks in place of backticks."""
        return self.text.split(". ")[0].rstrip(".").replace("`", "'") + "."

    def fault(self, key: str, value: Any) -> str | None:
        """Return the sentence for a value that is not allowed, or None."""
        if value is None:
            return None
        if self.choices:
            return None if value in self.choices else unknown(key, str(value), self.choices)
        if self.least is not None and self.most is not None:
            limits, ok = f"lie between {self.least:g} and {self.most:g}", self.least <= value <= self.most
        elif self.least is not None and self.below is not None:
            limits, ok = f"be at least {self.least:g} and below {self.below:g}", self.least <= value < self.below
        elif self.least is not None:
            limits, ok = f"be {self.least:g} or more", value >= self.least
        elif self.above is not None:
            limits, ok = f"be above {self.above:g}", value > self.above
        else:
            return None
        return None if ok else f"{key} must {limits}, got {value}."


class Row(NamedTuple):
    """One setting as a page shows it, all of it text."""

    key: str
    type: str
    default: str
    meaning: str


def docs(kind: type) -> dict[str, Doc]:
    """Return what each field says of itself; fields that say nothing are left out."""
    return {
        key: word
        for key, hint in _hints(kind).items()
        if get_origin(hint) is Annotated
        for word in get_args(hint)[1:]
        if isinstance(word, Doc)
    }


def rows(kind: type) -> tuple[Row, ...]:
    """Return the fields that say what they mean, in their order."""
    defaults = {field.name: field.default for field in _fields(kind)}
    return tuple(
        Row(key, _type_name(kind, key), to_toml(defaults[key]) if doc.shown is None else doc.shown, doc.text)
        for key, doc in docs(kind).items()
    )


def check(settings: Any, table: str = "") -> None:
    """Refuse values out of bounds. table: name of the table that the keys stand in, "" = none.

    Raises:
        InputError: the sentence names the key and the allowed values.
    """
    for key, doc in docs(type(settings)).items():
        fault = doc.fault(f"{table}.{key}" if table else key, getattr(settings, key))
        if fault:
            raise InputError(fault)


def converted(kind: type, key: str, value: Any) -> Any:
    """Return the value as the field's type, where that loses nothing.

    Raises:
        InputError: it is of another type.
    """
    allowed = _plain_types(kind, key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type(value) in allowed or (value is None and NoneType in allowed):
        return value
    if float in allowed and number:
        return float(value)
    if tuple in allowed and isinstance(value, list | tuple):
        numbers = [each for each in value if isinstance(each, int | float) and not isinstance(each, bool)]
        if len(numbers) == len(value):
            return tuple(float(each) for each in numbers)
    raise InputError(f"the setting '{key}' needs a value of type {_type_name(kind, key)}, got {value!r}.")


def to_toml(value: Any) -> str:
    """Return a value as TOML has it; "none" for None, which TOML has not."""
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(to_toml(each) for each in value) + "]"
    return "none" if value is None else repr(value)


def _fields(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _plain(kind: type, key: str) -> Any:
    hint = _hints(kind)[key]
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _plain_types(kind: type, key: str) -> tuple[Any, ...]:
    hint = _plain(kind, key)
    parts = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    return tuple(get_origin(part) or part for part in parts)


def _type_name(kind: type, key: str) -> str:
    names = {tuple: "list of numbers", NoneType: "none"}
    return " or ".join(names.get(part, part.__name__) for part in _plain_types(kind, key))
