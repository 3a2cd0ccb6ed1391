"""How good a contact net is on labelled faces: separation, F1 and false alarms; knows nothing of training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from handlens.evaluate.binary import roc_auc
from recipes.shared.source_data import Face
from recipes.touch.common import images
from recipes.touch.contact_data import plain_sample


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
