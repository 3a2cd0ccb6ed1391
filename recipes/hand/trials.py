"""What cheap changes to the hand net would give: means of weights, means of answers, sharper maps. Trains nothing.

    python -m recipes.hand.trials --cache CACHE --weights RUN/mean.pt [MORE.pt ...]

Prints for each file of weights, for the mean of all of their weights and for the mean of all of their answers, with and
without a look at the mirror image: how well `hold` is told on the left-out sources and on val, and how far off the
landmarks are on hands of left-out people, laid on left-out faces and in photographs. `--sharper` multiplies the
landmarks' maps; what is best is chosen on composites of the people that the net learned from.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.train.nets.handnet import HandNet, grid_of
from recipes.hand.cache import Shown
from recipes.hand.masks import interval
from recipes.hand.samples import Look
from recipes.hand.train import Tables, balanced, composites, errors_of_palm, hold_rows, inputs, plain_crop, plain_photo
from recipes.signs.build_colour_set import NAMES
from recipes.touch.train import auc

SIZE, DRAWN = 128, 256
"""Sides of the input, and at which composites are drawn."""
COUNT = 400
"""Composites of each kind."""
DRAWS = 1000

Floats = NDArray[np.float64]


def net_of(state: Mapping[str, Tensor]) -> HandNet:
    """Return the net of these weights. Runs before version 0.3 have no `facing`, which neither trial asks."""
    net = HandNet(len(NAMES), pretrained=False)
    missing = net.load_state_dict(state, strict=False).missing_keys
    assert all("facing" in name for name in missing), missing
    return net.eval().to(memory_format=torch.channels_last)


def weights_of(file: Path) -> dict[str, Tensor]:
    """Return the weights of a file, of a run's end or of one on its way."""
    state: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    return {name.removeprefix("net."): value for name, value in state.get("net", state).items()}


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of weights; what one of them lacks stays out."""
    names = [name for name in states[0] if all(name in state for state in states)]
    return {name: torch.stack([state[name].float() for state in states]).mean(0) for name in names}


@torch.no_grad()
def told(net: nn.Module, images: Sequence[NDArray[np.uint8]], sharper: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Return `hold` (2, n), the log odds of each look and of its mirror image, and `points` (2, k, n, 21, 2)."""
    hold: list[list[Tensor]] = [[], []]
    points: list[list[Tensor]] = [[], []]
    for start in range(0, len(images), 32):
        x = inputs(torch.from_numpy(np.stack(images[start : start + 32])))
        for turn, view in enumerate((x, x.flip(3).contiguous(memory_format=torch.channels_last))):
            maps = net(view)
            grid, flat = grid_of(maps.heat), maps.heat.flatten(2)
            at = torch.stack([torch.softmax(flat * factor, 2) @ grid for factor in sharper])
            if turn:
                at[..., 0] = 1 - at[..., 0]
            hold[turn].append(maps.hold[:, 1] - maps.hold[:, 0])
            points[turn].append(at)
    return {
        "hold": torch.stack([torch.cat(parts) for parts in hold]).double().numpy(),
        "points": torch.stack([torch.cat(parts, 1) for parts in points]).numpy(),
    }


