"""A picture of an arrow, and where it points."""

import numpy as np


def arrow(height=40, width=60):
    """A white bar from the middle to the top of a black picture: it points up."""
    image = np.zeros((height, width, 3), np.uint8)
    image[4 : height // 2, width // 2 - 3 : width // 2 + 3] = 255
    return image


def pointing(image):
    """The direction from the middle to the white, degrees counter-clockwise from up."""
    ys, xs = np.nonzero(image[..., 0] > 127)
    middle = (np.array(image.shape[:2]) - 1) / 2
    return np.rad2deg(np.arctan2(middle[1] - xs.mean(), middle[0] - ys.mean()))
