"""A set on disk with other versions of its training pictures beside them; it knows no formats and no networks."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from handlens.boxes import area
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.new_folder import Tick, new_folder
from handlens.data.write import write_beside
from handlens.errors import FrameError, InputError, OutputError, unknown
from handlens.io.draw import FACE, HAND, OTHER, REGION, captioned, fitted, grid, save_picture
from handlens.preprocess import PAD
from handlens.types import Floats, Image

IGNORE = 255
"""The value of a mask where its picture was covered or does not reach."""
KEPT = 1 / 3
"""Share of a box that must still be seen."""


@dataclass(frozen=True, eq=False)
class View:
    """A picture on its way. image: (3, H, W) uint8; boxes: (n, 4) pixels; kept: (n,) bool, whether a box is still to be
    seen; mask: (H, W) uint8 or None."""

    image: tv_tensors.Image
    boxes: tv_tensors.BoundingBoxes
    kept: Tensor
    mask: tv_tensors.Mask | None

    @property
    def short(self) -> float:
        """The shorter side in units of 480 pixels: what blurs a large picture must be larger."""
        return min(self.image.shape[-2:]) / 480


Step = Callable[[Generator, View], View]


def flipped(rng: Generator, view: View) -> View:
    """Mirrored left to right."""
    mask = None if view.mask is None else functional.horizontal_flip(view.mask)
    return replace(
        view,
        image=functional.horizontal_flip(view.image),
        boxes=functional.horizontal_flip(view.boxes),
        mask=mask,
    )


def turned(rng: Generator, view: View, most: float = 20.0) -> View:
    """Turned about its middle by up to `most` degrees; what lies outside is grey, and ignored in a mask.

    A box becomes the upright box around the turned ellipse that fills it. Around its turned corners, as tv_tensors have
    it, a square box would grow to 1.6 times its area at 20 degrees, and what hands and faces are is round.
    """
    degrees = float(rng.uniform(0.15, 1.0) * most * rng.choice([-1, 1]))
    bilinear, nearest = v2.InterpolationMode.BILINEAR, v2.InterpolationMode.NEAREST
    image = functional.rotate(view.image, degrees, interpolation=bilinear, fill=[float(PAD)] * 3)
    mask = view.mask
    if mask is not None:
        mask = functional.rotate(mask, degrees, interpolation=nearest, fill=[float(IGNORE)])
    boxes = turned_boxes(view.boxes.numpy(), degrees, (image.shape[-2], image.shape[-1]))
    return replace(_with_boxes(view, boxes), image=image, mask=mask)


def turned_boxes(boxes: Floats, degrees: float, size: tuple[int, int]) -> Floats:
    """Return (n, 4): around the ellipses of the boxes after a counter-clockwise turn about the middle of (H, W)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    middle = np.array([size[1], size[0]], np.float32) / 2
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2 - middle, (boxes[:, 2:] - boxes[:, :2]) / 2
    turn = np.array([[cos, sin], [-sin, cos]], np.float32)
    centre = centre @ turn.T + middle
    half = np.sqrt(half**2 @ (turn**2).T)
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def lit(rng: Generator, view: View) -> View:
    """Brighter or darker, with more or less contrast and colour."""
    image = functional.adjust_brightness(view.image, float(rng.uniform(0.6, 1.4)))
    image = functional.adjust_contrast(image, float(rng.uniform(0.65, 1.35)))
    return replace(view, image=functional.adjust_saturation(image, float(rng.uniform(0.6, 1.4))))


def blurred(rng: Generator, view: View) -> View:
    """Out of focus."""
    sigma = max(0.5, float(rng.uniform(0.6, 2.4)) * view.short)
    kernel = 2 * math.ceil(2.5 * sigma) + 1
    return replace(view, image=functional.gaussian_blur(view.image, [kernel, kernel], [sigma, sigma]))


def noisy(rng: Generator, view: View) -> View:
    """With the noise of a sensor, of 4 to 16 levels."""
    own = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.randn(view.image.shape, generator=own) * float(rng.uniform(4, 16))
    image = (view.image.float() + noise).round().clamp(0, 255).to(torch.uint8)
    return replace(view, image=tv_tensors.Image(image))


