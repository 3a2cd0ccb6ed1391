"""Write docs/five-systems.md: five-systems.template with the numbers of the tables in results/, and its curves.

    python -m recipes.published.page            # after results/table.json or shipped.json has changed
    python -m recipes.published.page --check    # 1 where the page says something else

In the text `{{NAME; what; ...}}` stands for a number:

    {{digits6-random; held out; accuracy}}                .987 [.975 .998] of 2,401
    {{digits6-random; epochs}}                            15 of 100; also epochs left, hours, best epoch, seed
    {{shipped digits; digits-others.npz test; accuracy}}  the same of a model that ships

Brackets are the 95 % interval by resampling groups, or Wilson's where there is one group only. A last word tells less
or otherwise: `; value` has no brackets, `; interval` not the number of pictures, `; wilson` takes Wilson's interval.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from recipes.published.systems import EPOCHS, RUNS

HERE = Path(__file__).parent
RESULTS, TEXT = HERE / "results", HERE / "five-systems.template"
PAGE = HERE.parents[1] / "docs/five-systems.md"
IMAGES = PAGE.parent / "images"
CURVES = {
    "digits6": "digits6-random", "gestures20": "gestures20-random", "gestures20-blocks": "gestures20-blocks",
    "mobileface": "mobileface", "unet": "unet",
}  # fmt: skip
"""Picture of the page, docs/images/NAME-curves.png -> the run whose curves it shows."""
HOW = ("value", "interval", "wilson")
"""Last words in a place: how much is told of a number."""
_PLACE = re.compile(r"\{\{(.+?)\}\}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or say that it is not as the tables have it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; return 1 where the page differs")
    args = parser.parse_args(arguments)
    wanted = {PAGE: written().encode()}
    wanted |= {
        IMAGES / f"{name}-curves.png": (RESULTS / run / "curves.png").read_bytes() for name, run in CURVES.items()
    }
    differing = {path: told for path, told in wanted.items() if not path.exists() or path.read_bytes() != told}
    if args.check:
        for path in differing:
            print(f"docs/ differs from {TEXT.name} and results/ in {path.name}: type python -m recipes.published.page")
        return 1 if differing else 0
    for path, told in differing.items():
        with AtomicFile(path) as draft:
            draft.write(told)
    return 0


def written() -> str:
    """Return the page with its numbers in their places."""
    runs = {run["run"]: run for run in json.loads((RESULTS / "table.json").read_text("utf-8"))}
    shipped = json.loads((RESULTS / "shipped.json").read_text("utf-8"))
    return filled(TEXT.read_text("utf-8"), runs, shipped)


def filled(text: str, runs: Mapping[str, Mapping[str, Any]], shipped: Sequence[Mapping[str, Any]]) -> str:
    """Return a text with a number in each `{{...}}`.

    Args:
        runs: what `measure.measured` wrote of each run.
        shipped: rows of `recipes.published.shipped`.

    Raises:
        InputError: no such number; the sentence names the place.
    """

    def number(found: re.Match[str]) -> str:
        run, *what = [word.strip() for word in found[1].split(";")]
        how = what.pop() if what and what[-1] in HOW else ""
        if run in runs and len(what) == 1:
            return _of_run(runs[run], what[0])
        if run in runs and len(what) == 2:
            rows = [row for row in runs[run]["rows"] if [row["measured on"], row["name"]] == what]
        else:
            asked = [run.removeprefix("shipped "), *what]
            rows = [row for row in shipped if [row["model"], f"{row['set']} {row['part']}", row["name"]] == asked]
        if len(rows) != 1:
            raise InputError(f"the place '{found[0]}' stands for {len(rows)} numbers of the tables, not for one.")
        return _told(rows[0], how)

    return _PLACE.sub(number, text)


def _of_run(run: Mapping[str, Any], what: str) -> str:
    if what == "epochs":
        of = run.get("of epochs", RUNS[run["run"]].given.get("epochs", EPOCHS))
        return f"{run['epochs']} of {of}"
    if what == "epochs left":
        return str(RUNS[run["run"]].given.get("epochs", EPOCHS) - run["epochs"])
    if what == "hours":
        return f"{run['hours']:.1f}"
    if what not in ("best epoch", "seed"):
        raise InputError(f"the table has no '{what}' of the run '{run['run']}'.")
    return str(run[what])


def _told(row: Mapping[str, Any], how: str) -> str:
    """Return a row as the page says it."""
    value = short(row["value"])
    if how == "value":
        return value
    low, high = row["low"], row["high"]
    if "Wilson low" in row and (how == "wilson" or low == high):
        low, high = row["Wilson low"], row["Wilson high"]
    told = f"{value} [{short(low)} {short(high)}]"
    return told if how == "interval" else f"{told} of {row['n']:,}"


def short(value: float) -> str:
    """Return a share with three digits: .987, or 1.0."""
    return "1.0" if f"{value:.3f}" == "1.000" else f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    raise SystemExit(main())
