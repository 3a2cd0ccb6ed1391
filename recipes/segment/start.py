"""Writes the weights that a mask net begins with: `python -m recipes.segment.start --out FILE.safetensors`.

The body is that of `facehand`, which has seen many hands and faces; its last stage, which a finder of boxes lacks, and
the decoder are as ImageNet and chance make them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from handlens.train.initial_weights import load_initial_weights
from handlens.train.nets.lite_segmenter import LiteSegmenter


def main() -> None:
    """Build the net, take what fits, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    net = LiteSegmenter(5, pretrained=True)
    print(load_initial_weights(net, "facehand"))
    save_file({name: value.contiguous() for name, value in net.state_dict().items()}, args.out)


if __name__ == "__main__":
    main()
