"""A model file whose sides are free -> the same with fixed ones, for readers that need them; it needs no torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from handlens.errors import InputError, ModelError
from handlens.offline import import_onnxruntime
from handlens.runner import OnnxRunner
from handlens.train.export.onnx_file import write_checked

TOLERANCE = 1e-3


def export_fixed(source: Path, out: Path) -> Path:
    """Write one of our models again, for one picture of its card's size at a time.

    What was computed from the sides of the input, as the size of a pad, is then a number in the file. A card that says
    "fit" says "letterbox".

    Args:
        source: An .onnx with a card.
        out: The .onnx to write.

    Raises:
        InputError: `out` is `source`.
        ModelError: no model of ours, or the file would answer otherwise.
        OutputError: the file cannot be written.
    """
    if out.resolve() == source.resolve():
        raise InputError(f"--out '{out}' is the file that is read: give another name.")
    free = OnnxRunner(source)
    card = dataclasses.replace(free.card, resize="letterbox" if free.card.resize == "fit" else free.card.resize)
    shape = (1, 3, *card.size)
    picture = np.random.default_rng(0).random(shape, np.float32)

    def check(fixed: OnnxRunner) -> None:
        for batch in (picture, np.ascontiguousarray(picture[..., ::-1])):
            truth, answer = free.run(batch), fixed.run(batch)
            for name, array in truth.items():
                scale = max(1.0, float(np.abs(array).max(initial=0.0)))
                if answer[name].shape != array.shape or not np.abs(answer[name] - array).max(initial=0.0) <= (
                    TOLERANCE * scale
                ):
                    raise ModelError(f"with fixed sides '{source}' answers otherwise in '{name}'; nothing was written.")

    return write_checked(_folded(source, shape), card, out, check)


def _folded(source: Path, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Return the graph with its input of this shape, and with what follows from the shape as numbers."""
    onnxruntime = import_onnxruntime()
    model = onnx.load(source)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # standard operators only
    options.log_severity_level = 4
    for side, wanted in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
        if side.dim_param:
            options.add_free_dimension_override_by_name(side.dim_param, wanted)
        elif side.dim_value != wanted:
            raise InputError(
                f"the input of '{source}' has fixed sides already, and no picture of the card's size fits."
            )
    with TemporaryDirectory() as scratch:
        options.optimized_model_filepath = str(Path(scratch) / "fixed.onnx")
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)
