"""What the shipped models of hands are worth on people they never learned from: parts of shared/ kept for measuring."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import handlens
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.data.rotate import turned
from handlens.evaluate.evaluate import evaluate
from handlens.report import Report
from handlens.types import Image
from handlens.weights import SHIPPED
from recipes.hold.build_set import webcam_hands
from recipes.shared.source_data import HELD_BACK, cut_out, read_rows


@dataclass(frozen=True)
class Promise:
    """A model, the part of shared/ it is measured on (see PARTS), how it is asked, and the numbers it must reach."""

    model: str
    part: str
    crop: str
    metric: str
    least: float = 0.0
    most: float = 360.0


PROMISES = (
    Promise("hold", "photographs", "whole", "balanced accuracy", 0.68),
    Promise("hold", "photographs", "whole", "ROC AUC", 0.76),
    Promise("hold", "activities", "whole", "balanced accuracy", 0.75),
    Promise("hold", "empty hands at webcams", "whole", "accuracy", 0.81),
    Promise("digits", "people's silhouettes", "whole", "accuracy", 0.95),
    Promise("digits", "people's silhouettes, turned", "whole", "angle error median, degrees", most=10.0),
    Promise("gestures", "one video's gestures", "whole", "accuracy", 0.95),
    Promise("signs", "people's numbers", "whole", "accuracy", 0.96),
    Promise("signs", "people's numbers", "hand", "accuracy", 0.95),
    Promise("signs", "the fourth person's signs", "whole", "accuracy", 0.92),
)
"""What was measured, less a little. For `hold` 0.85 was the aim; docs/explain/hand-models.md says what was tried."""


def photographs(shared: Path) -> LabelledSet:
    """Crops of hands from photographs, labelled by eye."""
    return called(open_set(shared / "data/holding/photos").split("val"), lambda name: name.removeprefix("holding_"))


def activities(shared: Path) -> LabelledSet:
    """Crops of hands of people who do things, of the only large source with both labels."""
    found = open_set(shared / "data/holding/crops2")
    rows = {row["file"]: row for row in read_rows(shared / "data/holding/crops2/labels.csv")}
    own = [
        picture
        for picture in found
        if rows[picture.path.name]["source"] == "umareddy123/Human_activity_recognition" and picture.split == "val"
    ]
    return called(found.having(own), lambda name: name.removeprefix("holding_"))


def empty_hands(shared: Path) -> LabelledSet:
    """Hands of people who sign, which hold nothing: pictures that were not taken for training, of people who were."""
    crops = [crop for number, crop in enumerate(webcam_hands(shared / "data")) if number % 5 in (1, 2, 3)]
    label = np.zeros(1, np.int64)
    pictures = [
        Labelled(Path(f"{number}"), labels=label, pixels=lambda crop=crop: crop.image, group=crop.group)
        for number, crop in enumerate(crops)
    ]
    return LabelledSet("classify", ("nothing", "object"), tuple(pictures))


def people(shared: Path) -> LabelledSet:
    """The last people of `sign_digits`, who show numbers before a plain ground."""
    found = of_source(shared, "sign_digits")
    late = []
    for label in range(len(found.names)):
        same = [picture for picture in found if picture.labels[0] == label]
        late += same[len(same) - int(HELD_BACK * len(same)) :]
    return found.having(late)


@cache
def silhouettes(shared: Path) -> LabelledSet:
    """Every fourth of them cut out, from 0 to 5."""
    cut = []
    for picture in people(shared).pictures[::4]:
        mask = cut_out(picture.image()) if picture.labels[0] < 6 else None
        if mask is not None:
            cut.append(replace(picture, pixels=lambda mask=mask: spread(mask)))
    return people(shared).having(cut)


def fourth_person(shared: Path) -> LabelledSet:
    found = of_source(shared, "asl_photos")
    return found.having([picture for picture in found if picture.group.endswith("/3")])


def last_frames(shared: Path) -> LabelledSet:
    """The last block of frames of a video of silhouettes; neighbouring frames are copies, blocks are not."""
    found = open_set(shared / "data/gestures/gestures17_silhouettes.npz")
    last = max(int(picture.group) for picture in found)
    return found.having([picture for picture in found if int(picture.group) == last])


PARTS: dict[str, Callable[[Path], LabelledSet]] = {
    "photographs": photographs,
    "activities": activities,
    "empty hands at webcams": empty_hands,
    "people's numbers": people,
    "people's silhouettes": silhouettes,
    "people's silhouettes, turned": lambda shared: turned(silhouettes(shared), 4),
    "the fourth person's signs": fourth_person,
    "one video's gestures": last_frames,
}
SAME = {"signs": {**dict.fromkeys("AEMNOST", "0"), "D": "1", "Z": "1", "V": "2", "B": "4", "W": "6", "F": "9",
                  "H": "U", "P": "K", "Q": "G", "J": "I"}}  # fmt: skip
"""Model -> signs that are one shape with another: the name that the model has for both."""


def of_source(shared: Path, source: str) -> LabelledSet:
    found = open_set(shared / "data/gestures/photos")
    return found.having([picture for picture in found if picture.path.parent.name == source])


def called(found: LabelledSet, name: Callable[[str], str]) -> LabelledSet:
    """The set with its names changed; names that become one are one."""
    names = tuple(dict.fromkeys(map(name, found.names)))
    pictures = [
        replace(picture, labels=np.array([names.index(name(found.names[picture.labels[0]]))])) for picture in found
    ]
    return replace(found, names=names, pictures=tuple(pictures))


def spread(mask: Image) -> Image:
    return np.repeat(mask[..., None], 3, axis=2)


@cache
def report(shared: Path, model: str, part: str, crop: str) -> Report:
    """What a model is worth on a part; several numbers of one report may be promised."""
    predictor, same = handlens.load(model), SAME.get(model, {})
    found = called(PARTS[part](shared), lambda name: same.get(name, name))
    known = [picture for picture in found if found.names[picture.labels[0]] in predictor.card.names]
    assert len(known) >= 0.5 * len(found), f"{model} knows {predictor.card.names}, asked for {found.names}"
    return evaluate(predictor, found.having(known), resamples=0, crop=crop).report


@pytest.mark.shared
@pytest.mark.parametrize(
    "promise", PROMISES, ids=lambda one: f"{one.model}, {one.part}, {one.crop}, {one.metric}".replace(" ", "-")
)
def test_it_reaches_its_number(shared: Path, promise: Promise) -> None:
    if not (SHIPPED / f"{promise.model}.onnx").is_file():
        pytest.skip(f"the model '{promise.model}' does not ship yet")
    value = report(shared, promise.model, promise.part, promise.crop)[promise.metric].value
    assert promise.least <= value <= promise.most


@pytest.mark.parametrize("model", sorted({promise.model for promise in PROMISES}))
def test_it_is_small_and_its_card_says_what_it_learned_from(model: str) -> None:
    file = SHIPPED / f"{model}.onnx"
    if not file.is_file():
        pytest.skip(f"the model '{model}' does not ship yet")
    assert file.stat().st_size <= 7_000_000
    card = handlens.load(model).card
    assert card.data
    assert card.scores
    assert "Apache-2.0" in card.licence


@pytest.mark.parametrize("model", ["digits", "gestures"])
@pytest.mark.parametrize("size", [(50, 50), (480, 640)])
def test_a_blank_mask_is_no_hand(model: str, size: tuple[int, int]) -> None:
    if not (SHIPPED / f"{model}.onnx").is_file():
        pytest.skip(f"the model '{model}' does not ship yet")
    for level in (0, 255):
        frame = handlens.Frame(np.full((*size, 3), level, np.uint8))
        assert handlens.load(model).predict(frame).value == ()
