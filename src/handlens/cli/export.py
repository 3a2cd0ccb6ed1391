"""The verb `export`: a run, a checkpoint or weights trained elsewhere -> an .onnx that carries its card."""

from pathlib import Path
from typing import Annotated

import typer

from handlens.cli.errors import need_training
from handlens.errors import InputError
from handlens.weights import shipped

_COMBINED = "combined"
_PART = "NAME|FILE|RUN"


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|CHECKPOINT|WEIGHTS|ONNX|combined",
            help="A run, its .ckpt, or .weights, .pt, .safetensors, or another project's .onnx.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The .onnx, or for YOLOv3 the .weights, to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Store big kernels in 8 bits: a quarter of the size.")] = False,
    static: Annotated[
        bool, typer.Option("--static", help="Fix the size of the input and the batch, for readers that need it.")
    ] = False,
    net: Annotated[str, typer.Option("--net", metavar="NAME|FILE.cfg", help="What weights alone belong to.")] = "",
    names: Annotated[str, typer.Option("--names", metavar="A,B|FILE", help="The labels of weights alone.")] = "",
    size: Annotated[
        int, typer.Option("--size", min=0, max=4096, metavar="PX", help="Side of the input of weights alone.")
    ] = 0,
    head: Annotated[
        str,
        typer.Option("--head", metavar="NAME", help="How another project's .onnx answers: yolov5, yolov8, nms."),
    ] = "",
    segment: Annotated[
        str, typer.Option("--segment", metavar=_PART, help="The part of combined that marks hands.")
    ] = "",
    gesture: Annotated[
        str, typer.Option("--gesture", metavar=_PART, help="The part of combined that reads them.")
    ] = "",
) -> None:
    """Write a trained network as an .onnx file; refused if its answers differ from torch.

    Weights trained elsewhere come along: Darknet's .weights with --net FILE.cfg and --names FILE.names, and YOLOv5 of
    release 5.0 as plain tensors with --net yolov5m. Another project's detector as .onnx gets a card with --names. With
    --out FILE.weights a YOLOv3 goes back to Darknet. A shipped model, or one of our .onnx files, gets fixed sides with
    --static.

    "combined" writes a mask model and a gesture model as one file: from a picture to the sign of each hand.
    """
    ending = Path(out).suffix.lower()
    if run.lower() == _COMBINED and not Path(run).exists():
        _join(
            segment, gesture, out, {"--int8": int8, "--static": static, "--net": net, "--names": names, "--size": size}
        )
        return
    if segment or gesture:
        raise InputError(
            f"--segment and --gesture name the parts of one file of both: type handlens export {_COMBINED} --out {out}."
        )
    if ending not in (".onnx", ".weights"):
        raise InputError(f"--out must end in .onnx (or, for YOLOv3, in .weights), not '{out}'.")
    if ending == ".weights" and (int8 or static):
        raise InputError(f"{'--int8' if int8 else '--static'} is for .onnx files, not for Darknet's .weights.")
    source = Path(run)
    ships = run.lower() in shipped() and not source.exists()
    if static and (ships or source.suffix.lower() == ".onnx"):
        _fix_sides(run, Path(out), {"--int8": int8, "--net": net, "--names": names, "--head": head, "--size": size})
        return
    if ships:
        raise InputError(f"'{run}' is a shipped model, an .onnx file already: add --static to give it fixed sides.")
    if source.suffix.lower() == ".onnx":
        _add_card(source, Path(out), names, head, size, {"--int8": int8, "--static": static, "--net": net})
        return
    if head:
        raise InputError("--head is for the .onnx file of another project: leave it out.")
    need_training("exporting")
    from handlens.train.foreign import is_foreign, open_foreign, write_darknet
    from handlens.train.run import export_experiment, open_experiment

    experiment = open_foreign(source, net, names, size) if is_foreign(source) else open_experiment(source)
    for remark in getattr(experiment.net, "remarks", ()):
        typer.echo(f"{net or run}: {remark}", err=True)
    path = (
        write_darknet(experiment, Path(out))
        if ending == ".weights"
        else export_experiment(experiment, Path(out), int8, static)
    )
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


def _fix_sides(model: str, out: Path, others: dict[str, object]) -> None:
    """Write a model file again with fixed sides."""
    for flag, value in others.items():
        if value:
            raise InputError(f"{flag} and --static of a model file do not go together: leave one out.")
    need_training("exporting", ("onnx",))
    from handlens.train.export.fixed_onnx import export_fixed
    from handlens.weights import resolve

    path = export_fixed(resolve(model), out)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


def _add_card(source: Path, out: Path, names: str, head: str, size: int, others: dict[str, object]) -> None:
    """Write another project's detector with a card."""
    for flag, value in others.items():
        if value:
            raise InputError(f"{flag} is not for an .onnx file, whose network stays as it is: leave it out.")
    if out.suffix.lower() != ".onnx":
        raise InputError(f"--out must end in .onnx, not '{out}'.")
    if out.resolve() == source.resolve():
        raise InputError(f"--out '{out}' is the file that is read: give another name.")
    need_training("exporting", ("onnx",))
    from handlens.data.formats.text_files import read_labels
    from handlens.train.export.foreign_onnx import export_foreign

    path = export_foreign(source, out, read_labels(names), head.lower(), size)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")


def _join(segment: str, gesture: str, out: str, others: dict[str, object]) -> None:
    """Write both parts as one file; those that are not named are the shipped ones."""
    for flag, value in others.items():
        if value:
            raise InputError(f"{flag} is not for '{_COMBINED}': its parts are files already, and stay as they are.")
    if Path(out).suffix.lower() != ".onnx":
        raise InputError(f"--out must end in .onnx, not '{out}'.")
    need_training("exporting", ("onnx",))
    from handlens.train.export.combined import export_combined, part_file
    from handlens.weights import COMPOSED

    shipped = COMPOSED[_COMBINED]
    parts = part_file(segment or shipped["segment"]), part_file(gesture or shipped["gesture"])
    path = export_combined(*parts, Path(out))
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB), of {parts[0]} and {parts[1]}")
