"""Outlined hands are divided at the wrist that landmarks tell; without landmarks what may be forearm is not known."""

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.types import IGNORE
from recipes.segment.wrists import with_forearms

HAND, FOREARM, OVER = 1, 3, 4
WRIST_AT = 100


def _outlined() -> tuple[np.ndarray, np.ndarray]:
    """Return a mask (200, 120) of a hand that points up, with a forearm below, and its landmarks."""
    mask = np.zeros((200, 120), np.uint8)
    cv2.circle(mask, (60, 75), 26, (HAND,), -1)
    tips = [(36, 48), (48, 22), (60, 18), (72, 22), (84, 34)]
    for tip in tips:
        cv2.line(mask, (60, 75), tip, (HAND,), 7)
    cv2.rectangle(mask, (44, 75), (76, 199), (HAND,), -1)
    joints = np.zeros((21, 2), np.float32)
    joints[0] = 60, WRIST_AT
    for finger, (x, y) in enumerate(tips):
        knuckle = np.array([44 + 8 * finger, 62], np.float32)
        for k in range(4):
            joints[1 + 4 * finger + k] = knuckle + (np.array([x, y]) - knuckle) * k / 3
    return mask, joints


def test_what_lies_behind_the_wrist_is_forearm_and_nothing_else_changes() -> None:
    mask, joints = _outlined()
    mask[20:40] = np.where(mask[20:40] == HAND, OVER, mask[20:40])
    out = with_forearms(mask, [joints], (HAND, OVER), FOREARM)
    assert (out[115:][mask[115:] > 0] == FOREARM).all()
    assert np.array_equal(out[:WRIST_AT], mask[:WRIST_AT])
    assert np.array_equal(out == 0, mask == 0)


@pytest.mark.parametrize("joints", [[], [_outlined()[1] + 300]], ids=["none", "of another hand"])
def test_without_landmarks_a_forearm_is_not_known_and_fingers_stay_hand(joints: list[np.ndarray]) -> None:
    mask, _ = _outlined()
    out = with_forearms(mask, joints, (HAND, OVER), FOREARM)
    assert set(np.unique(out)) == {0, HAND, IGNORE}
    assert (out[170:][mask[170:] > 0] == IGNORE).all()
    assert np.array_equal(out[:70], mask[:70])
