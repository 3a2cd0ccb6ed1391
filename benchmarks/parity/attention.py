"""Compares the residual attention networks with their source, block by block, with the same weights.

    git clone https://github.com/wujiyang/Face_Pytorch SOURCE
    python -m benchmarks.parity.attention SOURCE

The source holds the classes that the holding/nothing project trained. Its file is read where it lies, nothing of it is
copied. Without the file the script says so and ends with 0. It ends with 1 where an output differs by more than 1e-4.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from handlens.train.nets.attention import AttentionModule, Unit, Wiring

FILE = "backbone/attention.py"
LIMIT = 1e-4


def load_source(folder: Path) -> ModuleType | None:
    """Import the source's file, or return None where it is missing."""
    path = folder / FILE
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("attention_source", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unit_pairs(ours: nn.Module, theirs: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Return the leaves of a unit beside those of the source."""
    steps = theirs.get_submodule("res_bottleneck")
    assert isinstance(ours, Unit)
    assert isinstance(steps, nn.Sequential)
    mine = [*ours.first, *ours.work]
    return [*zip(mine, steps, strict=True), (ours.past, theirs.get_submodule("shortcut"))]


def module_pairs(ours: AttentionModule, theirs: nn.Module, depth: int) -> list[tuple[nn.Module, nn.Module]]:
    """Return the leaves of an attention module beside those of the source, which names them by stage."""
    first, last = ("share_residual_block", "last_block") if depth == 3 else ("first_residual_blocks", "last_blocks")
    block, skip = ("mask_block{}", "skip_connect{}") if depth == 3 else (
        "softmax{}_blocks", "skip{}_connection_residual_block",
    )  # fmt: skip
    mask = ours.mask
    units: list[tuple[nn.Module, str]] = [(ours.before, first), (ours.after, last), (ours.trunk[0], "trunk_branches.0")]
    units += [(ours.trunk[1], "trunk_branches.1")]
    units += [(mask.down[n], block.format(n + 1)) for n in range(depth - 1)]
    units += [(mask.skip[n], skip.format(n + 1)) for n in range(depth - 1)]
    units += [(mask.down[depth - 1], block.format(depth) + ".0"), (mask.bottom, block.format(depth) + ".1")]
    units += [(mask.up[n], block.format(depth + 1 + n)) for n in range(depth - 1)]
    pairs = [pair for unit, name in units for pair in unit_pairs(unit, theirs.get_submodule(name))]
    end = theirs.get_submodule(block.format(2 * depth))
    assert isinstance(end, nn.Sequential)
    return pairs + list(zip(mask.out, end, strict=True))


def spread(net: nn.Module) -> None:
    """Give weights and statistics values that make every path count."""
    for name, value in net.state_dict().items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.normal_(0, 0.1)


@torch.no_grad()
def difference(ours: nn.Module, theirs: nn.Module, pairs: list[tuple[nn.Module, nn.Module]], x: Tensor) -> float:
    """Copy the weights, run both, return the largest difference relative to the largest output."""
    spread(theirs)
    for mine, source in pairs:
        mine.load_state_dict(source.state_dict())
    reference = theirs.eval()(x.clone())
    found = ours.eval()(x.clone())
    return float((found - reference).abs().max() / reference.abs().max())


def main() -> int:
    """Print one line for each block; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="checkout of the source")
    source = load_source(parser.parse_args().source)
    if source is None:
        print(f"skipped: there is no {FILE} in the folder; clone the source first")
        return 0
    torch.manual_seed(0)
    worst = 0.0
    for cin, cout, stride in ((64, 256, 1), (64, 128, 2), (64, 64, 1)):
        unit = Unit(cin, cout, stride)
        theirs = source.ResidualBlock(cin, cout, stride)
        found = difference(unit, theirs, unit_pairs(unit, theirs), torch.randn(2, cin, 28, 28))
        print(f"unit {cin} -> {cout}, stride {stride}: relative difference {found:.1e}")
        worst = max(worst, found)
    for stage, size in ((1, 56), (2, 28), (3, 14)):
        for wiring in Wiring:
            ours = AttentionModule(64, 4 - stage, wiring, adds=stage == 1 and wiring is Wiring.PUBLISHED)
            theirs = getattr(source, f"AttentionModule_stage{stage}")(64, 64)
            found = difference(ours, theirs, module_pairs(ours, theirs, 4 - stage), torch.randn(2, 64, size, size))
            print(f"attention module of stage {stage}, {wiring.value}: relative difference {found:.1e}")
            worst = max(worst, found) if wiring is Wiring.PUBLISHED else worst
    return int(worst > LIMIT)


if __name__ == "__main__":
    raise SystemExit(main())
