"""Trains the contact net: `python -m recipes.touch.train_contact --data DATA --out RUN`; knows no detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.evaluate.binary import roc_auc
from handlens.train.kinds.contact import contact_loss
from handlens.train.nets.contact import Contact
from handlens.train.precision import Batch
from recipes.shared.cutouts import Cutout, read_cutouts
from recipes.shared.own_pickle import read_own, write_own
from recipes.shared.source_data import Face, FaceTable, portrait_faces, touch_faces, void_faces
from recipes.touch.common import images, options, teach
from recipes.touch.contact_data import ContactSamples, Mix, plain_sample


@torch.no_grad()
def touch_logits(net: nn.Module, faces: Sequence[Face], batch: int = 64) -> NDArray[np.float32]:
    """Touch logits (n,) of the unchanged faces."""
    net.eval()
    out = []
    for start in range(0, len(faces), batch):
        stack = np.stack([plain_sample(f).transpose(2, 0, 1) for f in faces[start : start + batch]])
        out.append(net(images({"image": torch.from_numpy(stack)})).touch[:, 0].numpy())
    return np.concatenate(out)


def auc(positive: NDArray[np.float32], negative: NDArray[np.float32]) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative."""
    scores = np.concatenate((positive, negative))
    return float(roc_auc(scores, np.arange(len(scores)) < len(positive), np.ones((1, len(scores))))[0])


def summary(logits: NDArray[np.float32], faces: Sequence[Face], threshold: float = 0.0) -> dict[str, float]:
    """AUC, F1, recall on photographs and webcam, false alarms in front of the face and elsewhere."""
    label = np.array([f.label for f in faces])
    photo = np.array([f.photo for f in faces])
    usable = label != "object_at_mouth"
    touch, hit = label == "touch", logits > threshold
    out = {"auc": auc(logits[touch], logits[usable & ~touch])}
    for name, group in (("web", ~photo & usable), ("photo", photo & usable)):
        true = float((hit & touch & group).sum())
        out[f"f1_{name}"] = 2 * true / max(1.0, float((hit & group).sum() + (touch & group).sum()))
        out[f"recall_{name}"] = true / max(1.0, float((touch & group).sum()))
        out[f"auc_{name}"] = auc(logits[touch & group], logits[group & ~touch])
    out["alarm_front"] = float(hit[label == "overlap_no_touch"].mean()) if (label == "overlap_no_touch").any() else 0.0
    out["alarm_none"] = float(hit[label == "no_touch"].mean()) if (label == "no_touch").any() else 0.0
    return out


def load_faces(data: Path, cache: Path) -> tuple[list[Face], list[Face], list[Cutout]]:
    """Training faces, validation faces and cut-out hands; read once, then from the cache."""
    stored = cache / "faces.pickle"
    if stored.exists():
        faces, held, hands = read_own(stored)
        return faces, held, hands
    table = FaceTable(data)
    held, own = touch_faces(data, "val", table), touch_faces(data, "train", table)
    faces = own + portrait_faces(data, table, held + own) + void_faces(data, table)
    hands = read_cutouts(data)
    cache.mkdir(parents=True, exist_ok=True)
    write_own((faces, held, hands), stored)
    return faces, held, hands


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """float32 losses, whatever the net computes in."""
    maps = net(images(batch))
    return contact_loss(maps._replace(**{k: v.float() for k, v in maps._asdict().items()}), batch)


def main() -> None:
    """Train, checking on the validation people every 10,000 samples."""
    parser = options(__doc__ or "", samples=240_000)
    parser.add_argument("--real", type=float, default=0.5)
    parser.add_argument("--rendered", type=float, default=0.0)
    args = parser.parse_args()
    faces, held, hands = load_faces(args.data, args.cache)
    rendered: list[Cutout] = []
    if args.rendered:
        from recipes.shared.cutouts import rendered_cutouts

        rendered = rendered_cutouts(args.cache)
    mix = Mix(real=args.real, rendered=args.rendered)

    def samples(seed: int) -> ContactSamples:
        return ContactSamples(faces, hands, rendered, dataclasses.replace(mix, seed=seed))

    def check(net: nn.Module) -> dict[str, float]:
        found = summary(touch_logits(net, held), held)
        return {"score": found["auc"], **found}

    teach(Contact(), samples, loss, check, 48, args)


if __name__ == "__main__":
    main()
