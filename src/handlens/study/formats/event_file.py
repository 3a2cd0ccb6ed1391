"""The events of `predict` as a file of BORIS, ELAN, Praat or a player; such a file is written whole, at the end."""

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.errors import InputError
from handlens.io.atomic import AtomicFile, worth_keeping
from handlens.io.sinks.base import Sink, event_endings
from handlens.result import Result
from handlens.study.database import CodedEvent
from handlens.study.formats import boris, eaf, textgrid, vtt
from handlens.study.join import coded
from handlens.study.results import Media, Observation
from handlens.types import Event, Frame


@dataclass
class _Seen:
    """What is known of one source. end: seconds; first, last: (index, time) of its first and its last frame."""

    width: int
    height: int
    first: tuple[int, float]
    last: tuple[int, float]
    end: float = 0.0
    events: list[CodedEvent] = field(default_factory=list)

    @property
    def fps(self) -> float | None:
        """The mean rate of the source, by the numbers and times of its frames."""
        seconds = self.last[1] - self.first[1]
        return round((self.last[0] - self.first[0]) / seconds, 3) if seconds > 0 else None


class CodingFile(Sink):
    """Keeps the events in memory and writes them when the run ends, also after Ctrl-C; an error leaves nothing.

    Args:
        path: Its ending says for which program: .boris takes any number of videos, the others take one.

    Raises:
        InputError: on leaving, more than one source for a format of one.
        OutputError: on entering, if the file cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._seen: dict[str, _Seen] = {}
        self._draft: AtomicFile | None = None

    def write(self, frame: Frame, result: Result) -> None:
        """Note how long the source is."""
        now = (result.index, result.time)
        seen = self._seen.setdefault(result.source, _Seen(result.width, result.height, now, now))
        seen.last, seen.end = now, max(seen.end, result.time + result.duration)

    def note(self, event: Event) -> None:
        """Keep an event."""
        if event.source in self._seen:
            made = coded(event, Path(event.source).stem, event.subject or "nobody named")
            self._seen[event.source].events.append(made)

    def __enter__(self) -> Self:
        self._draft = AtomicFile(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is None:
            return
        if not worth_keeping(error):
            self._draft.discard()
            return
        try:
            self._draft.write(self._bytes())
        except BaseException:
            self._draft.discard()
            raise
        self._draft.keep()

    def _bytes(self) -> bytes:
        seen = [_observation(source, one) for source, one in self._seen.items()]
        ending = self.path.suffix.lower()
        if ending == ".boris":
            return boris.project(seen, self.path.stem, "coded by handlens predict").encode()
        if len(seen) > 1:
            raise InputError(
                f"'{self.path.name}' holds the events of one video, and there were {len(seen)}: give one video, or an"
                f" --events file that ends in {event_endings(many=True)}."
            )
        one = seen[0] if seen else _observation("nothing", _Seen(0, 0, (0, 0.0), (0, 0.0)))
        if ending == ".eaf":
            return eaf.document(one, self.path.parent)
        return (textgrid.document(one) if ending == ".textgrid" else vtt.document(one)).encode()


def _observation(source: str, seen: _Seen) -> Observation:
    film = Media(Path(source), seen.fps, round(seen.end, 3), seen.width, seen.height, 0.0)
    events = tuple(sorted(seen.events, key=lambda event: (event.start, event.stop)))
    return Observation(Path(source).stem, "handlens", (film,), 0.0, None, events, ())
