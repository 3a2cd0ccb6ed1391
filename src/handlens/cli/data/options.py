"""What the data verbs have in common: options, reading, splitting and writing a set, its table; no verb of its own."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli.errors import DONE, WRONG_INPUT, complain
from handlens.errors import InputError, OutputError

if TYPE_CHECKING:
    from rich.table import Table

    from handlens.data.dataset import LabelledSet
    from handlens.data.problems import Problem
    from handlens.types import Ints

NEAR_BITS = 24  # fingerprints.NEAR, which cannot be imported here: it needs OpenCV
PUBLISHED_SHARES = "0.75,0.15,0.1"

SetPath = Annotated[
    str, typer.Argument(metavar="SET", help="A labelled set: its folder, or the file that describes it.")
]
Dest = Annotated[str, typer.Option("--dest", metavar="DIR", help="The new folder to write.")]
Kind = Annotated[
    str | None, typer.Option("--kind", metavar="detect|classify|segment", help="For sets that can be read as several.")
]
Shares = Annotated[str, typer.Option("--shares", metavar="LIST", help="How much goes to train, val and test.")]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="REGEX", help="Its first bracket, in each file's path, is the person or source."),
]
GroupBy = Annotated[str | None, typer.Option("--group-by", metavar="folder", help="Each folder is one group.")]
Near = Annotated[
    int,
    typer.Option("--near", min=-1, max=60, metavar="N", help="Up to N of 143 bits apart is one view; -1: nothing is."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Another number draws otherwise.")]


class Reading:
    """Reads sets for work on them: what can be left out is told and counted, wrong labels stop it.

    Args:
        with_masks: Of a set with boxes and masks, as a rendered one, `masks` holds these, too.
    """

    def __init__(self, with_masks: bool = False) -> None:
        self.unreadable = 0
        self.masks: LabelledSet | None = None
        self._with_masks = with_masks
        self._stopped = False
        self._notes: dict[str, int] = {}

    def open(self, path: str, kind: str | None = None) -> "LabelledSet":
        """Return the set at a path.

        Raises:
            InputError: no set, or a label that is wrong.
        """
        from handlens.data.formats.detect_format import has_boxes_and_masks, open_set

        try:
            found = open_set(path, kind, self._hear)
            if kind is None and found.label_kind.has_boxes and has_boxes_and_masks(path):
                if self._with_masks:
                    self.masks = open_set(path, "segment", self._hear)
                else:
                    print(
                        f"'{path}' has boxes and masks: its boxes are read; --kind segment reads the masks",
                        file=sys.stderr,
                    )
            return found
        except InputError as error:
            if self._stopped:
                raise InputError(f"{error} 'handlens data check {path}' lists all that is wrong.") from error
            raise

    def _hear(self, problem: "Problem") -> None:
        from handlens.data.problems import NO_LABEL, NO_PICTURE, UNREADABLE

        if problem.kind == UNREADABLE:
            self.skip(problem.text)
        elif problem.harmless or problem.kind in (NO_LABEL, NO_PICTURE):
            self._notes[problem.kind] = self._notes.get(problem.kind, 0) + 1
        else:
            self._stopped = True
            raise InputError(problem.text)

    def skip(self, sentence: str) -> None:
        """Tell of a picture that is left out."""
        self.unreadable += 1
        complain(sentence)

    def conclude(self) -> int:
        """Tell what was counted, and return the exit code."""
        for kind, count in self._notes.items():
            complain(f"{kind}: {count} ('handlens data check' lists them).")
        if self.unreadable:
            complain(
                f"{self.unreadable} picture{'s' if self.unreadable > 1 else ''} could not be read and were left out."
            )
        return WRONG_INPUT if self.unreadable else DONE


def check_dest(dest: str, sources: Sequence[str], zip: bool = False) -> Path:
    """Return the folder to write, before any work is done for it.

    Raises:
        OutputError: it is there and not empty, lies in one of the sources, or its zip is there.
    """
    place = Path(dest)
    if place.is_dir() and any(place.iterdir()):
        raise OutputError(f"'{dest}' is not empty: give a new folder, or empty this one first.")
    if place.exists() and not place.is_dir():
        raise OutputError(f"'{dest}' is a file: give the name of a new folder.")
    for source in sources:
        if Path(source).is_dir() and place.resolve().is_relative_to(Path(source).resolve()):
            raise OutputError(f"'{dest}' lies in '{source}', which is read: give a folder outside of it.")
    packed = place.resolve().with_name(f"{place.resolve().name}.zip")
    if zip and packed.exists():
        raise OutputError(f"'{packed}' exists: remove it, or give another --dest.")
    return place


def grouped(found: "LabelledSet", pattern: str | None, by: str | None) -> "LabelledSet":
    """Return the set with the groups that the options say.

    Raises:
        InputError: both options, or one that cannot be used.
    """
    from handlens.data.split import group_by_folder, group_by_pattern

    if pattern is not None and by is not None:
        raise InputError("--group and --group-by say the same thing in two ways: give one of them.")
    if by is not None and by.lower() != "folder":
        raise InputError(f"--group-by '{by}' is not known: allowed is folder; for anything else there is --group.")
    if pattern is not None:
        found = group_by_pattern(found, pattern)
        alone = sum(not picture.group for picture in found)
        if alone:
            complain(f"'{pattern}' fits all but {alone} of the {len(found)} pictures of '{found.root}'.")
    return found if by is None else group_by_folder(found)


def split_and_write(
    found: "LabelledSet", dest: Path, shares: str, near: int, seed: int, reading: Reading, zip: bool = False
) -> int:
    """Split a set by family, write it and print its table; return the exit code.

    Raises:
        InputError: it cannot be split so, or no picture can be read.
        OutputError: it cannot be written.
    """
    from rich.console import Console

    from handlens.cli.console import Bar
    from handlens.data.build import divide, without_copies, zip_folder
    from handlens.data.scan import survey
    from handlens.data.split import read_shares
    from handlens.data.write import write_boxes_and_masks, write_set

    parts = read_shares(shares)
    with Bar() as bar:
        bar.begin("looking at pictures", len(found))
        seen = survey(found, bar.count)
        for text in seen.faults.values():
            reading.skip(text)
        readable = len(found) - len(seen.faults)
        found, seen = without_copies(found, seen)
        if not len(found):
            raise InputError(f"none of the pictures of '{found.root}' can be read: there is nothing to split.")
        division = divide(found, seen, parts, near, seed)
        bar.begin("writing", len(found))
        if reading.masks is not None:
            write_boxes_and_masks(division.found, reading.masks, dest, bar.count)
        else:
            write_set(division.found, dest, True, bar.count)
        if zip:
            bar.begin("packing", None)
            packed = zip_folder(dest, bar.count)
    console = Console(highlight=False, markup=False)
    console.print(count_table(division.found, division.tally, division.family))
    if readable > len(found):
        console.print(f"  {readable - len(found)} pictures were there twice with the same labels: each was taken once")
    console.print(f"  written to {dest}{f' and {packed}' if zip else ''}", soft_wrap=True)
    return reading.conclude()


def count_table(found: "LabelledSet", tally: "Ints", family: "Ints | None" = None) -> "Table":
    """Return the table of pictures, groups and the objects of each class in each split."""
    from rich import box
    from rich.table import Table

    from handlens.data.scan import count_rows

    splits, rows = count_rows(found, tally, family)
    table = Table(box=box.SIMPLE)
    table.add_column(f"{found.kind}: {found.label_kind.counted}")
    for split in [*splits, "all"]:
        table.add_column(split, justify="right")
    for number, (name, counts) in enumerate(rows):
        table.add_row(name, *(f"{count:,}" for count in counts), end_section=number == 1)
    return table
