"""Writes the mean of the weights of several runs: `python -m recipes.average RUN RUN --out FILE.safetensors`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from safetensors.torch import save_file

from handlens.train.run import open_experiment
from recipes.ship import averaged


def main(arguments: Sequence[str] | None = None) -> None:
    """Average the nets of runs that began with the same weights (model soups, arXiv 2203.05482)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="+", help="a run, for its best epoch, or one of its checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="a .safetensors")
    args = parser.parse_args(arguments)
    net = averaged([open_experiment(run) for run in args.run]).net
    temporary = args.out.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, temporary)
    temporary.replace(args.out)


if __name__ == "__main__":
    main()
