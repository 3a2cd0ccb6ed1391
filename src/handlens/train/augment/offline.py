"""A set on disk with other versions of its training pictures beside them; it knows no formats and no networks.

The changes are the preset "offline" of the augmentation of training: the same transforms, without torch.
"""

from __future__ import annotations

import contextlib
from collections import abc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.boxes import area, inside
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.new_folder import Tick, new_folder
from handlens.data.write import write_beside
from handlens.errors import FrameError, InputError, OutputError, unknown
from handlens.io.draw import FACE, HAND, OTHER, REGION, captioned, fitted, grid, save_picture
from handlens.train.augment.config import OFFLINE_STEPS, AugmentConfig, offline_config
from handlens.train.augment.geometry import draw_transform, fill_colour, transform_ellipses, warped, warped_mask
from handlens.train.augment.photometric import erased, photometric
from handlens.types import IGNORE, Floats, Image

KEPT = 1 / 3
"""Share of a box that must still be seen."""


@dataclass(frozen=True, eq=False)
class View:
    """A version of a picture.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        boxes: (n, 4) float32, x1 y1 x2 y2 in pixels.
        kept: (n,) bool, whether enough of a box is still seen.
        mask: (H, W) uint8, or None.
    """

    image: Image
    boxes: Floats
    kept: NDArray[np.bool_]
    mask: Image | None


def parse_steps(text: str) -> tuple[str, ...]:
    """Return the steps named in "flips,rotate", in the order in which they are done.

    Raises:
        InputError: one of the names is unknown, or there is none.
    """
    names = [name for name in text.lower().replace(" ", "").split(",") if name]
    for name in names:
        if name not in OFFLINE_STEPS:
            raise InputError(unknown("change", name, OFFLINE_STEPS))
    if not names:
        raise InputError(f"no change was named; known are: {', '.join(OFFLINE_STEPS)}.")
    return tuple(name for name in OFFLINE_STEPS if name in names)


def view_of(picture: Labelled) -> View:
    """Return a picture as it is.

    Raises:
        FrameError: it cannot be read, or its mask is of another size.
    """
    image = picture.image()
    mask = None if picture.mask is None else picture.mask()
    if mask is not None and mask.shape != image.shape[:2]:
        raise FrameError(f"the mask of '{picture.path}' is {mask.shape}, but the picture is {image.shape[:2]}.")
    return View(image, picture.boxes, np.ones(len(picture.boxes), bool), mask)


def changed(rng: Generator, view: View, steps: Sequence[str] = tuple(OFFLINE_STEPS)) -> View:
    """Return another version of a picture: each step with an even chance, one at least, and never a flip alone."""
    chosen = {name for name in steps if rng.random() < 0.5}
    others = [name for name in steps if name != "flips"]
    if others and not chosen - {"flips"}:
        chosen.add(str(rng.choice(others)))
    return augmented(rng, view, offline_config(chosen if len(steps) > 1 else steps))


def augmented(rng: Generator, view: View, config: AugmentConfig) -> View:
    """Return a version with the changes of a configuration, in the order in which training makes them.

    A box becomes the upright box around the turned ellipse that fills it: hands and faces are round, and around its
    turned corners a square box would grow to 1.6 times its area at 20 degrees.
    """
    height, width = view.image.shape[:2]
    move = draw_transform(rng, config)
    if not move.still:
        matrix = move.matrix((width / 2, height / 2), (height, width), (width / 2, height / 2))
        image = warped(view.image, matrix, (height, width), fill_colour(view.image, config))
        mask = None if view.mask is None else warped_mask(view.mask, matrix, (height, width))
        view = replace(_with_boxes(view, transform_ellipses(view.boxes, matrix)), image=image, mask=mask)
    image, hidden = erased(rng, photometric(rng, view.image, config), config)
    if hidden is None:
        return replace(view, image=image)
    mask = None if view.mask is None else view.mask.copy()
    if mask is not None:
        x1, y1, x2, y2 = hidden.astype(int)
        mask[y1:y2, x1:x2] = IGNORE
    kept = view.kept & (inside(view.boxes, hidden[None])[:, 0] <= 1 - KEPT)
    return View(image, view.boxes, kept, mask)


def _with_boxes(view: View, boxes: Floats) -> View:
    """Return the view with moved boxes, cut at its edges; rows of which less than a third is left are not kept."""
    height, width = view.image.shape[:2]
    cut = np.clip(boxes, 0, np.array([width, height] * 2, np.float32)).astype(np.float32)
    seen = area(cut) >= KEPT * np.maximum(area(boxes), 1e-6)
    return replace(view, boxes=cut, kept=view.kept & seen)


