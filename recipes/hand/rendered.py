"""Rendered hands with exact landmarks, half of them showing a sign; it must not know nets or photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_model import draw_hand
from recipes.signs.build_colour_set import RENDERED
from recipes.signs.finger_poses import finger_pose
from recipes.signs.hand_mask import legible, upright_turn

SIGN_OF = {**RENDERED, "thumb_up": "1"}
"""Poses that show a sign, and which; a lone thumb counts one."""
OTHERS = ("i_love_you", "horns")
"""Poses without a sign of the shipped model."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """rgb (s, s, 3), mask (s, s) 0 to 255, points (21, 2) pixels, world (21, 3); side 1 right, 0 left; sign or ""."""

    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    points: NDArray[np.float32]
    world: NDArray[np.float32]
    side: int
    sign: str


def rendered_hand(rng: np.random.Generator, size: int, number: int) -> Drawn:
    """Return hand `number`: even ones show a sign, from the front; odd ones any pose from any side."""
    names = (*SIGN_OF, *OTHERS)
    name = names[(number // 2) % len(names)] if number % 2 == 0 else None
    arm = float(rng.choice([rng.uniform(0, 60), 265.0], p=(0.6, 0.4)))
    if name is None:
        found = draw_hand(rng, size, arm=arm)
    else:
        for _ in range(12):
            pose = finger_pose(name, rng)
            turn = upright_turn(name, pose, rng)
            if legible(pose, turn):
                break
        found = draw_hand(rng, size, pose, view=turn, arm=arm)
    mask = np.asarray(found.alpha * 255 + 0.5, np.uint8)
    return Drawn(found.rgb, mask, found.landmarks, found.world, int(not found.left), SIGN_OF.get(name or "", ""))
