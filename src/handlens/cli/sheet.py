"""A contact sheet: the moments of a clip that tell the most, side by side; it must not run a model."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import OutputError
from handlens.io.draft import Draft
from handlens.io.draw import draw
from handlens.summary import clock
from handlens.types import Detections, Event, Frame, Image, Result

COLUMNS, CELL, GAP = 3, 400, 8  # pixels
_GROUND = (245, 245, 245)


def pick(results: Sequence[Result], events: Sequence[Event], count: int = 6) -> list[int]:
    """Return the frame numbers of at most `count` moments in order: the surest of each event, then calm ones."""
    sure = {result.index: _touch(result) for result in results}
    peaks = [
        max((i for i in sure if event.start_frame <= i <= event.stop_frame), key=sure.__getitem__, default=None)
        for event in sorted(events, key=lambda event: -event.peak)
    ]
    chosen = [index for index in peaks if index is not None][: max(1, count - count // 3)]
    inside = {i for event in events for i in range(event.start_frame, event.stop_frame + 1)}
    calm = [i for i in sure if i not in inside]
    left = count - len(chosen)
    chosen += [calm[(2 * n + 1) * len(calm) // (2 * left)] for n in range(left)] if len(calm) >= left else calm
    return sorted(set(chosen))


def sheet(frames: Iterable[Frame], results: Sequence[Result], picks: Sequence[int]) -> Image:
    """Return (H, W, 3) uint8 RGB: the picked frames with their results drawn, and the time of each."""
    by_index = {result.index: result for result in results}
    cells = [
        _cell(draw(frame, by_index[frame.index]), clock(frame.time)) for frame in frames if frame.index in set(picks)
    ]
    if not cells:
        raise OutputError("there is no frame to make a contact sheet of.")
    high = max(len(cell) for cell in cells)
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    whole = np.full((rows * (high + GAP) + GAP, columns * (CELL + GAP) + GAP, 3), _GROUND, np.uint8)
    for n, cell in enumerate(cells):
        top, left = (n // columns) * (high + GAP) + GAP, (n % columns) * (CELL + GAP) + GAP
        whole[top : top + len(cell), left : left + CELL] = cell
    return whole


def save_picture(path: Path, image: Image) -> None:
    """Write a JPEG.

    Raises:
        OutputError: it cannot be written.
    """
    good, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not good:
        raise OutputError(f"'{path}' was not written: the picture cannot be encoded.")
    with Draft(path) as draft:
        draft.write(data.tobytes())


def _cell(image: Image, time: str) -> Image:
    height = max(1, round(len(image) * CELL / image.shape[1]))
    cell = np.asarray(cv2.resize(image, (CELL, height), interpolation=cv2.INTER_AREA), np.uint8)
    (wide, tall), _ = cv2.getTextSize(time, cv2.FONT_HERSHEY_DUPLEX, 0.5, 1)
    cv2.rectangle(cell, (CELL - wide - 10, 0), (CELL, tall + 10), (20, 22, 28), -1)
    cv2.putText(cell, time, (CELL - wide - 5, tall + 5), cv2.FONT_HERSHEY_DUPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return cell


def _touch(result: Result) -> float:
    return result.value.best_touch if isinstance(result.value, Detections) else 0.0
