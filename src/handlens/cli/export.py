"""The verb `export`: a run or a checkpoint -> an .onnx that carries its card."""

from pathlib import Path
from typing import Annotated

import typer

from handlens.cli.extra import need_training
from handlens.errors import InputError


def export(
    run: Annotated[str, typer.Argument(metavar="RUN|CHECKPOINT", help="The folder of a run, or a .ckpt of it.")],
    out: Annotated[str, typer.Option("--out", metavar="FILE.onnx", help="The model to write.")],
    int8: Annotated[bool, typer.Option("--int8", help="Store big kernels in 8 bits: a quarter of the size.")] = False,
) -> None:
    """Write a trained network as an .onnx file; refused if its answers differ from torch."""
    if not out.lower().endswith(".onnx"):
        raise InputError(f"--out must end in .onnx, not '{out}'.")
    need_training("exporting")
    from handlens.train.runs import export_course, open_course

    path = export_course(open_course(Path(run)), Path(out), int8)
    print(f"{path} ({path.stat().st_size / 1e6:.2f} MB)")
