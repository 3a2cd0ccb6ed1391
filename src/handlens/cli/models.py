"""The verb `models`: which models there are, and what one of them says of itself; it must not run them on pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.errors import InputError, ModelError, NotYet

if TYPE_CHECKING:
    from handlens.card import ModelCard

NETWORKS = (
    *("yolov3", "yolov3-spp", "yolov3-tiny", "yolov5n", "yolov5s", "yolov5m", "yolov5l", "yolov5x", "nano"),
    *("mobileface", "res50", "res50_ir", "seres50_ir", "res100_ir", "seres100_ir", "attention_56", "attention_92"),
    *("digits6", "gestures20", "snet", "vgg", "unet", "deeplabv3plus"),
)
"""Networks that can be trained one day (CONTRACT.md); none of them exists yet."""


def models(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE]", help="One model, to read its card.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, metavar="N", help="For a network: how many classes.")] = None,
    fused: Annotated[bool, typer.Option("--fused", help="For a network: batch norm folded in.")] = False,
) -> None:
    """List the models, or show what one of them is."""
    if name is None:
        _list()
    elif name.lower() in NETWORKS:
        raise NotYet(
            f"the network '{name.lower()}' does not exist yet: networks come with training in a later release."
        )
    elif classes is not None or fused:
        raise InputError("--classes and --fused belong to networks, and none exists yet; leave them out to see a card.")
    else:
        _show(name)


def _list() -> None:
    from handlens.weights import SHIPPED, cache_dir, cached, shipped

    for title, folder, names in (
        ("shipped with the package", SHIPPED, shipped()),
        (f"cached in {cache_dir()}", cache_dir(), cached()),
    ):
        print(f"{title}:{'' if names else ' none'}")
        for name in names:
            print(f"  {name:<12} {_line(folder / f'{name}.onnx')}")
    print("networks that can be trained: none yet")


def _line(path: Path) -> str:
    """One line on a model: size, task and version, or why it cannot be used."""
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    try:
        card = _card(path)
    except ModelError as error:
        return f"{size}  broken: {error}"
    return f"{size}  version {card.version}  task {card.task}: {', '.join(card.names)}"


def _card(path: Path) -> "ModelCard":
    from handlens.runner import OnnxRunner

    return OnnxRunner(path).card


def _show(name: str) -> None:
    import dataclasses

    from handlens.weights import resolve

    path = resolve(name)
    card = _card(path)
    print(f"{'file':<12} {path} ({path.stat().st_size / 1e6:.2f} MB)")
    for field in dataclasses.fields(card):
        value = getattr(card, field.name)
        if isinstance(value, dict):
            value = ", ".join(f"{key} {told}" for key, told in value.items())
        elif isinstance(value, tuple):
            value = (" x " if field.name == "size" else ", ").join(map(str, value))
        print(f"{field.name:<12} {value if value != '' else '-'}")
