"""How each family of networks is trained unless the user says otherwise, from its paper; knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from handlens.errors import InputError, unknown
from handlens.train.nets import catalog

Numbers = tuple[float, float, float]


class _Scale(TypedDict):
    """How pixels are normalised."""

    mean: Numbers
    std: Numbers


@dataclass(frozen=True)
class NetDefaults:
    """What goes with a family.

    Attributes:
        size: (height, width) of the input.
        resize, mean, std: As in the ModelCard, the net sees (pixel - mean) / std.
        channels: 1 for nets that take silhouettes.
        settings: Keys of `Settings`, `augment` by the name of a preset.
        silhouette: The net sees the one hand that `handlens.silhouette` finds, and not the resized picture.
        labels: Those that the net learns, where others of a set are left out.
    """

    kind: str
    size: tuple[int, int]
    resize: str
    mean: Numbers = (0.0, 0.0, 0.0)
    std: Numbers = (255.0, 255.0, 255.0)
    channels: int = 3
    settings: Mapping[str, Any] = field(default_factory=dict)
    silhouette: bool = False
    labels: tuple[str, ...] = ()


_YOLO = {
    "optimiser": "sgd", "rate": 0.01, "momentum": 0.937, "decay": 5e-4, "warmup": 3.0, "warm_bias": 0.1,
    "warm_momentum": 0.8, "average": 0.9998, "final": 0.02, "batch": 16, "epochs": 100,
    "augment": "mosaic",
}  # fmt: skip
"""SGD with Nesterov, three epochs of warm-up, a cosine, averaged weights and mosaic (arXiv 2004.10934)."""

_DARKNET = {**_YOLO, "rate": 0.005, "warm_power": 4.0, "warm_bias": None}
"""Darknet's burn-in rises with the fourth power."""

_OURS = {
    "optimiser": "adamw", "rate": 2e-3, "momentum": 0.9, "decay": 0.05, "warmup": 1.0, "average": 0.9995, "batch": 16,
    "epochs": 100, "augment": "webcam",
}  # fmt: skip

_CONTACT_NET = {
    **_OURS, "start": "touch", "rate": 5e-4, "decay": 0.02, "average": 0.99, "batch": 16, "epochs": 20, "clip": 5.0,
    "cache": True, "augment": "face",
}  # fmt: skip
_FACE_HAND_NET = {
    **_OURS, "start": "facehand", "pretrained": "imagenet", "rate": 5e-4, "decay": 0.02, "average": 0.99, "epochs": 30,
}  # fmt: skip
_HAND_NET = {**_OURS, "start": "signs", "average": 0.999, "batch": 64, "epochs": 60, "augment": "hand"}
_HOLD_NET = {**_HAND_NET, "start": "", "rate": 1e-3, "decay": 0.1, "epochs": 30, "even": True}
_SEGMENT_NET = {
    **_OURS, "start": "segment", "rate": 1.5e-3, "average": 0.999, "batch": 16, "epochs": 60, "dice": 0.5,
    "augment": "people",
}  # fmt: skip
_SILHOUETTE_NET = {**_HAND_NET, "start": "digits", "epochs": 40, "augment": "shape", "angle": True}

_FACE = {
    "optimiser": "sgd", "rate": 0.1, "momentum": 0.9, "decay": 5e-4, "schedule": "steps",
    "milestones": (0.35, 0.6, 0.8), "warmup": 0.0, "average": 0.0, "batch": 32, "epochs": 200,
    "augment": "flip",
}  # fmt: skip
"""The published training of the holding classifier: steps at 70, 120 and 160 of 200 epochs."""

_ADAM = {"optimiser": "adam", "decay": 0.0, "warmup": 0.0, "average": 0.0}
_GESTURE = {**_ADAM, "rate": 1e-3, "batch": 32, "epochs": 60, "augment": "silhouette"}
_MASK = {**_ADAM, "rate": 1e-4, "batch": 4, "epochs": 100, "augment": "mask"}
_DEEPLAB = {**_MASK, "optimiser": "adamw", "rate": 5e-4, "decay": 0.01, "average": 0.999, "batch": 8}

_LITE = {
    **_OURS, "pretrained": "imagenet", "rate": 6e-4, "average": 0.99, "batch": 32, "epochs": 30,
}  # fmt: skip
"""A body that has seen ImageNet needs few epochs, a low rate and a short average."""

_IMAGENET: _Scale = {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)}
_HALF: _Scale = {"mean": (127.5, 127.5, 127.5), "std": (127.5, 127.5, 127.5)}
_OWN: _Scale = {"mean": (127.5, 127.5, 127.5), "std": (64.0, 64.0, 64.0)}

