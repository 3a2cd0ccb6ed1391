"""Silhouettes as a mask net makes them from colour photographs, so that gesture nets learn what they will be shown.

It must not know what the signs mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from handlens.errors import InputError
from handlens.predictor import load
from handlens.preprocess import prepare
from handlens.tasks.hand_crop import find_crops
from handlens.train.sets.hand_pool import Pooled, with_late
from recipes.shared.source_data import read_rgb, read_rows


def read_masked(data: Path, model: str, on_picture: Callable[[], None] = lambda: None) -> Iterator[Pooled]:
    """The largest hand that a model of kind "segment" sees in each photograph of `gestures/photos`, cropped.

    Photographs in which it sees none are left out.

    Raises:
        InputError: the model knows no hand.
    """
    runner = load(model).runner
    if runner.card.kind != "segment" or "hand" not in runner.card.names:
        raise InputError(f"'{model}' draws no masks of hands; give a model of kind segment with the class hand.")
    hand = runner.card.names.index("hand")
    for row, late in with_late(read_rows(data / "gestures" / "photos" / "labels.csv")):
        on_picture()
        tensor, _ = prepare(read_rgb(data / "gestures" / "photos" / "images" / row["file"]), runner.card)
        crops = find_crops(runner.run(tensor)["probabilities"][0], hand, runner.card.threshold("hand", 0.0))
        if crops:
            x1, y1, x2, y2 = crops[0].shape.box.astype(int)
            mask = crops[0].shape.mask[y1:y2, x1:x2]
            yield Pooled(None, mask, row["label"], row["source"], row["group"], late)
