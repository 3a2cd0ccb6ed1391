"""Puts the detector together: trained weights -> facehand.onnx in 8-bit arithmetic, with card and scores.

    python -m recipes.touch.face_hand_ship --cache CACHE --weights RUN/mean.pt --out RUN/shipped [--before OLD.onnx]

Thresholds and the choice between float and integers come from the left-out sources; the val part is only scored.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.predictor import load
from handlens.preprocess import prepare
from handlens.train.export.export import export
from handlens.train.export.int8 import Quantizer
from handlens.train.export.onnx_file import write_checked
from handlens.train.nets.lite_detector import LiteDetector
from recipes.ship import put
from recipes.touch.face_hand_cache import Known, picture_of, read
from recipes.touch.face_hand_scores import Tally, asked, numbers, tallies, with_intervals
from recipes.touch.face_hand_train import LONGEST, detector_card

DATA = (
    "touch, touch4: webcam people, sign-dictionary clips, natural photographs (public repositories)",
    "segmentation: hands on white ground, hgr1, portraits (SFA, LFW, FASSEG, FaceSynthetics), people (CCP, Pratheepan)",
    "gestures: sign language digits, finger counting, finger spelling, Massey hands on black (hands cut out)",
    "boxes of hands also by landmarks of MediaPipe 0.10.21 (teacher, Apache-2.0); composites of hands at faces",
    "body: EfficientNet-Lite0 trained on ImageNet (Apache-2.0)",
)
LICENCE = "Apache-2.0 (weights); the training pictures keep their owners' rights and are not included"
OUTPUTS = ("boxes", "scores")
EARLY = 9
"""Convolutions of the stem and the first two stages."""
LOSS = 0.005
"""So much average precision on left-out sources may be lost by integers."""
SURE, BETA = 0.3, 1.2
"""The threshold of faces, that of version 0.1: the touch net says of false faces that they are none. And how much more
a missed hand weighs than a false one."""
TILES_FROM = 2000
"""Longest side in pixels from which pictures are looked at in tiles too."""


def looks(items: Sequence[Known], card: ModelCard) -> Iterator[NDArray[np.float32]]:
    """Return pictures as the model gets them, one by one: their shapes differ."""
    for item in items:
        tensor, _ = prepare(picture_of(item), card)
        yield tensor.reshape(1, *tensor.shape[-3:])


def with_card(path: Path, card: ModelCard, out: Path) -> Path:
    """Write the model with another card."""
    return write_checked(onnx.load(path), card, out, lambda runner: None)


def kept_in_float(maker: Quantizer) -> list[str]:
    """Return the nodes that would lose too much: the first layers, the last one, and the arithmetic of boxes behind it.

    Measured on 30 left-out pictures after 1,100 steps: boxes of integers overlap those of float by .76 when all nodes
    compute in 8 bits, .87 with the stem and the tail in float, .93 with the first stage, .96 with the second.
    """
    order = [node.name for node in maker.model.graph.node]
    convolutions = [node.name for node in maker.model.graph.node if node.op_type == "Conv"]
    first, last = order.index(convolutions[0]), order.index(convolutions[-1])
    outside = [name for name in maker.nodes if order.index(name) < first or order.index(name) >= last]
    return [*outside, *convolutions[:EARLY]]


def in_integers(floating: Path, card: ModelCard, items: Sequence[Known], out: Path) -> Path:
    """Quantize on real training pictures."""
    rng = np.random.default_rng(0)
    groups = [
        [i for i in items if i.group == g and i.split == "train"] for g in ("marked", "photo", "other", "portrait")
    ]
    chosen = [group[int(k)] for group in groups for k in rng.permutation(len(group))[:30]]
    maker = Quantizer(onnx.load(floating), looks(chosen, card))
    small = maker.graph(kept_in_float(maker))
    return write_checked(small, card, out, lambda runner: None)


def best_threshold(rows: Sequence[Tally], name: str, beta: float) -> float:
    """Return the score at which F-beta is best."""
    parts = [getattr(row, name) for row in rows]
    scores, right = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    true = sum(part[2] for part in parts)
    order = np.argsort(-scores)
    hit = np.cumsum(right[order] == 1)
    f = (1 + beta**2) * hit / (np.arange(1, len(hit) + 1) + beta**2 * true)
    return round(float(scores[order][int(f.argmax())]), 2)


def told(path: Path, items: Sequence[Known], sure: float) -> tuple[list[Tally], dict[str, tuple[float, float, float]]]:
    """Ask a model that shows everything, and return tallies and numbers with intervals."""
    rows = tallies(asked(load(path), items), items, sure)
    return rows, with_intervals(rows)


def main() -> None:
    """Export, quantize, choose, score, and export again with the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--before", type=Path, help="an earlier facehand.onnx, scored beside")
    parser.add_argument("--size", type=int, default=LONGEST)
    parser.add_argument("--version", default="0.2.2")
    parser.add_argument("--ship", type=Path, help="folder of the package's models, to copy the file to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    items = read(args.cache / "pictures.pickle")
    left, val = ([item for item in items if item.split == split] for split in ("left_out", "val"))
    net = LiteDetector()
    net.load_state_dict(torch.load(args.weights, weights_only=True))
    open_card = dataclasses.replace(detector_card(args.version, args.size), data=DATA, licence=LICENCE)
    example = torch.randn(1, 3, args.size - args.size % 64, args.size)
    wide = export(net.eval().graph(), open_card, example, OUTPUTS, args.out / "wide" / "facehand.onnx")
    stored = export(net.graph(), open_card, example, OUTPUTS, args.out / "stored" / "facehand.onnx", int8=True)
    integers = in_integers(wide, open_card, items, args.out / "int8" / "facehand.onnx")
    files = {"float": wide, "int8": integers}
    results = {kind: numbers(tallies(asked(load(file), left), left, 0.3)) for kind, file in files.items()}
    print(json.dumps({"left_out": results}, indent=1), flush=True)
    worst = max(results["float"][name] - results["int8"][name] for name in ("ap_face", "ap_hand"))
    final = integers if worst <= LOSS else stored
    print(f"integers lose {worst:.4f}: {'integers' if final is integers else 'float with kernels stored in 8 bits'}")
    rows = tallies(asked(load(final), left), left, 0.3)
    chosen = {"face": SURE, "hand": best_threshold(rows, "hand", BETA)}
    scores: dict[str, float] = {}
    for split, pictures in (("left_out", left), ("val", val)):
        _, found = told(final, pictures, chosen["face"])
        print(json.dumps({split: found, "thresholds": chosen}), flush=True)
        scores |= {f"{split}_{name}": round(value[0], 4) for name, value in found.items()}
        if args.before:
            old = load(args.before).card
            shown = with_card(
                args.before, dataclasses.replace(old, thresholds=open_card.thresholds), args.out / "before.onnx"
            )
            print(json.dumps({f"{split}, before": told(shown, pictures, old.thresholds["face"])[1]}), flush=True)
    options = {**open_card.options, "tiles_from": TILES_FROM}
    card = dataclasses.replace(open_card, thresholds=chosen, scores=scores, options=options)
    shipped = with_card(final, card, args.out / "facehand.onnx")
    state = {key: value.half().contiguous() for key, value in net.state_dict().items() if value.is_floating_point()}
    save_file(state, args.out / "facehand.safetensors")
    if args.ship:
        if not results["float"]["ap_hand"]:
            raise ModelError("the detector finds no hands; nothing is shipped.")
        put(shipped, args.ship)
        shutil.copyfile(args.out / "facehand.safetensors", args.ship / "facehand.safetensors")


if __name__ == "__main__":
    main()
