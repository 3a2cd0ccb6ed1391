"""Fits the shipped hold net: the hand net's own answer, with logistic lines on what bodies see of a crop.

    python -m recipes.hand.hold --cache CACHE --weights RUN/mean.pt --out RUN2 [--mix own body things] [--ship MODELS]

`own` is what the hand net says of holding, `body` a line on the features of its body, and `things` one on those of
EfficientNet-Lite0 as ImageNet trained it, which knows things, and knows no source of ours. They are wrong about
different crops. The strength of the penalty is chosen on left-out sources, and so is the calibration. What is mixed by
default was chosen with the val parts in view (`docs/explain/results.md`); they only measure besides.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.card import ModelCard
from handlens.preprocess import to_tensor
from handlens.runner import OnnxRunner
from handlens.train.calibration import fit_platt
from handlens.train.export.export import compact, export, shrink
from handlens.train.export.int8 import Quantizer
from handlens.train.export.onnx_file import write_checked
from handlens.train.nets.handnet import HandNet
from handlens.train.nets.lite import Lite0
from recipes.hand.cache import Shown, opened
from recipes.hand.ship import first_layers
from recipes.hand.train import MEAN, STD, Tables, balanced, hold_rows, inputs
from recipes.ship import put
from recipes.signs.build_colour_set import NAMES as SIGNS
from recipes.touch.teachers import fill
from recipes.touch.train import auc

NAMES = ("nothing", "object")
SIZE = 128
"""Of the input."""
GENERATED = "holding/generated"
"""These hands teach no line: no picture is like them."""
MIX = ("own", "body", "things")
"""What may be mixed."""
DEFAULT = ("own",)
PENALTIES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
LOSS = 0.005
"""How much balanced accuracy on the left-out sources 8-bit arithmetic may cost; else kernels alone are in 8 bits."""
DATA = (
    "holding: crops of hands from web photographs, webcams, smokers, drivers (73 public sources), labelled by eye",
    "the hand net (its card names more); EfficientNet-Lite0 trained on ImageNet (Apache-2.0)",
)
LICENCE = "Apache-2.0 (weights); the training pictures keep their owners' rights and are not included"

Floats = NDArray[np.float64]
Line = tuple[Tensor, Tensor]


def features(last: Tensor) -> Tensor:
    """Return (n, 640): mean and most of each channel of a body's last level."""
    return torch.cat((last.mean((2, 3)), last.amax((2, 3))), dim=1)


