"""A set on disk with other versions of its training pictures beside them; it knows no formats and no networks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.new_folder import Tick, new_folder
from handlens.data.write_beside import write_beside
from handlens.errors import FrameError, InputError, OutputError
from handlens.io.draw import FACE, HAND, OTHER, REGION
from handlens.io.sheet import captioned, fitted, grid, save_picture
from handlens.train.enlarge import IGNORE, STEPS, View, changed, view_of
from handlens.types import Image

SHEET = "augment.jpg"
SHOWN, COLUMNS, CELL = 4, 8, 220
_SHADES = (HAND, FACE, REGION, OTHER)


@dataclass(frozen=True)
class Order:
    """What is to be made. times: pictures for each one, itself among them; steps: names in enlarge.STEPS; quality: of
    the JPEGs."""

    times: int = 7
    seed: int = 0
    steps: tuple[str, ...] = tuple(STEPS)
    quality: int = 95


def enlarge_set(
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
        whole = found.having([picture for family in families for picture in family] + others)
        save_picture(folder / SHEET, contact_sheet(whole, families))
        write_beside(whole, folder, dest.resolve().name)
    return whole


def contact_sheet(found: LabelledSet, families: Sequence[Sequence[Labelled]]) -> Image:
    """Return (H, W, 3) uint8 RGB: four originals, each with its versions to the right, with boxes and masks drawn."""
    full = [family for family in families if len(family[0].boxes) or found.kind != "detect"] or families
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
    image = np.ascontiguousarray(view.image.permute(1, 2, 0).numpy()[..., ::-1])
    _write(path, ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    mask = None
    if view.mask is not None:
        _write(path.with_suffix(".png"), ".png", view.mask.numpy(), [])
        mask = partial(_read_mask, path.with_suffix(".png"))
    kept = view.kept.numpy()
    boxes, labels = (view.boxes.numpy()[kept], picture.labels[kept]) if len(kept) else (picture.boxes, picture.labels)
    height, width = image.shape[:2]
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
    said = ", ".join(dict.fromkeys(found.names[label] for label in picture.labels.tolist()))
    text = f"{picture.name}: {said}" if said else picture.name
    return captioned(fitted(image, CELL), text.encode("ascii", "replace").decode())


def _spread(
    work: Callable[[tuple[int, Labelled]], list[Labelled] | FrameError], pictures: Sequence[Labelled], workers: int
) -> Generator[list[Labelled] | FrameError, None, None]:
    """Yield the answers in order; each thread computes with one core."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work, enumerate(pictures))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)
