"""The verb `export`: a run, a checkpoint or weights trained elsewhere -> an .onnx that carries its card."""

from pathlib import Path
from typing import Annotated

import typer

from handlens.cli.extra import need_training
from handlens.errors import InputError


def export(
    run: Annotated[
        str, typer.Argument(metavar="RUN|CHECKPOINT|WEIGHTS", help="A run, its .ckpt, or .weights, .pt, .safetensors.")
    ],
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="The .onnx, or for YOLOv3 the .weights, to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Store big kernels in 8 bits: a quarter of the size.")] = False,
    net: Annotated[str, typer.Option("--net", metavar="NAME|FILE.cfg", help="What weights alone belong to.")] = "",
    names: Annotated[str, typer.Option("--names", metavar="A,B|FILE", help="The labels of weights alone.")] = "",
    size: Annotated[int, typer.Option("--size", min=0, metavar="PX", help="Side of the input of weights alone.")] = 0,
) -> None:
    """Write a trained network as an .onnx file; refused if its answers differ from torch.

    Weights trained elsewhere come along: Darknet's .weights with --net FILE.cfg and --names FILE.names, and YOLOv5 of
    release 5.0 as plain tensors with --net yolov5m. With --out FILE.weights a YOLOv3 goes back to Darknet.
    """
    ending = Path(out).suffix.lower()
    if ending not in (".onnx", ".weights"):
        raise InputError(f"--out must end in .onnx (or, for YOLOv3, in .weights), not '{out}'.")
    if ending == ".weights" and int8:
        raise InputError("--int8 is for .onnx files: Darknet's .weights have no 8 bits.")
    need_training("exporting")
    from handlens.train.foreign import is_foreign, open_foreign, write_darknet
    from handlens.train.runs import export_course, open_course

    source = Path(run)
    course = open_foreign(source, net, names, size) if is_foreign(source) else open_course(source)
    path = write_darknet(course, Path(out)) if ending == ".weights" else export_course(course, Path(out), int8)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")
