"""Puts the face net together: trained weights -> a calibrated .onnx with card and scores.

    python -m recipes.touch.ship --data DATA --cache CACHE --weights RUN/mean.pt --out RUN/shipped [--ship MODELS]

The whole chain, detector included, is asked about every picture. The probability is calibrated on the sources that
cache.py names LEFT_OUT, which the net never saw; the scores are those of the val part, which nothing was chosen on.
The model computes in 8 bits, but for the parts of the graph that move the logit most. Where that loses more than half
a point of AUC or of F1 against floats on the left-out sources, or with --floats, it computes in float and its kernels
are stored in 8 bits.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from handlens.card import ModelCard
from handlens.predictor import load
from handlens.preprocess import to_tensor
from handlens.tasks.touch import REGIONS
from handlens.train.calibration import fit_platt, logit, sigmoid
from handlens.train.export.export import export
from handlens.train.export.int8 import Quantizer
from handlens.train.export.onnx_file import write_checked
from handlens.train.nets.facetouch import FaceTouch, FaceTouchGraph
from handlens.types import Detections, Frame
from recipes.shared.source_data import CROP_SIZE, CROP_SPAN, read_rgb, read_rows
from recipes.ship import put
from recipes.touch.assemble import PRIOR, scores
from recipes.touch.cache import is_left_out
from recipes.touch.teachers import fill
from recipes.touch.train import MEAN, STD, Store, plain

OUTPUTS = FaceTouchGraph.outputs
SENSITIVE = 0.15
"""A part of the graph that alone moves the touch logit by more stays in float."""
SURE = 0.97
"""Share of answers outside the band of doubt that are right on the left-out sources."""
DATA = (
    "touch, touch4: webcam people, sign-dictionary clips, natural photographs, moods, smokers, labelled by eye "
    "(public repositories)",
    "segmentation: hands on white ground, hgr1, portraits of SFA, LFW, FASSEG, Face Synthetics",
    "gestures: Massey hands on black, sign language digits (hands cut out)",
    "composites of these; rendered people and hands of this project; body: EfficientNet-Lite0 trained on ImageNet "
    "(Apache-2.0)",
)
LICENCE = "Apache-2.0 (weights); the training pictures keep their owners' rights and are not included"
LOSS = 0.005
"""So much ROC AUC or F1 on left-out sources may be lost by integers."""


def plain_card(version: str, size: int) -> ModelCard:
    """Return the card before calibration."""
    return ModelCard(
        name="touch", task="touch", kind="contact", names=("face", "hand", *REGIONS), size=(size, size),
        resize="stretch", mean=MEAN, std=STD, thresholds={"touch": 0.5, "score": 0.5},
        parts={"detector": "facehand"}, version=version, data=DATA, licence=LICENCE,
        options={"max_faces": 6, "crop_scale": 2.0, "second_look": 1.6, "prior": PRIOR, "faint_face": 0.2},
    )  # fmt: skip


def mean_of(files: Sequence[Path], mix: Sequence[float] | None = None) -> FaceTouch:
    """Return the net with the mean of several weights of one ancestry (arXiv 2203.05482).

    Args:
        mix: the share of each. A layer that only the first has is the first's.
    """
    share = np.asarray(mix or [1.0] * len(files)) / sum(mix or [1.0] * len(files))
    net, states = FaceTouch(pretrained=False), list[dict[str, torch.Tensor]]()
    for file in files:
        missing = fill(net, file)  # what it lacks stays as the file before has it
        if missing and not states:
            raise ValueError(f"{file} lacks {len(missing)} layers; name the newest weights first.")
        states.append({key: value.clone() for key, value in net.state_dict().items()})
    mean = {}
    for key, value in states[0].items():
        parts = [state[key].float() * weight for state, weight in zip(states, share.tolist(), strict=True)]
        mean[key] = torch.stack(parts).sum(0).to(value.dtype)
    net.load_state_dict(mean)
    return net.eval()


def looks(store: Store, rows: NDArray[np.int64], card: ModelCard, batch: int = 16) -> Iterator[NDArray[np.float32]]:
    """Return the unchanged looks at rows, as the model gets them."""
    size = card.size[0]
    for start in range(0, len(rows), batch):
        crops = [
            cv2.warpAffine(store.images[r], plain(store, size), (size, size), borderValue=(114, 114, 114))
            for r in rows[start : start + batch]
        ]
        yield to_tensor([np.asarray(crop, np.uint8) for crop in crops], card)


def write_int8(floating: Path, card: ModelCard, store: Store, path: Path, method: str) -> Path:
    """Quantize the float model on real crops of training people, but for the parts that lose most."""
    rows = np.random.default_rng(0).permutation(store.rows("train"))
    label = store.table["label"][rows]
    kinds = [name for name in np.unique(label) if name not in ("portrait", "void")]
    ranges, probe = (np.concatenate([rows[label == name][a:b] for name in kinds]) for a, b in ((0, 60), (60, 90)))
    maker = Quantizer(onnx.load(floating), looks(store, ranges, card), method)
    moved = maker.sensitivity(list(looks(store, probe, card)), "touch_logit")
    kept = {part: names for part, (value, names) in moved.items() if value > SENSITIVE}
    print(json.dumps({"stay in float": {part: round(moved[part][0], 3) for part in kept}}), flush=True)
    small = maker.graph([name for names in kept.values() for name in names])
    return write_checked(small, card, path, lambda runner: None)


def ask(model: Path, data: Path, files: Sequence[str]) -> list[Detections]:
    """Return the answer of the whole chain to every picture."""
    predictor, out = load(model), []
    for file in files:
        value = predictor.predict(Frame(read_rgb(data / file))).value
        assert isinstance(value, Detections)
        out.append(value)
    return out


def rows_of(data: Path, split: str, left_out: bool = False) -> list[dict[str, str]]:
    """Rows of both packs, with the file's place in the data folder; only those that calibrate where asked."""
    out = []
    for pack in ("touch", "touch4"):
        for row in read_rows(data / pack / "labels.csv"):
            if row["split"] == split and (not left_out or is_left_out(row["source"], row["person"])):
                out.append({**row, "file": f"{pack}/images/{row['file']}"})
    return out