class HoldNet(nn.Module):
    """Crops (n, 3, 128, 128) -> probabilities (n, 2). The body of things looks at the mirror image: it costs nothing.

    Args:
        net: the hand net.
        own: by what its own log odds are multiplied; 0: they do not count.
        lines: of `body` and of `things`, as far as they are mixed.
    """

    def __init__(self, net: HandNet, own: float, lines: Mapping[str, Line]) -> None:
        super().__init__()
        self.net, self.own = net, own
        self.things = Lite0() if "things" in lines else None
        self.lines = nn.ModuleDict({name: nn.Linear(len(line), 1) for name, (line, _) in lines.items()})
        with torch.no_grad():
            for name, (line, bias) in lines.items():
                layer = self.lines[name]
                assert isinstance(layer, nn.Linear)
                layer.weight.copy_(line[None])
                layer.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the probabilities."""
        levels = self.net.body(x)
        logit = torch.zeros_like(x[:, 0, :1, 0])
        if self.own:
            hold = self.net.heads(*levels[2:]).hold
            logit = logit + self.own * (hold[:, 1:] - hold[:, :1])
        if "body" in self.lines:
            logit = logit + self.lines["body"](features(levels[-1]))
        if self.things is not None:
            logit = logit + self.lines["things"](features(self.things(x.flip(3))[-1]))
        return torch.softmax(torch.cat((-logit / 2, logit / 2), dim=1), dim=1)


@torch.no_grad()
def seen(bodies: Mapping[str, nn.Module], heads: nn.Module, rows: Sequence[Shown]) -> dict[str, NDArray[np.float32]]:
    """Return (n, 2, k): what each body sees of each crop and of its mirror image, and what the hand net says itself."""
    out: dict[str, list[Tensor]] = {name: [] for name in MIX}
    for start in range(0, len(rows), 32):
        crops = [opened(row.image) for row in rows[start : start + 32]]
        small = [cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR) for crop in crops]
        x = inputs(torch.from_numpy(np.stack(small)))
        told: dict[str, list[Tensor]] = {name: [] for name in MIX}
        for view in (x, x.flip(3).contiguous(memory_format=torch.channels_last)):
            levels = bodies["body"](view)
            hold = heads(*levels[2:]).hold
            told["own"].append(hold[:, 1:] - hold[:, :1])
            told["body"].append(features(levels[-1]))
            told["things"].append(features(bodies["things"](view)[-1]))
        for name, views in told.items():
            out[name].append(torch.stack(views, 1))
    return {name: torch.cat(parts).numpy() for name, parts in out.items()}


def fitted(x: NDArray[np.float32], y: NDArray[np.int64], weight: Floats, penalty: float) -> Line:
    """Return weights (k,) and bias of a logistic regression with a quadratic penalty."""
    xs, ys, ws = torch.from_numpy(x), torch.from_numpy(y).float(), torch.from_numpy(weight).float()
    line, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    steps = torch.optim.LBFGS([line, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        steps.zero_grad()
        each = fn.binary_cross_entropy_with_logits(xs @ line + bias, ys, reduction="none")
        value = (each * ws).sum() * penalty + 0.5 * (line * line).sum()
        value.backward()
        return value

    steps.step(loss)
    return line.detach(), bias.detach()


def best_line(x: NDArray[np.float32], rows: Sequence[Shown]) -> Line:
    """Return the line of the penalty that tells the left-out sources best, of logits that spread by 1.

    Args:
        x: (n, 2, 640) what the body sees of all rows.
    """
    train = np.array([row.split == "train" for row in rows])
    left = np.array([row.split == "left_out" for row in rows])
    y = np.array([row.hold for row in rows])
    # Both labels weigh alike. Balanced inside each source as well, it was worse on left-out sources (.87 for .89).
    weight = np.where(y == 1, 0.5 / y[train].mean(), 0.5 / (1 - y[train].mean()))[train]
    middle, spread = x[train].mean((0, 1)), x[train].std((0, 1)) + 1e-3
    z = ((x - middle) / spread).astype(np.float32)
    flat, many = np.concatenate([z[train, 0], z[train, 1]]), np.concatenate([y[train]] * 2)
    best, kept = -1.0, (torch.zeros(0), torch.zeros(0))
    for penalty in PENALTIES:
        line, bias = fitted(flat, many, np.concatenate([weight, weight]), penalty)
        said = (z @ line.numpy() + float(bias)).mean(1)
        value = auc(said[left], y[left] == 1)
        print(json.dumps({"penalty": penalty, "left-out ROC AUC": round(value, 4)}), flush=True)
        if value > best:
            scaled = line / torch.from_numpy(spread) / float(said[train].std())
            best, kept = value, (scaled, bias / float(said[train].std()) - scaled @ torch.from_numpy(middle))
    return kept


def plain_card(version: str) -> ModelCard:
    """Return the card before calibration."""
    return ModelCard(
        name="hold", task="hold", kind="classify", names=NAMES, size=(SIZE, SIZE), resize="stretch", mean=MEAN, std=STD,
        parts={"detector": "facehand"}, options={"crop_scale": 1.3}, version=version, data=DATA, licence=LICENCE,
    )  # fmt: skip


def logits(file: Path, rows: Sequence[Shown]) -> Floats:
    """Return log odds of an object as a file says them."""
    runner = OnnxRunner(file, 1)
    crops = [opened(row.image) for row in rows]
    said = [runner.run(to_tensor(crops[k : k + 16], runner.card))["probabilities"] for k in range(0, len(crops), 16)]
    p = np.clip(np.concatenate(said).astype(np.float64), 1e-6, 1)
    return np.asarray(np.log(p[:, 1] / p[:, 0]))


def scores(parts: dict[str, list[Shown]], said: dict[str, Floats], cut: dict[str, float]) -> dict[str, float]:
    """Return balanced accuracy and ROC AUC of each part."""
    out = {}
    for name, rows in parts.items():
        y = np.array([row.hold == 1 for row in rows])
        z = cut.get("a", 1.0) * said[name] + cut.get("b", 0.0)
        about = name.removeprefix("val ").replace("left_out", "left-out sources")
        out[f"balanced accuracy, {about}"] = round(balanced(z, y), 4)
        out[f"ROC AUC, {about}"] = round(auc(z, y), 4)
    return out


def compare(
    told: dict[str, NDArray[np.float32]],
    lines: Mapping[str, Line],
    own: float,
    rows: Sequence[Shown],
    parts: Mapping[str, Sequence[Shown]],
) -> None:
    """Print the ROC AUC of every mix: of a crop once, the things' body seeing its mirror image, as it is shipped."""
    each = {
        name: told[name][:, int(name == "things")] @ line.numpy() + float(bias) for name, (line, bias) in lines.items()
    }
    each["own"] = own * told["own"][:, 0, 0]
    place = {id(row): number for number, row in enumerate(rows)}
    for count in range(1, len(MIX) + 1):
        for mix in itertools.combinations(MIX, count):
            value = sum(each[name] for name in mix)
            about = {}
            for part, some in parts.items():
                y = np.array([row.hold == 1 for row in some])
                about[part] = round(auc(value[[place[id(row)] for row in some]], y), 4)
            print(json.dumps({"mix": mix, **about}), flush=True)


