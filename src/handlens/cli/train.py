"""The verb `train`: a labelled set -> a run with curves, the best checkpoint, the exported model and its report."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from handlens.cli.errors import NEEDED, need_training
from handlens.errors import InputError

if TYPE_CHECKING:
    from handlens.train.opened import OpenedSets

Number = int | None
Fraction = float | None
SETTINGS = (
    "data", "net", "epochs", "minutes", "batch", "size", "rate", "start", "pretrained", "margin", "patience",
    "precision", "device", "devices", "nodes", "workers", "seed",
)  # fmt: skip
"""Settings that have flags of their own."""


_LIGHT = ("onnx",)
"""What a head on a shipped model needs: no torch."""


class TrainCommand(TyperCommand):
    """The verb, whose flags for settings say what the settings say of themselves."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the arguments and options, those of settings with their help."""
        from handlens.train.config import help_of

        for parameter in self.params:
            if parameter.name in SETTINGS and getattr(parameter, "help", "") is None:
                parameter.help = help_of(parameter.name)  # type: ignore[attr-defined]
        return super().get_params(ctx)


def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="touch, hold, gesture or segment.")],
    data: Annotated[str | None, typer.Option("--data", metavar="PATH")] = None,
    net: Annotated[str | None, typer.Option("--net", metavar="NAME|FILE.cfg")] = None,
    config: Annotated[str | None, typer.Option("--config", metavar="FILE.toml", help="Settings from a file.")] = None,
    out: Annotated[str | None, typer.Option("--out", metavar="RUN", help="Folder of the run (runs/TASK-NET).")] = None,
    epochs: Annotated[Number, typer.Option(min=1, metavar="N")] = None,
    minutes: Annotated[Fraction, typer.Option(metavar="M")] = None,
    batch: Annotated[Number, typer.Option(min=1, metavar="N")] = None,
    size: Annotated[Number, typer.Option(min=16, metavar="PX")] = None,
    rate: Annotated[Fraction, typer.Option(metavar="R")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="FILE|NAME|none")] = None,
    pretrained: Annotated[str | None, typer.Option("--pretrained", metavar="imagenet|FILE")] = None,
    no_pretrained: Annotated[
        bool, typer.Option("--no-pretrained", help="Begin that encoder with random weights.")
    ] = False,
    margin: Annotated[str | None, typer.Option(metavar="NAME")] = None,
    patience: Annotated[Number, typer.Option(min=0, metavar="N")] = None,
    precision: Annotated[str | None, typer.Option(metavar="auto|32|bf16")] = None,
    device: Annotated[str | None, typer.Option(metavar="auto|cpu|gpu|mps")] = None,
    devices: Annotated[Number, typer.Option(min=1, metavar="N")] = None,
    nodes: Annotated[Number, typer.Option(min=1, metavar="N")] = None,
    workers: Annotated[Number, typer.Option(min=0, metavar="N")] = None,
    seed: Annotated[Number, typer.Option(metavar="N")] = None,
    set: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, e.g. augment.mosaic=0.5."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over although RUN holds a run.")] = False,
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
    need_training("training", _LIGHT if task.lower() == "gesture" and few is not False else NEEDED)
    if pretrained is not None and no_pretrained:
        raise InputError("--pretrained and --no-pretrained contradict each other: give one of them.")
    flags: dict[str, Any] = {
        "data": data, "net": net, "epochs": epochs, "minutes": minutes, "batch": batch, "size": size, "rate": rate,
        "start": start, "pretrained": "none" if no_pretrained else pretrained, "margin": margin, "patience": patience,
        "precision": precision, "device": device, "devices": devices, "nodes": nodes, "workers": workers, "seed": seed,
    }  # fmt: skip
    from handlens.train.opened import OpenedSets

    given = _given(flags, set or ())
    config_and_out = Path(config) if config else None, Path(out) if out else None
    opened = OpenedSets()
    if _learned_from_few(task.lower(), given, *config_and_out, few, fresh, opened):
        return
    need_training("training")
    from handlens.train.run import train_run

    train_run(task.lower(), given, *config_and_out, fresh, opened)


def _given(flags: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """Return the settings that were given: flags first, then what --set says."""
    from handlens.train.config import merged, parse_set

    given = {key: value for key, value in flags.items() if value is not None}
    for text in texts:
        given = merged(given, parse_set(text))
    return given


def _learned_from_few(
    task: str,
    given: dict[str, Any],
    config: Path | None,
    out: Path | None,
    few: bool | None,
    fresh: bool,
    opened: "OpenedSets",
) -> bool:
    """Learn a small head where that is asked for, or where there are few pictures; return whether it was so."""
    from handlens.cli.console import Bar
    from handlens.train.fewshot.run import few_settings

    with Bar() as bar:

        def say(text: str) -> None:
            bar.console.print(text, markup=False, soft_wrap=True)

        chosen = few_settings(task, given, config, out, few, say, opened)
        if chosen is not None:
            from handlens.train.fewshot.run import few_run

            few_run(*chosen, out, bar, say, fresh)
    return chosen is not None
