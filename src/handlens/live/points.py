"""What each position of the sensitivity slider means, as it was measured; it must not invent a number."""

import hashlib
import json
from pathlib import Path
from typing import Any

_TABLE = Path(__file__).parent / "operating_points.json"


def operating_points(model: Path) -> dict[str, Any] | None:
    """Return the measured table of a model file, or None where it was measured on another model.

    The table: {"of": {"touch": n, ...}, "points": [{"position", "open", "touch", "front", "plain", "things"}, ...]}:
    how many of the pictures of each kind are called a touch. It is made by benchmarks/operating_points.py.
    """
    table: dict[str, Any] = json.loads(_TABLE.read_text("utf-8"))
    if not model.is_file() or hashlib.sha256(model.read_bytes()).hexdigest() != table["sha256"]:
        return None
    return {"version": table["version"], "of": table["of"], "points": table["points"]}


def threshold_of(position: float) -> float:
    """Return the opening threshold of a position, 0 (few warnings) to 100 (many)."""
    return round(min(0.95, max(0.05, 1.0 - position / 100.0)), 4)


def position_of(threshold: float) -> int:
    """Return the position of an opening threshold."""
    return round(100.0 * (1.0 - threshold))
