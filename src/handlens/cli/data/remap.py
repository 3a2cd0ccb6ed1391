"""The verb `data remap`: the classes of a set renamed, merged, dropped, ordered, shifted; parts of others added.

It must not know formats or how any of that is done.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli.data import options
from handlens.errors import InputError, unknown

if TYPE_CHECKING:
    from handlens.data.dataset import LabelledSet

Rename = Annotated[list[str] | None, typer.Option("--rename", metavar="OLD=NEW", help="May be given again.")]
Merge = Annotated[
    list[str] | None, typer.Option("--merge", metavar="A,B=C", help="Make one class of several; may be given again.")
]
Drop = Annotated[
    list[str] | None, typer.Option("--drop", metavar="NAME", help="Leave a class out; may be given again.")
]
DropEmpty = Annotated[bool, typer.Option("--drop-empty", help="Leave out pictures that --drop leaves empty.")]
Order = Annotated[str | None, typer.Option("--order", metavar="LIST", help="All classes in their new order.")]
Shift = Annotated[
    int, typer.Option("--shift", metavar="N", help="Add N to the class numbers; unused0 ... fill them up.")
]
Add = Annotated[str | None, typer.Option("--add", metavar="OTHER", help="Another set of which a random part is added.")]
Share = Annotated[float | None, typer.Option("--share", min=0, max=1, metavar="S", help="How much of OTHER is added,")]
Count = Annotated[int | None, typer.Option("--count", min=1, metavar="N", help="or how many pictures of it.")]
AddTo = Annotated[str | None, typer.Option("--add-to", metavar="SPLIT", help="Where they go (train).")]
AddClasses = Annotated[
    str,
    typer.Option(
        "--add-classes", metavar="map|drop|keep", help="Keep objects of the same names, none, or all of OTHER."
    ),
]


def remap(
    set: options.SetPath,
    dest: options.Dest,
    rename: Rename = None,
    merge: Merge = None,
    drop: Drop = None,
    drop_empty: DropEmpty = False,
    order: Order = None,
    shift: Shift = 0,
    add: Add = None,
    share: Share = None,
    count: Count = None,
    add_to: AddTo = None,
    add_classes: AddClasses = "map",
    seed: options.Seed = 0,
    kind: options.Kind = None,
) -> int:
    """Copy a set with other classes, and with a part of another set.

    What is given is done in this order: rename, merge, drop, order, shift, add. Pictures that lose all their boxes stay
    as pictures without objects. Splits and groups stay as they are; the added pictures go to train, and none that the
    set has already or whose group is in another split.
    """
    from rich.console import Console

    from handlens.cli.console import Bar
    from handlens.data.scan import tally_of
    from handlens.data.write import write_set

    if not any((rename, merge, drop, order, shift, add)):
        raise InputError("nothing to do: give --rename, --merge, --drop, --order, --shift or --add.")
    place = options.check_dest(dest, [set, *([add] if add else [])])
    reading = options.Reading()
    found = _classes(reading.open(set, kind), rename or [], merge or [], drop or [], drop_empty, order, shift)
    if add is not None:
        other = reading.open(add, found.kind)
        found = _added(found, other, share, count, add_to, add_classes, seed)
    elif share is not None or count is not None or add_to is not None:
        raise InputError("--share, --count and --add-to say how much is added where: give --add OTHER with them.")
    with Bar() as bar:
        bar.begin("writing", len(found))
        write_set(found, place, True, bar.count)
    console = Console(highlight=False, markup=False)
    console.print(options.count_table(found, tally_of(found)))
    console.print(f"  written to {dest}", soft_wrap=True)
    return reading.conclude()


def _classes(
    found: "LabelledSet",
    renames: Sequence[str],
    merges: Sequence[str],
    drops: Sequence[str],
    drop_empty: bool,
    order: str | None,
    shift: int,
) -> "LabelledSet":
    from handlens.data import remap as change

    found = change.rename(found, dict(_halves("--rename", text, "old=new") for text in renames))
    for text in merges:
        old, new = _halves("--merge", text, "a,b=c")
        if len(_names(old)) < 2:
            raise InputError(f"--merge '{text}' names one class only: type it as --merge a,b=c, or use --rename.")
        found = change.rename(found, dict.fromkeys(_names(old), new))
    dropped = [name for text in drops for name in _names(text)]
    if drop_empty and (not found.label_kind.has_boxes or not dropped):
        raise InputError(
            "--drop-empty leaves out pictures that --drop has left without boxes: give both, and a set of boxes."
        )
    if dropped:
        found = change.drop(found, dropped, drop_empty)
    if order is not None:
        found = change.order(found, _names(order))
    return change.shift(found, shift) if shift else found


def _added(
    found: "LabelledSet",
    other: "LabelledSet",
    share: float | None,
    count: int | None,
    to: str | None,
    classes: str,
    seed: int,
) -> "LabelledSet":
    from handlens.data.build import CLASSES, add, draw_part, without_leaks
    from handlens.data.dataset import SPLITS

    if (share is None) == (count is None):
        raise InputError("--add needs --share S (as 0.1, a tenth of it) or --count N, and not both.")
    if classes not in CLASSES:
        raise InputError(unknown("value of --add-classes", classes, CLASSES))
    if to is not None and to not in SPLITS:
        raise InputError(unknown("split", to, SPLITS))
    if to is not None and not found.splits:
        raise InputError(f"'{found.root}' is not split, so nothing can be added to {to}: leave --add-to out.")
    to = (to or "train") if found.splits else ""
    return add(found, draw_part(without_leaks(other, found, to), count, share, seed), classes, to)


def _halves(option: str, text: str, form: str) -> tuple[str, str]:
    old, equals, new = (part.strip() for part in text.partition("="))
    if not (old and equals and new):
        raise InputError(f"{option} '{text}' is not {form}.")
    return old, new


def _names(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
