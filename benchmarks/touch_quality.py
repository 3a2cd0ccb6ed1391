"""How well touch is told on the labelled pictures of one split, by any number of systems side by side.

It must not know a network: it reads JSON lines that others wrote, either as `handlens predict FOLDER --json` writes
them or as `mediapipe_rule.py pictures` does, and the labels (`labels.csv` of the touch folder):

    handlens predict touch/images --json ours.jsonl
    python benchmarks/touch_quality.py --data touch --split val handlens=ours.jsonl mediapipe=mediapipe_val.jsonl

Touch is the positive label, no_touch and overlap_no_touch are the negatives. object_at_mouth, with or without a finger
at the lips, and object_at_face are neither: how often they are called touch stands apart. A handlens line is called
touch from --threshold on; a mediapipe line has an answer for each scale of the face outline, and the scale with the
best F1 on these very pictures is the one in the tables (its advantage, not ours). Photographs are the rows with a
face_box, webcam people the others.

Intervals are 95 % percentiles of 1000 bootstrap draws that resample persons, not pictures; one of no width means that
there were only hits or only misses, so read it with the counts. In the person-weighted tables a picture weighs
1/sqrt(pictures of that person in the split), so that one much-photographed person does not decide. Region top-1 asks on
the touch pictures whether the best-scored region is one of the label's: over all that have a region label (none
answered is wrong), and over those where the system answered a region and called it touch. Region macro recall is the
mean of that over the regions: each counts alike, however rare its touches are.

--sheet DIR draws contact sheets of the wrongest false alarms and misses with the score on each picture. They show
people: for eyes here only, so DIR gets a .gitignore that keeps it out of any commit.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.evaluate.binary import f1, ratio, roc_auc
from handlens.evaluate.bootstrap import Array, Drawn
from handlens.evaluate.bootstrap import rows as with_intervals

DRAWS, SEED = 1000, 20
THINGS = ("object_at_mouth", "object_at_face")
REGIONS = {"forehead", "eye", "nose", "mouth", "cheek", "chin", "ear"}
COLOURS = {"face": (80, 220, 80), "hand": (60, 160, 255)}  # BGR; touched regions are magenta
TILE, COLUMNS, ROWS, SHEETS = 220, 6, 5, 2


class UsageError(Exception):
    """The user's input was wrong; the text is the one sentence to print."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The labelled pictures of a split, one row each. weight: (n,) float64, 1/sqrt(pictures of that person)."""

    files: list[str]
    label: Array
    person: Array
    photo: Array
    regions: list[set[str]]
    weight: Array


@dataclass(frozen=True, eq=False)
class Answers:
    """What one system says, in the rows of a Truth. score: (n,) float64, called: (n,) bool, region: best or ""."""

    name: str
    score: Array
    called: Array
    region: Array | None
    boxes: list[list[tuple[str, list[float]]]]


def read_truth(data: Path, split: str) -> Truth:
    """Read one split of DATA/labels.csv."""
    if not (path := data / "labels.csv").is_file():
        raise UsageError(f"{data} holds no labels.csv; --data wants the touch folder with labels.csv and images/")
    with path.open(newline="") as stream:
        every = list(csv.DictReader(stream))
    rows = [row for row in every if row["split"] == split]
    if not rows:
        raise UsageError(f"no split '{split}' in {path}; it has {', '.join(sorted({row['split'] for row in every}))}")
    _, person, count = np.unique([row["person"] for row in rows], return_inverse=True, return_counts=True)
    regions = [{part.split(" (")[0] for part in row["region"].split("/")} & REGIONS for row in rows]
    return Truth(
        [row["file"] for row in rows],
        np.array([row["label"] for row in rows]),
        person,
        np.array([row["face_box"] != "[]" for row in rows]),
        regions,
        1 / np.sqrt(count[person]),
    )


