"""The verb `models`: which models and networks there are, and what one is; it must not run them on pictures."""

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.errors import HandlensError, InputError, ModelError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handlens.card import ModelCard


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="A model, to read its card, or a network.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, metavar="N", help="For a network: how many classes.")] = None,
    fused: Annotated[bool, typer.Option("--fused", help="For a network: batch norm folded in.")] = False,
    cfg: Annotated[
        str, typer.Option("--cfg", metavar="FILE.cfg", help="For a YOLOv3: write its .cfg, as Darknet reads it.")
    ] = "",
) -> None:
    """List the models and networks, or show what one of them is."""
    from handlens.train.nets import catalog

    if cfg:
        _write_cfg(name or "", classes or 80, Path(cfg))
    elif name is None:
        _list()
    elif _is_network(name, sized=classes is not None or fused):
        _layers(name, classes, fused)
    elif classes is not None or fused:
        near = unknown("network", name, catalog.names())
        raise InputError(f"--classes and --fused belong to networks; leave them out to see a card; {near}")
    else:
        _show(name)


def _write_cfg(name: str, classes: int, path: Path) -> None:
    """Write the standard .cfg of a YOLOv3, which must not be there yet."""
    from handlens.io.atomic import AtomicFile
    from handlens.train.nets.darknet.cfg import standard_cfg

    if not name:
        raise InputError("--cfg needs the name of a network: type 'handlens models yolov3-tiny --cfg FILE.cfg'.")
    text = standard_cfg(name.lower(), classes)
    if path.suffix.lower() != ".cfg":
        raise InputError(f"--cfg must end in .cfg, not '{path}'.")
    if path.exists():
        raise InputError(f"'{path}' exists: give another name, or remove it.")
    with AtomicFile(path) as draft:
        draft.write(text.encode())
    print(f"{path}: {name.lower()}, {_classes(classes)}; train it with --net {quote(str(path))}")


def _is_network(name: str, sized: bool) -> bool:
    """Whether a name means a network. sized: an option was given that only networks have.

    Without such an option, a shipped model goes before a network that once had the same name.
    """
    from handlens.train.nets import catalog
    from handlens.weights import shipped

    known = name.lower()
    return known in catalog.names() or (known in catalog.OLD_NAMES and (sized or known not in shipped()))


def _list() -> None:
    from handlens.train.nets import catalog
    from handlens.weights import COMPOSED, SHIPPED, cache_dir, cached, parts_of, shipped

    for title, folder, names in (
        ("shipped with the package", SHIPPED, shipped()),
        (f"cached in {cache_dir()}", cache_dir(), cached()),
    ):
        print(f"{title}:{'' if names else ' none'}")
        for name in names:
            print(f"  {name:<12} {_line(folder / f'{name}.onnx')}")
    print("put together from these:")
    for name in filter(parts_of, COMPOSED):
        print(f"  {name:<12} {_made_of(name)}")
    print("networks that can be trained:")
    for network in map(catalog.find, catalog.names()):
        size = f"{network.parameters:>11,} parameters, {_classes(network.classes):<12}"
        print(f"  {network.name:<15}{size}  {network.task}: {network.family}")


def _classes(number: int | None) -> str:
    return "an embedding" if number is None else f"{number} class{'' if number == 1 else 'es'}"


