"""The verb `data build`: several annotated folders become one set; it must not know formats or how it is split."""

from typing import Annotated

import typer

from handlens.cli.data import options

Dirs = Annotated[list[str], typer.Argument(metavar="DIR...", help="Annotated folders, in any format that can be read.")]
Names = Annotated[
    str | None,
    typer.Option("--names", metavar="LIST", help="The classes in order; left out, as the folders have them."),
]
Zip = Annotated[bool, typer.Option("--zip", help="Pack the result into NAME.zip beside it.")]


def build(
    dirs: Dirs,
    dest: options.Dest,
    names: Names = None,
    shares: options.Shares = options.PUBLISHED_SHARES,
    group: options.Group = None,
    group_by: options.GroupBy = None,
    near: options.Near = options.NEAR_BITS,
    seed: options.Seed = 0,
    kind: options.Kind = None,
    zip: Zip = False,
) -> int:
    """Make one split set of several annotated folders.

    Classes are matched by name, whatever their numbers are. Boxes become a YOLO set (images/, labels/, data.yaml,
    NAME.names, NAME.data), pictures of classes class folders, and pictures with masks images/ and masks/.

    No person is in two splits, if it is known who is who: from groups.csv (file,group) in a folder, from --group or
    --group-by. The same picture and near copies are always kept together. A picture that is there twice with the same
    labels is taken once.
    """
    from handlens.data.build import merge_sets
    from handlens.data.formats.text_files import split_names

    labels = split_names(names or "")
    place = options.check_dest(dest, dirs, zip)
    reading = options.Reading()
    sets = [options.grouped(reading.open(path, kind), group, group_by) for path in dirs]
    found = merge_sets(sets, labels)
    return options.split_and_write(found, place, shares, near, seed, reading, zip)
