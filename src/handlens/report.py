"""Measured numbers and their table; it must not know how they were measured."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Row:
    """One measured number with its interval (low to high) and the number of things it was measured on.

    A number that could not be told (a precision where nothing was found) is nan; the table says "-", JSON null.
    """

    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Report:
    """Measured numbers, and in a sentence each what a reader must know of them; `str()` or rich prints the table."""

    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        object.__setattr__(self, "notes", tuple(self.notes))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __str__(self) -> str:
        wide = max([len(row.name) for row in self.rows] + [4])
        lines = [f"{'name':<{wide}}  {'value':>8}  {'low':>8}  {'high':>8}  {'n':>7}"]
        for row in self.rows:
            value, low, high = map(_shown, (row.value, row.low, row.high))
            lines.append(f"{row.name:<{wide}}  {value:>8}  {low:>8}  {high:>8}  {row.n:>7d}")
        return "\n".join([*lines, *self.notes])

    def __rich__(self) -> "RenderableType":
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("")
        for title in ("value", "low", "high", "n"):
            table.add_column(title, justify="right", style="" if title == "value" else "dim")
        for row in self.rows:
            table.add_row(Text(row.name), *map(_shown, (row.value, row.low, row.high)), f"{row.n:,}")
        return Group(table, *(Text(note) for note in self.notes))

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object per row; a number that could not be told is None."""
        objects = [dataclasses.asdict(row) for row in self.rows]
        return [{key: None if _is_nan(value) else value for key, value in row.items()} for row in objects]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
