"""The verb `data augment`: a set with changed versions of its training pictures; it must not know how they change."""

from typing import Annotated

import typer

from handlens.cli.data import options

Times = Annotated[int, typer.Option(min=2, max=1000, metavar="N", help="Pictures for each one, itself among them.")]
Only = Annotated[
    str,
    typer.Option(metavar="LIST", help="Changes to draw from: flips, rotate, light, blur, noise, cutout, jpeg."),
]
Quality = Annotated[int, typer.Option(min=1, max=100, metavar="Q", help="JPEG quality of the new pictures.")]
Workers = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Threads.")]


def augment(
    set: options.SetPath,
    dest: options.Dest,
    times: Times = 7,
    only: Only = "flips,rotate,light,blur,noise,cutout,jpeg",
    quality: Quality = 95,
    seed: options.Seed = 0,
    workers: Workers = 2,
    kind: options.Kind = None,
) -> int:
    """Write a set with changed versions of its training pictures beside them: 1,000 become 7,000 with --times 7.

    Only the train split is augmented; val and test are copied as they are, and a set that is not split is refused.
    Boxes and masks move along, and a version belongs to the group of its picture. A turned box is the upright box
    around the turned ellipse that fills it; a box of which less than a third is left, cut off or covered, is dropped.
    In masks, what is covered or lies outside is 255, to be ignored. DIR/augment.jpg shows four pictures with their
    versions: look at it.

    Flips are from left to right: leave them out where left and right are different classes. Training changes pictures
    again in every epoch by itself; this verb is for other programs, and for changes that stay. A version of 640 x 480
    takes about 12 ms on one core. Needs no torch.
    """
    from handlens.cli.console import Bar
    from handlens.train.augment.offline import SHEET, Order, augment_set, parse_steps

    order = Order(times, seed, parse_steps(only), quality)
    place = options.check_dest(dest, [set])
    reading = options.Reading()
    found = reading.open(set, kind)
    with Bar() as bar:
        bar.begin("augmenting", len(found.split("train")))
        augmented = augment_set(found, place, order, workers, bar.count, lambda error: reading.skip(str(error)))
    for split in augmented.splits:
        before = len(found.split(split))
        print(f"{split}: {before} picture{'' if before == 1 else 's'} -> {len(augmented.split(split))}")
    print(f"in '{dest}'; look at {place / SHEET}")
    return reading.conclude()
