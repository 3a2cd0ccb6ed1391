"""A drawn silhouette of a hand."""

import cv2
import numpy as np


def paw(side: int = 128, fingers: int = 3, level: int = 255) -> np.ndarray:
    """A silhouette of a palm with a forearm and fingers that point up, (side, side, 3)."""
    image, unit = np.zeros((side, side), np.uint8), side / 16
    cv2.ellipse(image, (side // 2, round(9 * unit)), (round(3 * unit), round(3 * unit)), 0, 0, 360, level, -1)
    cv2.rectangle(image, (round(6.5 * unit), round(9 * unit)), (round(9.5 * unit), side), level, -1)
    for number in range(fingers):
        x = round((5.5 + 2.2 * number) * unit)
        cv2.line(image, (x, round(3 * unit)), (side // 2, round(9 * unit)), level, max(1, round(1.2 * unit)))
    return np.repeat(image[..., None], 3, axis=2)
