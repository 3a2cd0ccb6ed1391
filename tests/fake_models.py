"""A card, a detector and a frame for tests of the predictor."""

import numpy as np

from handlens.card import ModelCard
from handlens.runner import FakeRunner
from handlens.types import Frame

REGIONS = ("face", "hand", "chin", "cheek")


def card(kind, names, task="touch", size=(100, 100), **fields):
    return ModelCard("fake", task, kind, names, size, "stretch", **fields)


def detector(boxes, scores, names, **fields):
    """A model that sees the same boxes in every picture; scores is (n, labels)."""
    outputs = {"boxes": np.array([boxes], np.float32).reshape(1, -1, 4), "scores": np.array([scores], np.float32)}
    outputs["scores"] = outputs["scores"].reshape(1, -1, len(names))
    return FakeRunner(card("detect", names, **fields), outputs)


def frame(height=100, width=100, value=128):
    return Frame(np.full((height, width, 3), value, np.uint8), index=3, time=0.25, source="a.jpg")
