"""An ONNX model with its card inside as a file, compared before it appears; it needs no torch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import onnx
from onnx import helper

from handlens.card import KEY, ModelCard
from handlens.io.atomic import output_error
from handlens.runner import OnnxRunner


def write_checked(model: onnx.ModelProto, card: ModelCard, path: Path, check: Callable[[OnnxRunner], None]) -> Path:
    """Write `model` with `card` inside to `path`; `check` is given the written file and raises to refuse it.

    Raises:
        OutputError: the file cannot be written.
    """
    helper.set_model_props(model, {KEY: card.to_json()})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(model.SerializeToString())
        check(OnnxRunner(temporary))
        temporary.replace(path)
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):  # where it could not be written, there is nothing to remove
            temporary.unlink()
    return path
