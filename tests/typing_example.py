"""Code as a user writes it: mypy accepts it (see pyproject.toml), and a test runs it."""

from pathlib import Path

import numpy as np

import handlens


def probabilities(clip: Path, every: int) -> list[tuple[float, float]]:
    """The times and the probabilities of a touch."""
    told: list[tuple[float, float]] = []
    for result in handlens.video(clip, every=every):
        if isinstance(result.value, handlens.Detections):
            told.append((result.time, result.value.best_touch))
    return told


def labels(picture: Path) -> list[str]:
    """What is seen in a picture, given in each way."""
    model: handlens.Predictor = handlens.load("touch")
    array = np.zeros((48, 64, 3), np.uint8)
    one: handlens.Result = model.predict(array)
    paths = [picture, picture]
    several: list[handlens.Result] = model.predict([str(picture), array])
    same: list[handlens.Result] = model.predict(paths)
    drawn = several[0].draw(picture)
    assert drawn.dtype == np.uint8
    assert len(one) == 0
    first: list[handlens.Box] = list(same[0])
    corner: tuple[float, float, float, float] = first[0].xyxy
    assert corner[0] < corner[2]
    return [box.label for box in several[0]]
