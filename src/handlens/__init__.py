"""handlens sees hands: the front door with lazy names only; it must not import numpy, cv2, av or onnxruntime itself.

import handlens
model = handlens.load("touch")
result = model.predict("photo.jpg")     # or an array (H, W, 3) uint8 RGB, a Pillow image, a Frame, or a list of these
result.value.touch                      # probability that a hand touches a face
[box.label for box in result]           # faces, hands and touched regions
result.draw("photo.jpg")                # (H, W, 3) uint8 RGB with all of it drawn
for result in handlens.video("clip.mp4"):
    print(result.time, result.value.touch)
"""

import importlib
from typing import TYPE_CHECKING, Any

from handlens import offline as _offline  # noqa: F401  first of all: it turns onnxruntime's telemetry off

if TYPE_CHECKING:
    from handlens.card import ModelCard
    from handlens.clips import frames, video
    from handlens.errors import (
        DeviceError,
        FrameError,
        HandlensError,
        InputError,
        ModelError,
        NotSilhouette,
        NotYet,
        OutputError,
    )
    from handlens.given import ImageLike
    from handlens.predictor import Predictor, load
    from handlens.report import Report
    from handlens.result import Result
    from handlens.types import Box, Detections, Event, Frame, Hand, Label, Mask, Sample

__version__ = "0.1.0"

_ROOMS = {
    "types": ("Box", "Detections", "Event", "Frame", "Hand", "Label", "Mask", "Sample"),
    "result": ("Result",),
    "errors": (
        "DeviceError",
        "FrameError",
        "HandlensError",
        "InputError",
        "ModelError",
        "NotSilhouette",
        "NotYet",
        "OutputError",
    ),
    "card": ("ModelCard",),
    "report": ("Report",),
    "predictor": ("Predictor", "load"),
    "given": ("ImageLike",),
    "clips": ("frames", "video"),
}
_WHERE = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Box",
    "Detections",
    "DeviceError",
    "Event",
    "Frame",
    "FrameError",
    "Hand",
    "HandlensError",
    "ImageLike",
    "InputError",
    "Label",
    "Mask",
    "ModelCard",
    "ModelError",
    "NotSilhouette",
    "NotYet",
    "OutputError",
    "Predictor",
    "Report",
    "Result",
    "Sample",
    "__version__",
    "frames",
    "load",
    "video",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'handlens' has no attribute '{name}'")
    value = getattr(importlib.import_module(f"handlens.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
