"""The verb `data convert`: a set of boxes in another format; it must not know the formats."""

from typing import Annotated

import typer

_SHOWN = 20  # sentences; the rest is counted


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A set of boxes: a folder, data.yaml, .data or .json.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="yolo|voc|coco|labelstudio", help="The format to write.")],
    dest: Annotated[str, typer.Option("--dest", metavar="DIR", help="A new folder.")],
    link: Annotated[bool, typer.Option("--link", help="Link the pictures instead of copying them.")] = False,
) -> int:
    """Write a set of boxes as YOLO, Pascal VOC, COCO or Label Studio."""
    from handlens.cli.console import Bar
    from handlens.cli.errors import DONE, WRONG_INPUT, complain
    from handlens.data.dataset import LabelledSet
    from handlens.data.new_folder import Tick
    from handlens.data.problems import Problem
    from handlens.data.write import convert as convert_set

    problems: list[Problem] = []
    with Bar() as bar:

        def begin(found: LabelledSet) -> Tick:
            bar.begin(dest, len(found))
            return bar.count

        found = convert_set(source, to, dest, copy=not link, on_problem=problems.append, on_open=begin)
    for problem in problems[:_SHOWN]:
        complain(problem.text)
    if len(problems) > _SHOWN:
        complain(f"... and {len(problems) - _SHOWN} more of the kind; 'handlens data check {source}' lists them all.")
    boxes = sum(len(picture.boxes) for picture in found)
    print(f"{dest}: {len(found)} pictures, {boxes} boxes, classes {', '.join(found.names)}")
    return DONE if all(problem.harmless for problem in problems) else WRONG_INPUT
