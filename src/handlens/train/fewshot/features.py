"""A few pictures -> what a shipped model is shown of them, moved and relit, and its features; knows no heads or files.

What is shown in inference is shown here: the square around a hand, the one shape of a silhouette, or the whole picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.boxes import area, square
from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.scan import digest
from handlens.errors import FrameError
from handlens.kinds import detect
from handlens.preprocess import crop_box, prepare, resize, to_tensor
from handlens.runner import Runner
from handlens.silhouette import find_shape, seen
from handlens.tasks import find_hands as finding
from handlens.tasks import hands
from handlens.train.augment.config import AugmentConfig, find_preset
from handlens.train.augment.geometry import draw_transform, fill_colour, warped
from handlens.train.augment.photometric import erased, photometric
from handlens.train.fewshot.head import Views
from handlens.types import Image

SILHOUETTE, HAND, WHOLE = "silhouette", "hand", "whole"
"""What is shown of a picture."""
CLOSE = 0.4  # of the picture: a hand that fills more of it needs no crop
AROUND = 1.5  # of the side of what is shown, so that a moved view has something beyond its edges
MOST, FEWEST, IN_ALL = 24, 5, 3000  # views of a picture; of all pictures
BATCH = 32
_SHAPE = AugmentConfig(degrees=15.0, scale=0.1, shear=8.0, perspective=0.04, fill="black")

Say = Callable[[str], None]
Tick = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Subject:
    """One picture.

    Attributes:
        plain: (h, w, 3) what is shown of it in inference.
        ground: (H, W, 3) the same pixels, as large in it and with the same middle, that views are moved from.
        copy: Equal for pictures that look the same to the model.
    """

    labelled: Labelled
    plain: Image
    ground: Image
    copy: str


@dataclass(frozen=True, eq=False)
class Subjects:
    """All pictures that can be used. shown: "silhouette", "hand" or "whole"."""

    shown: str
    pictures: tuple[Subject, ...]


def read_subjects(
    found: LabelledSet, card: ModelCard, detector: Runner | None, shown: str, say: Say, tick: Tick
) -> Subjects:
    """Read every picture once; those that cannot be read, or that show no hand, are left out with a sentence.

    Hands are cropped where the detector finds one, smaller than 0.4 of the picture, in at least half of the pictures.
    Pictures without one are then shown as a whole if the model looks so at hands close up, else they are left out;
    where this would leave a class without any, whole pictures are shown.

    Args:
        detector: None for silhouettes.
        shown: "" for this rule, else what it is to be.
    """
    both: list[tuple[Subject, Subject | None, bool]] = []
    for picture in found:
        try:
            both.append(_both(picture, picture.image(), card, detector))
        except FrameError as error:
            say(f"left out: {error}")
        tick()
    if card.options.get("silhouette"):
        return Subjects(SILHOUETTE, tuple(one for one, _, _ in both))
    closeup = bool(card.options.get("closeup"))
    crops = [crop or (one if closeup else None) for one, crop, _ in both]
    small = sum(near for _, _, near in both)
    if not shown:
        kept = {int(crop.labelled.labels[0]) for crop in crops if crop is not None}
        bare = [name for n, name in enumerate(found.names) if n not in kept]
        shown = HAND if small >= len(both) / 2 and not bare else WHOLE
        text = f"a hand that is a smaller part of it is found in {small} of {len(both)} pictures"
        text += f", but none in those of {bare[0]}" if bare and small >= len(both) / 2 else ""
        what = "the squares around hands" if shown == HAND else "whole pictures"
        say(f"{text}: the model looks at {what}; --set shown={WHOLE if shown == HAND else HAND} has it otherwise")
    if shown == WHOLE:
        return Subjects(WHOLE, tuple(one for one, _, _ in both))
    for (one, _, _), crop in zip(both, crops, strict=True):
        if crop is None:
            say(f"left out: in '{one.labelled.path}' no hand is found.")
    return Subjects(HAND, tuple(crop for crop in crops if crop is not None))


def views_of(subjects: Subjects, runner: Runner, classes: int, seed: int, tick: Tick) -> Views:
    """Return the features of several views of each picture.

    The first view is the picture as it is, the second its mirror image, the others are moved and relit, every other
    one mirrored. The same seed draws the same views.
    """
    card, rng = runner.card, np.random.default_rng(seed)
    count = int(np.clip(IN_ALL // len(subjects.pictures), FEWEST, MOST))
    features = []
    for subject in subjects.pictures:
        batch = [_view(rng, subject, subjects.shown, card, number) for number in range(count)]
        features.append(embedded(runner, batch))
        tick()
    copies = {copy: n for n, copy in enumerate(dict.fromkeys(one.copy for one in subjects.pictures))}
    pictures = len(subjects.pictures)
    return Views(
        np.concatenate(features).astype(np.float64),
        np.repeat(np.arange(pictures), count),
        np.tile(np.arange(count) % 2 == 1, pictures),
        np.array([int(one.labelled.labels[0]) for one in subjects.pictures]),
        np.array([copies[one.copy] for one in subjects.pictures]),
        classes,
    )


def embedded(runner: Runner, images: Sequence[Image]) -> NDArray[np.float32]:
    """Return the embeddings (n, d) of pictures of the model's own size."""
    parts = [
        runner.run(to_tensor(images[start : start + BATCH], runner.card))["embedding"]
        for start in range(0, len(images), BATCH)
    ]
    return np.concatenate(parts)


