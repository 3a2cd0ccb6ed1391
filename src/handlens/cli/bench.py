"""The verb `bench`: how fast, how much memory, how big on this machine; it must not measure anything itself."""

from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options

if TYPE_CHECKING:
    from handlens.bench import Bench

Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write the numbers; - writes to stdout.")]
Frames = Annotated[int, typer.Option("--frames", min=1, metavar="N", help="How many frames are timed.")]
Video = Annotated[str | None, typer.Option("--video", metavar="FILE", help="Another video than the demo clip.")]


def bench(
    json: Json = None,
    model: options.Model = "touch",
    video: Video = None,
    frames: Frames = 300,
    threads: options.Threads = None,
) -> None:
    """Measure speed, memory and size on this machine."""
    import dataclasses
    from json import dumps

    from handlens.bench import WARM_UP, measure
    from handlens.cli.progress import Bar
    from handlens.clip import demo_clip
    from handlens.io.atomic import Draft

    with Bar() as bar:
        bar.begin("measuring", frames + WARM_UP)
        numbers = measure(model, video or demo_clip(), frames, threads, bar.count)
    text = dumps(dataclasses.asdict(numbers), indent=1) + "\n"
    if json == "-":
        print(text, end="")
        return
    print(_table(numbers))
    if json is not None:
        with Draft(json) as draft:
            draft.write(text.encode())


def _table(numbers: "Bench") -> str:
    speed = numbers.speed
    sizes = ", ".join(f"{name} {size:.2f} MB" for name, size in numbers.models_mb.items())
    rows = [
        ("model", f"{numbers.model}, ready in {numbers.load_ms:.0f} ms, {numbers.cores} cores"),
        ("frames", f"{speed.frames} of {numbers.width} x {numbers.height}, decoded frame to result"),
        ("median", f"{speed.median_ms:.1f} ms"),
        ("95th percentile", f"{speed.p95_ms:.1f} ms"),
        ("memory", f"{numbers.resident_mb:.0f} MB resident, {numbers.peak_mb:.0f} MB at most"),
        ("one hand", ", ".join(f"{name} {ms:.2f} ms" for name, ms in numbers.hand_ms.items()) or "no model"),
        ("models", f"{sizes or 'none'}, {sum(numbers.models_mb.values()):.2f} MB in all"),
    ]
    return "\n".join(f"{name:<16} {told}" for name, told in rows)
