"""Trains the detector: `python -m recipes.touch.train_detector --data DATA --out RUN`; knows no touch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import Predictor
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.nets.centre_loss import facehand_loss
from handlens.train.nets.hand_encoder import FaceHand, FaceHandGraph
from handlens.train.precision import Batch
from recipes.shared.cutouts import read_cutouts
from recipes.shared.own_pickle import read_own, write_own
from recipes.touch.common import MEAN, STD, images, options, teach
from recipes.touch.detector_data import FaceHandSamples, Picture, read_pictures

LONGEST = 320
NAMES = ("face", "hand")


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """float32 losses, whatever the net computes in."""
    return facehand_loss(net(images(batch)), batch)


def finder_card(version: str = "0") -> ModelCard:
    """Return the card of the detector before it is shipped."""
    return ModelCard(
        name="facehand", task="touch", kind="detect", names=NAMES, size=(LONGEST, LONGEST), resize="fit", mean=MEAN,
        std=STD, thresholds={"face": 0.3, "hand": 0.37}, version=version, options={"nms": 0.45},
    )  # fmt: skip


def held_set(pictures: Sequence[Picture]) -> LabelledSet:
    """Return the validation pictures in which hands are marked, as a labelled set."""
    found = []
    for picture in pictures:
        if not len(picture.hands):
            continue
        boxes = np.concatenate((picture.faces, picture.hands)).astype(np.float32)
        labels = np.repeat([0, 1], [len(picture.faces), len(picture.hands)])
        found.append(Labelled(Path(picture.file), boxes=boxes, labels=labels, pixels=partial(_image, picture)))
    return LabelledSet("detect", NAMES, tuple(found))


def measured(net: nn.Module, held: LabelledSet) -> dict[str, float]:
    """Average precision of faces and hands at IoU 0.5, by the house's one evaluator."""
    assert isinstance(net, FaceHand)
    report = evaluate(Predictor(TorchRunner(FaceHandGraph(net), finder_card())), held, resamples=0).report
    return {"score": report["mAP 0.5"].value, **{f"ap_{name}": report[f"AP 0.5 {name}"].value for name in NAMES}}


def _image(picture: Picture) -> NDArray[np.uint8]:
    return picture.image


def main() -> None:
    """Train, measuring on validation people every 10,000 samples."""
    parser = options(__doc__ or "", samples=120_000)
    parser.add_argument("--rendered", action="store_true", help="rendered hands among the pasted ones")
    args = parser.parse_args()
    stored = args.cache / "pictures.pickle"
    if not stored.exists():
        parts = (read_pictures(args.data, "train"), read_pictures(args.data, "val"), read_cutouts(args.data))
        write_own(parts, stored)
    pictures, held, hands = read_own(stored)
    if args.rendered:
        from recipes.shared.cutouts import rendered_cutouts

        hands = hands + rendered_cutouts(args.cache)

    def samples(seed: int) -> FaceHandSamples:
        return FaceHandSamples(pictures, hands, seed=seed)

    found = held_set(held[::2])
    teach(FaceHand(), samples, loss, lambda net: measured(net, found), 32, args)


if __name__ == "__main__":
    main()
