"""Puts the shipped touch model together: two trained nets -> calibrated .onnx files with cards and honest scores.

    python -m recipes.touch.train_detector --data DATA --out runs/facehand
    python -m recipes.touch.train_contact  --data DATA --out runs/contact
    python -m recipes.touch.assemble --data DATA --facehand runs/facehand --contact runs/contact --out runs/touch

The whole chain, detector included, is asked about every validation picture; what is calibrated and scored is the answer
a user gets. Scores come from folds by person, each calibrated on the other people; what ships is calibrated on all.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import nn

from handlens.card import ModelCard
from handlens.predictor import load
from handlens.tasks.touch import REGIONS
from handlens.train.calibration import fit_platt, logit, sigmoid
from handlens.train.export.export import export
from handlens.train.nets.contact import Contact, ContactGraph
from handlens.train.nets.hand_encoder import FaceHand, FaceHandGraph
from handlens.types import Detections, Frame
from recipes.shared.source_data import read_rgb, read_rows
from recipes.ship import put
from recipes.touch.common import MEAN, STD, averaged_state
from recipes.touch.train_contact import auc
from recipes.touch.train_detector import finder_card

DATA = (
    "touch: webcam people, sign-dictionary clips and natural photographs, labelled by eye (public repositories)",
    "segmentation: hands on white ground, hgr1, portraits of SFA, LFW, FASSEG, Face Synthetics",
    "gestures: Massey hands on black, sign language digits (hands cut out)",
    "rendered hands and heads of handlens itself; composites of all of these",
)
LICENCE = "Apache-2.0 (weights); the training pictures keep their owners' rights and are not included"
FOLDS = 5
PRIOR = 0.3
"""Share of touches that the probability is calibrated for."""


def averaged(net: nn.Module, runs: Sequence[Path], mix: Sequence[float] | None = None) -> nn.Module:
    """Return the net with the averaged weights of several runs of one ancestry, mixed by `mix` (arXiv 2203.05482)."""
    share = np.asarray(mix or [1.0] * len(runs)) / sum(mix or [1.0] * len(runs))
    states = [averaged_state(run) for run in runs]
    mean = {
        key: reduce(torch.add, [s[key].float() * float(w) for s, w in zip(states, share, strict=True)]).to(first.dtype)
        for key, first in states[0].items()
    }
    net.load_state_dict(mean)
    return net.eval()


def export_pair(facehand: Sequence[Path], contact: nn.Module, out: Path, card: ModelCard) -> None:
    """Write facehand.onnx and touch.onnx into `out`; facehand: runs, contact: the trained net."""
    finder = dataclasses.replace(finder_card(card.version), data=DATA, licence=LICENCE)
    example = torch.randn(1, 3, 256, 320)
    graph = FaceHandGraph(averaged(FaceHand(), facehand))
    export(graph, finder, example, ("boxes", "scores"), out / "facehand.onnx", int8=True)
    names = ("hand", "regions", "touch_logit", "region_scores")
    export(ContactGraph(contact), card, torch.randn(2, 3, 160, 160), names, out / "touch.onnx", int8=True)  # type: ignore[arg-type]


def plain_card(version: str) -> ModelCard:
    """Return the card before calibration."""
    return ModelCard(
        name="touch", task="touch", kind="contact", names=("face", "hand", *REGIONS), size=(160, 160), resize="stretch",
        mean=MEAN, std=STD, thresholds={"touch": 0.5, "score": 0.5}, parts={"detector": "facehand"},
        options={"max_faces": 6, "crop_scale": 2.0, "second_look": 1.6, "prior": round(PRIOR, 3)}, version=version,
        data=DATA, licence=LICENCE,
    )  # fmt: skip


def ask(model: Path, data: Path, rows: Sequence[dict[str, str]]) -> list[Detections]:
    """Return the model's answer to every picture."""
    predictor = load(model)
    out = []
    for row in track(rows, "asking about validation pictures"):
        value = predictor.predict(Frame(read_rgb(data / "touch" / "images" / row["file"]))).value
        assert isinstance(value, Detections)
        out.append(value)
    return out


