"""The touch recipe on made data, in seconds: composites, samples, one short training, export with equal answers."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_faces import face, hand, mesh

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.predictor import load
from handlens.runner import OnnxRunner
from handlens.tasks.touch import REGIONS
from handlens.train.calibration import fit_platt
from handlens.train.export import export as exporter
from handlens.train.nets.contact import Contact, ContactGraph
from handlens.train.nets.hand_encoder import FaceHand, FaceHandGraph
from handlens.types import Detections, Frame
from recipes.shared.composite import Scene, add_beard, add_hand
from recipes.shared.face_regions import NUMBER, paint_regions
from recipes.shared.source_data import fingerprint
from recipes.touch import assemble as touch
from recipes.touch import common as ours
from recipes.touch.contact_data import ContactSamples, Mix, plain_sample, real_sample
from recipes.touch.detector_data import FaceHandSamples, Picture
from recipes.touch.train_contact import auc, touch_logits
from recipes.touch.train_contact import loss as contact_loss
from recipes.touch.train_detector import held_set, measured
from recipes.touch.train_detector import loss as facehand_loss


def test_face_parts_lie_in_order() -> None:
    parts = paint_regions(mesh((80, 80), 100), (160, 160))
    rows = {name: float(np.nonzero(parts == NUMBER[name])[0].mean()) for name in REGIONS}
    assert rows["forehead"] < rows["eye"] < rows["nose"] < rows["mouth"] < rows["chin"]
    assert (parts == NUMBER["ear"])[:, :50].any()
    assert (parts == NUMBER["ear"])[:, 110:].any()


def test_cutout_knows_its_tips_palm_and_forearm() -> None:
    cut = hand()
    assert cut.arm[1] > 0.9  # the forearm leaves at the bottom
    assert cut.tips[:, 1].max() < cut.palm[1]
    assert 30 < cut.wrist_width < 50


@pytest.mark.parametrize("kind", ["touch", "front", "beside"])
def test_composite_says_what_it_shows(kind: str) -> None:
    for seed in range(12):
        rng, points = np.random.default_rng(seed), mesh((80, 70), 60)
        scene = Scene(
            np.full((160, 160, 3), 150, np.float32),
            paint_regions(points, (160, 160)),
            points,
            np.zeros((160, 160), np.float32),
        )
        if add_hand(rng, scene, hand(), kind) is None:
            continue
        covered = (scene.hand > 0.5)[scene.parts > 0].sum()
        assert scene.touch == (kind == "touch")
        assert scene.over == (kind != "beside")
        assert (covered > 0) == (kind != "beside")
        assert bool(scene.touched) == scene.touch


def test_beard_changes_the_lower_face_only() -> None:
    points = mesh((80, 70), 80)
    scene = Scene(
        np.full((160, 160, 3), 150, np.float32),
        paint_regions(points, (160, 160)),
        points,
        np.zeros((160, 160), np.float32),
    )
    add_beard(np.random.default_rng(1), scene)
    changed = np.abs(scene.image - 150).max(2) > 8
    assert changed[scene.parts == NUMBER["chin"]].mean() > 0.5
    assert changed[scene.parts == NUMBER["forehead"]].mean() < 0.05


def test_a_real_no_touch_face_teaches_that_its_face_is_no_hand() -> None:
    sample = real_sample(np.random.default_rng(0), face("no_touch"))
    known = sample["hand_weight"].numpy() > 0
    on_face = (sample["parts"].numpy() > 0) & (sample["parts"].numpy() != 255)
    assert (known == on_face).all()
    assert float(sample["hand"].sum()) == 0
    assert float(sample["touch"]) == 0


def test_samples_repeat_with_their_seed() -> None:
    make = lambda: next(iter(ContactSamples([face()], [hand()], [], Mix(real=0.0, seed=3))))  # noqa: E731
    first, second = make(), make()
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_fingerprint_knows_a_copy_from_another_picture() -> None:
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 255, (12, 12, 3)).astype(np.uint8), (200, 200), interpolation=cv2.INTER_CUBIC)
    copy = cv2.resize(image, (120, 120), interpolation=cv2.INTER_AREA)
    other = cv2.resize(rng.integers(0, 255, (12, 12, 3)).astype(np.uint8), (200, 200), interpolation=cv2.INTER_CUBIC)
    assert (fingerprint(image) != fingerprint(copy)).sum() < 40 < (fingerprint(image) != fingerprint(other)).sum()


@pytest.mark.slow
def test_training_runs_and_exports_equal_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    faces = [face("touch", "a", ((95, 140, 140, 220),)), face("no_touch", "b"), face("portrait", "c")]
    args = argparse.Namespace(start=None, samples=16, minutes=None, rate=2e-3, seed=0, workers=0, out=tmp_path / "run")
    monkeypatch.setattr(ours, "EPOCH", 8)
    streams: list[int] = []

    def samples(seed: int) -> ContactSamples:
        streams.append(seed)
        return ContactSamples(faces, [hand()], [], Mix(real=0.5, seed=seed))

    check = lambda net: {"score": float(touch_logits(net, faces).mean())}  # noqa: E731
    ours.teach(Contact(), samples, contact_loss, check, 4, args)
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 3
    assert streams == [0, 1]  # a stream of its own for every epoch
    net = Contact().eval()
    net.load_state_dict(ours.averaged_state(tmp_path / "run"))

    card = touch.plain_card("0")
    names = ("hand", "regions", "touch_logit", "region_scores")
    exporter.export(ContactGraph(net), card, torch.randn(2, 3, 160, 160), names, tmp_path / "touch.onnx", int8=True)
    exporter.export(
        FaceHandGraph(FaceHand().eval()), ModelCard("facehand", "touch", "detect", ("face", "hand"), (320, 320), "fit"),
        torch.randn(1, 3, 64, 96), ("boxes", "scores"), tmp_path / "facehand.onnx", int8=True,
    )  # fmt: skip
    runner = OnnxRunner(tmp_path / "touch.onnx")
    assert runner.card == card
    batch = np.stack([plain_sample(f) for f in faces]).transpose(0, 3, 1, 2)
    logits = runner.run(np.ascontiguousarray((batch.astype(np.float32) - 127.5) / 64))["touch_logit"][:, 0]
    np.testing.assert_allclose(logits, touch_logits(exporter_compact(net), faces), atol=5e-3)
    value = load(tmp_path / "touch.onnx").predict(Frame(faces[0].image)).value
    assert isinstance(value, Detections)
    assert value.touch is not None


def exporter_compact(net: Contact) -> Contact:
    small = exporter.compact(net, int8=True)
    assert isinstance(small, Contact)
    return small


@pytest.mark.slow
def test_export_refuses_other_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shift(model) -> None:  # the file then differs from the network
        kernel = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
        kernel.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(kernel) + 0.1, kernel.name))

    monkeypatch.setattr(exporter, "shrink", shift)
    torch.manual_seed(0)
    net = ContactGraph(Contact().eval())
    names, example = ("hand", "regions", "touch_logit", "region_scores"), torch.randn(1, 3, 160, 160)
    with pytest.raises(ModelError, match="differ from torch"):
        exporter.export(net, touch.plain_card("0"), example, names, tmp_path / "x.onnx", int8=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_detector_learns_one_picture() -> None:
    torch.manual_seed(0)
    image = face().image
    boxes = np.array([[88, 80, 152, 160]], np.float32)
    picture = Picture(image, boxes, boxes[:0], face().points[None], 1.0, 1.0, "made", "portrait")  # type: ignore[index]
    samples = iter(FaceHandSamples([picture], [hand()]))
    batch = {k: torch.stack([s[k] for s in rows]) for rows in [[next(samples) for _ in range(4)]] for k in rows[0]}
    net = FaceHand().train()
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3)
    seen = []
    for _ in range(12):
        parts = facehand_loss(net, batch)
        optimiser.zero_grad()
        parts["loss"].backward()
        optimiser.step()
        seen.append(float(parts["loss"].detach()))
    assert seen[-1] < 0.6 * seen[0]


def test_calibration_brings_logits_to_probabilities() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 4000)
    hit = rng.random(4000) < 1 / (1 + np.exp(-truth))
    a, b = fit_platt((truth - 1.5) / 0.5, hit, np.ones(4000))  # logits twice too steep and shifted
    assert a == pytest.approx(0.5, abs=0.05)
    assert b == pytest.approx(1.5, abs=0.12)


def test_auc_counts_pairs() -> None:
    assert auc(np.array([3.0, 2.0]), np.array([1.0, 2.5])) == pytest.approx(0.75)


def test_the_detector_is_measured_by_the_one_evaluator() -> None:
    boxes = np.array([[88, 80, 152, 160]], np.float32)
    marked = Picture(face().image, boxes, boxes + 20, face().points[None], 1.0, 1.0, "made", "touch")  # type: ignore[index]
    unmarked = Picture(face().image, boxes, boxes[:0], face().points[None], 1.0, 1.0, "other", "touch")  # type: ignore[index]
    found = held_set([marked, unmarked])
    assert [len(picture.boxes) for picture in found] == [2]
    numbers = measured(FaceHand().eval(), found)
    assert numbers.keys() == {"score", "ap_face", "ap_hand"}
    assert numbers["score"] == pytest.approx((numbers["ap_face"] + numbers["ap_hand"]) / 2)