def _both(
    picture: Labelled, image: Image, card: ModelCard, detector: Runner | None
) -> tuple[Subject, Subject | None, bool]:
    """Return the picture as a whole, and its largest hand with whether that is small, or None where there is none.

    Raises:
        FrameError: the silhouette shows no hand.
    """
    if card.options.get("silhouette"):
        shape = find_shape(image)
        if shape is None:
            raise FrameError(f"'{picture.path}' shows no hand: it has no white shape on black.")
        large = (card.size[0] * 2, card.size[1] * 2)
        return _subject(picture, seen(shape, card.size), seen(shape, large)), None, False
    canvas, geometry = resize(image, card)
    left, top = geometry.pad_x, geometry.pad_y
    height, width = round(geometry.scale_y * image.shape[0]), round(geometry.scale_x * image.shape[1])
    inner = canvas[int(top) : int(top) + height, int(left) : int(left) + width]
    one = _subject(picture, canvas, inner)
    if detector is None:
        return one, None, False
    tensor, geometry = prepare(image, detector.card)
    boxes = finding.single(detect.decode(detector.run(tensor), detector.card, geometry))
    if not len(boxes):
        return one, None, False
    (box,) = boxes[[int(area(boxes).argmax())]]
    scale = card.options.get("crop_scale", hands.HAND_SCALE)
    plain, _ = crop_box(image, square(box[None], scale)[0], card.size)
    larger = (round(card.size[0] * AROUND), round(card.size[1] * AROUND))
    ground, _ = crop_box(image, square(box[None], scale * AROUND)[0], larger)
    near = float(area(box[None])[0]) < CLOSE * image.shape[0] * image.shape[1]
    return one, _subject(picture, plain, ground), near


def _subject(picture: Labelled, plain: Image, ground: Image) -> Subject:
    return Subject(picture, plain, ground, digest(np.ascontiguousarray(plain).tobytes()))


def _view(rng: Generator, subject: Subject, shown: str, card: ModelCard, number: int) -> Image:
    """One view (h, w, 3): as it is, mirrored, or moved and relit."""
    if number < 2:
        return np.ascontiguousarray(subject.plain[:, ::-1] if number else subject.plain)
    augment = _SHAPE if shown == SILHOUETTE else dataclasses.replace(find_preset("hand"), flip=0.0)
    move = dataclasses.replace(draw_transform(rng, augment), mirror=number % 2 == 1)
    ground, (height, width) = subject.ground, card.size
    if shown != SILHOUETTE:
        middle = ((ground.shape[1]) / 2, (ground.shape[0]) / 2)
        matrix = move.matrix(middle, card.size, (width / 2, height / 2))
        moved = warped(ground, matrix, card.size, fill_colour(ground, augment))
        return erased(rng, photometric(rng, moved, augment), augment)[0]
    size = (height * 3, width * 3)  # nothing of the hand, here twice as large, is cut off
    matrix = move.matrix((ground.shape[1] / 2, ground.shape[0] / 2), size, (size[1] / 2, size[0] / 2))
    shape = find_shape(warped(ground, matrix, size, (0, 0, 0)))
    return subject.plain if shape is None else seen(shape, card.size)
