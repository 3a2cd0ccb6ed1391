"""A mask model's file and a gesture model's -> one .onnx of both with the crop between them; it needs no torch.

The file is refused where it answers otherwise than its parts, asked one after the other, do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, inliner, numpy_helper, version_converter
from onnxscript import OnnxFunction

from handlens.card import ModelCard
from handlens.errors import InputError, ModelError
from handlens.kinds.combined import HAND, PART, SURE
from handlens.offline import import_onnxruntime
from handlens.preprocess import normalisation
from handlens.runner import FakeRunner, OnnxRunner
from handlens.tasks.combined import Composed
from handlens.train.export.crop_graph import (
    OPSET,
    crop_hands,
    crop_inputs,
    place_boxes,
    show_views,
    take_hands,
    take_masks,
)
from handlens.train.export.onnx_file import write_checked
from handlens.types import Floats
from handlens.weights import resolve

TOLERANCE = 1e-3


def check_pictures(written: OnnxRunner, composed: Composed) -> None:
    """Hold a joined file against its parts, asked one after the other, on batches of one and three pictures.

    Raises:
        ModelError: the answers differ.
    """
    for batch in _pictures(composed.card):
        outputs_run = written.run(batch)
        compare({"mask": outputs_run["mask"]}, {"mask": composed.maps(batch)})
        compare(outputs_run, _after_mask(composed, outputs_run["mask"], batch))


def check_masks(model: bytes, composed: Composed) -> None:
    """Hold a file whose pictures are the masks against crop and gesture model, one after the other.

    Raises:
        ModelError: the answers differ.
    """
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    classes, hand = len(composed.parts["segment"].card.names), int(composed.card.options[HAND])
    for shapes in _shapes(90, 120):
        maps = np.stack([shapes == (number == hand) for number in range(classes)], axis=1).astype(np.float32)
        outputs_run = dict(zip(names, session.run(names, {"image": maps}), strict=True))
        compare(outputs_run, _after_mask(composed, maps, maps))


def _after_mask(composed: Composed, maps: Floats, batch: Floats) -> dict[str, Floats]:
    """Return what the composition answers to a batch of which the masks are known.

    The joined file's masks may differ in the last digit from the part's, and a pixel on the edge of a hand with them.
    """
    known = FakeRunner(composed.parts["segment"].card, {"probabilities": maps})
    return Composed({**composed.parts, "segment": known}).run(batch)


def compare(ours: dict[str, Floats], theirs: dict[str, Floats]) -> None:
    """Raise ModelError where ours are not as theirs, of which there may be fewer."""
    for name, wanted in theirs.items():
        got = ours[name]
        same = got.shape == wanted.shape
        worst = (
            float(np.abs(got.astype(np.float64) - wanted.astype(np.float64)).max(initial=0)) if same else float("inf")
        )
        if not worst <= TOLERANCE:  # so that NaN is refused too
            raise ModelError(
                f"the joined file's answers differ from those of its parts by {worst:.2g} in '{name}'; at most"
                f" {TOLERANCE} is allowed."
            )


def _pictures(card: ModelCard) -> Iterator[Floats]:
    """Batches of one and three pictures with hands of the colour of skin on a restless ground."""
    rng = np.random.default_rng(0)
    for shapes in _shapes(*card.size):
        ground = rng.uniform(0, 255, (*shapes.shape, 3)).astype(np.float32)
        ground = np.stack([cv2.blur(one, (9, 9)) for one in ground])
        skin = np.array([205, 150, 125], np.float32) + rng.normal(0, 6, ground.shape).astype(np.float32)
        images = np.where(shapes[..., None] > 0, skin, ground)
        scale, offset = normalisation(card.mean, card.std)
        yield np.ascontiguousarray((images * scale + offset).transpose(0, 3, 1, 2), np.float32)


def _shapes(height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """Masks (n, h, w) of one hand, and of none, one and two."""
    yield np.stack([_hands(height, width, [(0.5, 0.5, 0.13)])])
    two: Sequence[tuple[float, float, float]] = [(0.25, 0.6, 0.08), (0.72, 0.42, 0.1)]
    yield np.stack([_hands(height, width, hands) for hands in ([], [(0.4, 0.3, 0.11)], two)])


def _hands(height: int, width: int, hands: Sequence[tuple[float, float, float]]) -> NDArray[np.uint8]:
    """Return a mask (h, w) of open hands with forearms. hands: x, y and radius of each palm, shares of the sides."""
    mask = np.zeros((height, width), np.uint8)
    for x, y, radius in hands:
        middle, unit = np.array([x * width, y * height]), radius * min(height, width)
        for degrees in (-35, -12, 10, 32, 75, 180):
            turn, reach, wide = np.deg2rad(degrees), 6.0 if degrees == 180 else 2.6, 1.4 if degrees == 180 else 0.5
            tip = middle + reach * unit * np.array([np.sin(turn), -np.cos(turn)])
            ends = [tuple(np.round(point).astype(int).tolist()) for point in (middle, tip)]
            cv2.line(mask, ends[0], ends[1], 1, max(1, round(wide * unit)))
        cv2.circle(mask, ends[0], max(1, round(unit)), 1, -1)
    return mask


NEWEST = 20
"""Operators of later sets are not known to every runtime that runs the rest of handlens."""
IR = 8
"""The version of the file itself, which goes with opset 18."""


def part_file(given: str) -> Path:
    """Return the .onnx of a part: a shipped name, a file, or a run with its exported model.

    Raises:
        InputError: a folder without one exported model.
        ModelError: no such model.
    """
    folder = Path(given).expanduser()
    if not folder.is_dir():
        return resolve(given)
    exported = sorted(folder.glob("*.onnx"))
    if len(exported) != 1:
        outputs_run = "has none" if not exported else f"has {len(exported)}"
        raise InputError(
            f"'{given}' should be a run with one exported model, but {outputs_run}: give the .onnx itself."
        )
    return exported[0]


def export_combined(segment: Path, gesture: Path, out: Path) -> Path:
    """Write the models of two files as one, with the card of both.

    Raises:
        InputError: they do not fit together, or cannot be joined.
        ModelError: a file is not a model, or the joined graph answers otherwise than its parts.
        OutputError: it cannot be written.
    """
    if out.resolve() in (segment.resolve(), gesture.resolve()):
        raise InputError(f"--out '{out}' is one of the parts, which would be lost: give another name.")
    parts = {"segment": OnnxRunner(segment), "gesture": OnnxRunner(gesture)}
    composed = Composed(parts)
    models = {role: _read(runner.path, role) for role, runner in parts.items()}
    target = max(OPSET, *map(_opset, models.values()))
    models = {role: _at(model, target, parts[role].path) for role, model in models.items()}
    classes = len(parts["segment"].card.names)
    joined = partial(
        _joined,
        gesture=models["gesture"],
        seen=parts["gesture"].card,
        card=composed.card,
        classes=classes,
        opset=target,
    )
    model = joined(models["segment"])

    seeing = _seeing(classes, target)
    check_masks(joined(seeing).SerializeToString(), composed)
    return write_checked(model, composed.card, out, partial(check_pictures, composed=composed))


def _read(path: Path, role: str) -> onnx.ModelProto:
    """Return a part's model without functions of its own; refused where it cannot be joined."""
    model = onnx.load(path)
    if model.functions:
        model = inliner.inline_local_functions(model)
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})
    if foreign:
        raise InputError(
            f"'{path}' has operators of '{foreign[0]}': only those of ONNX itself can be put into one file."
        )
    if _opset(model) > NEWEST:
        raise InputError(f"'{path}' has ONNX opset {_opset(model)}: export it again with {NEWEST} or less.")
    sides = model.graph.input[0].type.tensor_type.shape.dim
    if sides[0].HasField("dim_value"):
        raise InputError(
            f"the part '{role}', '{path}', was exported for batches of {sides[0].dim_value} alone: export it again"
            " with a free number of pictures."
        )
    return model


