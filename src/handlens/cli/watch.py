"""The verb `watch`: a camera, a stream or a file at its own speed, live, with the alarm and the page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.errors import complain
from handlens.errors import DeviceError

if TYPE_CHECKING:
    from handlens.io.reading import Reading
    from handlens.io.sources.base import Source
    from handlens.live.settings import Settings, SettingsFile

Where = Annotated[
    str,
    typer.Argument(metavar="[SOURCE]", help="A camera's number, a stream's address, a video to play, or 'demo'."),
]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", min=0, metavar="T", help="Stop after so many seconds.")
]
NoSound = Annotated[bool, typer.Option("--no-sound", help="Never make a sound.")]
NoPage = Annotated[bool, typer.Option("--no-page", help="Show it in the terminal, not in the browser.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Print the address of the page, and open no browser.")]
Port = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, metavar="N", help="Of the page; 0 is any free one, as is a taken one."),
]
Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Where the page is served; others need --allow-network.")
]
AllowNetwork = Annotated[
    bool,
    typer.Option("--allow-network", help="Let other machines that know the token see the page, and so the camera."),
]
LowPower = Annotated[
    bool, typer.Option("--low-power", help="Look five times a second, and rest while nobody is there.")
]
Early = Annotated[bool, typer.Option("--early", help="Warn before the contact, when a hand comes up to the face.")]
KeepWrong = Annotated[
    bool, typer.Option("--keep-wrong", help="Keep pictures of alarms that you judge on the page, for a training.")
]
KeepDays = Annotated[
    int, typer.Option("--keep-days", min=0, metavar="N", help="Keep the history for so many days; 0 is for ever.")
]
Install = Annotated[
    bool, typer.Option("--install", help="Start watch with these flags whenever you log in; nothing is watched now.")
]
Uninstall = Annotated[bool, typer.Option("--uninstall", help="Start it no longer when you log in.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="With --install or --uninstall: only print what would be done.")
]
NoHistory = Annotated[bool, typer.Option("--no-history", help="Write nothing into the history.")]
Sound = Annotated[str, typer.Option("--sound", metavar="voice|beep|off", help="What the alarm does.")]
Volume = Annotated[float, typer.Option("--volume", min=0, max=1, metavar="V", help="Of the voice and the beep.")]
Regions = Annotated[
    str | None,
    typer.Option("--regions", metavar="NAMES", help="Warn only for these, such as mouth,nose; all are counted."),
]
Voice = Annotated[
    str | None,
    typer.Option(
        "--voice",
        metavar="TEXT",
        help='What the alarm says ("Don\'t touch your face"); models of other tasks than touch have none without it.',
    ),
]
Cooldown = Annotated[
    float, typer.Option("--cooldown", min=0, metavar="SEC", help="The least time from one alarm to the next.")
]


Reconnect = Annotated[
    float,
    typer.Option(
        "--reconnect", min=0, metavar="SEC", help="Try a stream or camera that drops again for so long; 0 is never."
    ),
]


def watch(
    context: typer.Context,
    source: Where = "0",
    model: options.Model = "touch",
    json: options.Json = None,
    out: options.Out = None,
    events: options.Events = None,
    max_seconds: MaxSeconds = None,
    reconnect: Reconnect = 30.0,
    no_sound: NoSound = False,
    no_page: NoPage = False,
    no_open: NoOpen = False,
    port: Port = 7311,
    host: Host = "127.0.0.1",
    allow_network: AllowNetwork = False,
    no_history: NoHistory = False,
    keep_days: KeepDays = 365,
    keep_wrong: KeepWrong = False,
    early: Early = False,
    low_power: LowPower = False,
    voice: Voice = None,
    sound: Sound = "voice",
    volume: Volume = 0.8,
    regions: Regions = None,
    cooldown: Cooldown = 5.0,
    min_score: options.MinScore = None,
    every: options.Every = 1,
    start: options.Start = 0.0,
    stop: options.Stop = None,
    rotate: options.Rotate = 0,
    mirror: options.Mirror = False,
    stream: options.Stream = None,
    fps: options.Fps = None,
    open: options.Open = 0.5,
    close: options.Close = None,
    min_time: options.MinTime = 0.25,
    gap: options.Gap = 0.5,
    crop: options.Crop = "hand",
    threads: options.Threads = None,
    install: Install = False,
    uninstall: Uninstall = False,
    dry_run: DryRun = False,
) -> int:
    """Watch a camera and warn at a touch, or tell what hands do; Ctrl-C ends it.

    A page opens in the browser: the picture, the controls and the history. --no-page shows it in the terminal alone.
    'watch demo' plays the clip that ships, again and again while a page is open.
    What was chosen on the page holds the next time, too; a flag comes before it, for this time.
    --events and --json go on at the end of a file that is there, and --out gives videos new names.
    """
    from handlens.cli.live import Place, watched
    from handlens.cli.outputs import open_sinks
    from handlens.cli.predict import conclude
    from handlens.predictor import load

    if install or uninstall or dry_run:
        return _at_login(context, install, uninstall, dry_run)
    file, settings = _settings(context)
    reading = options.reading(settings.every, start, stop, settings.rotate, settings.mirror, stream, fps)
    predictor = load(settings.model, settings.threads)
    name = _named(settings.source)
    is_demo = name != settings.source
    with (
        _opened(name, reading, settings.reconnect) as camera,
        open_sinks(json, events, out, [name], live=True, task=predictor.task, say=complain) as sinks,
    ):
        summary = watched(
            camera,
            predictor,
            settings,
            file,
            sinks,
            lambda number: _opened(str(number), reading, settings.reconnect),
            None if settings.no_page else Place(host, port, allow_network, not no_open),
            max_seconds,
            crop,
            (lambda: _opened(name, reading, 0.0)) if is_demo else None,
        )
    return conclude(summary, predictor.card.name)


def _settings(context: typer.Context) -> "tuple[SettingsFile, Settings]":
    """Return the file of the settings, and them with the flags that were given in front."""
    from handlens.live.settings import NAMES, SettingsFile

    file = SettingsFile(say=complain)
    given = {
        name: value
        for name, value in context.params.items()
        if name in NAMES and str(context.get_parameter_source(name)).endswith("COMMANDLINE")
    }
    if isinstance(given.get("regions"), str):
        given["regions"] = [name.strip() for name in given["regions"].split(",") if name.strip()]
    kept = file.load()
    if "open" in given and "close" not in given and kept.close is not None:
        given["close"] = None  # the one that was kept may lie above the new one
    return file, kept.changed(**given)


def _at_login(context: typer.Context, install: bool, uninstall: bool, dry_run: bool) -> int:
    """Have watch start at login, or no longer, or say what that would do.

    Raises:
        InputError: both are asked for, or neither; a setting that is not allowed; or it was not installed.
        OutputError: the file cannot be written, or the system refuses it.
    """
    from handlens.errors import InputError
    from handlens.live import install as login

    if install == uninstall:
        raise InputError("type --install or --uninstall, not both; --dry-run goes with one of them.")
    _settings(context)  # a flag that is wrong is refused now, not at the next login
    left_out = ("--install", "--uninstall", "--dry-run")
    given = [word for word in context.obj or () if word not in left_out]
    if "--no-open" not in given and "--no-page" not in given:
        given.append("--no-open")  # no browser at every login; the page is there all the same
    todo = login.plan(given)
    if dry_run:
        print(login.shown(todo, removing=uninstall), end="")
        return 0
    complain(login.install(todo) if install else login.uninstall(todo))
    return 0


def _named(source: str) -> str:
    """Return the source; "demo" is the clip that ships, unless there is a file of that name."""
    from handlens.weights import demo_clip

    return str(demo_clip()) if source == "demo" and not Path(source).exists() else source


def _opened(source: str, reading: "Reading", reconnect: float) -> "Source":
    """Open the source; without a camera the sentence tells what to try instead."""
    from handlens.io.sources.open import open_source

    try:
        return open_source(source, live=True, reading=reading, reconnect=reconnect)
    except DeviceError as error:
        raise DeviceError(f"{error} To try it without one type 'handlens watch demo'.") from error
