"""The network that a task is trained with when the user names none: the labels and pictures of the set decide."""

from __future__ import annotations

from collections.abc import Callable

from handlens.evaluate.touch import touches_of
from handlens.tasks.touch import REGIONS
from handlens.train.defaults import DEFAULT_NETS, SILHOUETTE_NET, TOUCH_DETECTOR
from handlens.train.initial_weights import published_folders
from handlens.train.loader.face_sample import SET_KINDS
from handlens.train.loader.silhouettes import are_silhouettes
from handlens.train.opened import OpenedSets
from handlens.types import OWNERS

WITHOUT_WEIGHTS = "lite0"
"""The network of photographs of gestures and of masks where the package of weights is missing: it brings its own."""

Choice = tuple[str, str]
"""The name of a network, and why it fits the set."""


def default_net(task: str, data: str, opened: OpenedSets) -> Choice:
    """Return the network for a task and why, "" where the set has no say.

    Raises:
        InputError: the set cannot be read.
    """
    if data and task in _BY_SET:
        return _BY_SET[task](data, opened)
    return DEFAULT_NETS.get(task, TOUCH_DETECTOR), ""


def _for_touches(data: str, opened: OpenedSets) -> Choice:
    """Return the shipped network where the set says touched or not; a detector where it says which part is touched."""
    found = opened(data, SET_KINDS)
    shipped = DEFAULT_NETS["touch"]
    if not found.label_kind.has_boxes:
        return shipped, "the pictures are labelled as a whole, without boxes"
    kinds = [name for name in found.names if name not in OWNERS]
    if not kinds:
        return "face-hand-net", f"the boxes are of {' and '.join(found.names)}, and of no touch"
    if len(kinds) > 1 or kinds[0] in REGIONS:
        return TOUCH_DETECTOR, f"the boxes say what is touched ({', '.join(kinds)})"
    touched = touches_of(found)
    if touched.all():
        return TOUCH_DETECTOR, "the set has no picture without a touch"
    if not touched.any():
        return TOUCH_DETECTOR, "the set has no picture of a touch"
    return shipped, f"'{kinds[0]}' only says that a face is touched"


def _for_gestures(data: str, opened: OpenedSets) -> Choice:
    """Return the network that takes what the pictures are."""
    if are_silhouettes(opened(data, "classify")):
        return SILHOUETTE_NET, "the pictures are silhouettes"
    net = DEFAULT_NETS["gesture"]
    if not published_folders():
        return WITHOUT_WEIGHTS, f"the pictures are not silhouettes, and the weights for '{net}' are not installed"
    return net, "the pictures are not silhouettes"


def _for_masks(data: str, opened: OpenedSets) -> Choice:
    """Return the network whose weights are there to begin with, whatever the set."""
    net = DEFAULT_NETS["segment"]
    if not published_folders():
        return WITHOUT_WEIGHTS, f"the weights for '{net}' are not installed"
    return net, ""


_BY_SET: dict[str, Callable[[str, OpenedSets], Choice]] = {
    "touch": _for_touches,
    "gesture": _for_gestures,
    "segment": _for_masks,
}