def _opset(model: onnx.ModelProto) -> int:
    return int(next(found.version for found in model.opset_import if found.domain in ("", "ai.onnx")))


def _at(model: onnx.ModelProto, opset: int, path: Path) -> onnx.ModelProto:
    """Return the same model in a later opset."""
    if _opset(model) == opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # a RuntimeError or one of the converter's own, which is not public
        why = (str(error).strip().splitlines() or ["it does not say why"])[0]
        raise InputError(f"'{path}' cannot be brought to ONNX opset {opset}: {why}") from error


def _joined(
    segment: onnx.ModelProto, gesture: onnx.ModelProto, seen: ModelCard, card: ModelCard, classes: int, opset: int
) -> onnx.ModelProto:
    """Both models as one graph. seen: the card of the gesture model; card: that of both together."""
    first, last = (
        compose.add_prefix(model, f"{role}/") for role, model in (("segment", segment), ("gesture", gesture))
    )
    scale = (1.0 / np.asarray(seen.std, np.float32)).reshape(1, 3, 1, 1)
    offset = -np.asarray(seen.mean, np.float32).reshape(1, 3, 1, 1) * scale
    crop = crop_inputs(int(card.options[HAND]), seen.size, card.options.get(SURE, 0.0))
    shown = [numpy_helper.from_array(scale, "shown/scale"), numpy_helper.from_array(offset, "shown/offset")]
    table = numpy_helper.from_array(_with_part(card, classes), "crop/table")
    places = [card.options[HAND], card.options.get(PART, card.options[HAND])]
    both = [numpy_helper.from_array(np.array([int(k)], np.int64), f"crop/at{n}") for n, k in enumerate(places)]
    joining = [
        helper.make_node("Conv", ["mask", "crop/table"], ["crop/maps"]),
        *(helper.make_node("Gather", ["mask", f"crop/at{n}"], [f"crop/of{n}"], axis=1) for n in range(2)),
        helper.make_node("Greater", ["crop/of1", "crop/of0"], ["crop/rather"]),
        helper.make_node("Cast", ["crop/rather"], ["crop/arms"], to=TensorProto.FLOAT),
    ]
    outputs = {value.name: value for value in last.graph.output}
    outputs_run = [name for name in ("probabilities", "angle") if f"gesture/{name}" in outputs]
    cropped, given = ["views", "boxes", "masks", "pictures", "count"], [tensor.name for tensor in crop]
    nodes = [
        helper.make_node("Identity", ["image"], [first.graph.input[0].name]),
        *first.graph.node,
        helper.make_node("Identity", ["segment/probabilities"], ["mask"]),
        *joining,
        _call(crop_hands, ["crop/maps", "crop/arms", *given], [*(f"crop/{name}" for name in cropped), "found"]),
        _call(show_views, ["crop/views", "shown/scale", "shown/offset"], [last.graph.input[0].name]),
        *last.graph.node,
        _call(place_boxes, ["crop/boxes", "crop/count", "image", "mask"], ["box"]),
        *(_call(take_hands, [f"gesture/{name}", "crop/count"], [name]) for name in outputs_run),
        _call(take_hands, ["crop/pictures", "crop/count"], ["picture"]),
        _call(take_masks, ["crop/masks", "crop/count"], ["hand"]),
    ]
    maps = next(value for value in first.graph.output if value.name == "segment/probabilities")
    graph = helper.make_graph(
        nodes,
        "combined",
        [_value("image", first.graph.input[0], "n")],
        [
            _value("mask", maps, "n"),
            helper.make_tensor_value_info("found", TensorProto.BOOL, ("n",)),
            helper.make_tensor_value_info("picture", TensorProto.INT64, ("hands",)),
            helper.make_tensor_value_info("box", TensorProto.FLOAT, ("hands", 4)),
            *(_value(name, outputs[f"gesture/{name}"], "hands") for name in outputs_run),
            helper.make_tensor_value_info("hand", TensorProto.FLOAT, ("hands", "map_h", "map_w")),
        ],
        [*first.graph.initializer, *last.graph.initializer, *crop, *shown, table, *both],
    )
    return _inlined(graph, opset, max(IR, segment.ir_version, gesture.ir_version))