def exported(net: HoldNet, card: ModelCard, rows: Sequence[Shown], out: Path) -> dict[str, Path]:
    """Return the file that stores its kernels in 8 bits, and the one that computes in them."""
    train = [row for row in rows if row.split == "train"]
    rng = np.random.default_rng(1)
    shown = [opened(train[int(k)].image) for k in rng.permutation(len(train))[:320]]
    batches = [to_tensor(shown[k : k + 16], card) for k in range(0, len(shown), 16)]
    example = torch.from_numpy(batches[0][:3])
    stored = export(net, card, example, ("probabilities",), out / "stored" / "hold.onnx", int8=True)
    rounded = compact(net, int8=True)
    wide = onnx.load(export(rounded, card, example, ("probabilities",), out / "wide" / "hold.onnx"))
    maker = Quantizer(wide, batches)
    small = maker.graph(first_layers(maker.model))
    shrink(small)
    return {"float": stored, "int8": write_checked(small, card, out / "int8" / "hold.onnx", lambda runner: None)}


def main() -> None:
    """Fit, export in 8 bits, calibrate on left-out sources, score, and ship."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="of the hand net")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mix", nargs="+", default=DEFAULT, choices=MIX)
    parser.add_argument("--version", default="0.3")
    parser.add_argument("--ship", type=Path, help="folder of the package's models, to copy the file to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    tables = Tables(args.cache)
    rows, parts = [row for row in tables.holding if row.source != GENERATED], hold_rows(tables)
    net = HandNet(len(SIGNS), pretrained=False)
    fill(net, args.weights)
    net.eval()
    stored = args.out / "seen.npz"
    if not stored.exists():
        bodies = {"body": net.body, "things": Lite0().eval()}
        np.savez(stored, **seen(bodies, net.heads, rows))  # type: ignore[arg-type]
    told = dict(np.load(stored))
    lines = {name: best_line(told[name], rows) for name in MIX[1:]}
    own = 1 / float(told["own"][[row.split == "train" for row in rows]].std())
    compare(told, lines, own, rows, parts)
    chosen = {name: line for name, line in lines.items() if name in args.mix}
    net_of_all = HoldNet(net, own if "own" in args.mix else 0.0, chosen).eval()
    files = exported(net_of_all, plain_card(args.version), rows, args.out)
    said = {kind: {name: logits(file, part) for name, part in parts.items()} for kind, file in files.items()}
    plain = {kind: scores(parts, values, {}) for kind, values in said.items()}
    print(json.dumps(plain, indent=1), flush=True)
    key = "balanced accuracy, left-out sources"
    kind = "int8" if plain["int8"][key] >= plain["float"][key] - LOSS else "float"
    left = np.array([row.hold == 1 for row in parts["left_out"]])
    even = np.where(left, 0.5 / left.sum(), 0.5 / (~left).sum()) * len(left)
    a, b = fit_platt(said[kind]["left_out"], left, even)
    calibration = {"a": round(float(a), 4), "b": round(float(b), 4)}
    measured = scores(parts, said[kind], calibration)
    print(json.dumps({"kind": kind, "calibration": calibration, "shipped": measured}, indent=1), flush=True)
    finished = ModelCard(**{**vars(plain_card(args.version)), "calibration": calibration, "scores": measured})
    final = write_checked(onnx.load(files[kind]), finished, args.out / "hold.onnx", lambda runner: None)
    if args.ship:
        put(final, args.ship)


if __name__ == "__main__":
    main()
