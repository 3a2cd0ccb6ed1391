"""What each position of the sensitivity slider of `handlens watch` means, on webcam people that no training saw.

    handlens predict TOUCH/images TOUCH4/images --json ours.jsonl
    python benchmarks/operating_points.py --answers ours.jsonl --labels TOUCH/labels.csv TOUCH4/labels.csv

Counts pictures of the split `val` that show people before a webcam (the rows without a face_box): of the touches those
called a touch, and the same of hands held in front of the face, of pictures without a hand there, and of things held
at the mouth. Writes src/handlens/live/operating_points.json with the version and the digest of the model, so that the
page shows the words only for the model they were measured on.
"""

import argparse
import csv
import hashlib
import json
from pathlib import Path

from handlens.predictor import load
from handlens.weights import SHIPPED

TARGET = Path(__file__).parents[1] / "src/handlens/live/operating_points.json"
LABELS = {"touch": "touch", "front": "overlap_no_touch", "plain": "no_touch", "things": "object_at_mouth"}


def read(answers: Path, labels: list[Path]) -> dict[str, list[float]]:
    """Return for each label the probabilities of its pictures, by (folder, file)."""
    truth = {}
    for table in labels:
        for row in csv.DictReader(table.read_text("utf-8").splitlines()):
            if row["split"] == "val" and row["face_box"] in ("", "[]"):
                truth[table.parent.name, row["file"]] = row["label"]
    found: dict[str, list[float]] = {label: [] for label in LABELS.values()}
    for line in answers.read_text("utf-8").splitlines():
        told = json.loads(line)
        path = Path(told["source"])
        label = truth.pop((path.parents[1].name, path.name), None)
        if label in found:
            found[label].append(float(told["value"]["touch"]))
    missing = [key for key, label in truth.items() if label in found]
    if missing:
        raise SystemExit(f"no answer for {len(missing)} pictures, the first is {'/'.join(missing[0])}")
    return found


def main() -> None:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--labels", type=Path, nargs="+", required=True)
    given = parser.parse_args()
    found = read(given.answers, given.labels)
    points = []
    for position in range(0, 101, 5):
        threshold = min(0.95, max(0.05, 1 - position / 100))
        counts = {name: sum(p >= threshold for p in found[label]) for name, label in LABELS.items()}
        points.append({"position": position, "open": round(threshold, 2), **counts})
    digest = hashlib.sha256((SHIPPED / "touch.onnx").read_bytes()).hexdigest()
    table = {
        "about": "Pictures of webcam people that no training saw; made by benchmarks/operating_points.py.",
        "model": "touch",
        "version": load("touch").card.version,
        "sha256": digest,
        "of": {name: len(found[label]) for name, label in LABELS.items()},
        "points": points,
    }
    TARGET.write_text(json.dumps(table, indent=1) + "\n", "utf-8")
    print(f"{TARGET.name}: {len(points)} positions, {table['of']}")


if __name__ == "__main__":
    main()
