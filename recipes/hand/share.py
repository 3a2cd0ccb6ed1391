"""Several .onnx files of one net that share their kernels in one file; it must not know what the net is for.

It is ONNX's own way of external data: each file is a model by itself, with its own card, and all read the kernels from
the same place. The files together are as large as one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import helper, numpy_helper
from onnx.external_data_helper import set_external_data

from handlens.card import KEY, ModelCard
from handlens.runner import OnnxRunner

LEAST = 256
"""Tensors of fewer bytes stay where they are."""


def view_of(model: onnx.ModelProto, outputs: Mapping[str, str], card: ModelCard) -> onnx.ModelProto:
    """Return the part of a graph that gives some outputs.

    Args:
        outputs: names in the graph -> names in the view.
        card: of the view.
    """
    graph = model.graph
    needed, nodes = set(outputs), []
    for node in reversed(graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    renamed = {old: new for old, new in outputs.items() if old != new}
    view = onnx.ModelProto()
    view.CopyFrom(model)
    del view.graph.node[:], view.graph.initializer[:], view.graph.output[:], view.graph.value_info[:]
    view.graph.node.extend(reversed(nodes))
    for node in view.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    view.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in needed)
    for value in graph.output:
        if value.name in outputs:
            kept = view.graph.output.add()
            kept.CopyFrom(value)
            kept.name = outputs[value.name]
    helper.set_model_props(view, {KEY: card.to_json()})
    onnx.checker.check_model(view)
    return view


def write_shared(models: Mapping[str, onnx.ModelProto], folder: Path, name: str) -> list[Path]:
    """Write each model as NAME.onnx with its large tensors in one file `name`; return the files, that one last.

    Raises:
        ModelError: a file cannot be read again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places: dict[bytes, int] = {}
    data = bytearray()
    files = []
    for stem, model in models.items():
        for tensor in model.graph.initializer:
            whole = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
            raw = bytes(whole.raw_data)
            if len(raw) < LEAST:
                continue
            tensor.CopyFrom(whole)
            if raw not in places:
                data.extend(b"\0" * (-len(data) % 64))  # where a mapped tensor may begin
                places[raw] = len(data)
                data.extend(raw)
            set_external_data(tensor, location=name, offset=places[raw], length=len(raw))
            tensor.ClearField("raw_data")
        path = folder / f"{stem}.onnx"
        path.write_bytes(model.SerializeToString())
        files.append(path)
    (folder / name).write_bytes(bytes(data))
    for path in files:
        OnnxRunner(path)
    return [*files, folder / name]


def put(files: Sequence[Path], package: Path) -> None:
    """Copy files into the package's folder, with their sha256; those of models under their stems."""
    table = package / "sha256.json"
    sums = json.loads(table.read_text("utf-8")) if table.exists() else {}
    for file in files:
        shutil.copyfile(file, package / file.name)
        sums[file.stem if file.suffix == ".onnx" else file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    table.write_text(json.dumps(sums, indent=1, sort_keys=True) + "\n", "utf-8")
