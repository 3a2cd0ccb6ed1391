"""The sinks that --json, --events and --out ask for, opened together; it must not know what is written to them."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from json import dumps
from typing import Any

from handlens.cli.errors import complain, silence_stdout
from handlens.errors import InputError
from handlens.io.atomic import AtomicFile
from handlens.io.reading import silent
from handlens.io.sinks.annotated import Annotated
from handlens.io.sinks.base import EventFile, JsonLines, Sink, event_endings, event_kind
from handlens.io.sinks.landmarks import LandmarkTable
from handlens.io.sinks.masks import MaskFiles
from handlens.io.sinks.paths import MASKS, MASKS_WHEN_ASKED, OutputPaths
from handlens.io.sinks.threaded import Threaded
from handlens.result import Result
from handlens.study.formats.event_file import CodingFile
from handlens.types import Event, Frame


@contextmanager
def open_sinks(
    json: str | None,
    events: str | None,
    out: str | None,
    inputs: Sequence[str] = (),
    live: bool = False,
    task: str = "touch",
    lengths: Mapping[str, int] | None = None,
    done: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
    landmarks: str | None = None,
    masks: bool = False,
) -> Iterator[list[Sink]]:
    """Open what was asked for and yield the sinks; at the end they leave complete files or none.

    Args:
        inputs: Files that are read, so none of them may be written to.
        live: Never hold up the loop, append to files that are there, and give videos new names.
        task: What the model answers; the masks of some lie beside what is drawn.
        lengths: Of a run that is resumed, file -> the bytes to keep.
        done: The sources that it has finished.
        say: Is told of sound that cannot be kept; where everything was written goes to stderr then.
        landmarks: The table of landmarks.
        masks: Write the masks of tasks that answer something else, too.

    Raises:
        InputError: two outputs are one file, an output is an input, or an event file of another ending.
        OutputError: a file or folder cannot be written.
    """
    _refuse_collisions({"--json": json, "--events": events, "--landmarks": landmarks}, inputs)
    made: list[Sink] = []
    keep = lengths or {}
    to_file = json not in (None, "-")
    on_gone = None if events is out is landmarks is None else _reader_gone  # the other outputs go on to the end
    start = 0 if json is None else keep.get(os.path.abspath(json), 0)
    lines = None if json is None else JsonLines(json, start, append=live and to_file, on_gone=on_gone)
    output_paths = None if out is None else OutputPaths(out, inputs, task, fresh=live)
    if output_paths is not None:
        for source in done:
            output_paths.drawing(source)  # their names are taken
        made.append(
            Annotated(output_paths, remark=say or silent)
        )  # first: it makes the folder, and the others may lie in it
    if events is not None:
        made.append(_event_sink(events, keep.get(os.path.abspath(events), 0), live, inputs))
    if landmarks is not None:
        made.append(LandmarkTable(landmarks, keep.get(os.path.abspath(landmarks), 0)))
    if output_paths is not None and task in MASKS and (masks or task not in MASKS_WHEN_ASKED):
        made.append(MaskFiles(output_paths, lines))
    elif lines is not None:
        made.append(lines)
    with ExitStack() as stack:
        yield [stack.enter_context(Threaded(sink, live=live)) for sink in made]
    if say is not None and (names := _written((json, events, landmarks), out, made)):
        print(f"written: {names}", file=sys.stderr, flush=True)


def is_of_coding_program(events: str | None) -> bool:
    """Return whether an event file is of BORIS, ELAN, Praat or a player; these are written whole, at the end."""
    kind = None if events is None else event_kind(events)
    return kind is not None and not kind.grows


def _event_sink(events: str, start: int, live: bool, inputs: Sequence[str]) -> Sink:
    """Return what writes the events.

    Raises:
        InputError: another ending, or several videos for a format that holds one.
    """
    kind = event_kind(events)
    if kind is None and not live:
        raise InputError(f"'{events}': an event file ends in {event_endings()}.")
    if live or kind is None or kind.grows:
        return EventFile(events, start, append=live)
    if len(inputs) > 1 and not kind.many:
        raise InputError(
            f"'{events}' holds the events of one video, and there are {len(inputs)}: give one video, or a file that"
            f" ends in {event_endings(many=True)}."
        )
    return CodingFile(events)


def _reader_gone() -> None:
    silence_stdout()
    complain("nobody reads standard output any more: no more JSON lines are written there, but all else is.")


def _written(single: Sequence[str | None], out: str | None, made: Sequence[Sink]) -> str:
    """Say where the answers are: each file, or a folder with the number of its new files where there are several."""
    files = [path for path in single if path not in (None, "-")]
    count = sum(sink.written[0] for sink in made)
    if count == 1:
        files += [str(sink.written[1]) for sink in made if sink.written[0]]
    elif count:
        files.append(f"{count:,} files in {os.path.join(str(out), '')}")
    return ", ".join(map(str, files))


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


def _refuse_collisions(outputs: Mapping[str, str | None], inputs: Sequence[str]) -> None:
    taken = {os.path.realpath(path): f"the input '{path}'" for path in inputs}
    for flag, path in outputs.items():
        if path is None or path == "-":
            continue
        if path.startswith("--") or not path:
            raise InputError(f"{flag} needs the name of a file, not '{path}'.")
        for place in (os.path.realpath(path), os.path.realpath(f"{path}.part"), os.path.realpath(f"{path}.resume")):
            if place in taken:
                raise InputError(f"{flag} '{path}' is also {taken[place]}: give another name.")
        taken[os.path.realpath(path)] = flag


def write_numbers(numbers: dict[str, Any], to: str | None) -> None:
    """Write one JSON object to a file, or to stdout where `to` is "-"; nowhere where it is None.

    Raises:
        OutputError: the file cannot be written.
    """
    text = dumps(numbers, indent=1) + "\n"
    if to == "-":
        print(text, end="")
    elif to is not None:
        with AtomicFile(to) as draft:
            draft.write(text.encode())
