"""Which trainings there are: each published system with its settings, sets, claim and cost; it runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_ADAM = {"optimiser": "adam", "schedule": "constant", "clip": 0.0, "cache": True}
_GESTURE = {**_ADAM, "rate": 1e-3, "batch": 32, "epochs": 100, "patience": 15, "augment": "silhouette"}
_MASK = {**_ADAM, "rate": 1e-4, "batch": 4, "epochs": 100, "augment": "plain", "check": 2}


@dataclass(frozen=True)
class Run:
    """One training and what it is measured on.

    Attributes:
        system: what the user asks for.
        task: the task of `handlens train`.
        data: the set that it learns from, a key of `published_sets.SETS`.
        measures: what a row of the table is called -> the set and its part.
        given: settings, as the system was published.
        claim: what its authors say.
        hours: of one free core, for the whole run, by steps that were timed; of the six other backbones by their
            operations, at the speed of `res50_ir` about.
        petaflops: of the whole training, forwards and backwards, in 1e15 operations.
        on_gpu: settings that differ on a GPU; none of them changes what is learned from.
        joins: the run whose model reads the hands that this one finds, or "".
    """

    system: str
    task: str
    data: str
    measures: Mapping[str, tuple[str, str]]
    given: Mapping[str, Any]
    claim: str
    hours: float
    petaflops: float
    on_gpu: Mapping[str, Any] = field(default_factory=dict)
    joins: str = ""


def _digits(split: str) -> Run:
    parts = {"learned": "train", "held out": "val"} | ({"blocks never seen": "test"} if split == "blocks" else {})
    measures = {name: (f"digits-{split}.npz", part) for name, part in parts.items()}
    measures["other people"] = ("digits-others.npz", "test")
    claim = "accuracy 1.0 (train and validation)"
    given = {"net": "digits6", **_GESTURE}
    return Run("digits6", "gesture", f"digits-{split}.npz", measures, given, claim, 1.2, 0.9)


def _signs(split: str) -> Run:
    parts = {"learned": "train", "held out": "val", "held out, chose nothing": "test"}
    measures = {name: (f"signs-{split}.npz", part) for name, part in parts.items()}
    measures["other people"] = ("signs-others.npz", "test")
    given, claim = {"net": "gestures20", **_GESTURE}, "accuracy 0.984 (train), 0.997 (validation), 0.990 (test)"
    return Run("gestures20", "gesture", f"signs-{split}.npz", measures, given, claim, 0.3, 0.15)


def _masks(net: str, hours: float, petaflops: float, **changes: Any) -> Run:
    measures = {
        "learned": ("frames", "train"),
        "held out": ("frames", "val"),
        "other people": ("frames-others", "test"),
    }
    given = {"net": net, **_MASK, **changes}
    return Run(
        net, "segment", "frames", measures, given, "precision, recall, F1", hours, petaflops, {"check": 5, "save": 5}
    )


def _combined() -> Run:
    """Return the U-Net of the combined model; its hands are read by digits6, as published."""
    measures = {"masks, learned": ("hands", "train"), "masks, held out": ("hands", "val")}
    given = {"net": "unet", **_MASK}
    return Run(
        "combined", "segment", "hands", measures, given, "none of its own", 0.4, 0.5, {"check": 5, "save": 5},
        joins="digits6-random",
    )  # fmt: skip


def _face(net: str, hours: float, petaflops: float) -> Run:
    measures = {"learned": ("generated", "train"), "held out": ("generated", "test")}
    measures["photographs"] = ("held-by-others", "test")
    given = {"net": net, "margin": "softmax", "cache": True}
    claim = "accuracy on the 18 test pictures"
    return Run(net, "hold", "generated", measures, given, claim, hours, petaflops, {"save": 20})


def _touch(net: str, data: str, claim: str, hours: float, petaflops: float, **given: Any) -> Run:
    measures = {"learned": (data, "train"), "other people": (data, "val")}
    # The plan comes to its end within the minutes even where the GPU is slower than it was thought to be.
    on_gpu = {"check": max(1, given["epochs"] // 20), "save": max(1, given["epochs"] // 40), "minutes": 20.0}
    return Run(net, "touch", data, measures, {"net": net, "batch": 64, **given}, claim, hours, petaflops, on_gpu)


EPOCHS = 200
"""Of the backbones, by their own defaults."""
FACES = {
    "mobileface": (0.35, 0.12), "res50": (2.0, 2.1), "attention_56": (2.0, 2.2), "res50_ir": (2.8, 3.3),
    "seres50_ir": (3.0, 3.3), "attention_92": (5.0, 5.5), "res100_ir": (5.5, 6.3), "seres100_ir": (5.5, 6.3),
}  # fmt: skip
"""The eight backbones: hours of one core and operations."""
RUNS: dict[str, Run] = {
    "digits6-random": _digits("random"),
    "digits6-blocks": _digits("blocks"),
    "gestures20-random": _signs("random"),
    "gestures20-blocks": _signs("blocks"),
    "combined": _combined(),
    "snet": _masks("snet", 4.0, 5.7),
    "unet": _masks("unet", 0.4, 0.5),
    "vgg": _masks("vgg", 13.5, 18.2),
    "deeplabv3plus": _masks("deeplabv3plus", 2.2, 2.4, batch=8),
    **{net: _face(net, *cost) for net, cost in FACES.items()},
    "yolov3": _touch(
        "yolov3", "facetouch", "precision about .6; 11 of 14 touches boxed, two false boxes", 230.0, 78.4,
        epochs=400, augment="darknet",
    ),
    "yolov5m": _touch(
        "yolov5m", "three-augmented", "three classes; its summary shows 18", 160.0, 40.0,
        epochs=50, size=416, augment="mosaic",
    ),
}  # fmt: skip
LANES = {
    "yolov3": ("yolov3",),
    "yolov5m": ("yolov5m",),
    "faces-50": ("mobileface", "res50", "attention_56", "res50_ir", "seres50_ir"),
    "faces-100": ("attention_92", "res100_ir", "seres100_ir"),
    "digits": ("digits6-random", "combined", "digits6-blocks"),
    "signs-masks": ("gestures20-random", "gestures20-blocks", "unet", "snet", "deeplabv3plus", "vgg"),
}
"""What runs side by side on a GPU; within a lane one after the other."""
