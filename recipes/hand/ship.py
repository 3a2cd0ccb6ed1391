"""Puts the net of hands together: trained weights -> hands.onnx, with its card.

    python -m recipes.hand.ship --cache CACHE --weights RUN/mean.pt --out OUT [--ship MODELS]

The net computes in 8 bits where that loses no more than half a point on what was left out, and else stores its kernels
so. Scores are those of left-out people and sources, of the hands cut out around their true landmarks.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from handlens.card import KEY, ModelCard
from handlens.kinds.landmarks import SIDES
from handlens.preprocess import to_tensor
from handlens.runner import OnnxRunner
from handlens.train.export.export import compact, export, shrink
from handlens.train.export.int8 import Quantizer
from handlens.train.export.onnx_file import write_checked
from handlens.train.nets.handnet import LANDMARKS, HandGraph, HandNet
from recipes.hand.cache import SIGNS_LEFT_OUT, Shown
from recipes.hand.train import (
    MEAN,
    SIZE,
    STD,
    Tables,
    balanced,
    composites,
    errors_of_palm,
    hold_rows,
    plain_crop,
    plain_photo,
)
from recipes.hand.view_of import view_of
from recipes.ship import put
from recipes.signs.build_colour_set import NAMES
from recipes.touch.teachers import fill
from recipes.touch.train import auc

HOLDS = ("nothing", "object")
DATA = (
    "holding: crops of hands from web photographs, webcams, smokers, drivers, labelled by eye (public repositories)",
    "gestures/photos: ASL photographs, sign language digits, Massey hands, EPSRC composites (not fingers_cluttered)",
    "touch, touch4, hands on white ground, hgr1: landmarks by MediaPipe 0.10.21 as teacher",
    "composites of cut-out and rendered hands on portraits; body: EfficientNet-Lite0 trained on ImageNet (Apache-2.0)",
)
LICENCE = "Apache-2.0 (weights); the training pictures keep their owners' rights and are not included"
FIRST = 11
"""Convolutions of a body that stay in float: one by one in 8 bits, these move landmarks most."""
LOSS = 0.005
"""What 8-bit arithmetic may cost: palm lengths of the mean error, over all left-out sets."""
VIEWS: dict[str, dict[str, str]] = {
    "hands": {name: name for name in HandGraph.outputs if name != "kinds"},
    "signs": {"signs": "probabilities"} | {name: name for name in ("landmarks", "right", "angle", "embedding")},
}
"""Model -> outputs of the net -> their names in the model. What kind of thing a hand holds is left out: of 85 things of
left-out sources the net names .29 right, and the most frequent kind makes up .36."""


def card_of(name: str, size: int, version: str, **rest: Any) -> ModelCard:
    """Return the card of one of the models."""
    task = {"signs": "gesture"}.get(name, name)
    names = {"hands": (*SIDES, *HOLDS, *NAMES), "signs": NAMES}[name]
    options: dict[str, float] = {"crop_scale": CROP_SCALE}
    if name == "hands":
        options |= {"holds": len(HOLDS), "things": 0}
    if name == "signs":
        options |= {"closeup": 1.0}
    return ModelCard(
        name=name, task=task, kind="landmarks" if name == "hands" else "classify", names=names, size=(size, size),
        resize="letterbox" if name == "signs" else "stretch", mean=MEAN, std=STD, parts={"detector": "facehand"},
        options=options, version=version, data=DATA, licence=LICENCE, **rest,
    )  # fmt: skip


MOST = 300
"""Pictures of one source that are asked about."""
SPREAD = 192.0
"""Sum of the variances of the embedding: what the penalties of handlens.train.fewshot.head were chosen for."""
CROP_SCALE = 1.25
"""Side of the crop in longer sides of the detector's box."""


