"""What thirty pictures of one person bring: the shipped touch model, fine-tuned, on that person and on all others.

    python benchmarks/touch_own_person.py --data touch --person NAME [NAME ...] --work DIR [--epochs 4]

DATA is a folder with labels.csv (file, label, person, split) and images/. For each person, who must not be in the
training of the shipped model, thirty pictures are drawn evenly of all labels (24 to train, 6 to choose the epoch).
`handlens train touch --start touch` learns them; the shipped model and the new one are then measured on the person's
other pictures and on the pictures of everybody else in the split. The persons' other pictures are pooled at the end.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

MINE, VAL = 30, 6
NUMBERS = ("precision", "recall", "F1", "ROC AUC", "recall at 5% false alarms")
Rows = list[dict[str, str]]


def drawn(rows: Rows, count: int, seed: int) -> tuple[Rows, Rows]:
    """Return so many rows, evenly of all labels as far as there are any, and the rest; half of each label stays."""
    rng = np.random.default_rng(seed)
    groups: dict[str, Rows] = {}
    for place in rng.permutation(len(rows)):
        groups.setdefault(rows[int(place)]["label"], []).append(rows[int(place)])
    room = {label: -(-len(group) // 2) if label == "touch" else len(group) - 1 for label, group in groups.items()}
    chosen: Rows = []
    while len(chosen) < count and any(room.values()):
        for label, group in groups.items():
            if room[label] and len(chosen) < count:
                chosen.append(group.pop())
                room[label] -= 1
    return chosen, [row for group in groups.values() for row in group]


def write_set(rows: Rows, images: Path, folder: Path, val: int = 0) -> Path:
    """Write a set as labels.csv with links to its pictures; `val` of them, evenly of all labels, choose the epoch."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["file", "label", "group", "split"])
        choosing, others = drawn(rows, val, 1)
        for number, row in enumerate(choosing + others):
            link = folder / "images" / Path(row["file"]).name
            if not link.exists():
                os.symlink((images / row["file"]).resolve(), link)
            out.writerow([link.name, row["label"], row["person"], "val" if number < val else "train"])
    return folder


def handlens(*words: object) -> None:
    """Run one command."""
    subprocess.run([sys.executable, "-m", "handlens", *map(str, words)], check=True)


def measured(model: Path, data: Path, out: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Return the numbers of the shipped model and of another one on a set, by name."""
    handlens("evaluate", "touch", "--data", data, "--split", "all", "--baseline", f"own={model}", "--json", out)
    systems = json.loads(out.read_text())["benchmark"]["systems"]
    return {name: {row["name"]: row for row in rows} for name, rows in systems.items()}


def show(title: str, found: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the numbers of both models."""
    print(title)
    for name, rows in found.items():
        cells = [f"{key} {rows[key]['value']:.3f} [{rows[key]['low']:.3f} {rows[key]['high']:.3f}]" for key in NUMBERS]
        print(f"  {name:<12}", "  ".join(cells), flush=True)


def main() -> None:
    """Make the sets, train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--person", nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with (args.data / "labels.csv").open(newline="", encoding="utf-8") as file:
        every = [row for row in csv.DictReader(file) if row.get("split", args.split) == args.split]
    images = args.data / "images"
    for person in args.person:
        folder = args.work / person
        mine, rest = drawn([row for row in every if row["person"] == person], MINE, args.seed)
        write_set(mine, images, folder / "mine", VAL)
        write_set(rest, images, folder / "rest")
        write_set([row for row in every if row["person"] != person], images, folder / "others")
        train = ("train", "touch", "--start", "touch", "--data", folder / "mine", "--net", "contact-net")
        handlens(*train, "--epochs", args.epochs, "--out", folder / "run")
        (model,) = (folder / "run").glob("*.onnx")
        show(f"{person}: {len(rest)} other pictures", measured(model, folder / "rest", folder / "rest.json"))
        show(f"everybody but {person}", measured(model, folder / "others", folder / "others.json"))


if __name__ == "__main__":
    main()
