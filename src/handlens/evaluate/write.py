"""A measurement as files: the table, JSON, curves, contact sheets; it must not know how it was made."""

import json
from pathlib import Path
from typing import Any

from handlens.data.dataset import LabelledSet
from handlens.errors import FrameError
from handlens.evaluate.evaluate import Measurement
from handlens.evaluate.plots.angles import plot_circle
from handlens.evaluate.plots.contact_sheets import CHOICES, chosen, sheet
from handlens.evaluate.plots.curves import plot_curves
from handlens.io.atomic import AtomicFile, output_error
from handlens.io.draw import save_picture
from handlens.predictor import Predictor


def as_json(measured: Measurement, model: str, data: str, split: str) -> dict[str, Any]:
    """Return the numbers as one JSON object: model, data, split, n, rows, notes; sectors where pictures were turned."""
    about = {"model": model, "data": data, "split": split, "n": len(measured.outcomes)}
    numbers = {**about, "rows": measured.report.to_json(), "notes": list(measured.report.notes)}
    return numbers if measured.circle is None else {**numbers, "sectors": measured.circle.to_json()}


def write_measurement(
    measured: Measurement, predictor: Predictor, found: LabelledSet, out: Path, crop: str = "whole"
) -> list[Path]:
    """Write report.txt, report.json, the curves and the contact sheets into a folder; return the files.

    Raises:
        InputError: matplotlib is missing.
        OutputError: something cannot be written.
    """
    made_folder(out)
    split = found.splits[0] if len(found.splits) == 1 else "all"
    numbers = as_json(measured, predictor.card.name, str(found.root), split)
    files = [out / "report.txt", out / "report.json"]
    title = f"{predictor.card.name} on {found.root} ({split})"
    texts = (f"{title}\n\n{measured.report}\n", json.dumps(numbers, indent=1) + "\n")
    for file, text in zip(files, texts, strict=True):
        with AtomicFile(file) as draft:
            draft.write(text.encode())
    files += plot_curves(measured.curves, out)
    if measured.circle is not None:
        files.append(plot_circle(measured.circle, title, out / "circle.png"))
    for choice in CHOICES:
        outcomes = chosen(measured.outcomes, choice)
        path = out / f"{choice}.jpg"
        path.unlink(missing_ok=True)  # of an earlier measurement: now there may be nothing wrong
        if outcomes:
            try:
                save_picture(path, sheet(outcomes, predictor, found, crop))
            except FrameError:  # it could be read a moment ago; the numbers are worth more than its sheet
                continue
            files.append(path)
    return files


def made_folder(out: Path) -> Path:
    """Make a folder where there is none, and return it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, out) from error
    return out
