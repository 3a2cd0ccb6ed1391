"""The history as the page asks for it, from any thread; it must not know sockets or what is shown."""

from pathlib import Path
from typing import Any

from handlens.live.history import History, delete_history


class Diary:
    """Opens the history anew for each question, so that every thread may ask.

    Args:
        path: As of `History`.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = path

    def touches(self, since: float) -> list[dict[str, Any]]:
        """Return the touches from a moment on, oldest first: {"start", "stop", "region", "regions": {name: seconds}}.

        Times are seconds since 1970.

        Raises:
            HistoryError: the history cannot be read.
        """
        with History(self.path) as history:
            return [
                {
                    "start": touch.start,
                    "stop": touch.stop,
                    "region": touch.region,
                    "regions": touch.by_region,
                    "side": touch.side,
                    "probability": touch.probability,
                }
                for touch in history.touches(since)
            ]

    def observed(self, since: float) -> list[tuple[float, float]]:
        """Return (start of an hour of the local time, seconds in it in which a touch could be seen), oldest first.

        Raises:
            HistoryError: the history cannot be read.
        """
        totals: dict[float, float] = {}
        with History(self.path) as history:
            for span in history.observed(since):
                for part in span.hours():
                    hour = part.start - (part.start + part.offset) % 3600.0
                    totals[hour] = totals.get(hour, 0.0) + part.seconds
        return sorted(totals.items())

    def spans(self, since: float) -> list[tuple[float, float]]:
        """Return (start, seconds) of each stretch of time in which a touch could be seen, oldest first.

        Raises:
            HistoryError: the history cannot be read.
        """
        with History(self.path) as history:
            return [(span.start, span.seconds) for span in history.observed(since)]

    def told(self, since: float | None = None) -> dict[str, Any]:
        """Return everything that the page of the history shows, see `History.to_dict`.

        Raises:
            HistoryError: the history cannot be read.
        """
        with History(self.path) as history:
            return history.to_dict() if since is None else history.to_dict(since)

    def csv(self) -> str:
        """Return all touches as CSV.

        Raises:
            HistoryError: the history cannot be read.
        """
        with History(self.path) as history:
            return history.to_csv()

    def clear(self) -> None:
        """Delete everything.

        Raises:
            HistoryError: another program holds it.
        """
        delete_history(self.path)
