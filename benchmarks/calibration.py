"""Measure the personal calibration on people whom the touch model never saw.

    python -m benchmarks.calibration DATA [--part val|left-out] [--json FILE]

DATA holds the labelled sets `touch` and `touch4`. A few pictures of one person calibrate: three with a touch, three
with a hand before the face, three without a hand, two with a thing at the face, as far as there are any. The person's
other pictures are judged before and after. "other regions": the calibration knows touches of one region only, and
touches of other regions are judged. Twenty draws for each person; intervals resample people. `left-out` are the people
of the sources that the training left out, on which the priors were chosen; `val` was not looked at for that.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from handlens.live.calibration import COUNTS, PHASES, Calibration, fit, personal, standardised
from handlens.predictor import load
from handlens.types import Detections, Frame
from recipes.shared.source_data import read_rgb
from recipes.touch.cache import is_left_out

Matrix = npt.NDArray[np.float64]
PHASE = {
    "no_touch": "look",
    "touch": "touch",
    "overlap_no_touch": "front",
    "object_at_mouth": "object",
    "object_at_face": "object",
}
DRAWS, LEAST, RESAMPLES = 20, 6, 1000
STRICTER = np.arange(0.0, 4.0, 0.1)
"""Logits by which the threshold is raised, to compare false alarms at the same recall."""


@dataclass(frozen=True)
class Picture:
    """What the model says of the most touched face of a picture."""

    person: str
    phase: str
    region: str
    logit: float
    scores: dict[str, float]


def rows_of(data: Path, part: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the pictures of a part with their labels."""
    for name in ("touch", "touch4"):
        for row in csv.DictReader((data / name / "labels.csv").open(encoding="utf-8")):
            wanted = (
                row["split"] == "val"
                if part == "val"
                else row["split"] == "train" and is_left_out(row["source"], row["person"])
            )
            if wanted and row["label"] in PHASE:
                yield data / name / "images" / row["file"], row


def asked(data: Path, part: str) -> tuple[list[Picture], int]:
    """Return what the model says of each picture with a face, and how many had none."""
    predictor, runner = personal(load("touch", 1), None)
    card, found, none = predictor.card, [], 0
    for path, row in rows_of(data, part):
        value = predictor.predict(Frame(read_rgb(path))).value
        seen = runner.taken()
        if seen is None or not isinstance(value, Detections):
            none += 1
            continue
        probability = min(1 - 1e-6, max(1e-6, value.best_touch))
        logit = float(np.log(probability / (1 - probability)))
        found.append(Picture(row["person"], PHASE[row["label"]], row["region"], logit, seen[1]))
    print(f"{card.name} {card.version}, {part}: {len(found)} pictures, {none} without a face", file=sys.stderr)
    return found, none


def drawn(pictures: list[Picture], seed: int, other_regions: bool) -> tuple[list[Picture], list[Picture]]:
    """Return the pictures of a person that calibrate, and those that are judged."""
    draw = np.random.default_rng(seed)
    chosen: list[Picture] = []
    judged: list[Picture] = []
    for phase in PHASES:
        mine = [picture for picture in pictures if picture.phase == phase]
        pool = mine
        if phase == "touch" and other_regions and mine:
            region = mine[int(draw.integers(len(mine)))].region
            pool = [picture for picture in mine if picture.region == region]
        most = min(int(COUNTS[phase]), len(pool) - 1 if len(mine) == len(pool) and len(pool) > 1 else len(pool))
        if len(mine) == 1:
            most = 0
        picked = {id(pool[i]) for i in draw.permutation(len(pool))[:most]}
        chosen += [picture for picture in pool if id(picture) in picked]
        left = [picture for picture in mine if id(picture) not in picked]
        if phase == "touch" and other_regions:
            left = [picture for picture in mine if picture not in pool]
        judged += left
    return chosen, judged


def calibrated(chosen: list[Picture]) -> Calibration:
    """Return the calibration of some pictures; each counts as one."""
    names = sorted(chosen[0].scores)
    features = np.array([[float(standardised(n, np.float32(p.scores[n]))) for n in names] for p in chosen])  # type: ignore[arg-type]
    shift, weights = fit(
        np.array([p.logit for p in chosen]),
        features,
        np.array([float(p.phase == "touch") for p in chosen]),
        np.ones(len(chosen)),
    )
    return Calibration("touch", "", shift, dict(zip(names, weights, strict=True)))


def added(calibration: Calibration, pictures: list[Picture]) -> Matrix:
    """Return the logits that a calibration adds to each picture."""
    scores = {name: np.array([p.scores[name] for p in pictures], np.float32) for name in pictures[0].scores}
    return np.broadcast_to(calibration.added(scores), (len(pictures),))


Counts = npt.NDArray[np.float64]
"""Touches found, called, there; then called and all of: no touch, hand before the face, thing; log loss; pictures."""