SHEET = "augment.jpg"
SHOWN, COLUMNS, CELL = 4, 8, 220
_SHADES = (HAND, FACE, REGION, OTHER)


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        times: Pictures for each one, itself among them.
        steps: Names in `OFFLINE_STEPS`.
        quality: Of the JPEGs.
    """

    times: int = 7
    seed: int = 0
    steps: tuple[str, ...] = tuple(OFFLINE_STEPS)
    quality: int = 95


def augment_set(
    found: LabelledSet,
    dest: Path,
    order: Order,
    workers: int = 1,
    tick: Tick = lambda: None,
    on_error: Callable[[FrameError], None] | None = None,
) -> LabelledSet:
    """Write a set with versions NAME_aug1.jpg ... of each training picture beside it, and a contact sheet of some.

    Pictures of val and test are copied as they are. A version has the group of its picture. The same order gives the
    same set, whatever the workers.

    Args:
        dest: a new folder; it appears whole or not at all.
        workers: threads.
        tick: called for each training picture that is done.
        on_error: told of each training picture that cannot be read, which is then left out; None: it raises.

    Returns:
        The set that was written; its paths are those of the originals and of drafts that are gone.

    Raises:
        InputError: the set is not split, or the order would give the same picture twice.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    originals = found.split("train")
    if order.steps == ("flips",) and order.times > 2:
        raise InputError("flips alone make one new picture of each: give --times 2, or more changes.")
    with new_folder(dest) as folder:
        drafts = folder / ".drawn"
        drafts.mkdir()
        families: list[list[Labelled]] = []
        work = partial(_family, order=order, drafts=drafts)
        with contextlib.closing(_spread(work, originals.pictures, workers)) as answers:
            for answer in answers:
                if isinstance(answer, list):
                    families.append(answer)
                elif on_error is None:
                    raise answer
                else:
                    on_error(answer)
                tick()
        if not families:
            raise InputError(f"none of the training pictures of '{found.root}' can be read.")
        others = [picture for picture in found if picture.split != "train"]
        augmented = found.having([picture for family in families for picture in family] + others)
        save_picture(folder / SHEET, contact_sheet(augmented, families))
        write_beside(augmented, folder, dest.resolve().name)
    return augmented


def contact_sheet(found: LabelledSet, families: Sequence[Sequence[Labelled]]) -> Image:
    """Return (H, W, 3) uint8 RGB: four originals, each with its versions to the right, with boxes and masks drawn."""
    full = [family for family in families if len(family[0].boxes)] or families
    rows = sorted({round(place) for place in np.linspace(0, len(full) - 1, SHOWN)})
    columns = min(COLUMNS, len(full[0]))
    return grid([_cell(found, picture) for row in rows for picture in full[row][:columns]], columns)


def _family(numbered: tuple[int, Labelled], order: Order, drafts: Path) -> list[Labelled] | FrameError:
    """Return a picture and its versions, which lie in `drafts`; or why it cannot be read."""
    number, picture = numbered
    try:
        view = view_of(picture)
    except FrameError as error:
        return error
    home = drafts / str(number) / Path(*[part for part in picture.path.parts[-3:-1] if part not in ("/", "..")])
    home.mkdir(parents=True)
    versions = []
    for version in range(1, order.times):
        rng = np.random.default_rng([order.seed, number, version])
        made = changed(rng, view, order.steps)
        versions.append(_save(picture, made, home / f"{picture.name}_aug{version}.jpg", order.quality))
    return [picture, *versions]


def _save(picture: Labelled, view: View, path: Path, quality: int) -> Labelled:
    _write(path, ".jpg", np.ascontiguousarray(view.image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    mask = None
    if view.mask is not None:
        _write(path.with_suffix(".png"), ".png", view.mask, [])
        mask = partial(_read_mask, path.with_suffix(".png"))
    kept = view.kept
    boxes, labels = (view.boxes[kept], picture.labels[kept]) if len(kept) else (picture.boxes, picture.labels)
    height, width = view.image.shape[:2]
    return replace(picture, path=path, width=width, height=height, boxes=boxes, labels=labels, mask=mask, pixels=None)


def _write(path: Path, ending: str, pixels: Image, how: list[int]) -> None:
    good, data = cv2.imencode(ending, pixels, how)
    if not good:
        raise OutputError(f"'{path}' was not written: the picture cannot be encoded.")
    path.write_bytes(data.tobytes())


def _read_mask(path: Path) -> Image:
    return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED), np.uint8)


def _cell(found: LabelledSet, picture: Labelled) -> Image:
    """Return the picture, small, with what is said of it."""
    image = picture.image().copy()
    thick = max(1, round(max(image.shape[:2]) / CELL * 1.5))
    for label, box in zip(picture.labels.tolist(), picture.boxes, strict=False):
        x1, y1, x2, y2 = (round(float(side)) for side in box)
        cv2.rectangle(image, (x1, y1), (x2, y2), _SHADES[label % len(_SHADES)], thick)
    if picture.mask is not None:
        classes = picture.mask()
        for number in range(1, len(found.names)):
            edges, _ = cv2.findContours((classes == number).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(image, edges, -1, _SHADES[number % len(_SHADES)], thick)
        image[classes == IGNORE] //= 2
    label_names = ", ".join(dict.fromkeys(found.names[label] for label in picture.labels.tolist()))
    text = f"{picture.name}: {label_names}" if label_names else picture.name
    return captioned(fitted(image, CELL), text.encode("ascii", "replace").decode())


def _spread(
    work: Callable[[tuple[int, Labelled]], list[Labelled] | FrameError], pictures: Sequence[Labelled], workers: int
) -> abc.Generator[list[Labelled] | FrameError, None, None]:
    """Yield the answers in the order of the pictures."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work, enumerate(pictures))
    finally:
        pool.shutdown(cancel_futures=True)