def calibration_of(answers: Sequence[Detections], rows: Sequence[dict[str, str]]) -> dict[str, float]:
    """Platt's numbers for a share of touches of PRIOR; a person weighs 1/sqrt(pictures)."""
    z = logit(np.array([a.best_touch for a in answers]))
    # A picture without a face says nothing of the net; at a logit of -13 it would pull the line down.
    usable = np.array([not r["label"].startswith("object") for r in rows]) & (z > -12)
    touch = np.array([r["label"] == "touch" for r in rows])
    _, person = np.unique([r["person"] for r in rows], return_inverse=True)
    weight = (np.bincount(person)[person] ** -0.5) * usable
    share = weight[touch].sum() / weight.sum()
    weight = weight * np.where(touch, PRIOR / share, (1 - PRIOR) / (1 - share))
    a, b = fit_platt(z[usable], touch[usable], weight[usable])
    return {"a": round(a, 4), "b": round(b, 4)}


def doubt_of(
    answers: Sequence[Detections], rows: Sequence[dict[str, str]], calibration: dict[str, float]
) -> dict[str, float]:
    """Return the narrowest band of probabilities about .5, even in logits, outside of which SURE are right."""
    z = logit(np.array([a.best_touch for a in answers]))
    z = calibration["a"] * z + calibration["b"]
    usable = np.array([not r["label"].startswith("object") for r in rows])
    right = ((z > 0) == np.array([r["label"] == "touch" for r in rows]))[usable]
    far = np.abs(z[usable])
    _, person = np.unique([r["person"] for r, u in zip(rows, usable, strict=True) if u], return_inverse=True)
    weight = np.bincount(person)[person] ** -0.5
    for half in np.arange(0.0, 4.0, 0.05):
        sure = far >= half
        if (weight * right)[sure].sum() >= SURE * weight[sure].sum():
            break
    low, high = sigmoid(np.array([-half, half])).tolist()
    return {"unsure_from": round(low, 3), "unsure_to": round(high, 3)}


