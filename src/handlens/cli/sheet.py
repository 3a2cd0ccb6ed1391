"""A contact sheet: the moments of a clip that tell the most, side by side; it must not run a model."""

from collections.abc import Iterable, Sequence

from handlens.cli.words import regions
from handlens.io.draw import draw
from handlens.io.scaled import scaled
from handlens.io.sheet import captioned, grid
from handlens.summary import clock
from handlens.types import Detections, Event, Frame, Image, Result

CELL = 400  # pixels of the longer side of a frame
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
    """Return (H, W, 3) uint8 RGB: the picked frames with their results drawn, and the time of each below it.

    truth: the true touches, where they are known; answer and truth then stand beside the time.
    """
    by_index = {result.index: result for result in results}
    cells = []
    for frame in frames:
        if frame.index in set(picks):
            result = by_index[frame.index]
            time = clock(frame.time)
            told = time if truth is None else f"{time}    {_told(result, truth)}"
            cells.append(captioned(draw(*scaled(frame, result, CELL)), told))
    return grid(cells)


def _told(result: Result, truth: Sequence[Event]) -> str:
    """Say what the model says of a frame and what is true."""
    value = result.value
    touched = isinstance(value, Detections) and value.best_touch >= _TOUCHED
    answer = (regions(value) or "touch") if touched and isinstance(value, Detections) else "no touch"
    true = [event.label for event in truth if event.start_frame <= result.index <= event.stop_frame]
    return f"answer: {answer}    truth: {'; '.join(true) or 'no touch'}"
