"""The sinks that --json, --events and --out ask for, opened together; it must not know what is written to them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from handlens.errors import InputError
from handlens.io.annotated import Annotated
from handlens.io.masks import MaskFiles
from handlens.io.places import MASKS, Places
from handlens.io.sinks import EventFile, JsonLines, Sink
from handlens.io.threads import Threaded
from handlens.types import Event, Frame, Result


@contextmanager
def open_sinks(
    json: str | None,
    events: str | None,
    out: str | None,
    inputs: Sequence[str] = (),
    live: bool = False,
    task: str = "touch",
) -> Iterator[list[Sink]]:
    """Open what was asked for and yield the sinks; at the end they leave complete files or none.

    inputs: files that are read, so none of them may be written to. live: never hold up the loop. task: what the model
    answers; the masks of some lie beside what is drawn.

    Raises:
        InputError: two outputs are one file, an output is an input, or an event file of another ending.
        OutputError: a file or folder cannot be written.
    """
    _refuse_collisions(json, events, inputs)
    made: list[Sink] = []
    lines = None if json is None else JsonLines(json)
    places = None if out is None else Places(out, inputs, task)
    if places is not None:
        made.append(Annotated(places))  # first: it makes the folder, and the others may lie in it
    if events is not None:
        made.append(EventFile(events))
    if places is not None and task in MASKS:
        made.append(MaskFiles(places, lines))
    elif lines is not None:
        made.append(lines)
    with ExitStack() as stack:
        yield [stack.enter_context(Threaded(sink, live=live)) for sink in made]


class Notes(Sink):
    """Keeps all results and events in memory, for clips that are short."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.events: list[Event] = []

    def write(self, frame: Frame, result: Result) -> None:
        """Keep the result, not the frame."""
        self.results.append(result)

    def note(self, event: Event) -> None:
        """Keep the event."""
        self.events.append(event)


def _refuse_collisions(json: str | None, events: str | None, inputs: Sequence[str]) -> None:
    taken = {os.path.realpath(path): f"the input '{path}'" for path in inputs}
    for flag, path in (("--json", json), ("--events", events)):
        if path is None or path == "-":
            continue
        if path.startswith("--") or not path:
            raise InputError(f"{flag} needs the name of a file, not '{path}'.")
        place = os.path.realpath(path)
        if place in taken:
            raise InputError(f"{flag} '{path}' is also {taken[place]}: give another name.")
        taken[place] = flag
