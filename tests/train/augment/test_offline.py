"""Versions of a picture: boxes and masks stay on what they are of, only train grows, and nothing is made twice."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.boxes import iou
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.data.write import write_set
from handlens.errors import FrameError, InputError, OutputError
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import Transform, transform_ellipses
from handlens.train.augment.offline import SHEET, Order, View, augment_set, augmented, changed, parse_steps, view_of
from handlens.types import IGNORE, Image

SIZE = (160, 200)  # height, width


def scene(spots: list[tuple[int, int, int, int]]) -> tuple[Image, Image]:
    """A grey picture with blue ellipses (x, y, half width, half height), and where they are."""
    image = np.random.default_rng(0).integers(90, 130, (*SIZE, 3), np.uint8)
    where = np.zeros(SIZE, np.uint8)
    for x, y, a, b in spots:
        cv2.ellipse(where, (x, y), (a, b), 0, 0, 360, 1, -1)
    image[where > 0] = (20, 40, 230)
    return image, where


def blue(image: Image) -> Image:
    """Where a picture is blue, whatever was done to its light."""
    red, green, own = (image[..., channel].astype(int) for channel in range(3))
    return np.asarray((own - red > 45) & (own - green > 45))


def save(folder: Path, name: str, image: Image) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / name), image[..., ::-1])
    return folder / name


def one(tmp_path: Path, spot: tuple[int, int, int, int] = (110, 70, 34, 22)) -> Labelled:
    image, where = scene([spot])
    x, y, a, b = spot
    box = np.array([[x - a, y - b, x + a + 1, y + b + 1]], np.float32)
    path = save(tmp_path, "one.png", image)
    return Labelled(path, SIZE[1], SIZE[0], box, np.array([0]), mask=lambda: where.astype(np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["flips", "rotate", "light", "blur", "noise", "jpeg"])
def test_each_change_keeps_the_box_tight_and_the_mask_on_its_pixels(step: str, tmp_path: Path) -> None:
    view = view_of(one(tmp_path))
    for seed in range(4):
        made = changed(np.random.default_rng(seed), view, (step,))
        image = made.image
        assert image.shape == (*SIZE, 3)
        assert (image != view.image).any()
        there = blue(cv2.medianBlur(image, 5))
        x, y, w, h = cv2.boundingRect(there.astype(np.uint8))
        true = np.array([[x, y, x + w, y + h]], np.float32)
        assert made.kept.tolist() == [True]
        assert iou(made.boxes, true)[0, 0] > 0.88
        assert made.mask is not None
        both = (made.mask == 1) & there
        assert both.sum() / ((made.mask == 1) | there).sum() > 0.88


def turned_boxes(boxes: np.ndarray, degrees: float) -> np.ndarray:
    middle = (SIZE[1] / 2, SIZE[0] / 2)
    return transform_ellipses(boxes, Transform(degrees=degrees).matrix(middle, SIZE, middle))


def test_a_turn_has_the_box_of_the_ellipse_and_not_of_the_corners() -> None:
    box = np.array([[60, 40, 140, 120]], np.float32)  # in the middle of 160 x 200: a circle stays where it is
    np.testing.assert_allclose(turned_boxes(box, 20), box, atol=1e-3)
    quarter = turned_boxes(np.array([[150, 70, 190, 80]], np.float32), 90)
    np.testing.assert_allclose(quarter, [[90, -10, 100, 30]], atol=1e-3)  # counter-clockwise: from the right to the top
    wide = turned_boxes(np.array([[60, 70, 140, 90]], np.float32), 45)[0]
    half = math.sqrt((40**2 + 10**2) / 2)
    np.testing.assert_allclose(wide, [100 - half, 80 - half, 100 + half, 80 + half], atol=1e-3)


def test_a_box_that_is_turned_out_of_the_picture_is_dropped(tmp_path: Path) -> None:
    corner = view_of(one(tmp_path, (190, 6, 9, 5)))
    turn = AugmentConfig(degrees=45)
    versions = [augmented(np.random.default_rng(seed), corner, turn) for seed in range(8)]
    assert not all(made.kept.item() for made in versions)
    for made in versions:
        x1, y1, x2, y2 = made.boxes[0]
        assert 0 <= x1 <= x2 <= SIZE[1]
        assert 0 <= y1 <= y2 <= SIZE[0]


@pytest.mark.slow
def test_a_covered_box_is_dropped_and_a_half_covered_one_stays(tmp_path: Path) -> None:
    view = view_of(one(tmp_path, (60, 60, 8, 8)))
    shares: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(100):
        made = changed(np.random.default_rng(seed), view, ("cutout",))
        assert made.mask is not None
        covered = float((made.mask[52:69, 52:69] == IGNORE).mean())
        shares[bool(made.kept.item())].append(covered)
        painted = (made.image != view.image).any(axis=2)
        assert ((made.mask == IGNORE) >= painted).all()
    assert shares[False]
    assert max(shares[True]) <= 2 / 3 < min(shares[False])


@pytest.mark.slow
def test_every_version_differs_and_the_same_seed_gives_the_same(tmp_path: Path) -> None:
    view = view_of(one(tmp_path))
    versions = [changed(np.random.default_rng(seed), view).image for seed in range(7)]
    versions.append(view.image)
    assert len({version.tobytes() for version in versions}) == 8
    assert (changed(np.random.default_rng(3), view).image == versions[3]).all()


def test_a_version_is_never_the_mirrored_picture_alone(tmp_path: Path) -> None:
    view = view_of(one(tmp_path))
    for seed in range(40):
        made = changed(np.random.default_rng(seed), view, ("flips", "light"))
        assert (made.image[:, ::-1] != view.image).any()
    mirrored = changed(np.random.default_rng(0), view, ("flips",))
    assert (mirrored.image[:, ::-1] == view.image).all()
    np.testing.assert_allclose(mirrored.boxes[:, [2, 0]], SIZE[1] - view.boxes[:, [0, 2]])


def test_contrast_changes_the_levels_about_their_mean_and_no_place() -> None:
    grey = np.repeat(np.arange(60, 200, dtype=np.uint8).reshape(10, 14, 1), 3, axis=2)
    view = View(grey, np.zeros((0, 4), np.float32), np.zeros(0, bool), None)
    for seed in range(4):
        made = augmented(np.random.default_rng(seed), view, AugmentConfig(contrast=0.35)).image.astype(float)
        assert made.mean() == pytest.approx(grey.mean(), abs=0.5)
        assert 0.6 < made.std() / grey.std() < 1.4
        assert (np.diff(made[..., 0].ravel()) >= 0).all()


def test_changes_are_named_in_any_order_and_a_wrong_one_is_refused() -> None:
    assert parse_steps("JPEG, flips") == ("flips", "jpeg")
    with pytest.raises(InputError, match="unknown change 'rotation': did you mean 'rotate'"):
        parse_steps("rotation")
    with pytest.raises(InputError, match="no change was named"):
        parse_steps(" ,")


def boxed(root: Path) -> LabelledSet:
    """Four training pictures of two people, one of val, one of test; the third has no box."""
    pictures = []
    for number, split in enumerate(["train", "train", "train", "train", "val", "test"]):
        image, _ = scene([(50 + 20 * number, 60, 20, 30)])
        path = save(root / f"{number % 2}", "same.png" if number < 2 else f"{number}.jpg", image)
        box = np.array([[30 + 20 * number, 30, 71 + 20 * number, 91]], np.float32)
        rows = slice(0, 0 if number == 2 else 1)
        group = ("anna", "anna", "ben", "ben", "cy", "dan")[number]
        pictures.append(Labelled(path, SIZE[1], SIZE[0], box[rows], np.array([1])[rows], split=split, group=group))
    return LabelledSet("detect", ("hand", "chin"), tuple(pictures), root)


def test_only_train_grows_and_versions_keep_name_and_group(tmp_path: Path) -> None:
    write_set(boxed(tmp_path / "pictures"), tmp_path / "set")
    ticks: list[int] = []
    whole = augment_set(open_set(tmp_path / "set"), tmp_path / "large", Order(times=3), 2, lambda: ticks.append(1))
    found = open_set(tmp_path / "large")
    assert [len(found.split(split)) for split in found.splits] == [12, 1, 1]
    assert len(whole) == 14
    assert len(ticks) == 4
    assert {picture.path.name for picture in found if picture.group == "ben"} == {
        *("2.jpg", "2_aug1.jpg", "2_aug2.jpg"),
        *("3.jpg", "3_aug1.jpg", "3_aug2.jpg"),
    }
    for split in ("val", "test"):
        (old,), (new,) = open_set(tmp_path / "set").split(split), found.split(split)
        assert new.path.read_bytes() == old.path.read_bytes()
    for picture in found:
        there = blue(cv2.medianBlur(picture.image(), 5))
        if picture.name.startswith("2"):
            assert not len(picture.boxes)
        elif len(picture.boxes) and there.sum() > 1000:
            x, y, w, h = cv2.boundingRect(there.astype(np.uint8))
            assert iou(picture.boxes, np.array([[x, y, x + w, y + h]], np.float32))[0, 0] > 0.5
    sheet = cv2.imread(str(tmp_path / "large" / SHEET))
    assert sheet.shape[1] > 3 * 220
    assert sheet.shape[0] > 3 * 220
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert not [path for path in (tmp_path / "large").iterdir() if path.name.startswith(".")]


def test_workers_do_not_change_the_set_and_seeds_do(tmp_path: Path) -> None:
    found = boxed(tmp_path / "pictures")
    augment_set(found, tmp_path / "a", Order(2, seed=1), 1)
    augment_set(found, tmp_path / "b", Order(2, seed=1), 3)
    augment_set(found, tmp_path / "c", Order(2, seed=2), 3)
    a, b, c = (sorted((tmp_path / name / "images" / "train").glob("*_aug1.jpg")) for name in "abc")
    assert len(a) == 4
    assert [path.read_bytes() for path in a] == [path.read_bytes() for path in b]
    assert [path.read_bytes() for path in a] != [path.read_bytes() for path in c]


def test_class_folders_grow_within_their_classes(tmp_path: Path) -> None:
    image, _ = scene([(60, 60, 20, 20)])
    for split, name in (("train", "fist"), ("train", "open"), ("val", "fist")):
        save(tmp_path / "set" / split / name, "x.png", image)
    augment_set(open_set(tmp_path / "set"), tmp_path / "large", Order(4))
    names = sorted(path.name for path in (tmp_path / "large/train/open").iterdir())
    assert [name[-10:] for name in names[1:]] == ["x_aug1.jpg", "x_aug2.jpg", "x_aug3.jpg"]
    assert names[0].endswith("x.png")
    assert len(list((tmp_path / "large/train/fist").iterdir())) == 4
    assert len(list((tmp_path / "large/val/fist").iterdir())) == 1


def test_masks_grow_with_their_pictures(tmp_path: Path) -> None:
    image, where = scene([(60, 60, 30, 20)])
    for split in ("train", "val"):
        save(tmp_path / "set/images" / split, f"{split}.png", image)
        (tmp_path / "set/masks" / split).mkdir(parents=True)
        assert cv2.imwrite(str(tmp_path / "set/masks" / split / f"{split}.png"), where)
    augment_set(open_set(tmp_path / "set"), tmp_path / "large", Order(6))
    found = open_set(tmp_path / "large")
    assert (found.kind, len(found.split("train")), len(found.split("val"))) == ("segment", 6, 1)
    for picture in found:
        assert picture.mask is not None
        mask, there = picture.mask(), blue(cv2.medianBlur(picture.image(), 5))
        known = mask != IGNORE
        assert ((mask == 1) & there & known).sum() / max(1, (((mask == 1) | there) & known).sum()) > 0.8


@pytest.mark.parametrize(
    ("change", "order", "sentence"),
    [
        (lambda found: found.having([Labelled(p.path) for p in found]), Order(2), "not split .* data split"),
        (lambda found: found, Order(3, steps=("flips",)), "flips alone make one new picture"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, change: Callable[[LabelledSet], LabelledSet], order: Order, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        augment_set(change(boxed(tmp_path / "pictures")), tmp_path / "large", order)
    assert not (tmp_path / "large").exists()


def test_an_unreadable_picture_is_told_and_left_out(tmp_path: Path) -> None:
    found = boxed(tmp_path / "pictures")
    found.pictures[0].path.write_bytes(b"\xff\xd8 nothing")
    told: list[FrameError] = []
    whole = augment_set(found, tmp_path / "large", Order(2), on_error=told.append)
    assert len(told) == 1
    assert len(whole.split("train")) == 6
    with pytest.raises(FrameError, match=r"same\.png"):
        augment_set(found, tmp_path / "again", Order(2))
    assert not (tmp_path / "again").exists()


def test_a_mask_of_another_size_is_told(tmp_path: Path) -> None:
    picture = one(tmp_path)
    wrong = Labelled(picture.path, mask=partial(np.zeros, (8, 8), np.uint8))
    with pytest.raises(FrameError, match="the mask of"):
        view_of(wrong)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="not empty"):
        augment_set(boxed(tmp_path / "pictures"), tmp_path / "large", Order(2))
    assert [path.name for path in (tmp_path / "large").iterdir()] == ["mine.txt"]
