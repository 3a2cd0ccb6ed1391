"""Trains the contact net: `python -m handlens.train.contact_train --data DATA --out RUN`; knows no detector."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

from torch import Tensor, nn

from handlens.train.contact_check import summary, touch_logits
from handlens.train.losses import contact_loss
from handlens.train.nets.contact import Contact
from handlens.train.precision import Batch
from recipes.shared.cutouts import Cutout, read_cutouts
from recipes.shared.source_data import Face, FaceTable, portrait_faces, touch_faces, void_faces
from recipes.touch.common import images, options, teach
from recipes.touch.contact_data import ContactSamples, Mix


def load_faces(data: Path, cache: Path) -> tuple[list[Face], list[Face], list[Cutout]]:
    """Training faces, validation faces and cut-out hands; read once, then from the cache."""
    stored = cache / "faces.pickle"
    if stored.exists():
        with stored.open("rb") as file:
            faces, held, hands = pickle.load(file)
        return faces, held, hands
    table = FaceTable(data)
    held, own = touch_faces(data, "val", table), touch_faces(data, "train", table)
    faces = own + portrait_faces(data, table, held + own) + void_faces(data, table)
    hands = read_cutouts(data)
    cache.mkdir(parents=True, exist_ok=True)
    with stored.open("wb") as file:
        pickle.dump((faces, held, hands), file)
    return faces, held, hands


def loss(net: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """float32 losses, whatever the net computes in."""
    maps = net(images(batch))
    return contact_loss(maps._replace(**{k: v.float() for k, v in maps._asdict().items()}), batch)


def main() -> None:
    """Train, checking on the validation people every 10,000 samples."""
    parser = options(__doc__ or "", samples=240_000)
    parser.add_argument("--real", type=float, default=0.5)
    parser.add_argument("--rendered", type=float, default=0.0)
    args = parser.parse_args()
    faces, held, hands = load_faces(args.data, args.cache)
    rendered: list[Cutout] = []
    if args.rendered:
        from handlens.train.sets.rendered import rendered_cutouts

        rendered = rendered_cutouts(args.cache)
    mix = Mix(real=args.real, rendered=args.rendered)

    def samples(seed: int) -> ContactSamples:
        return ContactSamples(faces, hands, rendered, dataclasses.replace(mix, seed=seed))

    def check(net: nn.Module) -> dict[str, float]:
        found = summary(touch_logits(net, held), held)
        return {"score": found["auc"], **found}

    teach(Contact(), samples, loss, check, 48, args)


if __name__ == "__main__":
    main()
