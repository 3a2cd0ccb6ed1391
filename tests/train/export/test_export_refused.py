"""What cannot be exported is refused in one sentence, and nothing is left behind."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lived_in import card_of, written
from torch import nn

from handlens.errors import InputError, ModelError, OutputError
from handlens.train.export.export import export
from handlens.train.export.graphs import PixelGraph, canonical_graph
from handlens.train.nets.catalog import build


class Changing(nn.Module):
    """Answers otherwise with every call: what is traced is not what was asked."""

    calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return torch.softmax(x.mean((2, 3)) * self.calls, dim=1)


class Stiff(nn.Module):
    """Knows its batch only as a number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x.mean((2, 3)), dim=1) * torch.ones(int(x.shape[0]), 1)


class Unknown(nn.Module):
    """Uses what ONNX does not have."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x.mean((2, 3)))


@pytest.mark.parametrize(
    ("graph", "why"),
    [(Changing(), "differ from torch by"), (Stiff(), r"batch|shape"), (Unknown(), "cannot be written as ONNX")],
)
def test_a_file_that_answers_otherwise_is_refused_and_the_old_one_stays(
    graph: nn.Module, why: str, tmp_path: Path
) -> None:
    (tmp_path / "made.onnx").write_bytes(b"the last good one")
    with pytest.raises(ModelError, match=why) as raised:
        written(tmp_path, graph, card_of("classify", 8), pictures=2)
    assert "\n" not in str(raised.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["made.onnx"]
    assert (tmp_path / "made.onnx").read_bytes() == b"the last good one"


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    net = nn.Conv2d(3, 2, 1)
    nn.init.constant_(net.weight, float("nan"))
    with pytest.raises(ModelError, match="differ from torch by nan"):
        written(tmp_path, PixelGraph(net), card_of("segment", 8, 2))
    assert list(tmp_path.iterdir()) == []


def test_a_card_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the card says size"):
        export(PixelGraph(nn.Conv2d(3, 2, 1)), card_of("segment", 8, 2), torch.rand(1, 3, 16, 16), ("probabilities",),
               tmp_path / "made.onnx")  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_the_net_does_not_take_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiples of 32"):
        written(tmp_path, canonical_graph(build("yolov5n", 1), "detect"), card_of("detect", 40, 1))


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match="was not written"):
        written(tmp_path / "file", PixelGraph(nn.Conv2d(3, 2, 1)), card_of("segment", 8, 2))


def test_a_kind_without_a_canonical_form_is_named() -> None:
    with pytest.raises(InputError, match="kind 'contact'"):
        canonical_graph(nn.Identity(), "contact")
