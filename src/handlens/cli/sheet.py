"""A contact sheet: the moments of a clip that tell the most, side by side; it must not run a model."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from handlens.cli.words import regions
from handlens.io.draw import INK, draw
from handlens.io.sheet import captioned, grid
from handlens.summary import clock
from handlens.types import Detections, Event, Frame, Image, Result

CELL = 400  # pixels
_TOUCHED = 0.5  # the opening threshold of events


def pick(results: Sequence[Result], events: Sequence[Event], count: int = 6) -> list[int]:
    """Return the frame numbers of at most `count` moments in order: the middle of each event, then calm ones.

    Of many events the surest are shown. The surest frame of an event often lies where the hand comes or goes.
    """
    shown = [result.index for result in results]
    middles = [
        min(within, key=lambda i: abs(2 * i - event.start_frame - event.stop_frame))
        for event in sorted(events, key=lambda event: -event.peak)
        if (within := [i for i in shown if event.start_frame <= i <= event.stop_frame])
    ]
    chosen = middles[: max(1, count - count // 3)]
    inside = {i for event in events for i in range(event.start_frame, event.stop_frame + 1)}
    calm = [i for i in shown if i not in inside]
    left = count - len(chosen)
    chosen += [calm[(2 * n + 1) * len(calm) // (2 * left)] for n in range(left)] if len(calm) >= left else calm
    return sorted(set(chosen))


def sheet(
    frames: Iterable[Frame], results: Sequence[Result], picks: Sequence[int], truth: Sequence[Event] | None = None
) -> Image:
    """Return (H, W, 3) uint8 RGB: the picked frames with their results drawn, and the time of each.

    truth: the true touches, where they are known; answer and truth then stand below each frame.
    """
    by_index = {result.index: result for result in results}
    cells = []
    for frame in frames:
        if frame.index in set(picks):
            result = by_index[frame.index]
            cell = _cell(draw(frame, result), clock(frame.time))
            cells.append(cell if truth is None else captioned(cell, _told(result, truth)))
    return grid(cells)


def _told(result: Result, truth: Sequence[Event]) -> str:
    """Say what the model says of a frame and what is true."""
    value = result.value
    touched = isinstance(value, Detections) and value.best_touch >= _TOUCHED
    answer = (regions(value) or "touch") if touched and isinstance(value, Detections) else "no touch"
    true = [event.label for event in truth if event.start_frame <= result.index <= event.stop_frame]
    return f"answer: {answer}    truth: {'; '.join(true) or 'no touch'}"


def _cell(image: Image, time: str) -> Image:
    height = max(1, round(len(image) * CELL / image.shape[1]))
    cell = np.asarray(cv2.resize(image, (CELL, height), interpolation=cv2.INTER_AREA), np.uint8)
    (wide, tall), _ = cv2.getTextSize(time, cv2.FONT_HERSHEY_DUPLEX, 0.5, 1)
    cv2.rectangle(cell, (CELL - wide - 10, 0), (CELL, tall + 10), INK, -1)
    cv2.putText(cell, time, (CELL - wide - 5, tall + 5), cv2.FONT_HERSHEY_DUPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return cell
