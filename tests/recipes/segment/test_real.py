"""Real pictures for `segment`: what two models are sure of is marked, and what is known of a picture is kept to."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.card import ModelCard
from handlens.runner import FakeRunner
from handlens.types import IGNORE, Floats
from recipes.segment.add_real import drawn, link, people, whole_hands, write
from recipes.segment.auto_label import hand_mask, predicted_maps, single
from recipes.segment.backgrounds import recoloured, texture
from recipes.segment.build_set import HAND, OVER, WITH_ARMS
from recipes.segment.outlines import Outlined
from recipes.segment.portraits import FACE
from recipes.shared.face_regions import OVAL
from recipes.shared.source_data import FaceTable

NONE = np.zeros((0, 4), np.float32)


def _maps(hand: float, at: tuple[slice, slice], size: int = 60) -> Floats:
    """What a segmenter says: so sure of a hand at a place, sure of the background elsewhere."""
    maps = np.zeros((4, size, size), np.float32)
    maps[HAND][at] = hand
    maps[0] = 1 - maps[HAND]
    return maps


def test_what_the_segmenter_is_sure_of_is_marked_and_the_rest_is_not_known() -> None:
    known = np.zeros((60, 60), np.uint8)
    at = (slice(10, 30), slice(10, 30))
    assert hand_mask(_maps(0.9, at), NONE, known, "touch")[20, 20] == HAND
    assert hand_mask(_maps(0.9, at), NONE, known, "touch")[50, 50] == 0
    assert hand_mask(_maps(0.5, at), NONE, known, "touch")[20, 20] == IGNORE


def test_a_hand_over_a_known_face_is_both_unless_the_label_denies_it() -> None:
    known = np.full((60, 60), FACE, np.uint8)
    maps = _maps(0.9, (slice(10, 30), slice(10, 30)))
    assert hand_mask(maps, NONE, known, "touch")[20, 20] == OVER
    assert hand_mask(maps, NONE, known, "no_touch")[20, 20] == IGNORE
    assert hand_mask(maps, NONE, known, "no_touch")[50, 50] == FACE


def test_marked_boxes_decide_what_may_be_a_hand() -> None:
    known = np.zeros((60, 60), np.uint8)
    maps = _maps(0.9, (slice(5, 20), slice(5, 20)))
    far = np.array([[40, 40, 58, 58]], np.float32)
    mask = hand_mask(maps, far, known, "touch")
    assert mask[10, 10] == IGNORE, "no box shares this blob"
    assert mask[50, 50] == IGNORE, "a hand is marked here, and none is seen"
    assert hand_mask(maps, np.array([[4, 4, 22, 22]], np.float32), known, "touch")[10, 10] == HAND


def test_of_a_picture_with_one_hand_the_surest_blob_is_it() -> None:
    hand = np.zeros((60, 60), np.float32)
    hand[5:25, 5:25], hand[40:50, 40:50], hand[0:3, 50:60] = 0.9, 0.6, 0.4
    mask = single(hand)
    assert mask is not None
    assert (mask[10, 10], mask[45, 45], mask[1, 55], mask[58, 5]) == (HAND, IGNORE, IGNORE, 0)
    assert single(np.full((60, 60), 0.6, np.float32)) is None


def test_the_segmenter_is_asked_of_the_whole_and_of_each_face_and_answers_in_source_pixels() -> None:
    card = ModelCard(
        "made", "segment", "segment", ("background", "hand", "face", "hand over face"), (32, 32), "letterbox"
    )

    def bright(batch: Floats) -> dict[str, Floats]:
        hand = (batch[:, :1] > 0.5).astype(np.float32)
        return {"probabilities": np.concatenate((1 - hand, hand, 0 * hand, 0 * hand), 1)}

    image = np.zeros((60, 90, 3), np.uint8)
    image[20:50, 50:80] = 255
    for faces in (NONE, np.array([[50, 20, 80, 50]], np.float32)):
        maps = predicted_maps(FakeRunner(card, bright), image, faces)
        assert maps.shape == (4, 60, 90)
        assert maps[HAND, 35, 65] > 0.9
        assert maps[0, 10, 10] > 0.9


def faces_of(folder: Path, meshes: dict[str, Floats]) -> FaceTable:
    """A table in which these faces (468, 2) were seen, and no boxes."""
    np.savez(
        folder / "faces.npz",
        files=np.array([*meshes, ""]),
        boxes=np.zeros((0, 5), np.float32),
        box_file=np.zeros(0, int),
        landmarks=np.stack([*meshes.values(), np.zeros((468, 2), np.float32)])[: len(meshes)],
        landmarks_file=np.arange(len(meshes)),
    )
    return FaceTable(folder)


def test_a_forearm_counts_as_hand_until_landmarks_divide_them() -> None:
    five = np.random.default_rng(1).dirichlet(np.ones(5), (3, 4)).transpose(2, 0, 1).astype(np.float32)
    four = whole_hands(five, WITH_ARMS)
    assert four.shape == (4, 3, 4)
    np.testing.assert_allclose(four[HAND], five[HAND] + five[WITH_ARMS.index("forearm")])
    np.testing.assert_array_equal(four[OVER], five[WITH_ARMS.index("hand over face")])
    assert whole_hands(four, ("background", "hand", "face", "hand over face")) is four


def test_people_who_measure_or_were_outlined_are_not_marked(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "faces.npz", files=np.array([], dtype=str), boxes=np.zeros((0, 5)), box_file=np.zeros(0, int),
        landmarks=np.zeros((0, 468, 2)), landmarks_file=np.zeros(0, int),
    )  # fmt: skip
    for pack in ("touch", "touch4"):
        (tmp_path / pack / "images").mkdir(parents=True)
        rows = ["file,person,label,hand_boxes,source,split"]
        for name in ("ann", "outlined", "measured"):
            rows.append(f"{name}.jpg,{name},touch,[],web,train")
            cv2.imwrite(str(tmp_path / pack / "images" / f"{name}.jpg"), np.full((60, 80, 3), 120, np.uint8))
        rows.append("strange.jpg,strange,touch,[],web,val")
        (tmp_path / pack / "labels.csv").write_text("\n".join(rows))
    known = [
        Outlined("touch/images/outlined.jpg", "outlined", "train"),
        Outlined("touch4/images/outlined.jpg", "outlined", "train"),
        Outlined("touch/images/other.jpg", "measured", "val"),
    ]
    card = ModelCard(
        name="m", task="segment", kind="segment", names=tuple(WITH_ARMS), size=(32, 32), resize="letterbox"
    )
    sure = np.zeros((1, 5, 32, 32), np.float32)
    sure[0, HAND] = 1
    marked = list(
        people(tmp_path, FakeRunner(card, lambda batch: {"probabilities": np.repeat(sure, len(batch), 0)}), known)
    )
    assert len(marked) == 2  # one of each pack
    assert all((one.mask == HAND).mean() > 0.9 for one in marked)


def test_outlines_by_eye_become_masks_and_know_the_face_below(tmp_path: Path) -> None:
    (tmp_path / "touch" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "touch" / "images" / "a.png"), np.zeros((60, 60, 3), np.uint8))
    row = Outlined(
        "a.png", "p", "train",
        face=((10, 10, 50, 10, 50, 30, 10, 30), (10, 45, 50, 45, 50, 50, 10, 50)),
        hands=((20, 30, 40, 30, 40, 59, 20, 59),), ignore=((0, 0, 6, 0, 6, 6),),
    )  # fmt: skip
    (marked,) = drawn(tmp_path, [row], faces_of(tmp_path, {}), copies=3)
    assert (marked.mask[20, 20], marked.mask[40, 30], marked.mask[57, 30]) == (FACE, OVER, HAND)
    assert (marked.mask[1, 4], marked.mask[58, 5]) == (IGNORE, 0)
    for kind in ("images", "masks"):
        (tmp_path / "set" / kind / "train").mkdir(parents=True)
        (tmp_path / "other" / kind / "train").mkdir(parents=True)
    assert write(iter([marked]), tmp_path / "set", "outlined") == marked.copies == 3
    assert link(tmp_path / "set", ["train"], tmp_path / "other") == marked.copies
    assert len(list((tmp_path / "other" / "masks" / "train").glob("*.png"))) == marked.copies


def test_a_face_that_a_hand_hides_is_known_where_a_model_of_faces_saw_it(tmp_path: Path) -> None:
    (tmp_path / "touch" / "images").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "touch" / "images" / "a.png"), np.zeros((100, 100, 3), np.uint8))
    mesh = np.full((468, 2), 50, np.float32)
    turns = 2 * np.pi * np.arange(len(OVAL)) / len(OVAL) - np.pi / 2
    mesh[list(OVAL)] = 50 + 20 * np.stack((np.cos(turns), np.sin(turns)), axis=1)
    row = Outlined("a.png", "p", "train", hands=((40, 0, 60, 0, 60, 100, 40, 100),))
    (marked,) = drawn(tmp_path, [row], faces_of(tmp_path, {row.path: mesh}))
    assert (marked.mask[50, 50], marked.mask[10, 50], marked.mask[50, 10]) == (OVER, HAND, 0)


def test_outlines_may_be_of_any_picture_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "gestures").mkdir()
    cv2.imwrite(str(tmp_path / "gestures" / "b.png"), np.zeros((20, 30, 3), np.uint8))
    row = Outlined("gestures/b.png", "p", "train", hands=((0, 0, 10, 0, 10, 10, 0, 10),))
    assert Outlined("a.png", "p", "train").path == "touch/images/a.png"
    (marked,) = drawn(tmp_path, [row], faces_of(tmp_path, {}))
    assert (marked.mask == HAND).sum() == 100


def test_grounds_are_pictures_of_many_colours() -> None:
    rng = np.random.default_rng(0)
    drawn_ = [texture(rng, 64) for _ in range(40)]
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in drawn_)
    assert len({tuple(one.mean((0, 1)).astype(int) // 16) for one in drawn_}) > 15
    assert not np.array_equal(recoloured(rng, drawn_[0]), drawn_[0])