def cut_out(rng: Generator, view: View) -> View:
    """One to three rectangles of one colour laid over it, each up to 6 % of it (arXiv 1708.04896)."""
    height, width = view.image.shape[-2:]
    image, mask = view.image.clone(), None if view.mask is None else view.mask.clone()
    hidden = np.zeros((height, width), bool)
    for _ in range(int(rng.integers(1, 4))):
        extent, ratio = float(rng.uniform(0.01, 0.06)) * height * width, float(np.exp(rng.uniform(-0.7, 0.7)))
        high, wide = min(height, round(math.sqrt(extent * ratio))), min(width, round(math.sqrt(extent / ratio)))
        top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
        place = (slice(top, top + high), slice(left, left + wide))
        image[:, *place] = torch.from_numpy(rng.integers(0, 256, (3, 1, 1), np.uint8))
        hidden[place] = True
        if mask is not None:
            mask[place] = IGNORE
    seen = [1 - hidden[_pixels(box)].mean() if hidden[_pixels(box)].size else 0.0 for box in view.boxes.numpy()]
    kept = view.kept & torch.tensor([share >= KEPT for share in seen], dtype=torch.bool)
    return replace(
        view,
        image=tv_tensors.Image(image),
        kept=kept,
        mask=None if mask is None else tv_tensors.Mask(mask),
    )


def compressed(rng: Generator, view: View) -> View:
    """Saved as a bad JPEG."""
    pixels = view.image.permute(1, 2, 0).numpy()[..., ::-1]  # torchvision's own encoder is on its way out
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 60))])
    again = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].transpose(2, 0, 1))
    return replace(view, image=tv_tensors.Image(torch.from_numpy(again)))


STEPS: dict[str, Step] = {
    "flips": flipped,
    "rotate": turned,
    "light": lit,
    "blur": blurred,
    "noise": noisy,
    "cutout": cut_out,
    "jpeg": compressed,
}
"""By name, in the order in which they are done."""


def steps_of(text: str) -> tuple[str, ...]:
    """Return the steps named in "flips,rotate", in their order.

    Raises:
        InputError: one of them is none, or there is none.
    """
    names = [name for name in text.lower().replace(" ", "").split(",") if name]
    for name in names:
        if name not in STEPS:
            raise InputError(unknown("change", name, STEPS))
    if not names:
        raise InputError(f"no change was named; known are: {', '.join(STEPS)}.")
    return tuple(name for name in STEPS if name in names)


def view_of(picture: Labelled) -> View:
    """Return a picture as it is.

    Raises:
        FrameError: it cannot be read, or its mask is of another size.
    """
    image = tv_tensors.Image(torch.from_numpy(picture.image().copy()).permute(2, 0, 1).contiguous())
    size = (image.shape[-2], image.shape[-1])
    boxes = tv_tensors.BoundingBoxes(torch.from_numpy(picture.boxes.copy()), format="XYXY", canvas_size=size)  # type: ignore[arg-type]
    mask = None if picture.mask is None else tv_tensors.Mask(torch.from_numpy(picture.mask().copy()))
    if mask is not None and tuple(mask.shape) != size:
        raise FrameError(f"the mask of '{picture.path}' is {tuple(mask.shape)}, but the picture is {size}.")
    return View(image, boxes, torch.ones(len(boxes), dtype=torch.bool), mask)


def changed(rng: Generator, view: View, steps: Sequence[str] = tuple(STEPS)) -> View:
    """Return another version of a picture: each step with an even chance, one at least, and never a flip alone."""
    chosen = {name for name in steps if rng.random() < 0.5}
    others = [name for name in steps if name != "flips"]
    if others and not chosen - {"flips"}:
        chosen.add(str(rng.choice(others)))
    for name in steps:
        if name in chosen or len(steps) == 1:
            view = STEPS[name](rng, view)
    return view


def _with_boxes(view: View, boxes: Floats) -> View:
    """Return the view with moved boxes, cut at its edges; rows of which less than a third is left are not kept."""
    height, width = view.image.shape[-2:]
    cut = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
    seen = area(cut) >= KEPT * np.maximum(area(boxes), 1e-6)
    like = tv_tensors.wrap(torch.from_numpy(cut), like=view.boxes)
    return replace(view, boxes=like, kept=view.kept & torch.from_numpy(seen))


def _pixels(box: Floats) -> tuple[slice, slice]:
    x1, y1, x2, y2 = (round(float(side)) for side in box)
    return slice(y1, max(y2, y1 + 1)), slice(x1, max(x2, x1 + 1))


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
) -> Iterator[list[Labelled] | FrameError]:
    """Yield the answers in order; each thread computes with one core."""
    cores = torch.get_num_threads()
    torch.set_num_threads(1)
    pool = ThreadPoolExecutor(workers)
    try:
        yield from pool.map(work, enumerate(pictures))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)