def _layers(name: str, classes: int | None, fused: bool) -> None:
    """Return the layer table of a network."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from handlens.train.nets import catalog

    network, rows = catalog.find(name), catalog.layer_table(name, classes, fused)
    number = network.classes if classes is None else classes
    title = [network.name, _classes(number), *(["fused"] if fused else [])]
    table = Table(title=", ".join(title), box=box.SIMPLE, show_footer=True, title_justify="left")
    table.add_column("#", "total")
    table.add_column("layer")
    table.add_column("")
    table.add_column("parameters", f"{sum(row.parameters for row in rows):,}", justify="right")
    for row in rows:
        table.add_row(row.place, row.layer, row.detail, f"{row.parameters:,}" if row.parameters else "-")
    console = Console(highlight=False, markup=False)
    console.print(table)
    frozen = sum(row.frozen for row in rows)
    if frozen:
        console.print(f"  of these {frozen:,} frozen")


def _line(path: Path) -> str:
    """One line on a model: size, task and version, or why it cannot be used."""
    size = f"{path.stat().st_size / 1e6:.2f} MB"
    try:
        card = _card(path)
    except ModelError as error:
        return f"{size}  broken: {error}"
    return f"{size}  version {card.version}  task {card.task}: {', '.join(card.names)}"


def _made_of(name: str) -> str:
    """One line on a model without a file of its own, or why it cannot be used."""
    from handlens.predictor import load
    from handlens.weights import parts_of, resolve

    names = " + ".join(parts_of(name).values())
    try:
        size = sum(resolve(part).stat().st_size for part in parts_of(name).values()) / 1e6
        card = load(name).card
    except HandlensError as error:
        return f"{names}: {error}"
    return f"{names}, {size:.2f} MB  task {card.task}: {', '.join(card.names)}"


def _card(path: Path) -> "ModelCard":
    from handlens.runner import OnnxRunner

    return OnnxRunner(path).card


def _show(name: str) -> None:
    import dataclasses

    from handlens.predictor import load
    from handlens.runner import OnnxRunner
    from handlens.weights import parts_of, resolve

    made_of = parts_of(name)
    if made_of:
        card, outputs = load(name).card, {}
    else:
        model = OnnxRunner(resolve(name))
        card, outputs = model.card, model.outputs
    for file in map(resolve, made_of.values() or [name]):
        print(f"{'file':<12} {file} ({file.stat().st_size / 1e6:.2f} MB)")
    if card.kind in _SEES:
        print(f"{'sees':<12} {_SEES[card.kind](card, made_of)}")
    if outputs:
        print(f"{'answers':<12} {', '.join(_answer(name, sides) for name, sides in outputs.items())}")
    for field in dataclasses.fields(card):
        print(f"{field.name:<12} {_field_text(field.name, getattr(card, field.name))}")


def _hands(card: "ModelCard", made_of: "Mapping[str, str]") -> str:
    """Return what a combined model looks at."""
    if made_of:
        return f"each hand that '{made_of['segment']}' marks, shown to '{made_of['gesture']}' without its forearm"
    return "the hands that its own mask marks, without their forearms"


def _view(card: "ModelCard", made_of: "Mapping[str, str]") -> str:
    """Return what a model that judges one hand is shown."""
    if card.options.get("silhouette"):
        return "the one white shape of a silhouette; a blank one has no hand"
    if card.options.get("grey"):
        return "the whole silhouette; a blank one has no hand"
    if card.options.get("whole") or "detector" not in card.parts:
        return "the whole picture" if card.options.get("whole") else "the whole picture (--crop whole)"
    close = ", and close-ups of one" if card.options.get("closeup") else ""
    return f"each hand that '{card.parts['detector']}' finds{close}, or the whole picture (--crop whole)"


_SEES: "dict[str, Callable[[ModelCard, Mapping[str, str]], str]]" = {"classify": _view, "combined": _hands}
"""Kind -> what says in a line what its models look at, where the other lines do not say it."""


def _answer(name: str, sides: "tuple[int | None, ...]") -> str:
    """Return an output with its sides but the first, which counts pictures."""
    shape = " x ".join("n" if side is None else str(side) for side in sides[1:])
    return f"{name} ({shape})" if shape else name


def _field_text(name: str, value: object) -> str:
    """Return the value of a card's field in a line."""
    if isinstance(value, dict):
        value = ", ".join(f"{key} {_number(number)}" for key, number in value.items())
    elif isinstance(value, tuple):
        value = (" x " if name == "size" else ", ").join(map(str, value))
    return str(value) if value != "" else "-"


def _number(value: float | str) -> str:
    integral = not isinstance(value, str) and abs(value) >= 1 and float(value).is_integer()
    return f"{int(value):,}" if integral else str(value)
