"""Trains the contact net: `python -m handlens.train.contact_train --data DATA --out RUN`; knows no detector."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from handlens.train.contact_check import summary, touch_logits
from handlens.train.contact_data import ContactSamples, Mix
from handlens.train.cutouts import Cutout, read_cutouts
from handlens.train.losses import contact_loss
from handlens.train.nets.contact import Contact
from handlens.train.pack import Face, FaceTable, portrait_faces, touch_faces, void_faces
from handlens.train.trainer import Batch, Plan, images, options, train


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
    """bf16 forward, float32 losses."""
    with torch.autocast("cpu", torch.bfloat16):
        maps = net(images(batch))
    return contact_loss(maps._replace(**{k: v.float() for k, v in maps._asdict().items()}), batch)


def main() -> None:
    """Train, checking on the validation people every 10,000 samples."""
    parser = options(__doc__ or "", samples=240_000)
    parser.add_argument("--real", type=float, default=0.5)
    parser.add_argument("--rendered", type=float, default=0.0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    faces, held, hands = load_faces(args.data, args.cache)
    rendered: list[Cutout] = []
    if args.rendered:
        from handlens.train.rendered import rendered_cutouts

        rendered = rendered_cutouts(args.cache)
    net = Contact()
    if args.start:
        net.load_state_dict(torch.load(args.start, weights_only=True)["averaged"])
    plan = Plan(samples=args.samples, minutes=args.minutes, rate=args.rate)
    samples = ContactSamples(faces, hands, rendered, Mix(real=args.real, rendered=args.rendered, seed=args.seed))
    batches = DataLoader(
        samples, batch_size=plan.batch, num_workers=args.workers, prefetch_factor=4 if args.workers else None
    )
    train(net, batches, loss, plan, args.out, lambda n: summary(touch_logits(n, held), held))


if __name__ == "__main__":
    main()
