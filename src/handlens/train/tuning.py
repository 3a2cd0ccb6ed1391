"""A trained detector's card, tuned on the validation part: thresholds of the boxes, probability of a touch."""

from __future__ import annotations

import dataclasses

import numpy as np

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.evaluate import coco
from handlens.evaluate.detect import Boxes
from handlens.predictor import Predictor
from handlens.runner import Runner
from handlens.train.calibration import best_threshold, fit_platt, logit
from handlens.types import Detections

UNTOUCHED = ("face", "hand")
LEAST = 0.001


def tuned(runner: Runner, val: LabelledSet) -> ModelCard:
    """The card with a threshold for each label, where F1 is highest, and where it can be told a touch calibration.

    A person with many pictures counts 1 / sqrt(pictures) each, as in the calibration of the shipped model.
    """
    card = runner.card
    predictor = Predictor(runner)
    founds, truths, best, touched, kin = [], [], [], [], []
    for picture in val:
        answer = predictor.predict(val.sample(picture).frame, LEAST).value
        assert isinstance(answer, Detections)
        founds.append(Boxes(answer.xyxy, answer.label, answer.score))
        truths.append(Boxes(picture.boxes, picture.labels, np.ones(len(picture.labels), np.float32)))
        best.append(answer.best_touch)
        touched.append(any(card.names[label] not in UNTOUCHED for label in picture.labels))
        kin.append(picture.kin)
    thresholds = {
        name: round(best_threshold(match.score, match.hit[0], int(match.truths.sum())), 3)
        for name, match in zip(card.names, coco.match(truths, founds, len(card.names)), strict=True)
    }
    card = dataclasses.replace(card, thresholds={**thresholds, "score": min(thresholds.values())})
    touch = np.array(touched)
    if card.task != "touch" or touch.all() or not touch.any():
        return card
    _, person = np.unique(kin, return_inverse=True)
    weight = np.bincount(person)[person] ** -0.5
    a, b = fit_platt(logit(np.array(best)), touch, weight)
    return dataclasses.replace(card, calibration={"a": round(a, 4), "b": round(b, 4)})