def _with_part(card: ModelCard, classes: int) -> Floats:
    """Return the kernel (classes, classes, 1, 1) that does what `kinds.combined.with_part` does."""
    kernel = np.eye(classes, dtype=np.float32)
    if PART in card.options:
        hand, part = int(card.options[HAND]), int(card.options[PART])
        kernel[hand, part], kernel[part] = 1, 0
    return kernel[:, :, None, None]


def _call(function: OnnxFunction[..., Any], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.NodeProto:
    """Return a node that calls a function of onnxscript."""
    return helper.make_node(function.name, inputs, outputs, domain=function.opset.domain)


def _inlined(graph: onnx.GraphProto, opset: int, ir_version: int) -> onnx.ModelProto:
    """Return the model of a graph, the functions that it calls put in their places: only operators of ONNX are left."""
    functions = {
        function.name: function
        for given in (crop_hands, show_views, place_boxes, take_hands, take_masks)
        for function in (given.to_function_proto(), *given.to_model_proto().functions)  # type: ignore[no-untyped-call]
    }
    for function in functions.values():  # these operators have the same form in all of these versions
        for found in function.opset_import:
            found.version = opset if found.domain == "" else found.version
    domains = {found.domain for function in functions.values() for found in function.opset_import} - {""}
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))]
    model = helper.make_model(graph, opset_imports=imports, producer_name="handlens", functions=functions.values())
    model = inliner.inline_local_functions(model)
    del model.opset_import[1:]
    model.ir_version = ir_version
    onnx.checker.check_model(model)
    return model


def _value(name: str, like: onnx.ValueInfoProto, rows: str) -> onnx.ValueInfoProto:
    """Return an input or output of that name with the sides of another, the first of them free and called `rows`."""
    value = onnx.ValueInfoProto()
    value.CopyFrom(like)
    value.name = name
    value.type.tensor_type.shape.dim[0].Clear()
    value.type.tensor_type.shape.dim[0].dim_param = rows
    return value


def _seeing(classes: int, opset: int) -> onnx.ModelProto:
    """Return a mask model whose pictures are the masks."""
    sides = ("n", classes, "h", "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in ("image", "probabilities")]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["probabilities"])], "seeing", ends[:1], ends[1:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR)
