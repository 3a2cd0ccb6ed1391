"""The Runner seam: whatever has a card and turns a batch into named arrays; it must not know frames or tasks."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from handlens.card import ModelCard, read_card
from handlens.errors import ModelError
from handlens.kinds import kind_of
from handlens.offline import import_onnxruntime
from handlens.types import Floats

Outputs = dict[str, Floats]


class Runner(Protocol):
    """Anything that has a card and turns a batch into named arrays: an ONNX file, a live torch net, a fake."""

    @property
    def card(self) -> ModelCard:
        """What the model is and how to ask it."""
        ...

    def run(self, batch: Floats) -> Outputs:
        """Return the canonical arrays of the card's kind. batch: (n, 3, h, w) float32, normalised."""
        ...


class OnnxRunner:
    """A model file, run by onnxruntime on the CPU.

    Attributes:
        outputs: What it answers with, name -> sides, None where a side is free.

    Raises:
        ModelError: the file is missing, is not a model, has no card of ours, or its graph contradicts the card.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ModelError(f"no model file at '{self.path}'; give an .onnx that exists or a shipped name.")
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(2, _cores())  # small nets gain nothing from a third
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # plans a block for every shape of input: 10 MB of touch, and no time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # two models would fight for the cores
        options.log_severity_level = 4  # what goes wrong is raised; nothing else belongs on the user's stderr
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for each way to fail, none public
            raise ModelError(f"'{self.path}' is not a model that onnxruntime can load: {_first_line(error)}") from error
        try:
            self.card = read_card(self._session)
            self._input, self.outputs = _ports(self._session, self.card)
            self._single = self._session.get_inputs()[0].shape[0] == 1  # a file with fixed sides, or another project's
        except ModelError as error:
            raise ModelError(f"'{self.path}': {error}") from error

    def run(self, batch: Floats) -> Outputs:
        """Return the named arrays for a batch (n, 3, h, w) float32.

        Raises:
            ModelError: the graph does not accept the batch.
        """
        if self._single and len(batch) > 1:
            rows = [self.run(batch[place : place + 1]) for place in range(len(batch))]
            return {name: np.concatenate([row[name] for row in rows]) for name in self.outputs}
        try:
            arrays = self._session.run(list(self.outputs), {self._input: batch})
        except Exception as error:  # as above
            raise ModelError(f"'{self.path}' failed on a batch of shape {batch.shape}: {_first_line(error)}") from error
        return dict(zip(self.outputs, arrays, strict=True))


class FakeRunner:
    """A model whose answers are known: a card and fixed outputs, or a function from the batch to the outputs.

    Tests ask it, and so does whoever holds what comes after a model against something else.
    """

    def __init__(
        self, card: ModelCard, outputs: Mapping[str, Floats] | Callable[[Floats], Mapping[str, Floats]]
    ) -> None:
        self.card = card
        self._outputs = outputs

    def run(self, batch: Floats) -> Outputs:
        """Return the outputs it was made with."""
        return dict(self._outputs(batch) if callable(self._outputs) else self._outputs)


def _ports(session: Any, card: ModelCard) -> tuple[str, dict[str, tuple[int | None, ...]]]:
    """Return the input's name and the outputs with their sides, or raise ModelError: the graph contradicts the card."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
        got = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise ModelError(f"the graph needs one input of float32 (n, 3, h, w), but has {got or 'none'}.")
    fixed = [
        (want, got) for want, got in zip((3, *card.size), inputs[0].shape[1:], strict=True) if isinstance(got, int)
    ]
    if card.resize != "fit" and any(want != got for want, got in fixed):
        raise ModelError(f"the card says size {card.size}, but the graph's input is {inputs[0].shape}.")
    outputs = {
        str(output.name): tuple(side if isinstance(side, int) else None for side in output.shape)
        for output in session.get_outputs()
    }
    missing = [name for name in kind_of(card).outputs if name not in outputs]
    if missing:
        raise ModelError(
            f"a model of kind '{card.kind}' needs the output '{missing[0]}', but has {', '.join(outputs)}."
        )
    return str(inputs[0].name), outputs


def _cores() -> int:
    """Return the number of CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
