"""What a moved picture is: its label where labels turn with pictures, its angle, and what a net learns of it."""

import math
from pathlib import Path

import numpy as np
import pytest
from training_sets import card, classify_set, noise

torch = pytest.importorskip("torch")

from handlens.data.dataset import Labelled
from handlens.errors import InputError
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import Transform
from handlens.train.config import Settings
from handlens.train.experiment import Experiment, build, new_experiment
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.loader.loader import Batches, Samples
from handlens.train.loader.turned_labels import named, truth_after

UP, LEFT, DOWN, RIGHT, FIST = range(5)
RING = (UP, LEFT, DOWN, RIGHT)


def after(label: int, move: Transform, ring=RING, angle: float | None = None) -> tuple[int, float]:
    """The label and the degrees."""
    labelled = Labelled(Path("a.png"), labels=np.array([label]), angle=angle)
    label, (cosine, sine) = truth_after(labelled, move.matrix((30, 20), (40, 60), (30, 20)), ring)
    assert math.hypot(cosine, sine) == pytest.approx(1)
    return label, math.degrees(math.atan2(sine, cosine))


@pytest.mark.parametrize(
    ("label", "move", "truth"),
    [
        (UP, Transform(), (UP, 0)),
        (UP, Transform(degrees=44), (UP, 44)),
        (UP, Transform(degrees=100), (LEFT, 10)),
        (UP, Transform(degrees=-100), (RIGHT, -10)),
        (LEFT, Transform(degrees=170), (RIGHT, -10)),
        (FIST, Transform(degrees=100), (FIST, 100)),
        (LEFT, Transform(mirror=True), (RIGHT, 0)),
        (UP, Transform(mirror=True), (UP, 0)),
        (DOWN, Transform(mirror=True), (DOWN, 0)),
        (LEFT, Transform(mirror=True, degrees=90), (UP, 0)),
        (UP, Transform(upside=True), (DOWN, 0)),
        (LEFT, Transform(upside=True), (LEFT, 0)),
        (FIST, Transform(mirror=True, degrees=30), (FIST, 30)),
    ],
)
def test_a_direction_turns_and_is_mirrored_with_its_picture(label, move, truth) -> None:
    said, degrees = after(label, move)
    assert said == truth[0]
    assert (degrees - truth[1] + 180) % 360 - 180 == pytest.approx(0, abs=1e-4)


def test_what_is_known_of_the_angle_counts() -> None:
    assert after(FIST, Transform(degrees=30), angle=20) == (FIST, pytest.approx(50))
    assert after(FIST, Transform(mirror=True, degrees=30), angle=20) == (FIST, pytest.approx(10))
    assert after(UP, Transform(degrees=30), angle=20) == (LEFT, pytest.approx(-40))
    assert after(UP, Transform(degrees=100), ring=()) == (UP, pytest.approx(100))


def test_names_are_read() -> None:
    assert named(" up, left,down ,right") == ("up", "left", "down", "right")
    assert named("") == ()


def turned_course(net: str = "digits6", **given) -> Experiment:
    settings = Settings(task="gesture", net=net, data="x", angle=True).changed(given)
    return new_experiment(settings, ("even", "odd"))


def batch_of(folder: Path, size: int = 64, channels: int = 1) -> dict[str, torch.Tensor]:
    found = classify_set(folder, [noise(50, 40, n) for n in range(8)])
    look = AugmentConfig(degrees=180, fill="black")
    samples = Samples(found, card(size, kind="classify"), look, channels=channels, angle=True)
    return next(iter(Batches(samples, 8)))


def test_the_loss_says_how_far_off_the_angle_is(tmp_path: Path) -> None:
    experiment, batch = turned_course(), batch_of(tmp_path)

    class Knowing(torch.nn.Module):
        off = 0.0

        def forward(self, x):
            turn = torch.atan2(batch["angle"][:, 1], batch["angle"][:, 0]) + math.radians(self.off)
            sure = 50.0 * torch.nn.functional.one_hot(batch["label"], 2).float()
            return sure, 3 * torch.stack((torch.cos(turn), torch.sin(turn)), 1)

    net = Knowing()
    parts = experiment.loss(net, batch)
    assert parts["loss"].item() == pytest.approx(0, abs=1e-5)
    assert (parts["accuracy"].item(), parts["angle"].item()) == (1, pytest.approx(0, abs=0.1))
    net.off = 60.0
    parts = experiment.loss(net, batch)
    assert parts["loss"].item() == pytest.approx(0.5, abs=1e-4)
    assert parts["angle"].item() == pytest.approx(60, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "size", "channels"), [("digits6", 64, 1), ("silhouette-net", 64, 1), ("hand-net", 96, 3)]
)
def test_one_batch_is_learned_with_its_angles(tmp_path: Path, net: str, size: int, channels: int) -> None:
    torch.manual_seed(0)
    experiment, batch = turned_course(net, smoothing=0.1), batch_of(tmp_path, size, channels)
    optimiser = torch.optim.Adam(experiment.net.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        loss = experiment.loss(experiment.net, batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert min(losses[-3:]) < 0.9 * losses[0]
    runner = TorchRunner(experiment.graph(), experiment.card)
    assert runner.outputs == ("probabilities", "angle", "embedding")
    told = runner.run(np.zeros((2, 3, size, size), np.float32))
    np.testing.assert_allclose(np.linalg.norm(told["angle"], axis=1), 1, atol=1e-4)
    assert told["embedding"].shape == (2, 128 if net == "digits6" else 192)


def test_smoothing_is_felt_and_has_limits(tmp_path: Path) -> None:
    batch, experiment = batch_of(tmp_path), turned_course()
    plain, smooth = (
        c.loss(experiment.net.eval(), batch)["loss"].item() for c in (experiment, turned_course(smoothing=0.5))
    )
    assert plain != smooth
    with pytest.raises(InputError, match="smoothing must be at least 0 and below 1"):
        Settings().changed({"smoothing": 1.0})


def test_a_checkpoint_from_before_angles_opens() -> None:
    about = dict(turned_course().about)
    del about["angle"], about["smoothing"]
    net = build(about)
    assert net.direction is None
    assert TorchRunner(Experiment(net, turned_course().card, 1, about).graph(), turned_course().card).outputs == (
        "probabilities",
        "embedding",
    )


def test_classes_come_evenly_when_asked(tmp_path: Path) -> None:
    found = classify_set(tmp_path, [noise(20, 20, n) for n in range(12)])
    found = found.having([p for p in found if p.labels[0] == 0 or p.path.stem == "1"])  # six of one, one of the other
    batches = Batches(Samples(found, card(16, kind="classify"), AugmentConfig(), even=True), 4, epoch_size=600)
    odd = sum(int(found.pictures[index % len(found)].labels[0]) for _, index in batches.sampler)
    assert 240 < odd < 360