def rates(answers: Sequence[Detections], rows: Sequence[dict[str, str]], card: ModelCard) -> dict[str, float]:
    """Scores of uncalibrated answers, calibrated by the card."""
    z = logit(np.array([a.best_touch for a in answers]))
    p = sigmoid(card.calibration.get("a", 1.0) * z + card.calibration.get("b", 0.0))
    judged = [{**r, "label": "object_at_mouth" if r["label"].startswith("object") else r["label"]} for r in rows]
    out = scores(p, judged)
    label, hit = np.array([r["label"] for r in rows]), p >= 0.5
    for name in ("object_at_mouth", "object_at_face"):
        if (label == name).any():
            out[f"{name}_called_touch"] = round(float(hit[label == name].mean()), 4)
    return out


def chosen(told: Mapping[str, Mapping[str, float]]) -> str:
    """Return which of "float" and "int8" ships, by what both said of the left-out sources."""
    lost = [told["float"][name] - told["int8"][name] for name in ("auc", "f1")] if "int8" in told else [1.0]
    return "int8" if max(lost) <= LOSS else "float"


def write_lines(answers: Sequence[Detections], rows: Sequence[dict[str, str]], path: Path) -> None:
    """Write the answers as JSON lines that benchmarks/touch_quality.py reads."""
    with path.open("w", encoding="utf-8") as out:
        for answer, row in zip(answers, rows, strict=True):
            boxes = [
                {"label": label, "score": float(score), "xyxy": box.tolist()}
                for label, score, box in zip(answer.label_names, answer.score, answer.xyxy, strict=True)
            ]
            out.write(json.dumps({"source": row["file"], "value": {"touch": answer.best_touch, "boxes": boxes}}) + "\n")


def main() -> None:
    """Export, quantize, calibrate, score, and export again with the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="files whose mean ships")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=144)
    parser.add_argument("--floats", action="store_true", help="compute in float, and store kernels in 8 bits")
    parser.add_argument("--method", default="minmax", help="minmax, entropy or percentile")
    parser.add_argument("--mix", type=float, nargs="+", help="share of each of the weights, else equal")
    parser.add_argument("--version", default="0.6")
    parser.add_argument("--ship", type=Path, help="folder of the package's models, to copy the file to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    store, card, net = (
        Store(args.cache, "crops", CROP_SIZE, CROP_SPAN),
        plain_card(args.version, args.size),
        mean_of(args.weights, args.mix),
    )
    example, graph = torch.randn(2, 3, args.size, args.size), FaceTouchGraph(net)
    stored = export(graph, card, example, OUTPUTS, args.out / "float" / "touch.onnx", int8=True)
    files = {"float": stored}
    told: dict[str, dict[str, dict[str, float]]] = {}
    if not args.floats:
        wide = export(graph, card, example, OUTPUTS, args.out / "wide" / "touch.onnx")
        files["int8"] = write_int8(wide, card, store, args.out / "int8" / "touch.onnx", args.method)
    left, val = rows_of(args.data, "train", left_out=True), rows_of(args.data, "val")
    for name, file in files.items():
        answers = ask(file, args.data, [r["file"] for r in left])
        mine = dataclasses.replace(card, calibration=calibration_of(answers, left))
        doubt = doubt_of(answers, left, mine.calibration)
        told[name] = {"calibration": mine.calibration, "doubt": doubt, "left_out": rates(answers, left, mine)}
    print(json.dumps(told, indent=1), flush=True)
    kind = chosen({name: found["left_out"] for name, found in told.items()})
    print(f"it computes in {'8 bits' if kind == 'int8' else 'float'}", flush=True)
    bits = {"bits": 8.0 if kind == "int8" else 32.0}  # of its arithmetic
    options = card.options | told[kind]["doubt"] | bits
    card = dataclasses.replace(card, calibration=told[kind]["calibration"], options=options)
    final = write_checked(onnx.load(files[kind]), card, args.out / "touch.onnx", lambda runner: None)
    answers = ask(final, args.data, [r["file"] for r in val])
    held = rates(answers, val, dataclasses.replace(card, calibration={}))
    write_lines(answers, val, args.out / "val.jsonl")
    print(json.dumps({"val": held}, indent=1), flush=True)
    final = write_checked(onnx.load(final), dataclasses.replace(card, scores=held), final, lambda runner: None)
    state = {key: value.half() if value.is_floating_point() else value for key, value in net.state_dict().items()}
    save_file({key: value.contiguous() for key, value in state.items()}, args.out / "touch.safetensors")
    if args.ship:
        put(final, args.ship)


if __name__ == "__main__":
    main()
