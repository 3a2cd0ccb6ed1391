"""Compares the eight face-recognition backbones as a whole with their source, with the same weights.

    git clone https://github.com/wujiyang/Face_Pytorch SOURCE
    python -m benchmarks.parity.faces SOURCE

It says how far the embeddings of two pictures differ, relative to the largest number, and holds the parameters against
one another. Nothing of the source is copied. A file that is missing is skipped with that reason. It ends with 1 where a
network differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from handlens.train.nets.attention import AttentionModule, Unit
from handlens.train.nets.backbones import SIZE, backbone

from .attention import module_pairs, spread, unit_pairs

LIMIT = 1e-4
Pair = tuple[nn.Module, nn.Module]
SOURCES: dict[str, tuple[str, Callable[[ModuleType], nn.Module]]] = {
    "mobileface": ("mobilefacenet", lambda file: file.MobileFaceNet(512)),
    "res50": ("resnet", lambda file: file.ResNet50()),
    "res50_ir": ("cbam", lambda file: file.CBAMResNet(50, mode="ir")),
    "seres50_ir": ("cbam", lambda file: file.CBAMResNet(50, mode="ir_se")),
    "res100_ir": ("cbam", lambda file: file.CBAMResNet(100, mode="ir")),
    "seres100_ir": ("cbam", lambda file: file.CBAMResNet(100, mode="ir_se")),
    "attention_56": ("attention", lambda file: file.ResidualAttentionNet_56()),
    "attention_92": ("attention", lambda file: file.ResidualAttentionNet_92()),
}
"""Ours -> the source's file in backbone/ and how that builds it."""


def load_source(folder: Path, name: str) -> ModuleType | None:
    """Import a file of the source, or return None where it is missing."""
    path = folder / "backbone" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"faces_{name}", path) if path.exists() else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(net: nn.Module) -> list[nn.Module]:
    """Return the layers with weights, in the order in which they are declared: the same in both."""
    return [module for module in net.modules() if not list(module.children()) and module.state_dict()]


def attention_pairs(ours: nn.Module, theirs: nn.Module) -> Iterator[Pair]:
    """Pair the layers of an attention net block by block, for the two declare them in another order."""
    blocks = {
        kind: [module for name, module in theirs.named_children() if re.fullmatch(kind + r"\d(_\d)?", name)]
        for kind in ("residual_block", "attention_module")
    }
    yield from zip(leaves(ours.get_submodule("stem")), leaves(theirs.get_submodule("conv1")), strict=True)
    yield from zip(leaves(ours.get_submodule("embed")), leaves(theirs.get_submodule("output_layer")), strict=True)
    for stage in range(1, 5):
        for block in ours.get_submodule(f"stage{stage}").children():
            if isinstance(block, AttentionModule):
                yield from module_pairs(block, blocks["attention_module"].pop(0), 4 - stage)
            else:
                assert isinstance(block, Unit)
                yield from unit_pairs(block, blocks["residual_block"].pop(0))
    assert not any(blocks.values())


@torch.no_grad()
def compared(name: str, theirs: nn.Module) -> tuple[float, int, int]:
    """Return the relative difference of the embeddings, and the numbers of parameters of ours and of theirs."""
    ours = backbone(name)
    if name.startswith("attention"):
        spread(theirs)
        pairs = attention_pairs(ours, theirs)
    else:
        lively(theirs)
        pairs = zip(leaves(ours), leaves(theirs), strict=True)
    for mine, source in pairs:
        mine.load_state_dict(source.state_dict())
    x = torch.randn(2, 3, SIZE, SIZE)
    reference, found = theirs.eval()(x.clone()), ours.eval()(x.clone())
    counts = [sum(value.numel() for value in net.parameters()) for net in (ours, theirs)]
    return float((found - reference).abs().max() / reference.abs().max()), counts[0], counts[1]


def lively(net: nn.Module) -> None:
    """Give norms and PReLUs values that make every path count, and keep kernels at the size that they begin with."""
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.ndim == 1:
            value.add_(0.1 * torch.randn_like(value))


def main() -> int:
    """Print one line for each backbone; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="checkout of the source")
    folder, wrong = parser.parse_args().source, False
    for name, (file, build) in SOURCES.items():
        source = load_source(folder, file)
        if source is None:
            print(f"{name}: skipped, there is no backbone/{file}.py in the folder")
            continue
        torch.manual_seed(0)
        found, ours, theirs = compared(name, build(source))
        print(f"{name}: relative difference {found:.1e}, {ours:,} parameters, its source {theirs:,}", flush=True)
        wrong |= not found <= LIMIT or ours != theirs
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
