"""Measured numbers and their table; it must not know how they were measured."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One measured number with its interval (low to high) and the number of things it was measured on."""

    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Report:
    """Measured numbers; `str()` is the table."""

    rows: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))

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
        lines += [f"{r.name:<{wide}}  {r.value:>8.4f}  {r.low:>8.4f}  {r.high:>8.4f}  {r.n:>7d}" for r in self.rows]
        return "\n".join(lines)

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object per row."""
        return [dataclasses.asdict(row) for row in self.rows]