def counted(logits: Matrix, pictures: list[Picture]) -> Counts:
    """Return the counts of one draw."""
    there = np.array([p.phase == "touch" for p in pictures])
    called = logits >= 0
    front = np.array([p.phase == "front" for p in pictures])
    thing = np.array([p.phase == "object" for p in pictures])
    loss = np.logaddexp(0.0, np.where(there, -logits, logits)).sum()
    return np.array([
        (called & there).sum(), called.sum(), there.sum(), (called & ~there).sum(), (~there).sum(),
        (called & front).sum(), front.sum(), (called & thing).sum(), thing.sum(), loss, len(pictures),
    ], np.float64)  # fmt: skip


def measures(counts: Counts) -> dict[str, float]:
    """Return the numbers of some counts."""
    hit, called, there, wrong, rest, front, fronts, thing, things, loss, n = counts
    return {
        "F1": 2 * hit / max(1.0, called + there),
        "recall": hit / max(1.0, there),
        "false alarms": wrong / max(1.0, rest),
        "false alarms, hand in front": front / max(1.0, fronts),
        "false alarms, thing at the face": thing / max(1.0, things),
        "log loss": loss / max(1.0, n),
    }


def both(before: Counts, after: Counts) -> tuple[dict[str, float], dict[str, float]]:
    """Return the numbers before and after. after: counts at each threshold of `STRICTER`."""
    old, new = measures(before), measures(after[0])
    same = [measures(counts) for counts in after if measures(counts)["recall"] >= old["recall"]]
    at_recall = min((each["false alarms"] for each in same), default=new["false alarms"])
    name = "false alarms at the recall of before"
    return {**old, name: old["false alarms"]}, {**new, name: at_recall}


def compared(pictures: list[Picture], other_regions: bool) -> dict[str, dict[str, float]]:
    """Return each number before and after, and the difference with its 95 % interval."""
    people = sorted({p.person for p in pictures})
    sums: list[tuple[Counts, Counts]] = []
    for person in people:
        mine = [p for p in pictures if p.person == person]
        if len(mine) < LEAST:
            continue
        before, after, draws = np.zeros(11), np.zeros((len(STRICTER), 11)), 0
        for seed in range(DRAWS):
            chosen, judged = drawn(mine, seed, other_regions)
            if chosen and judged:
                own = np.array([p.logit for p in judged])
                before += counted(own, judged)
                new = own + added(calibrated(chosen), judged)
                after += np.stack([counted(new - by, judged) for by in STRICTER])
                draws += 1
        if draws:
            sums.append((before / draws, after / draws))
    draw = np.random.default_rng(0)
    told: dict[str, dict[str, float]] = {}
    picks = [np.arange(len(sums)), *(draw.integers(len(sums), size=len(sums)) for _ in range(RESAMPLES))]
    resampled = [both(sum(sums[i][0] for i in pick), sum(sums[i][1] for i in pick)) for pick in picks]
    for name in resampled[0][0]:
        change = np.array([after[name] - before[name] for before, after in resampled[1:]])
        low, high = np.quantile(change, [0.025, 0.975])
        told[name] = {
            "before": resampled[0][0][name],
            "after": resampled[0][1][name],
            "low": float(low),
            "high": float(high),
        }
    told["people"] = {"n": float(len(sums))}
    return told


def on_others(pictures: list[Picture]) -> dict[str, float]:
    """Return F1 and false alarms on all other people, with the calibration of one: what it forgets of the rest."""
    people = sorted({p.person for p in pictures})
    before, after = np.zeros(11), np.zeros(11)
    for person in people:
        mine = [p for p in pictures if p.person == person]
        others = [p for p in pictures if p.person != person]
        if len(mine) >= LEAST:
            chosen, _ = drawn(mine, 0, False)
            own = np.array([p.logit for p in others])
            before += counted(own, others)
            after += counted(own + added(calibrated(chosen), others), others)
    return {f"{name}, {when}": value for when, counts in (("before", before), ("after", after))
            for name, value in measures(counts).items() if name in ("F1", "false alarms")}  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--part", choices=("val", "left-out"), default="val")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pictures, _ = asked(args.data, args.part)
    told: dict[str, dict[str, dict[str, float]]] = {
        "the person's other pictures": compared(pictures, False),
        "touches of other regions": compared(pictures, True),
    }
    for heading, table in told.items():
        print(f"\n{heading}, {table['people']['n']:.0f} people\n{'':38}{'before':>8}{'after':>8}   change")
        for name, row in table.items():
            if name != "people":
                change = f"{row['after'] - row['before']:+.3f} [{row['low']:+.3f} {row['high']:+.3f}]"
                print(f"{name:<38}{row['before']:8.3f}{row['after']:8.3f}   {change}")
    rest = on_others(pictures)
    print("\non all other people: " + ", ".join(f"{name} {value:.3f}" for name, value in rest.items()))
    if args.json is not None:
        args.json.write_text(json.dumps({**told, "others": rest}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
