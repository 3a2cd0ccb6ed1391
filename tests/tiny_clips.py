"""Videos of plain brightness for tests with the model that takes light for a touch."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

DARK, BRIGHT = 20, 230
TWO_TOUCHES = [DARK] * 15 + [BRIGHT] * 30 + [DARK] * 30 + [BRIGHT] * 10 + [DARK] * 15
"""Levels at 15 frames a second: touches from 1 to 3 s and from 5 to 5.67 s."""


def level_video(path: Path, levels: Sequence[int] = TWO_TOUCHES, rate: int = 15) -> Path:
    """Write an .mp4 of one plain grey picture per level."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in levels:
            image = np.full((48, 64, 3), level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path
