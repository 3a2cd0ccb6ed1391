"""Training throughput of the one trainer against a plain PyTorch loop over the same net, in turns, in one run.

    python benchmarks/train_speed.py [--net yolov5s] [--size 320] [--batch 8] [--rounds 5] [--steps 6]

The plain loop gets its batches from memory, so it never waits; ours reads, augments and loads them while it trains.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from loader_speed import make_pictures

from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from handlens.train.experiment import new_experiment
from handlens.train.loader.loader import Batches, Samples
from handlens.train.optim import optimiser
from handlens.train.precision import Batch
from handlens.train.trainer import fit


class Timed:
    """An epoch's batches, with the moments at which each was asked for and the seconds spent waiting for them."""

    def __init__(self, batches: Iterable[Batch], steps: int) -> None:
        self.batches, self.steps, self.asked, self.waited = batches, steps, list[float](), 0.0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        source = iter(self.batches)
        next(source)  # starting the workers is not part of the speed
        for _ in range(self.steps):
            self.asked.append(time.perf_counter())
            batch = next(source)
            self.waited += time.perf_counter() - self.asked[-1]
            yield batch

    @property
    def total_seconds(self) -> float:
        """Seconds of the steps between the second asking and the last: Lightning asks one batch ahead."""
        return self.asked[-1] - self.asked[1]


def plain_loop(settings: Settings, names: list[str], batches: list[Batch], bf16: bool) -> float:
    """Seconds a step of what anybody would write: forward, loss, backward, step."""
    experiment = new_experiment(settings, names)
    steps = optimiser(experiment.net, settings.plan)
    net: Any = experiment.net.train()
    spent = []
    for batch in batches:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = net.loss(net(batch["image"].float() / 255), batch["boxes"])["loss"]
        steps.zero_grad()
        loss.backward()
        steps.step()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="yolov5s")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--precision", default="auto", help="of ours; the plain loop runs in 32 and in bf16")
    args = parser.parse_args()
    given = {"task": "touch", "net": args.net, "size": args.size, "batch": args.batch, "data": "made"}
    given |= {"epochs": args.rounds, "steps": args.steps, "precision": args.precision}
    settings = Settings(net=args.net).changed(defaults_of(args.net).settings).changed(given)
    with tempfile.TemporaryDirectory() as folder:
        found = make_pictures(Path(folder), 96, (480, 640))
        experiment = new_experiment(settings, found.names)
        samples = Samples(found, experiment.card, settings.augment, 0, epochs=args.rounds)
        loader = Batches(samples, args.batch, args.workers, epoch_size=args.batch * (args.steps + 8))
        kept = [batch for batch, _ in zip(loader, range(args.steps + 1), strict=False)]
        plain: dict[str, list[float]] = {"32": [], "bf16": []}
        ours: list[Timed] = []

        def epoch(number: int) -> Timed:
            if len(ours) <= number:
                for name, spent in plain.items():
                    spent.append(plain_loop(settings, list(found.names), kept, name == "bf16"))
            loader.sampler.set_epoch(number)
            ours.append(Timed(loader, args.steps))
            return ours[-1]

        fit(experiment.net, epoch, experiment.loss, settings.plan, Path(folder) / "run")
    timed = [one for one in ours if len(one.asked) == args.steps]
    step = statistics.median(one.total_seconds / (args.steps - 2) for one in timed)
    rates = {
        "ours, samples/s": args.batch / step,
        **{f"plain loop {name}, samples/s": args.batch / statistics.median(spent) for name, spent in plain.items()},
        "share of the time waiting for samples": sum(o.waited for o in timed) / sum(o.total_seconds for o in timed),
    }
    rates["ours / plain 32"] = rates["ours, samples/s"] / rates["plain loop 32, samples/s"]
    rates["ours / plain bf16"] = rates["ours, samples/s"] / rates["plain loop bf16, samples/s"]
    print(json.dumps({key: round(value, 3) for key, value in rates.items()}, indent=1))


if __name__ == "__main__":
    main()
