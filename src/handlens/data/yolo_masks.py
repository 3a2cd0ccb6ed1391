"""YOLO sets whose lines are polygons -> a set of masks; it must not know how such a set is laid out or drawn."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.outlines import Outline, draw, need_pycocotools
from handlens.data.formats.yolo import Place, find_labels, label_file
from handlens.data.formats.yolo_layout import find_layout, is_yolo
from handlens.data.formats.yolo_lines import Form, may_be_polygons, read_lines
from handlens.data.problems import WRONG_LINE, OnProblem, complain
from handlens.errors import InputError

_LOOKED = 50  # label files that are looked into for a polygon


def has_polygons(root: Path) -> bool:
    """Return whether a path is a YOLO set with lines among its first labels that can be polygons."""
    if not is_yolo(root):
        return False
    try:
        layout = find_layout(root, lambda problem: None)
    except InputError:
        return False  # reading it as a set of boxes says what is wrong
    labels = (label_file(path) for path, _ in layout.pictures)
    return may_be_polygons(islice((label for label in labels if label is not None), _LOOKED), layout.stated)


def read_yolo_masks(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the masks of a YOLO set of polygons: the background first, later polygons over earlier ones.

    A picture without a label file is all background. on_problem: told of each problem; what is wrong is then left out.
    None: the first wrong line raises.

    Raises:
        InputError: no YOLO set, or pycocotools is missing; without `on_problem` also a line that is wrong or a box.
    """
    need_pycocotools()
    layout, form, places = find_labels(root, on_problem)
    names = ("background", *(name for name in layout.names if name != "background"))
    pictures, count = [], 0
    for place in places:
        outlines = [(names.index(name), outline) for name, outline in _outlines(place, layout.names, form, on_problem)]
        count += len(outlines)
        mask = partial(draw, outlines, place.size, str(place.path))
        pictures.append(Labelled(place.path, *place.size, mask=mask, split=place.split, group=place.group))
    if pictures and not count:
        raise InputError(f"'{root}' has no polygon that can be used.")
    return LabelledSet("segment", names, tuple(pictures), layout.root)


def _outlines(
    place: Place, names: tuple[str, ...], form: Form, on_problem: OnProblem | None
) -> Iterator[tuple[str, Outline]]:
    """Yield (name, outline in pixels) of each polygon of a picture."""
    if place.label is None:
        return
    for name, values, where in read_lines(place.label, names, form, on_problem):
        if len(values) == 4:
            text = f"{where} is a box: masks need outlines, 'class x1 y1 x2 y2 x3 y3 ...' in fractions of the picture."
            complain(on_problem, WRONG_LINE, place.label, text)
        else:
            yield name, [_in_pixels(values, place.size)]


def _in_pixels(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    return [value * size[number % 2] for number, value in enumerate(values)]
