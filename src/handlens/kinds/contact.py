"""What a contact model says of crops of faces <-> FaceViews; it must not know how faces are found or put together.

Canonical arrays of n crops, their maps over the whole network input: "hand" (n, 1, s, s) probabilities, "regions"
(n, r + 1, s, s) probabilities, no region first, "touch_logit" (n, 1), and "region_scores" (n, r) probabilities; r
counts the labels of the card but face and hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from handlens.card import ModelCard
from handlens.kinds.base import expect
from handlens.preprocess import Geometry
from handlens.types import OWNERS, Floats


@dataclass(frozen=True, eq=False)
class FaceView:
    """What the contact model says of one crop: hand (s, s) and regions (r + 1, s, s) probabilities, region scores (r,),
    the logit of a touch, and the way back to source pixels."""

    hand: Floats
    regions: Floats
    scores: Floats
    touch_logit: float
    way: Geometry

    def box(self, mask: npt.NDArray[np.bool_]) -> Floats | None:
        """Return the box (4,) in source pixels of a mask (s, s), clipped to the picture, or None where it is empty."""
        ys, xs = np.nonzero(mask)
        if not len(xs):
            return None
        cell = self.way.net_width / mask.shape[1]
        inner = np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], np.float32) * cell
        edges = np.array([self.way.width, self.way.height] * 2, np.float32)
        box = np.clip(self.way.to_source(inner), 0, edges)[0]
        return np.asarray(box, np.float32) if (box[2:] > box[:2]).all() else None


@final
class Contact:
    """The kind "contact": one `FaceView` for each crop of a face."""

    name = "contact"
    outputs = ("hand", "regions", "touch_logit", "region_scores")

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[FaceView, ...]:
        """Return what is said of each crop.

        Raises:
            ModelError: arrays of other shapes.
        """
        count, regions = len(geometries), len(region_names(card))
        hand = expect("hand", outputs["hand"], (count, 1, None, None))
        maps = expect("regions", outputs["regions"], (count, regions + 1, None, None))
        logits = expect("touch_logit", outputs["touch_logit"], (count, 1))
        scores = expect("region_scores", outputs["region_scores"], (count, regions))
        return tuple(
            FaceView(hand[i, 0], maps[i], scores[i], float(logits[i, 0]), way) for i, way in enumerate(geometries)
        )

    def encode(
        self, answers: Sequence[FaceView], card: ModelCard, geometries: Sequence[Geometry] = ()
    ) -> dict[str, Floats]:
        """Return the arrays of crops of one size."""
        return {
            "hand": np.stack([view.hand[None] for view in answers]),
            "regions": np.stack([view.regions for view in answers]),
            "touch_logit": np.array([[view.touch_logit] for view in answers], np.float32),
            "region_scores": np.stack([view.scores for view in answers]),
        }


def region_names(card: ModelCard) -> tuple[str, ...]:
    """Return the regions that a contact model can name, in the order of its arrays."""
    return tuple(name for name in card.names if name not in OWNERS)
