"""The options that several verbs share: one spelling, one help text, one allowed range; it must not act on them."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from handlens.events import EventTracker
    from handlens.io.reading import Reading

DAY_S = 86_400
"""The longest time that a flag takes."""

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME|FILE", help="A shipped model ('handlens models' lists them) or an .onnx file."
    ),
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE|-", help="Write one JSON line per frame; - writes to stdout.")
]
Events = Annotated[
    str | None,
    typer.Option("--events", metavar="FILE", help="Write the events: .csv, .jsonl, .boris, .eaf, .TextGrid or .vtt."),
]
Landmarks = Annotated[
    str | None,
    typer.Option("--landmarks", metavar="FILE.csv", help="Write a table with the 21 landmarks of each hand."),
]
Masks = Annotated[
    bool,
    typer.Option("--masks", help="With --model hands, write a mask of each hand into the folder of --out, too."),
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Write annotated pictures and videos to this folder.")
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="yolo|voc|coco|labelstudio",
        help="Also write the boxes of pictures as a set to correct, to DIR/labels-FORMAT of --out.",
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option("--min-score", min=0, max=1, metavar="S", help="Leave out boxes, or hands, below this score."),
]
Every = Annotated[
    int, typer.Option("--every", min=1, max=1_000_000, metavar="N", help="Look at every N-th frame only.")
]
Start = Annotated[
    float, typer.Option("--start", min=0, metavar="SEC", help="Begin at this time of each video (times stay its own).")
]
Stop = Annotated[float | None, typer.Option("--stop", min=0, metavar="SEC", help="End before this time of each video.")]
Rotate = Annotated[
    int, typer.Option("--rotate", metavar="0|90|180|270", help="Turn every frame clockwise, after its own orientation.")
]
Mirror = Annotated[bool, typer.Option("--mirror", help="Change left and right of every frame.")]
Stream = Annotated[
    int | None,
    typer.Option("--stream", min=0, max=10_000, metavar="N", help="The video stream to read, as ffprobe numbers them."),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="F", help="Count times at this rate: for raw videos, which hold no times."),
]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Search the folders below a folder, too.")]
Open = Annotated[
    float, typer.Option("--open", min=0, max=1, metavar="P", help="An event opens at or above this probability ...")
]
MinTime = Annotated[
    float, typer.Option("--min-time", min=0, max=DAY_S, metavar="SEC", help="... held for so many seconds,")
]
Close = Annotated[
    float | None,
    typer.Option("--close", min=0, max=1, metavar="P", help="and closes below this one (default 0.35) ..."),
]
Gap = Annotated[float, typer.Option("--gap", min=0, max=DAY_S, metavar="SEC", help="... held for this many seconds.")]
Crop = Annotated[
    str,
    typer.Option("--crop", metavar="hand|whole", help="What models of hands judge: each hand found, or the picture."),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with an unfinished run into the same files, after its last source.")
]
OwnCrop = Annotated[
    str | None,
    typer.Option("--crop", metavar="hand|whole", help="As for predict; whole for models that have no hand detector."),
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=256, metavar="N", help="CPU threads for the model (default 2).")
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", min=1, max=256, metavar="N",
        help="Frames looked at at once, each with one thread unless --threads says more. Answers are the same.",
    ),
]  # fmt: skip


def event_tracker(open: float, close: float | None, min_time: float, gap: float) -> "EventTracker":
    """Return what turns probabilities into events; without `close`, an event closes below 0.35, or `open` if lower."""
    from handlens.events import EventTracker

    return EventTracker(open, min(0.35, open) if close is None else close, min_time, gap)


def reading(
    every: int, start: float, stop: float | None, rotate: int, mirror: bool, stream: int | None, fps: float | None
) -> "Reading":
    """Return the flags that say how sources are read, as one value; its remarks go to stderr.

    Raises:
        InputError: a value is not allowed.
    """
    import math

    from handlens.cli.errors import complain
    from handlens.io.reading import Reading

    return Reading(every, start, math.inf if stop is None else stop, rotate, mirror, stream, fps, complain)
