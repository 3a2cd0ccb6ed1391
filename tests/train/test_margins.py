"""Any backbone goes with any margin: it learns, its file answers as it does, and the verb pairs them by name."""

from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from torch import nn

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.runner import OnnxRunner
from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from handlens.train.experiment import Experiment, build, new_experiment
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.nets.backbones import BACKBONES
from handlens.train.nets.margins import MARGINS, Recogniser, margin
from handlens.train.run import export_experiment, prepared

NAMES = ("nothing", "object")


def small(name: str) -> Experiment:
    """A tiny backbone with that margin: depthwise convolutions over all places at the end, as MobileFace has them."""
    torch.manual_seed(0)
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 3, 4, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8),
        nn.Conv2d(8, 8, 8, groups=8, bias=False), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 16), nn.BatchNorm1d(16),
    )  # fmt: skip
    net = Recogniser(backbone, margin(name, 16, len(NAMES)))
    card = ModelCard(name, "hold", "classify", NAMES, (32, 32), "stretch", mean=(127.5,) * 3, std=(127.5,) * 3)
    return Experiment(net, card, 3, {"net": "mobileface", "names": list(NAMES)})


def batch_of(count: int = 4) -> dict[str, torch.Tensor]:
    """Noise, bright for one class and dark for the other."""
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2
    pictures = rng.integers(0, 128, (count, 3, 32, 32), np.uint8) + 127 * label[:, None, None, None].astype(np.uint8)
    return {"image": torch.from_numpy(pictures), "label": torch.from_numpy(label)}


@pytest.mark.parametrize("name", MARGINS)
def test_a_step_lowers_the_loss_and_the_file_answers_as_the_net(tmp_path: Path, name: str) -> None:
    experiment, batch = small(name), batch_of()
    optimiser = torch.optim.SGD(experiment.net.parameters(), 0.01, momentum=0.9)
    before = experiment.loss(experiment.net.train(), batch)["loss"]
    before.backward()
    optimiser.step()
    after = experiment.loss(experiment.net, batch)["loss"]
    assert after.item() < before.item()

    file = OnnxRunner(export_experiment(experiment, tmp_path / "made.onnx"))
    assert tuple(file.outputs) == ("probabilities", "embedding")
    pictures = experiment.inputs(batch).numpy()
    live, filed = TorchRunner(experiment.graph(), experiment.card).run(pictures), file.run(pictures)
    np.testing.assert_allclose(filed["probabilities"], live["probabilities"], atol=1e-3)
    scale = max(1.0, float(np.abs(live["embedding"]).max()))
    np.testing.assert_allclose(filed["embedding"] / scale, live["embedding"] / scale, atol=1e-3)
    assert live["embedding"].shape == (4, 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("net", "name"), [*((net, "arcface") for net in BACKBONES), *(("mobileface", name) for name in MARGINS)]
)
def test_every_backbone_and_margin_are_built_by_name(net: str, name: str) -> None:
    about = {"net": net, "cfg": "", "margin": name, "embedding": 128, "names": list(NAMES)}
    with torch.device("meta"):
        made = build(about)
    assert type(made.head) is MARGINS[name]
    assert made.head.weight.shape == (2, 128)


def test_the_settings_name_the_margin(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for place, name in enumerate(NAMES):
            (tmp_path / split / name).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / split / name / "1.png"), np.full((20, 30, 3), 90 * place, np.uint8))
    given = {"data": str(tmp_path), "net": "MobileFace", "margin": "ArcFace", "embedding": 64}
    settings, found = prepared("hold", given, None)
    experiment = new_experiment(settings, found.names)
    assert type(experiment.net.head) is MARGINS["arcface"]
    assert (experiment.card.size, experiment.card.names) == ((112, 112), NAMES)
    with pytest.raises(InputError, match="did you mean 'cosface'"):
        new_experiment(
            Settings().changed(defaults_of("res50").settings).changed({**given, "task": "hold", "margin": "cosfase"}),
            NAMES,
        )
