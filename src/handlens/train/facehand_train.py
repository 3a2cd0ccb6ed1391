"""Trains the detector: `python -m handlens.train.facehand_train --data DATA --out RUN`; knows no touch."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from handlens.boxes import iou
from handlens.train.cutouts import read_cutouts
from handlens.train.facehand_data import FaceHandSamples, Picture, read_pictures
from handlens.train.losses import facehand_loss
from handlens.train.nets.facehand import FaceHand, FaceHandGraph
from handlens.train.ours import images, options, teach
from handlens.train.precision import Batch

LONGEST = 320


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """float32 losses, whatever the net computes in."""
    return facehand_loss(net(images(batch)), batch)


@torch.no_grad()
def detect(net: FaceHand, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (k, 4) in picture pixels and scores (k, 2) on one picture, longest side scaled to 320."""
    scale = LONGEST / max(image.shape[:2])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, (round(image.shape[1] * scale), round(image.shape[0] * scale)), interpolation=flags)
    height, width = (-(-s // 32) * 32 for s in small.shape[:2])
    canvas = np.full((height, width, 3), 114, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    x = images({"image": torch.from_numpy(canvas.transpose(2, 0, 1).copy()[None])})
    boxes, scores = FaceHandGraph(net)(x)
    return boxes[0].numpy() / scale, scores[0].numpy()


def average_precision(net: nn.Module, pictures: Sequence[Picture]) -> dict[str, float]:
    """AP at IoU 0.5 of faces and of hands (hands: only pictures where hands are marked)."""
    assert isinstance(net, FaceHand)
    rows: dict[int, list[tuple[float, bool]]] = {0: [], 1: []}
    total = {0: 0, 1: 0}
    for p in pictures:
        boxes, scores = detect(net, p.image)
        for c, truth in ((0, p.faces), (1, p.hands)):
            if c == 1 and not len(truth):
                continue
            total[c] += len(truth)
            free = np.ones(len(truth), bool)
            for i in (-scores[:, c]).argsort()[:20]:
                if scores[i, c] < 0.02:
                    break
                overlap = iou(boxes[i : i + 1], truth)[0] * free if len(truth) else np.zeros(0)
                hit = len(overlap) > 0 and float(overlap.max()) >= 0.5
                if hit:
                    free[int(overlap.argmax())] = False
                rows[c].append((float(scores[i, c]), hit))
    return {f"ap_{n}": _area(rows[c], total[c]) for c, n in ((0, "face"), (1, "hand"))}


def _area(rows: list[tuple[float, bool]], total: int) -> float:
    if not rows or not total:
        return 0.0
    hits = np.array([h for _, h in sorted(rows, key=lambda r: -r[0])], float)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float((precision * hits).sum() / total)


def main() -> None:
    """Train, checking AP on validation people every 10,000 samples."""
    parser = options(__doc__ or "", samples=120_000)
    parser.add_argument("--rendered", action="store_true", help="rendered hands among the pasted ones")
    args = parser.parse_args()
    stored = args.cache / "pictures.pickle"
    if not stored.exists():
        args.cache.mkdir(parents=True, exist_ok=True)
        with stored.open("wb") as file:
            pickle.dump(
                (read_pictures(args.data, "train"), read_pictures(args.data, "val"), read_cutouts(args.data)), file
            )
    with stored.open("rb") as file:
        pictures, held, hands = pickle.load(file)
    if args.rendered:
        from handlens.train.rendered import rendered_cutouts

        hands = hands + rendered_cutouts(args.cache)

    def samples(seed: int) -> FaceHandSamples:
        return FaceHandSamples(pictures, hands, seed=seed)

    def check(net: nn.Module) -> dict[str, float]:
        found = average_precision(net, held[::2])
        return {"score": sum(found.values()), **found}

    teach(FaceHand(), samples, loss, check, 32, args)


if __name__ == "__main__":
    main()