def scores(probability: NDArray[np.float64], rows: Sequence[dict[str, str]]) -> dict[str, float]:
    """F1, precision, recall, AUC and false alarms at 0.5, in all and for webcam people and photographs."""
    label = np.array([r["label"] for r in rows])
    photo = np.array([r["face_box"] != "[]" for r in rows])
    out: dict[str, float] = {}
    for name, group in (("", np.ones(len(rows), bool)), ("webcam_", ~photo), ("photo_", photo)):
        used = group & (label != "object_at_mouth")
        touch, hit = label[used] == "touch", probability[used] >= 0.5
        true = float((touch & hit).sum())
        out[name + "precision"], out[name + "recall"] = true / max(1, hit.sum()), true / max(1, touch.sum())
        out[name + "f1"] = 2 * true / max(1.0, float(hit.sum() + touch.sum()))
        out[name + "auc"] = auc(
            probability[used][touch].astype(np.float32), probability[used][~touch].astype(np.float32)
        )
        front = label[used] == "overlap_no_touch"
        out[name + "alarms_in_front"] = float(hit[front].mean()) if front.any() else 0.0
        plain = label[used] == "no_touch"
        out[name + "alarms_plain"] = float(hit[plain].mean()) if plain.any() else 0.0
    return {k: round(float(v), 4) for k, v in out.items()}


def calibrate(
    answers: Sequence[Detections], rows: Sequence[dict[str, str]], prior: float = PRIOR
) -> tuple[dict[str, float], dict[str, float]]:
    """Calibration fitted on all people, and scores of folds calibrated on the others."""
    logits = logit(np.array([a.best_touch for a in answers]))
    usable = np.array([r["label"] != "object_at_mouth" for r in rows])
    touch = np.array([r["label"] == "touch" for r in rows])
    persons, person = np.unique([r["person"] for r in rows], return_inverse=True)
    weight = (np.bincount(person)[person] ** -0.5) * usable
    share = weight[touch].sum() / weight.sum()
    weight = weight * np.where(touch, prior / share, (1 - prior) / (1 - share))
    fold = np.random.default_rng(0).permutation(len(persons))[person] % FOLDS
    held = np.zeros(len(rows))
    for k in range(FOLDS):
        a, b = fit_platt(logits[fold != k], touch[fold != k], weight[fold != k])
        held[fold == k] = sigmoid(a * logits[fold == k] + b)
    a, b = fit_platt(logits, touch, weight)
    return {"a": round(a, 4), "b": round(b, 4)}, scores(held, rows)


def main() -> None:
    """Export, ask, calibrate, export again; print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--facehand", type=Path, nargs="+", required=True, help="runs whose weights are averaged")
    parser.add_argument("--contact", type=Path, nargs="+", required=True, help="runs whose weights are averaged")
    parser.add_argument("--mix", type=float, nargs="+", help="share of each contact run; equal when left out")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="0.1")
    parser.add_argument("--ship", type=Path, help="folder of the package's models, to copy the files to")
    args = parser.parse_args()
    card, contact = plain_card(args.version), averaged(Contact(), args.contact, args.mix)
    export_pair(args.facehand, contact, args.out, card)
    rows = [r for r in read_rows(args.data / "touch" / "labels.csv") if r["split"] == "val"]
    calibration, held = calibrate(ask(args.out / "touch.onnx", args.data, rows), rows)
    card = dataclasses.replace(card, calibration=calibration, scores=held)
    export_pair(args.facehand, contact, args.out, card)
    print(json.dumps({"calibration": calibration, "scores": held}, indent=1))
    if args.ship:
        for name in ("facehand", "touch"):
            put(args.out / f"{name}.onnx", args.ship)


if __name__ == "__main__":
    main()
