"""`evaluate` on videos with coded events: plays them, prints the table; it must not measure anything itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handlens.errors import InputError

if TYPE_CHECKING:
    from handlens.predictor import Predictor


def has_coded(data: str) -> bool:
    """Return whether a folder holds coded events, and no table of pictures."""
    from handlens.data.formats.file_lists import TABLE as PICTURES

    return has_events(data) and not (Path(data) / PICTURES).is_file()


def has_events(data: str) -> bool:
    """Return whether a folder holds coded events, beside whatever else."""
    from handlens.evaluate.touch_events import TABLE

    return (Path(data) / TABLE).is_file()


def evaluate_events(predictor: "Predictor", model: str, data: str, resamples: int, quiet: bool) -> dict[str, Any]:
    """Print how well the events of a model agree with coded ones, and return the numbers.

    Args:
        quiet: print to the standard error stream, for the standard output has the JSON object.

    Raises:
        InputError: the model tells no touches, or events.csv is wrong.
    """
    from handlens.cli.console import Bar
    from handlens.evaluate import touch_events as coding
    from handlens.events import EventTracker
    from handlens.tasks import task_of

    if not task_of(predictor.card.task).touches:
        raise InputError(f"'{data}' has coded touches, but '{predictor.card.name}' does not tell touches.")
    coded = coding.read_coded(data)
    seen = []
    with Bar() as bar:
        bar.begin(f"{predictor.card.name} on {len(coded)} videos", None)
        for one in coded:
            seen.append(coding.events_of(predictor, one, EventTracker(), bar.count))
    report = coding.measure_events(coded, seen, resamples)
    print(report, file=sys.stderr if quiet else sys.stdout)
    return {
        "model": model,
        "data": data,
        "videos": len(coded),
        "rows": report.to_json(),
        "notes": list(report.notes),
    }
