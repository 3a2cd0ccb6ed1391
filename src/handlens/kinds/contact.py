"""What a contact model says of crops of faces <-> FaceViews; it must not know how faces are found or put together.

Canonical arrays of n crops, their maps over the whole network input: "hand" (n, 1, s, s) probabilities, "regions"
(n, r + 1, s, s) probabilities, no region first, "touch_logit" (n, 1), and "region_scores" (n, r) probabilities; r
counts the labels of the card but face and hand. A model may also give "object_scores" (n, 2), probabilities of a thing
at the mouth and elsewhere at the face, and "side_scores" (n, r, 2), for each region, if it is touched, the
probabilities that it is in the left and in the right half of the picture.
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

SIDE_APART = 0.3
"""By how much the probabilities of both sides must differ for a side to be named."""


@dataclass(frozen=True, eq=False)
class FaceView:
    """What the contact model says of one crop: hand (s, s) and regions (r + 1, s, s) probabilities, region scores (r,),
    the logit of a touch, the way back to source pixels, and where the model gives them things (2,), at the mouth and
    elsewhere at the face, and sides (r, 2), left and right in the picture."""

    hand: Floats
    regions: Floats
    scores: Floats
    touch_logit: float
    way: Geometry
    things: Floats | None = None
    sides: Floats | None = None

    def side(self, region: int, least: float = SIDE_APART) -> str:
        """Return the side of the person at which a region is touched: "left", "right", or "" where neither is sure.

        The left half of a picture shows the person's right side, unless the camera mirrors.
        """
        if self.sides is None:
            return ""
        apart = float(self.sides[region, 1] - self.sides[region, 0])
        return "" if abs(apart) < least else "left" if apart > 0 else "right"

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
        things, sides = outputs.get("object_scores"), outputs.get("side_scores")
        if things is not None:
            things = expect("object_scores", things, (count, 2))
        if sides is not None:
            sides = expect("side_scores", sides, (count, regions, 2))
        return tuple(
            FaceView(
                hand[i, 0],
                maps[i],
                scores[i],
                float(logits[i, 0]),
                way,
                None if things is None else things[i],
                None if sides is None else sides[i],
            )
            for i, way in enumerate(geometries)
        )

    def encode(
        self, answers: Sequence[FaceView], card: ModelCard, geometries: Sequence[Geometry] = ()
    ) -> dict[str, Floats]:
        """Return the arrays of crops of one size."""
        more = {
            "object_scores": [view.things for view in answers if view.things is not None],
            "side_scores": [view.sides for view in answers if view.sides is not None],
        }
        return {
            **{name: np.stack(values) for name, values in more.items() if values},
            "hand": np.stack([view.hand[None] for view in answers]),
            "regions": np.stack([view.regions for view in answers]),
            "touch_logit": np.array([[view.touch_logit] for view in answers], np.float32),
            "region_scores": np.stack([view.scores for view in answers]),
        }


def region_names(card: ModelCard) -> tuple[str, ...]:
    """Return the regions that a contact model can name, in the order of its arrays."""
    return tuple(name for name in card.names if name not in OWNERS)