def looks(
    tables: Tables, card: ModelCard, batch: int = 16, count: int = 320, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """Yield unchanged looks at training hands of all tables, as the model gets them."""
    size, rng = card.size[0], np.random.default_rng(seed)
    crops: list[NDArray[np.uint8]] = []
    for k in range(count):
        if k % 2:
            crops.append(plain_crop(tables.draw_crop.next(rng), size))
        else:
            crops.append(plain_photo(tables.draw_photo.next(rng), size)[0])
    for start in range(0, count, batch):
        yield to_tensor(crops[start : start + batch], card)


@torch.no_grad()
def embedding_scale(net: HandNet, batches: Iterable[NDArray[np.float32]]) -> torch.Tensor:
    """Return by what the embedding is multiplied: its two groups spread alike, all of it as that of `signs` does."""
    rows = torch.cat([net(torch.from_numpy(batch)).embedding for batch in batches])
    posture = 2 * LANDMARKS
    groups = rows[:, :-posture], rows[:, -posture:]
    spread = [float(group.var(0).sum()) for group in groups]
    scales = [
        torch.full((group.shape[1],), (SPREAD / len(groups) / s) ** 0.5)
        for group, s in zip(groups, spread, strict=True)
    ]
    return torch.cat(scales)


class Asked:
    """Answers of one file of the whole net to unchanged looks."""

    def __init__(self, file: Path) -> None:
        self.runner = OnnxRunner(file, 1)
        self.size = self.runner.card.size[0]

    def __call__(self, images: Sequence[NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
        """Return the arrays of all pictures."""
        rows = [
            self.runner.run(to_tensor(images[start : start + 32], self.runner.card))
            for start in range(0, len(images), 32)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def hold_logit(said: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return log odds of an object, (n,)."""
    p = np.clip(said["hold"].astype(np.float64), 1e-6, 1)
    return np.asarray(np.log(p[:, 1] / p[:, 0]))


def scores(asked: Asked, tables: Tables) -> dict[str, dict[str, float]]:
    """Return what the cards keep, by model, and what is left out under "left out"."""
    out: dict[str, dict[str, float]] = {"hands": {}, "hold": {}, "signs": {}}
    for name, rows in hold_rows(tables).items():
        z = hold_logit(asked([plain_crop(r, asked.size) for r in rows]))
        holds = np.array([r.hold == 1 for r in rows])
        about = name.removeprefix("val ").replace("left_out", "left-out sources")
        out["hold"][f"balanced accuracy, {about}"] = round(balanced(z, holds), 4)
        out["hold"][f"ROC AUC, {about}"] = round(auc(z, holds), 4)
    for source in (
        "sign_digits",
        "asl_photos",
        "massey_black",
        "epsrc_composites",
        SIGNS_LEFT_OUT,
        "hands_white",
        "touch",
    ):
        out["hands"] |= _of_source(asked, tables, source, out["signs"])
    made = composites(tables, MOST, asked.size)
    said = asked([look["image"] for look in made])
    error = errors_of_palm(said["landmarks"][..., :2], np.stack([look["points"] for look in made]))
    known = np.stack([look["known"] for look in made]) > 0
    out["hands"]["mean error of palm length, over faces"] = round(float(error[known].mean()), 4)
    return out


def _of_source(asked: Asked, tables: Tables, source: str, signs: dict[str, float]) -> dict[str, float]:
    rows: list[Shown] = [
        r for r in tables.photos if r.split != "train" and r.source.split(":")[0].replace("touch4", "touch") == source
    ]
    rows = [rows[int(k)] for k in np.random.default_rng(0).permutation(len(rows))[:MOST]]
    views = [plain_photo(r, asked.size) for r in rows]
    said = asked([view[0] for view in views])
    error = errors_of_palm(said["landmarks"][..., :2], np.stack([view[1] for view in views]))
    side, sign = np.array([r.side for r in rows]), np.array([r.sign for r in rows])
    right = (said["right"][:, 0] >= 0.5) == (side == 1)
    out = {
        f"mean error of palm length, {source}": round(float(error.mean()), 4),
        f"side right, {source}": round(float(right[side >= 0].mean()), 4),
    }
    if (sign >= 0).any():
        hit = said["signs"].argmax(1) == sign
        signs[f"accuracy, {source}"] = round(float(hit[sign >= 0].mean()), 4)
    return out


def main() -> None:
    """Export, quantize, score, and write the models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="a .pt or .safetensors")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--only", nargs="+", default=["hands"], choices=list(VIEWS), help="the models to ship")
    parser.add_argument("--float", action="store_true", help="store kernels in 8 bits but compute in floats")
    parser.add_argument("--method", default="minmax", help="minmax, entropy or percentile")
    parser.add_argument("--version", default="0.3.1")
    parser.add_argument("--ship", type=Path, help="folder of the package's models, to copy the files to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tables = Tables(args.cache)
    net = HandNet(len(NAMES), pretrained=False)
    fill(net, args.weights)
    card = card_of("hands", args.size, args.version)
    example = torch.from_numpy(next(looks(tables, card, 3)))
    net.eval()
    graph = HandGraph(net, embedding_scale(net, looks(tables, card)))
    kept = export(graph, card, example, HandGraph.outputs, args.out / "float" / "hands.onnx", int8=True)
    chosen = onnx.load(kept)
    told = {"float": scores(Asked(kept), tables)}
    print(json.dumps(told), flush=True)
    if not args.float:
        wide = export(compact(graph, int8=True), card, example, HandGraph.outputs, args.out / "wide" / "hands.onnx")
        chosen = write_int8(wide, card, tables, args.method)
        small = args.out / "int8" / "hands.onnx"
        small.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(chosen, small)
        told["int8"] = scores(Asked(small), tables)
    print(json.dumps(told, indent=1), flush=True)
    kind = "float" if args.float or loss(told) > LOSS else "int8"
    if kind == "float":
        chosen = onnx.load(args.out / "float" / "hands.onnx")
    final = told[kind]
    print(json.dumps({"ships": kind}), flush=True)
    rest: dict[str, dict[str, Any]] = {
        "hands": {"thresholds": {"present": 0.7, "score": 0.7}}, "signs": {},
    }  # fmt: skip
    models = {
        name: view_of(chosen, VIEWS[name], card_of(name, args.size, args.version, scores=final[name], **rest[name]))
        for name in args.only
    }
    files = [
        write_checked(model, card_in(model), args.out / "models" / f"{name}.onnx", lambda runner: None)
        for name, model in models.items()
    ]
    state = {key: value.half().contiguous() for key, value in net.state_dict().items() if value.is_floating_point()}
    save_file(state, args.out / "hand.safetensors")
    if args.ship:
        shutil.copyfile(args.out / "hand.safetensors", args.ship / "hand.safetensors")
        for file in files:
            put(file, args.ship)


def loss(told: dict[str, dict[str, dict[str, float]]]) -> float:
    """Return by how much the mean of all errors of landmarks grows from "float" to "int8"."""
    means = []
    for kind in ("float", "int8"):
        errors = [value for name, value in told[kind]["hands"].items() if name.startswith("mean error")]
        means.append(float(np.mean(errors)))
    return means[1] - means[0]


def card_in(model: onnx.ModelProto) -> ModelCard:
    """Return the card inside a model."""
    return ModelCard.from_json(next(entry.value for entry in model.metadata_props if entry.key == KEY))


def first_layers(model: onnx.ModelProto, count: int = FIRST) -> list[str]:
    """Return the names of the first convolutions of each body, which lose most in 8 bits."""
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    names, left = [], 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            left = count if shapes[node.input[1]][1:] == [3, 3, 3] else left
            names += [node.name] if left > 0 else []
            left -= 1
    return names


def write_int8(floating: Path, card: ModelCard, tables: Tables, method: str) -> onnx.ModelProto:
    """Return the graph that computes in 8 bits, its ranges set by training hands; the first layers stay in float."""
    maker = Quantizer(onnx.load(floating), looks(tables, card), method)
    small = maker.graph(first_layers(maker.model))
    shrink(small)
    onnx.helper.set_model_props(small, {KEY: card.to_json()})
    return small


if __name__ == "__main__":
    main()
