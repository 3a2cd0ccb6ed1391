"""Scenes for `segment`: every pixel of the mask is what the picture shows there."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from handlens.data.formats.detect_format import open_set
from handlens.train.kinds.segment import dice_loss
from handlens.types import IGNORE, Floats, Image
from recipes.segment.build_set import FOREARM, HAND, OVER, OVER_WITH_ARMS, SIDE, drawn, stock_of
from recipes.segment.build_test_set import numbers, write
from recipes.segment.build_test_set import outlined as outlined_by_eye
from recipes.segment.outlines import Outlined, read_outlines
from recipes.segment.portraits import FACE, Base, is_late, outlined, portrait_marks
from recipes.shared.cutouts import Cutout, describe
from recipes.shared.face_regions import OVAL
from recipes.touch.detector_data import Picture

SKIN, GROUND, ARM = (200, 150, 120), (20, 60, 160), (230, 20, 20)


def _mesh(x: float, y: float, radius: float) -> Floats:
    """A face mesh whose outline is a circle."""
    points = np.full((468, 2), (x, y), np.float32)
    for place, row in enumerate(OVAL):
        turn = 2 * np.pi * place / len(OVAL) - np.pi / 2  # the outline begins at the top and goes round
        points[row] = (x + radius * np.cos(turn), y + radius * np.sin(turn))
    points[17] = (x, y + 0.6 * radius)
    return points


def _picture(faces: bool = True) -> Picture:
    image = np.full((200, 200, 3), GROUND, np.uint8)
    cv2.circle(image, (100, 90), 50, SKIN, -1)
    boxes = np.array([[50, 40, 150, 140]] if faces else np.zeros((0, 4)), np.float32)
    meshes = _mesh(100, 90, 50)[None] if faces else np.zeros((0, 468, 2), np.float32)
    return Picture(image, boxes, np.zeros((0, 4), np.float32), meshes, 1.0, 1.0, "made", "portrait")


def _hand() -> Cutout:
    """A red hand: a palm with fingers, whose arm leaves the picture below."""
    image, mask = np.full((120, 100, 3), ARM, np.uint8), np.zeros((120, 100), np.uint8)
    cv2.circle(mask, (50, 60), 24, 255, -1)
    for x in (32, 44, 56, 68):
        cv2.line(mask, (x, 50), (x, 8), 255, 7)
    cv2.rectangle(mask, (36, 60), (64, 119), 255, -1)
    found = describe(image, mask, "massey_black")
    assert found is not None
    return found


def _stock(faces: bool = True):
    picture = _picture(faces)
    base = Base(picture, outlined(picture), "made", "one", late=False)
    return stock_of([base], [_hand()])


def test_the_same_seed_draws_the_same_scene_and_all_values_have_a_name() -> None:
    first, second = (drawn(np.random.default_rng(3), _stock()) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert first[0].shape == (SIDE, SIDE, 3)
    assert first[1].shape == (SIDE, SIDE)
    assert set(np.unique(first[1])) <= {0, HAND, FACE, OVER, IGNORE}


def test_bare_forearms_are_a_class_of_their_own_and_change_nothing_else() -> None:
    arms, hands = 0, 0
    for seed in range(12):
        image, mask = drawn(np.random.default_rng(seed), _stock())
        same, told = drawn(np.random.default_rng(seed), _stock(), arms=True)
        assert np.array_equal(image, same)
        forearm = told == FOREARM
        assert np.isin(mask[forearm], (HAND, OVER)).all()
        assert np.array_equal(mask[~forearm], np.where(told == OVER_WITH_ARMS, OVER, told)[~forearm])
        arms, hands = arms + int(forearm.sum()), hands + int(np.isin(told, (HAND, OVER_WITH_ARMS)).sum())
    assert 0.1 * hands < arms < 2 * hands


@pytest.mark.slow
def test_hands_lie_over_faces_and_the_mask_knows_the_face_below() -> None:
    masks = [drawn(np.random.default_rng(seed), _stock())[1] for seed in range(40)]
    assert sum((mask == OVER).any() for mask in masks) > 8
    assert sum((mask == HAND).any() for mask in masks) > 15
    for mask in masks:
        near = cv2.dilate((mask == FACE).astype(np.uint8), np.ones((9, 9), np.uint8), iterations=14) > 0
        assert not (mask == OVER).any() or near[mask == OVER].mean() > 0.5 or not (mask == FACE).any()


def test_without_faces_no_hand_is_over_one() -> None:
    masks = [drawn(np.random.default_rng(seed), _stock(faces=False))[1] for seed in range(12)]
    assert not any((mask == OVER).any() or (mask == FACE).any() for mask in masks)
    assert any((mask == HAND).any() for mask in masks)


def test_an_outline_is_face_and_a_ring_around_it_is_not_known() -> None:
    marks = outlined(_picture())
    assert marks[90, 100] == FACE
    assert marks[5, 5] == 0
    assert marks[36, 100] == IGNORE, "the mesh ends below the hairline"
    faceless = dataclasses.replace(_picture(), meshes=np.zeros((0, 468, 2), np.float32))
    assert outlined(faceless)[90, 100] == IGNORE, "a face without an outline is not known"


def test_skin_below_the_chin_is_no_face_and_ears_are() -> None:
    picture = _picture()
    mask = np.zeros((200, 200), np.uint8)
    cv2.circle(mask, (100, 90), 50, (4,), -1)
    cv2.circle(mask, (80, 80), 6, (0,), -1)  # an eye is a hole of the skin
    mask[80:100, 150:158] = 4  # an ear
    mask[140:190, 70:130] = 4  # the neck
    marks = portrait_marks(mask, picture, "sfa_skin")
    assert marks[90, 100] == FACE
    assert marks[90, 154] == FACE
    assert marks[80, 80] in (FACE, IGNORE)
    assert marks[170, 100] == 0


def test_beards_are_face_and_fringes_are_not() -> None:
    hair = np.zeros((200, 200), np.uint8)
    hair[120:135, 90:110] = 5
    hair[30:60, 60:140] = 5
    marks = portrait_marks(hair, _picture(), "lfw_hair")
    assert marks[128, 100] == FACE
    assert marks[50, 100] == 0


def test_people_are_parted_by_their_names_alone() -> None:
    late = [is_late(f"person{n}") for n in range(2000)]
    assert 0.08 < np.mean(late) < 0.16
    assert is_late("person1") == late[1]


def test_sets_to_measure_on_open_as_masks(tmp_path: Path) -> None:
    (tmp_path / "touch" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "touch" / "images" / "a.png"), np.full((40, 60, 3), 90, np.uint8))
    row = Outlined(
        "a.png", "p1", "val", face=((10, 10, 40, 10, 40, 30, 10, 30),), hands=((20, 20, 50, 20, 50, 35, 20, 35),),
        hand_holes=((30, 24, 34, 24, 34, 28, 30, 28),), ignore=((0, 0, 6, 0, 6, 6),),
    )  # fmt: skip
    assert write(outlined_by_eye(tmp_path, [row]), tmp_path / "set") == 1
    found = open_set(tmp_path / "set", "segment")
    (picture,) = found
    mask: Image = picture.mask()  # type: ignore[misc]
    assert found.names == ("background", "hand", "face")
    assert picture.group == "p1"
    assert (mask[15, 15], mask[25, 25], mask[1, 4], mask[38, 3], mask[26, 32]) == (2, 1, 255, 0, 2)


@pytest.mark.parametrize("channels", [1, 3])
def test_dice_is_zero_for_the_truth_and_one_for_its_opposite(channels: int) -> None:
    mask = torch.zeros((1, 16, 16), dtype=torch.long)
    mask[:, 4:12, 4:12] = 1
    mask[:, :2] = 255
    if channels == 1:
        right = torch.where(mask == 1, 20.0, -20.0).unsqueeze(1)
    else:
        right = torch.nn.functional.one_hot(mask.clamp(max=2), 3).permute(0, 3, 1, 2) * 40.0
    right[:, :, :2] = 20.0  # what is not known counts nowhere
    told = float(dice_loss(right, mask))
    assert told == pytest.approx(0.0, abs=1e-3)
    assert float(dice_loss(-right, mask)) > 0.4


def test_numbers_to_measure_on_are_the_last_pictures_of_a_source(tmp_path: Path) -> None:
    photos = tmp_path / "gestures" / "photos"
    (photos / "images" / "s").mkdir(parents=True)
    lines = ["file,mask,label,group,source"]
    for number in range(20):
        cv2.imwrite(str(photos / "images" / "s" / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
        lines.append(f"s/{number}.png,,{'4' if number % 2 else 'C'},,s")
    (photos / "labels.csv").write_text("\n".join(lines) + "\n")
    assert numbers(tmp_path, "s", tmp_path / "set") == 2, "of ten fours the last 15 per cent"
    found = open_set(tmp_path / "set", "classify")
    assert [picture.path.name for picture in found] == ["17.png", "19.png"]
    assert found.names == ("4",)


def test_nobody_outlined_for_training_is_measured_on() -> None:
    train, val = read_outlines("train"), read_outlines("val")
    assert len(train) > 600
    assert len(val) > 80
    assert not {row.person for row in train} & {row.person for row in val}
    assert all(row.hands for row in val)
