"""The renderer keeps its word: same seed same picture, touch means contact, distance is kept, truth fits."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

import handlens
from handlens.synth.hand_bones import POSES, named_pose
from handlens.synth.hand_model import VIEWS, draw_hand
from handlens.synth.hand_on_face import Skin, distance, gap_along, place, regions_met, settle
from handlens.synth.hand_plans import GESTURES, KINDS
from handlens.synth.hand_skin import HandAppearance
from handlens.synth.scene import REGIONS, Stage, random_stage, render_scene

SIZE = (120, 160)
MEDIA = Path(handlens.__file__).parent / "media"


@pytest.fixture(scope="module")
def stage() -> Stage:
    return random_stage(np.random.default_rng(12), SIZE)


def plate() -> Skin:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(-90.0, 90, 1), np.arange(-90.0, 90, 1)))
    return Skin(np.stack([x, y, 0 * x], axis=1).astype(np.float32), np.where(x > 0, 5, 4).astype(np.uint8))


def test_a_hand_has_the_promised_shapes_and_fills_its_picture() -> None:
    drawn = draw_hand(np.random.default_rng(3), 64)
    rgb, alpha, tips, palm = drawn.rgb, drawn.alpha, drawn.tips, drawn.palm
    assert rgb.shape == (64, 64, 3)
    assert rgb.dtype == np.uint8
    assert alpha.shape == (64, 64)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert tips.shape == (5, 2)
    assert palm.shape == (2,)
    assert 0.08 < float((alpha > 0.5).mean()) < 0.85
    assert (tips > -6).all()
    assert (tips < 70).all()


def test_the_same_seed_gives_the_same_hand_and_another_seed_another() -> None:
    first, again, other = (draw_hand(np.random.default_rng(s), 48).rgb for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("pose", POSES)
def test_every_pose_can_be_rendered(pose: str) -> None:
    alpha = draw_hand(np.random.default_rng(0), 32, pose=pose).alpha
    assert (alpha > 0.5).any()


def test_skin_tone_goes_from_light_to_dark() -> None:
    def brightness(tone: float) -> float:
        look = HandAppearance(tone=tone, sleeve=None)
        drawn = draw_hand(np.random.default_rng(5), 48, pose="open", view="dorsal", appearance=look)
        rgb, alpha = drawn.rgb, drawn.alpha
        return float(rgb[alpha > 0.9].mean())

    assert brightness(0.0) > 1.5 * brightness(0.5) > 1.5 * 1.2 * brightness(1.0)


@pytest.mark.slow
def test_an_unknown_pose_view_kind_or_region_is_refused_with_the_known_ones(stage: Stage) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="known are open"):
        draw_hand(rng, 32, pose="paw")
    with pytest.raises(ValueError, match=VIEWS[0]):
        draw_hand(rng, 32, view="inside")
    with pytest.raises(ValueError, match=KINDS[0]):
        render_scene(rng, SIZE, kind="hug", stage=stage)
    with pytest.raises(ValueError, match="forehead"):
        render_scene(rng, SIZE, kind="touch", region="knee", stage=stage)


@pytest.mark.slow
def test_a_hand_falls_onto_the_skin_and_stops_where_it_is_told() -> None:
    skin, up = plate(), np.array([0, 0, 1], np.float32)
    spot = np.array([30, 0, 0], np.float32)
    hand = place(
        named_pose("point"), HandAppearance(), False, "index", spot, up, np.array([0, -1, 0.6], np.float32), 0.4
    )
    resting, met = settle(hand.moved(50 * up), skin, up)
    assert regions_met(skin, np.array([0, 1, 2, 3])) == (4,)
    assert met == (5,), "the fingertip lies on the right half of the plate"
    assert gap_along(resting.points, skin, up)[0] == pytest.approx(-0.8, abs=0.05)
    for gap in (10.0, 40.0):
        hovering, _ = settle(hand, skin, up, gap)
        assert distance(hovering.points, skin) == pytest.approx(gap, abs=2.0)


@pytest.mark.slow
@pytest.mark.parametrize("region", REGIONS)
def test_a_touch_is_a_contact_of_that_region_under_the_hand(region: str, stage: Stage) -> None:
    assert region in GESTURES
    drawn = render_scene(np.random.default_rng(3), SIZE, "touch", region, stage)
    assert drawn.touch
    assert drawn.gap == 0
    assert region in drawn.regions
    assert drawn.image.shape == (*SIZE, 3)
    assert drawn.hand_mask.shape == drawn.face_region_map.shape == SIZE
    assert set(np.unique(drawn.face_region_map)) <= set(range(8))
    assert set(np.unique(drawn.hand_mask)) <= {0, 1}
    near = np.zeros(SIZE, bool)
    ys, xs = np.nonzero(drawn.hand_mask)
    for dy in (-2, 0, 2):
        for dx in (-2, 0, 2):
            near[np.clip(ys + dy, 0, SIZE[0] - 1), np.clip(xs + dx, 0, SIZE[1] - 1)] = True
    assert (near & (drawn.face_region_map > 0)).any(), "a touching hand meets the face in the picture"
    assert len(drawn.hand_boxes) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["near", "front", "beside", "none"])
def test_a_hand_that_does_not_touch_keeps_its_distance(kind: str, stage: Stage) -> None:
    drawn = render_scene(np.random.default_rng(4), SIZE, kind, stage=stage)
    assert not drawn.touch
    assert drawn.regions == ()
    assert drawn.gap > 5
    if kind == "none":
        assert drawn.hand_mask.sum() == 0
        assert drawn.hand_boxes.shape == (0, 4)
        assert drawn.gap == float("inf")


@pytest.mark.slow
def test_the_face_box_is_tight_and_the_scene_repeats() -> None:
    first, again = (render_scene(np.random.default_rng(21), SIZE, "touch") for _ in range(2))
    assert (first.image == again.image).all()
    assert first.regions == again.regions
    x1, y1, x2, y2 = first.head_box.astype(int)
    face = (first.face_region_map > 0) & (first.face_region_map < 7)
    assert face[y1:y2, x1:x2].sum() == face.sum()
    assert face[y1].any()
    assert face[y2 - 1].any()
    assert face[:, x1].any()
    assert face[:, x2 - 1].any()


@pytest.mark.slow
def test_the_shipped_clip_and_its_truth_belong_together() -> None:
    movie, truth = MEDIA / "demo.mp4", json.loads((MEDIA / "demo.json").read_text())
    assert movie.stat().st_size < 1_500_000
    with av.open(str(movie)) as box:
        stream = box.streams.video[0]
        assert (stream.width, stream.height) == (truth["width"], truth["height"])
        assert sum(1 for _ in box.decode(stream)) == truth["frames"] == len(truth["distance_mm"])
    assert [touch["regions"][0] for touch in truth["touches"]] == ["chin", "nose", "cheek", "forehead"]
    for touch in truth["touches"]:
        inside = truth["distance_mm"][touch["start_frame"] : touch["stop_frame"] + 1]
        assert max(inside) <= 2.0
        assert min(truth["distance_mm"][touch["start_frame"] - 1], truth["distance_mm"][touch["stop_frame"] + 1]) >= 2.0