DEFAULTS: dict[str, NetDefaults] = {
    "yolov3": NetDefaults("detect", (416, 416), "letterbox", settings=_DARKNET),
    "yolov5": NetDefaults("detect", (640, 640), "letterbox", settings=_YOLO),
    "nano": NetDefaults("detect", (320, 320), "letterbox", settings=_OURS, **_OWN),
    "contact-net": NetDefaults("contact", (144, 144), "stretch", settings=_CONTACT_NET, **_HALF),
    "face-hand-net": NetDefaults(
        "detect", (288, 288), "fit", settings=_FACE_HAND_NET, labels=("face", "hand"), **_HALF
    ),
    "face": NetDefaults("classify", (112, 112), "stretch", settings=_FACE, **_HALF),
    "hold-net": NetDefaults("classify", (96, 96), "letterbox", settings=_HOLD_NET, **_OWN),
    "hand-net": NetDefaults("classify", (96, 96), "letterbox", settings=_HAND_NET, **_OWN),
    "silhouette-net": NetDefaults(
        "classify", (64, 64), "letterbox", channels=1, settings=_SILHOUETTE_NET, silhouette=True, **_OWN
    ),
    "digits6": NetDefaults("classify", (64, 64), "letterbox", channels=1, settings=_GESTURE),
    "gestures20": NetDefaults("classify", (50, 50), "letterbox", channels=1, settings=_GESTURE),
    "segment-net": NetDefaults("segment", (256, 256), "letterbox", settings=_SEGMENT_NET, **_OWN),
    "lite0": NetDefaults("classify", (128, 128), "letterbox", settings={**_LITE, "augment": "hand"}, **_HALF),
    "lite0-detect": NetDefaults("detect", (320, 320), "letterbox", settings={**_LITE, "batch": 16}, **_HALF),
    "lite0-segment": NetDefaults(
        "segment", (256, 256), "letterbox", settings={**_LITE, "batch": 16, "dice": 0.5, "augment": "people"}, **_HALF
    ),
    "snet": NetDefaults("segment", (400, 400), "stretch", settings=_MASK, **_OWN),
    "vgg": NetDefaults("segment", (400, 400), "stretch", settings={**_MASK, "pretrained": "imagenet"}, **_IMAGENET),
    "deeplabv3plus": NetDefaults("segment", (320, 320), "letterbox", settings=_DEEPLAB, **_IMAGENET),
    "unet": NetDefaults("segment", (128, 128), "stretch", settings=_MASK, **_OWN),
}

DEFAULT_NETS = {"touch": "contact-net", "hold": "lite0", "gesture": "hand-net", "segment": "segment-net"}
"""The network a task is trained with when none is named: that of the shipped model; `default_net` looks at the set."""
TOUCH_DETECTOR = "nano"
"""The network for sets whose boxes say which part of a face is touched."""
SILHOUETTE_NET = "silhouette-net"
"""The network for gestures when the pictures are silhouettes."""

TASK_KINDS = {"touch": "detect", "hold": "classify", "gesture": "classify", "segment": "segment"}
"""The kind of the labelled sets of a task."""
NET_KINDS = {"touch": ("detect", "contact")}
"""The kinds of the networks of a task, where there are several."""


def defaults_of(net: str) -> NetDefaults:
    """Return the recipe of a network, by its name; a .cfg file is a YOLOv3.

    Raises:
        InputError: an unknown name.
    """
    if net.lower().endswith(".cfg"):
        return DEFAULTS["yolov3"]
    name = catalog.find(net).name
    if name in DEFAULTS:
        return DEFAULTS[name]
    for family in ("yolov3", "yolov5"):
        if name.startswith(family):
            return DEFAULTS[family]
    return DEFAULTS["face"]


def known_task(task: str) -> None:
    """Refuse a task that nothing is trained for.

    Raises:
        InputError: an unknown task.
    """
    if task not in TASK_KINDS:
        raise InputError(unknown("task to train", task, TASK_KINDS))


def check_task(task: str, net: str) -> str:
    """Return the kind of a network, once it is clear that it can answer the task.

    Raises:
        InputError: an unknown task, or a network of another kind.
    """
    known_task(task)
    kind = defaults_of(net).kind
    if kind not in NET_KINDS.get(task, (TASK_KINDS[task],)):
        kinds = NET_KINDS.get(task, (TASK_KINDS[task],))
        fitting = [name for name in catalog.names() if defaults_of(name).kind in kinds]
        raise InputError(
            f"the network '{net}' does not answer '{task}': it is made to {kind}; "
            f"for this task there are {', '.join(fitting)}."
        )
    return kind
