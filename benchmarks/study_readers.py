"""Read the exports of a study with the programs that they are made for, and compare the counts with the tidy CSV.

    python benchmarks/study_readers.py FOLDER

FOLDER holds events.csv and any of study.boris, eaf/, textgrid/, written by `handlens study export`. This script needs
the readers and not handlens: pip install pympi-ling tgt praatio, and boris-behav-obs in an environment of its own.
A reader that is not installed is left out; the exit code is 1 where a count differs.
"""

import csv
import importlib
import importlib.util
import os
import sys
import types
from collections import Counter
from pathlib import Path

Counts = Counter[tuple[str, str]]


def expected(folder: Path) -> Counts:
    with (folder / "events.csv").open(newline="", encoding="utf-8") as file:
        return Counter((row["video"], row["subject"]) for row in csv.DictReader(file))


def by_pympi(folder: Path) -> Counts:
    import pympi  # type: ignore[import-not-found]

    found: Counts = Counter()
    for path in sorted((folder / "eaf").glob("*.eaf")):
        eaf = pympi.Elan.Eaf(str(path))
        for tier in eaf.get_tier_names():
            if not tier.startswith("side@"):
                subject = eaf.get_parameters_for_tier(tier)["PARTICIPANT"]
                found[path.stem, subject] += len(eaf.get_annotation_data_for_tier(tier))
    return +found


def by_tgt(folder: Path) -> Counts:
    import tgt  # type: ignore[import-not-found]

    found: Counts = Counter()
    for path in sorted((folder / "textgrid").glob("*.TextGrid")):
        for tier in tgt.io.read_textgrid(str(path)).tiers:
            found[path.stem, tier.name.split(" (")[0]] += len([one for one in tier.annotations if one.text])
    return +found


def by_praatio(folder: Path) -> Counts:
    from praatio import textgrid  # type: ignore[import-not-found]

    found: Counts = Counter()
    for path in sorted((folder / "textgrid").glob("*.TextGrid")):
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
        for tier in grid.tiers:
            found[path.stem, tier.name.split(" (")[0]] += len(tier.entries)
    return +found


def by_boris(folder: Path) -> Counts:
    """BORIS itself opens the project, finds nothing to complain of, and pairs starts and stops."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    package = types.ModuleType("boris")  # its __init__ opens windows and needs sound; the reader does not
    spec = importlib.util.find_spec("boris")
    package.__path__ = list(spec.submodule_search_locations or []) if spec else []
    sys.modules["boris"] = package
    for player in ("mpv", "mpv2"):  # the player of films is not asked for, and its library may be missing
        missing = sys.modules[f"boris.{player}"] = types.ModuleType(f"boris.{player}")
        missing.dll = ""  # type: ignore[attr-defined]
    project_functions = importlib.import_module("boris.project_functions")
    path = str(folder / "study.boris")
    _, changed, project, message = project_functions.open_project_json(path)
    if "error" in project or changed or message:
        raise ValueError(f"BORIS says: {project.get('error', '')} {message} changed={changed}")
    complaint = project_functions.check_project_integrity(project, "hh:mm:ss", path, media_file_available=False)
    if complaint.replace("<br>", "").strip():
        raise ValueError(f"BORIS complains: {complaint}")
    found: Counts = Counter()
    for name, one in project["observations"].items():
        for event in project_functions.events_start_stop(project["behaviors_conf"], one["events"], "MEDIA"):
            found[name, event[1]] += 1
    return Counter({key: count // 2 for key, count in found.items()})


READERS = {
    "pympi-ling": ("pympi", by_pympi),
    "tgt": ("tgt", by_tgt),
    "praatio": ("praatio", by_praatio),
    "boris-behav-obs": ("boris", by_boris),
}


def main(folder: Path) -> int:
    wanted = expected(folder)
    wrong = 0
    for name, (module, read) in READERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name}: not installed")
            continue
        found = read(folder)
        equal = found == wanted
        wrong += not equal
        print(f"{name}: {sum(found.values())} events of {len(found)} persons, {'equal' if equal else 'DIFFERENT'}")
    print(f"expected: {sum(wanted.values())} events of {len(wanted)} persons in videos")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
