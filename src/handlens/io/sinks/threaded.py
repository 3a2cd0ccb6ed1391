"""A sink behind a queue and a thread, so that drawing and disk never hold up the loop; it knows no formats."""

import queue
import threading
from types import TracebackType
from typing import Self

from handlens.errors import OutputError
from handlens.io.atomic import worth_keeping
from handlens.io.sinks.base import Sink
from handlens.result import Result
from handlens.types import Event, Frame

DEPTH = 8  # frames in memory for a slow disk: 8 of 1080p are 50 MB
_PATIENCE_S = 10.0  # for a disk that hangs when a live run ends


class _Checkpoint:
    """Asks the thread to make all safe that was queued before."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.lengths: dict[str, int] = {}


class Threaded(Sink):
    """Writes to another sink in a thread of its own.

    live=False: nothing is lost, a full queue holds up the caller. live=True: the caller is never held up, frames that
    find the queue full are counted in `dropped`; events always get through. What the other sink raises comes out of the
    next call. As only the thread writes, Ctrl-C never strikes in the middle of a line or a film frame.
    """

    def __init__(self, sink: Sink, live: bool = False, depth: int = DEPTH) -> None:
        self.dropped = 0
        self._sink, self._live = sink, live
        self._work: queue.SimpleQueue[tuple[Frame, Result] | Event | _Checkpoint | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(depth)
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"sink {type(sink).__name__}", daemon=True)

    def write(self, frame: Frame, result: Result) -> None:
        """Queue the result of one frame."""
        self._raise()
        if self._free.acquire(blocking=not self._live):
            self._work.put((frame, result))
        else:
            self.dropped += 1

    def note(self, event: Event) -> None:
        """Queue an event."""
        self._raise()
        self._work.put(event)

    def checkpoint(self) -> dict[str, int]:
        """Wait until all is written and safe."""
        request = _Checkpoint()
        self._work.put(request)
        request.done.wait()
        self._raise()
        return request.lengths

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            try:
                if self._error is None and not self._abandoned:
                    if isinstance(item, Event):
                        self._sink.note(item)
                    elif isinstance(item, _Checkpoint):
                        item.lengths = self._sink.checkpoint()
                    else:
                        self._sink.write(*item)
            except BaseException as error:  # it belongs to the caller, who gets it from the next call
                self._error = error
            finally:
                if isinstance(item, _Checkpoint):
                    item.done.set()
                elif not isinstance(item, Event):
                    self._free.release()

    def __enter__(self) -> Self:
        self._sink.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandoned = not worth_keeping(error)
        self._work.put(None)
        self._thread.join(_PATIENCE_S if self._live else None)
        if self._thread.is_alive():
            raise OutputError("the disk does not answer: what was not written yet is lost.") from error
        mine = self._error if error is None or worth_keeping(error) else error
        if mine is None:
            self._sink.__exit__(kind, error, trace)
            return
        self._sink.__exit__(type(mine), mine, mine.__traceback__)
        if mine is not error:
            raise mine
