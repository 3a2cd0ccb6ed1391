"""Pictures that are known by their number, and models that answer by it."""

from pathlib import Path

import numpy as np

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.predictor import Predictor
from handlens.runner import FakeRunner

SIDE = 64


def picture(number, **fields):
    image = np.full((SIDE, SIDE, 3), number, np.uint8)
    return Labelled(Path(f"{number}.png"), SIDE, SIDE, pixels=lambda: image, **fields)


def model(kind, names, outputs, task, **fields):
    """A model whose outputs for the picture of each number are outputs[number]."""
    card = ModelCard("fake", task, kind, names, (SIDE, SIDE), "stretch", **fields)
    return FakeRunner(card, lambda batch: outputs[round(float(batch[0, 0, 0, 0]) * 255)])


def touch_pictures(names, label=0):
    box = [[10, 10, 40, 40]]
    return LabelledSet("detect", names, [picture(200, boxes=box, labels=[label]), picture(20)])


def contact():
    """A contact model that sees a face everywhere and a touched chin where the picture is bright."""
    face = {"boxes": np.array([[[10, 10, 40, 40]]], np.float32), "scores": np.array([[[0.9, 0.0]]], np.float32)}
    detector = FakeRunner(ModelCard("d", "touch", "detect", ("face", "hand"), (SIDE, SIDE), "stretch"), face)

    def look(batch):
        n = len(batch)
        regions = np.zeros((n, 3, 8, 8), np.float32)
        regions[:, 1, 2:6, 2:6], regions[:, 0] = 1.0, 0.5
        hand = np.full((n, 1, 8, 8), 0.9, np.float32)
        light = batch[:, :1, 32, 32] > 0.5
        scores = np.tile(np.array([[0.9, 0.1]], np.float32), (n, 1))
        return {"hand": hand, "regions": regions, "touch_logit": np.where(light, 3.0, -3.0).astype(np.float32),
                "region_scores": scores}  # fmt: skip

    card = ModelCard("c", "touch", "contact", ("chin", "ear"), (SIDE, SIDE), "stretch")
    return Predictor(FakeRunner(card, look), {"detector": detector})
