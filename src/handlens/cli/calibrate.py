"""The verb `calibrate`: a minute before the camera, or a video, and touches are told better for one person."""

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.errors import complain

if TYPE_CHECKING:
    from pathlib import Path

    from handlens.io.reading import Reading
    from handlens.live.calibration import PersonalRunner, Samples, Times
    from handlens.predictor import Predictor

_DEMO_TIMES = "look 0-1, touch 1.6-3.2, front 4.2-6.6"

Where = Annotated[
    str,
    typer.Argument(
        metavar="[SOURCE]",
        help="A camera's number, a video with --times, 'demo', or a folder with touch/, front/, object/, look/.",
    ),
]
Video = Annotated[str | None, typer.Option("--video", metavar="FILE", help="A video in place of the camera.")]
TimesOf = Annotated[
    str | None,
    typer.Option(
        "--times", metavar="TEXT", help='What the video shows when: "look 0-5, touch 5-12, front 12-18, object 18-24".'
    ),
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE", help="Write it there; 'watch' uses the one beside the settings.")
]
Remove = Annotated[bool, typer.Option("--remove", help="Remove the calibration.")]


def calibrate(
    source: Where = "0",
    video: Video = None,
    times: TimesOf = None,
    out: Out = None,
    remove: Remove = False,
    model: options.Model = "touch",
    rotate: options.Rotate = 0,
    mirror: options.Mirror = False,
    threads: options.Threads = None,
) -> int:
    """Fit the touch model to you and your camera: touch your chin, hold a hand before your face, drink.

    It takes three quarters of a minute. No picture is kept, only a dozen numbers in a small file beside the settings,
    which `handlens watch` follows from then on.
    """
    from pathlib import Path

    from handlens.io.atomic import refuse_folder
    from handlens.live import calibration
    from handlens.predictor import load

    path = None if out is None else Path(out)
    if path is not None:
        refuse_folder(path)  # now, and not after three quarters of a minute
    if remove:
        place = calibration.calibration_file() if path is None else path
        complain(f"removed: '{place}'." if calibration.remove(path) else f"there is no calibration: '{place}'.")
        return 0
    name = source if video is None else video
    is_demo = name == "demo" and not Path(name).exists()
    name, plan = _demo(times) if is_demo else (name, _times(name, times))
    predictor, runner = calibration.personal(load(model, threads), None)
    if plan is None and Path(name).is_dir():
        samples = _of_folder(Path(name), predictor, runner)
    else:
        reading = options.reading(1, 0.0, None, rotate, mirror, None, None)
        samples = _of_source(name, reading, plan, predictor, runner)
    made = samples.fitted()
    counts = ", ".join(f"{phase} {count}" for phase, count in made.frames.items())
    told = f"calibrated from {sum(made.frames.values())} pictures ({counts})"
    if is_demo and path is None:
        complain(f"{told} of a person who is drawn, so nothing was kept: --out FILE keeps it, 0 is your camera.")
        return 0
    place = calibration.save(made, path)
    where = f" --out {quote(str(path))}" if path is not None else ""
    complain(f"{told}: '{place}'. 'handlens calibrate --remove{where}' takes it away.")
    return 0


def _demo(times: str | None) -> "tuple[str, Times]":
    """Return the shipped clip and what it shows when."""
    from handlens.live.calibration import parse_times
    from handlens.weights import demo_clip

    return str(demo_clip()), parse_times(_DEMO_TIMES if times is None else times)


def _times(source: str, times: str | None) -> "Times | None":
    """Return what a video shows when, or None for a camera and a folder.

    Raises:
        InputError: a video without times, or times without a video.
    """
    import os

    from handlens.errors import InputError
    from handlens.live.calibration import parse_times

    if times is not None:
        return parse_times(times)
    if os.path.isfile(source):
        raise InputError(
            f"say what '{source}' shows when: --times \"look 0-5, touch 5-12, front 12-18, object 18-24\"."
        )
    return None


def _of_source(
    source: str, reading: "Reading", plan: "Times | None", predictor: "Predictor", runner: "PersonalRunner"
) -> "Samples":
    """Collect the frames of a video by its times, or lead the person before a camera."""
    from rich.console import Console

    from handlens.io.sources.open import open_source
    from handlens.live.calibration import ASKED
    from handlens.live.guide import SETTLE_S, TIMES, Timetable
    from handlens.loop import run

    console = Console(stderr=True, highlight=False)
    live = plan is None

    def begun(phase: str | None) -> None:
        if live and phase is not None:
            console.print(f"[bold]{ASKED[phase]}[/bold] ...")
            console.bell()
        elif live:
            console.print("[dim]  good; get ready for the next[/dim]")

    if live:
        console.print("Sit as you do at work. In three seconds it begins; it takes 45 seconds.")
    with open_source(source, live=live, reading=reading, reconnect=0.0) as camera:
        table = Timetable(runner, plan or TIMES, SETTLE_S if live else 0.0, begun, camera.stop)
        summary = run(camera, predictor, progress=table, on_error=lambda error: complain(str(error)))
    if summary.interrupted:
        raise KeyboardInterrupt
    return table.samples


def _of_folder(folder: "Path", predictor: "Predictor", runner: "PersonalRunner") -> "Samples":
    """Collect the pictures of a labelled folder."""
    from handlens.errors import InputError
    from handlens.io.sources.base import is_picture
    from handlens.live.calibration import FOLDERS, Samples

    samples = Samples(predictor.card)
    for below in sorted(folder.iterdir()):
        phase = FOLDERS.get(below.name.lower())
        for file in sorted(below.iterdir()) if phase is not None and below.is_dir() else ():
            if is_picture(str(file)):
                runner.taken()
                predictor.predict(str(file))
                seen = runner.taken()
                if seen is not None and phase is not None:
                    samples.add(phase, seen)
    if not any(samples.counts().values()):
        raise InputError(
            f"'{folder}' holds no pictures of a face in folders of these names: {', '.join(sorted(FOLDERS))}."
        )
    return samples
