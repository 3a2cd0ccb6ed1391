"""Both exporters of torch on every network of the catalogue: time, size, speed, and who can read what they write.

    python benchmarks/exporters.py [--nets nano hand-net ...] [--repeats 20]

One JSON line for each network and exporter. Both write the same weights; `export` refuses a file whose answers differ
from those of torch, and 8 bits are tried as well.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import cv2
import onnx
import torch

from handlens.errors import HandlensError
from handlens.runner import OnnxRunner
from handlens.tasks.touch import REGIONS
from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from handlens.train.experiment import Experiment, new_experiment
from handlens.train.export.export import export
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.initial_weights import SHIPPED_NETS
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.nets import catalog
from handlens.train.nets.from_onnx import take_onnx_weights

LARGE = 30e6
"""Networks with more parameters need more memory than a small machine has, twice over."""


def made(net: str) -> Experiment:
    """Return the network with random weights and batch norms fitted to noise, so that every layer has a say."""
    torch.manual_seed(0)
    network = catalog.find(net)
    settings = Settings(task=network.task, net=net).changed(defaults_of(net).settings)
    names = [f"label {number}" for number in range(network.classes or 3)]
    experiment = new_experiment(settings, REGIONS if defaults_of(net).kind == "contact" else names)
    for module in experiment.net.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.momentum = None  # the first batch sets mean and deviation
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.2)
    experiment.net.train()
    with torch.no_grad():
        experiment.net(torch.randn(2, experiment.channels, *experiment.card.size))
    experiment.net.eval()
    return experiment


def written(experiment: Experiment, path: Path, dynamo: bool, int8: bool) -> tuple[float, str]:
    """Return the seconds of processor time that an export takes, and why it fails, if so."""
    graph = experiment.graph()
    outputs = TorchRunner(graph, experiment.card).outputs
    begin = time.process_time()
    try:
        export(graph, experiment.card, torch.randn(1, 3, *experiment.card.size), outputs, path, int8, dynamo)
    except HandlensError as error:
        return time.process_time() - begin, str(error)
    return time.process_time() - begin, ""


def milliseconds(paths: Sequence[Path], repeats: int) -> list[float]:
    """Return the least time of one picture for each file; they are asked in turns, as the machine may be busy."""
    runners = [OnnxRunner(path, threads=1) for path in paths]
    batch = torch.randn(1, 3, *runners[0].card.size).numpy()
    least = [float("inf")] * len(runners)
    for _ in range(repeats):
        for place, runner in enumerate(runners):
            begin = time.perf_counter()
            runner.run(batch)
            least[place] = min(least[place], 1e3 * (time.perf_counter() - begin))
    return least


def reads(experiment: Experiment, path: Path) -> dict[str, str]:
    """Return what OpenCV and the reader of weights say of a file, "" where they take it."""
    found = {"opencv": "", "weights": ""}
    try:
        cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        found["opencv"] = str(error).strip().splitlines()[0][:160]
    if str(experiment.about["net"]) in SHIPPED_NETS.values():
        fresh = made(str(experiment.about["net"]))
        graph = TRAINING_KINDS[fresh.card.kind].graph(fresh.net, fresh.card, fresh.about, fresh.channels)
        try:
            take_onnx_weights(fresh.net, graph, path, torch.randn(2, 3, *fresh.card.size))
        except HandlensError as error:
            found["weights"] = str(error)
    return found


def main() -> None:
    """Measure, and print one line for each network and exporter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=[])
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    small = [net for net in catalog.names() if catalog.find(net).parameters < LARGE]
    for net in args.nets or small:
        experiment = made(net)
        with tempfile.TemporaryDirectory() as folder:
            lines, files = [], []
            for dynamo in (False, True):
                path, small_path = Path(folder) / f"{dynamo}.onnx", Path(folder) / f"{dynamo}-8.onnx"
                seconds, failed = written(experiment, path, dynamo, int8=False)
                line: dict[str, Any] = {"net": net, "dynamo": dynamo, "cpu_s": round(seconds, 2), "failed": failed}
                lines.append(line)
                if not failed:
                    files.append(path)
                    line["nodes"] = len(onnx.load(path).graph.node)
                    line["bytes"] = path.stat().st_size
                    line.update(reads(experiment, path))
                    _, line["int8_failed"] = written(experiment, small_path, dynamo, int8=True)
                    line["int8_bytes"] = small_path.stat().st_size
                    line.update({f"int8_{key}": value for key, value in reads(experiment, small_path).items()})
            times = milliseconds(files, args.repeats) if len(files) == 2 else []
            for line, spent in zip_longest(lines, times):
                print(json.dumps({**line, "ms": round(spent, 2) if spent else None}), flush=True)


if __name__ == "__main__":
    main()
