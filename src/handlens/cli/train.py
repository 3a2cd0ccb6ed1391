"""The verb `train`: a labelled set -> a run with curves, the best checkpoint, the exported model and its report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from handlens.cli.errors import NEEDED, need_training
from handlens.errors import InputError

Number = int | None
Fraction = float | None


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="touch, hold, gesture or segment.")],
    data: Annotated[
        str | None, typer.Option("--data", metavar="PATH", help="A labelled set: folder, yaml, json, list, npz.")
    ] = None,
    net: Annotated[
        str | None, typer.Option("--net", metavar="NAME|FILE.cfg", help="The network; 'handlens models' lists them.")
    ] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE.toml", help="Settings from a file.")] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="RUN", help="Folder of the run (runs/TASK-NET).")] = None,
    epochs: Annotated[Number, typer.Option(min=1, metavar="N", help="Passes over the training part.")] = None,
    minutes: Annotated[Fraction, typer.Option(metavar="M", help="End earlier, the rate annealed by then.")] = None,
    batch: Annotated[Number, typer.Option(min=1, metavar="N", help="Pictures a step.")] = None,
    size: Annotated[Number, typer.Option(min=16, metavar="PX", help="Side of the network's input.")] = None,
    rate: Annotated[Fraction, typer.Option(metavar="R", help="Learning rate.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--start", metavar="FILE", help="Begin with these weights: .weights, .pt, .safetensors, a RUN, 'segment'."
        ),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option("--pretrained", metavar="imagenet|FILE", help="Weights for the encoder of vgg or deeplabv3plus."),
    ] = None,
    no_pretrained: Annotated[
        bool, typer.Option("--no-pretrained", help="Let that encoder begin by chance, and learn.")
    ] = False,
    margin: Annotated[
        str | None, typer.Option(metavar="NAME", help="Margin of a backbone: softmax, arcface, cosface ...")
    ] = None,
    patience: Annotated[Number, typer.Option(min=0, metavar="N", help="End after N epochs without progress.")] = None,
    precision: Annotated[str | None, typer.Option(metavar="auto|32|bf16", help="auto takes the faster one.")] = None,
    device: Annotated[str | None, typer.Option(metavar="auto|cpu|gpu|mps", help="Where to train.")] = None,
    devices: Annotated[Number, typer.Option(min=1, metavar="N", help="How many of them.")] = None,
    nodes: Annotated[Number, typer.Option(min=1, metavar="N", help="How many machines.")] = None,
    workers: Annotated[Number, typer.Option(min=0, metavar="N", help="Processes that make samples.")] = None,
    seed: Annotated[Number, typer.Option(metavar="N", help="Seed of everything that is drawn.")] = None,
    set: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, e.g. look.mosaic=0.5.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew although RUN holds a run.")] = False,
    few: Annotated[
        bool | None,
        typer.Option(
            "--few/--no-few", help="Gestures from few pictures, on a shipped model; by itself where they are few."
        ),
    ] = None,
) -> None:
    """Train a network on your own pictures; a run that was stopped goes on where it was.

    touch finds boxes, segment finds masks. hold and gesture tell hands apart, on crops or silhouettes; gestures with a
    handful of pictures each are learned in under a minute, on what a shipped model sees.
    """
    may_be_few = task.lower() == "gesture" and few is not False
    need_training("training", ("onnx",) if may_be_few else NEEDED)  # a head on a shipped model needs no torch
    from handlens.train.config import merged, parse_set

    if pretrained is not None and no_pretrained:
        raise InputError("--pretrained and --no-pretrained contradict each other: give one of them.")
    flags: dict[str, Any] = {
        "data": data, "net": net, "epochs": epochs, "minutes": minutes, "batch": batch, "size": size, "rate": rate,
        "start": start, "pretrained": "none" if no_pretrained else pretrained, "margin": margin, "patience": patience,
        "precision": precision, "device": device,
        "devices": devices, "nodes": nodes, "workers": workers, "seed": seed,
    }  # fmt: skip
    given = {key: value for key, value in flags.items() if value is not None}
    for text in set or ():
        given = merged(given, parse_set(text))
    places = Path(config) if config else None, Path(out) if out else None
    if _learned_from_few(task.lower(), given, *places, few, fresh):
        return
    need_training("training")
    from handlens.train.run import train_run

    train_run(task.lower(), given, *places, fresh)


def _learned_from_few(
    task: str, given: dict[str, Any], config: Path | None, out: Path | None, few: bool | None, fresh: bool
) -> bool:
    """Learn a small head where that is asked for, or where there are few pictures; return whether it was so."""
    from handlens.cli.console import Bar
    from handlens.train.fewshot.run import few_settings

    with Bar() as bar:

        def say(text: str) -> None:
            bar.console.print(text, markup=False, soft_wrap=True)

        chosen = few_settings(task, given, config, out, few, say)
        if chosen is not None:
            from handlens.train.fewshot.run import few_run

            few_run(*chosen, out, bar, say, fresh)
    return chosen is not None
