"""A judge of hands, a finder of hands and a canvas to draw hands on."""

import numpy as np

from handlens.card import ModelCard
from handlens.runner import FakeRunner
from handlens.types import Frame

NAMES = ("dark", "bright")


def judge(task="gesture", angle=None, seen=None, **fields):
    """The brighter what it is shown, the surer it is of "bright"; it keeps the batches it was shown in `seen`."""

    def answer(batch):
        if seen is not None:
            seen.append(batch)
        light = batch.mean(axis=(1, 2, 3))
        arrays = {"probabilities": np.stack([1 - light, light], axis=1)}
        if angle is not None:
            turn = np.radians(angle)
            arrays["angle"] = np.tile(np.array([[np.cos(turn), np.sin(turn)]], np.float32), (len(batch), 1))
        return arrays

    return FakeRunner(ModelCard("judge", task, "classify", NAMES, (32, 32), "stretch", **fields), answer)


def finder(*rows):
    """A detector that sees these (label, score, x1, y1, x2, y2) in every picture of 100 x 100."""
    scores = np.zeros((1, len(rows), 2), np.float32)
    for place, (label, score, *_) in enumerate(rows):
        scores[0, place, ("face", "hand").index(label)] = score
    boxes = np.array([row[2:] for row in rows], np.float32).reshape(1, -1, 4)
    card = ModelCard("f", "touch", "detect", ("face", "hand"), (100, 100), "stretch", thresholds={"score": 0.4})
    return FakeRunner(card, {"boxes": boxes, "scores": scores})


def canvas(*boxes, size=(100, 100), ground=0, colour=255):
    image = np.full((*size, 3), ground, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = colour
    return Frame(image, source="a.png")
