"""The verb `data synth`: a labelled set of rendered people; it must not know how they are drawn."""

from typing import Annotated

import typer

Dest = Annotated[str, typer.Option(metavar="DIR", help="A new folder for the set.")]
Count = Annotated[int, typer.Option(min=3, max=100_000, metavar="N", help="Number of pictures.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Another seed gives other people; the same, the same.")]
Size = Annotated[int, typer.Option(min=64, max=2048, metavar="PX", help="Side of the square pictures.")]
Workers = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Processes that draw.")]
Labels = Annotated[str, typer.Option("--labels", metavar="regions|facetouch|three", help="What the boxes are of.")]


def synth(
    dest: Dest,
    count: Count = 500,
    seed: Seed = 0,
    size: Size = 480,
    workers: Workers = 2,
    labels: Labels = "regions",
) -> None:
    """Render a labelled set of people whose hands are at, before or beside their faces.

    Needs no pictures, no network and no torch. A picture of 480 pixels takes about 1.3 seconds on one core, 500 of them
    about 6 minutes with two workers.

    DIR gets a YOLO set (images/, labels/, data.yaml), split by person into train, val and test (0.75, 0.15, 0.1), and
    masks/ with the pixels of hand and face (0 background, 1 hand, 2 face; hair and glasses on a face are face). Other
    verbs take its boxes, and with --kind segment its masks.

    --labels regions: boxes of face, hand, and each touched region (forehead, eye, nose, mouth, cheek, chin, ear).
    facetouch: one class, the face where it is touched. three: the touched region as forehead (with eye), cheek (with
    nose and ear) or chin (with mouth).
    """
    from pathlib import Path

    from handlens.cli.console import Bar
    from handlens.synth.dataset import stage_set

    with Bar() as bar:
        bar.begin("rendering", count)
        found = stage_set(Path(dest), count, seed, size, labels.lower(), workers, bar.count)
    numbers = ", ".join(f"{len(found.split(name))} {name}" for name in found.splits)
    print(f"{len(found)} pictures in '{dest}': {numbers}; {sum(len(picture.boxes) for picture in found)} boxes.")
    print(f"look at it: handlens data check {dest} (the boxes), and with --kind segment (the masks)")
