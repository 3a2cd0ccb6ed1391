"""A contact model that says what a test wants."""

import numpy as np

from handlens.card import ModelCard
from handlens.runner import FakeRunner

REGIONS = ("forehead", "eye", "nose", "mouth", "cheek", "chin", "ear")


CONTACT = ModelCard(
    name="touch",
    task="touch",
    kind="contact",
    names=("face", "hand", *REGIONS),
    size=(160, 160),
    resize="stretch",
    calibration={"a": 2.0, "b": -1.0},
    parts={"detector": "facehand"},
    thresholds={"touch": 0.5, "score": 0.5},
)


def contact(logits: list[float], region: str = "chin", hand_at: slice = slice(28, 40)) -> FakeRunner:
    n, chosen = len(logits), REGIONS.index(region)
    hand = np.zeros((n, 1, 40, 40), np.float32)
    hand[:, :, hand_at, 15:25] = 0.9
    regions = np.zeros((n, 8, 40, 40), np.float32)
    regions[:, 0] = 0.6
    regions[:, chosen + 1, 26:30, 16:24] = 0.9
    scores = np.full((n, 7), 0.1, np.float32)
    scores[:, chosen] = 0.8
    return FakeRunner(
        CONTACT,
        {
            "hand": hand,
            "regions": regions,
            "touch_logit": np.array(logits, np.float32)[:, None],
            "region_scores": scores,
        },
    )