def of_groups(said: Floats, holds: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval of balanced accuracy; whole groups are drawn."""
    rng, places = np.random.default_rng(0), {name: np.flatnonzero(np.array(groups) == name) for name in set(groups)}
    names, drawn = sorted(places), []
    for _ in range(DRAWS):
        rows = np.concatenate([places[names[k]] for k in rng.integers(0, len(names), len(names))])
        if 0 < holds[rows].sum() < len(rows):
            drawn.append(balanced(said[rows], holds[rows]))
    return float(np.percentile(drawn, 2.5)), float(np.percentile(drawn, 97.5))


def best_cut(said: Floats, holds: NDArray[np.bool_]) -> float:
    """Return the cut with the best balanced accuracy, in the middle of its neighbours."""
    order = np.sort(said)
    cuts = (order[1:] + order[:-1]) / 2
    return float(cuts[int(np.argmax([balanced(said, holds, cut) for cut in cuts]))])


def hold_lines(name: str, said: Mapping[str, Floats], parts: Mapping[str, Sequence[Shown]]) -> None:
    """Print what one answer is worth: cut at even odds, and at the best cut of the left-out sources."""
    truth = {part: np.array([row.hold == 1 for row in rows]) for part, rows in parts.items()}
    cut = best_cut(said["left_out"], truth["left_out"])
    text = []
    for part, rows in parts.items():
        low, high = of_groups(said[part], truth[part], [row.person for row in rows])
        text.append(
            f"{part} {balanced(said[part], truth[part]):.3f} [{low:.3f} {high:.3f}] AUC "
            f"{auc(said[part], truth[part]):.3f} cut {balanced(said[part], truth[part], cut):.3f}"
        )
    print(f"hold {name:24s} " + "; ".join(text), flush=True)


def drawn_smaller(looks: Sequence[Look]) -> list[NDArray[np.uint8]]:
    """Return the pictures of looks at the side of the net's input."""
    return [
        np.asarray(cv2.resize(look["image"], (SIZE, SIZE), interpolation=cv2.INTER_AREA), np.uint8) for look in looks
    ]


def photographs(tables: Tables, count: int) -> list[Look]:
    """Return looks at left-out people's hands as they were photographed; the sources come as they are."""
    rows = [row for row in tables.photos if row.split != "train"]
    views = [plain_photo(rows[int(k)], DRAWN) for k in np.random.default_rng(3).permutation(len(rows))[:count]]
    return [{"image": image, "points": points, "known": np.ones(len(points), np.float32)} for image, points in views]


def errors(said: NDArray[Any], looks: Sequence[Look]) -> Floats:
    """Return (n,): the mean error of each hand's landmarks in the picture, of its palm."""
    known = np.stack([look["known"] for look in looks]) > 0
    every = errors_of_palm(said, np.stack([look["points"] for look in looks]))
    return np.array([row[k].mean() for row, k in zip(every, known, strict=True)])


def point_lines(
    name: str, said: Mapping[str, NDArray[Any]], looks: Mapping[str, Sequence[Look]], sharper: Sequence[float]
) -> None:
    """Print the landmarks' errors of looks once and twice, for each factor."""
    for place, factor in enumerate(sharper):
        text = []
        for part, some in looks.items():
            once = errors(said[part][0, place], some)
            twice = errors(said[part][:, place].mean(0), some)
            low, high = interval(once, np.arange(len(once)))
            text.append(
                f"{part} {100 * once.mean():.2f} [{100 * low:.1f} {100 * high:.1f}] mirror {100 * twice.mean():.2f}"
            )
        print(f"landmarks {name:24s} x {factor:.2f} " + "; ".join(text), flush=True)


def main() -> None:
    """Ask all nets, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--weights", type=Path, nargs="+", required=True)
    parser.add_argument("--sharper", type=float, nargs="+", default=(1.0, 1.2, 1.5))
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    tables = Tables(args.cache)
    parts = hold_rows(tables)
    parts["val"] = [row for part, rows in parts.items() if part != "left_out" for row in rows]
    composer, rng = tables.composer_of("train"), np.random.default_rng(11)
    looks = {
        "learned people": [composer.look(rng, DRAWN, at_face=1.0, plain=True) for _ in range(COUNT)],
        "left-out people": composites(tables, COUNT, DRAWN),
    }
    looks["photographs"] = photographs(tables, COUNT)
    crops = {part: [plain_crop(row, SIZE) for row in rows] for part, rows in parts.items()}
    pictures = {part: drawn_smaller(some) for part, some in looks.items()}
    del tables, composer
    states = [weights_of(file) for file in args.weights]
    nets = {f"{file.parent.name}/{file.stem}": net_of(state) for file, state in zip(args.weights, states, strict=True)}
    if len(states) > 1:
        nets["mean of weights"] = net_of(mean_of(states))
    holds: dict[str, dict[str, Floats]] = {}
    places: dict[str, dict[str, NDArray[Any]]] = {}
    for name, net in nets.items():
        holds[name] = {part: told(net, some, args.sharper)["hold"] for part, some in crops.items()}
        places[name] = {part: told(net, some, args.sharper)["points"] for part, some in pictures.items()}
    if len(states) > 1:
        alone = [name for name in nets if name != "mean of weights"]
        holds["mean of answers"] = {part: np.mean([holds[name][part] for name in alone], 0) for part in parts}
        places["mean of answers"] = {part: np.mean([places[name][part] for name in alone], 0) for part in looks}
    for name in holds:
        hold_lines(name, {part: values[0] for part, values in holds[name].items()}, parts)
        hold_lines(name + ", mirror", {part: values.mean(0) for part, values in holds[name].items()}, parts)
        point_lines(name, places[name], looks, args.sharper)


if __name__ == "__main__":
    main()