def read_lines(path: Path, files: list[str]) -> list[dict[str, Any]]:
    """Read the JSON line of every file, in the order of files; further pictures are left out."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        found = {Path(line.get("file") or line["source"]).name: line for line in lines}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UsageError(f"{path} does not hold JSON lines of handlens or of mediapipe_rule.py") from None
    if missing := [name for name in files if name not in found]:
        raise UsageError(
            f"{path} lacks {len(missing)} of {len(files)} pictures of the split, the first is {missing[0]}"
        )
    return [found[name] for name in files]


def ours(name: str, lines: list[dict[str, Any]], threshold: float) -> Answers:
    """Take the answers from lines of `handlens predict --json`."""
    boxes = [[(box["label"], box["xyxy"]) for box in line["value"]["boxes"]] for line in lines]
    region = []
    for line in lines:
        touched = [box for box in line["value"]["boxes"] if box["label"] in REGIONS]
        region.append(max(touched, key=lambda box: box["score"])["label"] if touched else "")
    score = np.array([line["value"]["touch"] for line in lines], float)
    return Answers(name, score, score >= threshold, np.array(region), boxes)


def peers(name: str, lines: list[dict[str, Any]]) -> list[Answers]:
    """Take the answers from lines of `mediapipe_rule.py pictures`, one system for each scale of the outline."""
    score = np.array([line["score"] for line in lines], float)
    boxes = [[(key[:4], box) for key in ("face_boxes", "hand_boxes") for box in line[key]] for line in lines]
    scales = lines[0]["touch_at"]
    called = {scale: np.array([line["touch_at"][scale] for line in lines], bool) for scale in scales}
    return [Answers(f"{name} x{scale}", score, called[scale], None, boxes) for scale in scales]


def quoted(systems: list[Answers], truth: Truth) -> Answers:
    """Choose the system with the best F1 on all pictures."""
    everything = np.ones((1, len(truth.files)))
    return max(systems, key=lambda system: float(measure(system, truth, everything)["F1"][0]))


def measure(system: Answers, truth: Truth, weights: Array) -> dict[str, Array]:
    """Return every metric as (draws,) for weights (draws, n) of the pictures; nan where it cannot be told."""
    touch, apart = truth.label == "touch", things(truth)

    def total(rows: Array) -> Array:
        sums: Array = weights @ rows.astype(float)
        return sums

    def rate(rows: Array, of: Array) -> Array:
        return ratio(total(rows & of), total(of))

    called, judged = system.called, ~apart
    hit, wrong = total(called & touch), total(called & ~touch & judged)
    values = {
        "precision": ratio(hit, hit + wrong),
        "recall": rate(called, touch),
        "F1": f1(hit, hit + wrong, total(touch)),
        "ROC AUC": roc_auc(system.score[judged], touch[judged], weights[:, judged]),
        "false alarms, overlap_no_touch": rate(called, truth.label == "overlap_no_touch"),
        "false alarms, no_touch": rate(called, truth.label == "no_touch"),
    }
    for thing in THINGS:
        if thing in truth.label:
            values[f"{thing} called touch"] = rate(called, truth.label == thing)
    if system.region is not None:
        labelled = touch & np.array([bool(regions) for regions in truth.regions])
        right = np.array([region in regions for region, regions in zip(system.region, truth.regions, strict=True)])
        values["region top-1"] = rate(right, labelled)
        values["region top-1 where found"] = rate(right, labelled & called & (system.region != ""))
        values["region macro recall"] = macro_recall(system.region, truth, weights * labelled)
    return values


def things(truth: Truth) -> Array:
    """Say which pictures show a thing at the face, which is neither touch nor its opposite."""
    chosen: Array = np.isin(truth.label, THINGS)
    return chosen


def macro_recall(predicted: Array, truth: Truth, weights: Array) -> Array:
    """Return as (draws,) the mean over regions of the share of touches there whose best region is one of the label's.

    A touch that was not found, or has no region, is wrong. A region nobody drawn touches is left out.
    """
    right = np.array([region in regions for region, regions in zip(predicted, truth.regions, strict=True)])
    recalls = []
    for name in sorted(REGIONS):
        there = np.array([name in regions for regions in truth.regions])
        recalls.append(ratio(weights @ (there & right).astype(float), weights @ there.astype(float)))
    stacked = np.stack(recalls)
    known = ~np.isnan(stacked)
    mean: Array = ratio(np.where(known, stacked, 0).sum(0), known.sum(0).astype(float))
    return mean


def rows_of(system: Answers, truth: Truth, rows: Array, weighted: bool) -> dict[str, dict[str, float | None]]:
    """Measure one system on some pictures: each metric with its value and 95 % interval over persons."""
    chosen = np.flatnonzero(rows)

    def metrics(drawn: Array) -> list[Drawn]:
        weights = np.zeros((len(drawn), len(rows)))
        weights[:, chosen] = drawn * truth.weight[chosen] if weighted else drawn
        return [Drawn(name, values, len(chosen)) for name, values in measure(system, truth, weights).items()]

    report: dict[str, dict[str, float | None]] = {}
    for row in with_intervals(metrics, truth.person[chosen], DRAWS, SEED):
        triple = {"value": row.value, "low": row.low, "high": row.high}
        report[row.name] = {name: None if np.isnan(number) else round(number, 4) for name, number in triple.items()}
    return report


def compare(systems: list[Answers], truth: Truth) -> list[dict[str, Any]]:
    """Measure all systems on all, webcam and photograph pictures, plain and person-weighted."""
    sets = {"all": np.ones_like(truth.photo), "webcam people": ~truth.photo, "natural photographs": truth.photo}
    sections = []
    for weighted in (False, True):
        for title, rows in sets.items():
            if not rows.any():
                continue
            labels, counts = np.unique(truth.label[rows], return_counts=True)
            section: dict[str, Any] = {"pictures": title, "person_weighted": weighted}
            section |= {"n": int(rows.sum()), "persons": len(np.unique(truth.person[rows]))}
            section["labels"] = dict(zip(labels.tolist(), counts.tolist(), strict=True))
            section["systems"] = {system.name: rows_of(system, truth, rows, weighted) for system in systems}
            sections.append(section)
    return sections


def table(section: dict[str, Any], names: list[str]) -> str:
    """Lay out the systems called names of one section as text."""
    labels = ", ".join(f"{count} {label}" for label, count in section["labels"].items())
    weighted = ", person-weighted" if section["person_weighted"] else ""
    lines = [f"{section['pictures']}{weighted}: {section['n']} pictures, {section['persons']} persons ({labels})"]
    lines.append(" " * 32 + "".join(f"{name:>22}" for name in names))
    metrics = {metric: None for name in names for metric in section["systems"][name]}
    for metric in metrics:
        cells = []
        for name in names:
            cell = section["systems"][name].get(metric, {"value": None})
            defined = cell["value"] is not None
            cells.append(f"{cell['value']:.3f} [{cell['low']:.3f} {cell['high']:.3f}]" if defined else "-")
        lines.append(f"{metric:<32}" + "".join(f"{cell:>22}" for cell in cells))
    return "\n".join(lines)


def draw_sheets(system: Answers, truth: Truth, images: Path, folder: Path) -> None:
    """Write contact sheets of the wrongest false alarms and misses of one system, wrongest first."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    touch, apart = truth.label == "touch", things(truth)
    wrong = {"false_alarms": (system.called & ~touch & ~apart, -1), "misses": (~system.called & touch, 1)}
    for kind, (rows, sign) in wrong.items():
        worst = sorted(np.flatnonzero(rows).tolist(), key=lambda row: sign * system.score[row])
        for sheet in range(min(SHEETS, -(-len(worst) // (COLUMNS * ROWS)))):
            page = np.full((ROWS * TILE, COLUMNS * TILE, 3), 40, np.uint8)
            for place, row in enumerate(worst[sheet * COLUMNS * ROWS :][: COLUMNS * ROWS]):
                y, x = TILE * (place // COLUMNS), TILE * (place % COLUMNS)
                page[y : y + TILE - 4, x : x + TILE - 4] = tile(system, truth, row, images)
            path = folder / f"{system.name.replace(' ', '_')}-{kind}-{sheet + 1}.png"
            if not cv2.imwrite(str(path), page):
                raise UsageError(f"{path} cannot be written")


def tile(system: Answers, truth: Truth, row: int, images: Path) -> Array:
    """Draw one picture with its boxes, score, label and name, square, (TILE - 4) pixels."""
    import cv2

    side = TILE - 4
    canvas = np.full((side, side, 3), 40, np.uint8)
    if (picture := cv2.imread(str(images / truth.files[row]))) is None:
        raise UsageError(f"{images / truth.files[row]} is missing or not a picture")
    scale = side / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:side, :side]
    for label, xyxy in system.boxes[row]:
        x1, y1, x2, y2 = (round(scale * value) for value in xyxy)
        cv2.rectangle(small, (x1, y1), (x2, y2), COLOURS.get(label, (255, 0, 255)), 1, cv2.LINE_AA)
    canvas[: small.shape[0], : small.shape[1]] = small
    texts = {0: f"{system.score[row]:.2f} {truth.label[row]}", side - 16: truth.files[row]}
    for y, text in texts.items():
        canvas[y : y + 16] //= 3
        cv2.putText(canvas, text, (3, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def run(options: argparse.Namespace) -> None:
    """Read, measure, print and write what the command line asks for."""
    truth = read_truth(options.data, options.split)
    systems: list[Answers] = []
    shown: list[Answers] = []
    for argument in options.systems:
        name, equals, path = argument.partition("=")
        if not equals:
            raise UsageError(f"'{argument}' should be NAME=FILE, for example handlens={argument}")
        lines = read_lines(Path(path), truth.files)
        peer = "touch_at" in lines[0]
        try:
            found = peers(name, lines) if peer else [ours(name, lines, options.threshold)]
        except (KeyError, TypeError):
            raise UsageError(f"{path} does not hold touch answers; --json of a touch model writes them") from None
        systems += found
        shown.append(quoted(found, truth))
    if len({system.name for system in systems}) < len(systems):
        raise UsageError("two systems have one name; give each NAME=FILE a name of its own")
    sections = compare(systems, truth)
    names = [system.name for system in shown]
    print("\n\n".join(table(section, names) for section in sections))
    if others := [system.name for system in systems if system.name not in names]:
        print("\nthe other outline scales of the peer\n" + table(sections[0], others))
    if options.json:
        settings = {"split": options.split, "threshold": options.threshold, "draws": DRAWS, "seed": SEED}
        half = options.json.with_name(options.json.name + ".part")
        half.write_text(json.dumps(settings | {"quoted": names, "sections": sections}, indent=1) + "\n")
        half.replace(options.json)
    for system in shown if options.sheet else []:
        draw_sheets(system, truth, options.data / "images", options.sheet)


def main() -> int:
    """Compare the systems named on the command line; 0 done, 2 the input was wrong."""
    parser = argparse.ArgumentParser(description="touch quality of JSON lines on labelled pictures")
    parser.add_argument("systems", nargs="+", metavar="NAME=FILE", help="JSON lines of handlens or mediapipe_rule.py")
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv and images/")
    parser.add_argument("--split", default="val")
    parser.add_argument("--threshold", type=float, default=0.5, help="handlens calls touch from this probability on")
    parser.add_argument("--json", type=Path, help="write all numbers here as well")
    parser.add_argument("--sheet", type=Path, metavar="DIR", help="contact sheets of the wrongest pictures")
    options = parser.parse_args()
    try:
        run(options)
    except (UsageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
