"""Writes ONNX nodes as if they were arithmetic: `a + b` is a node, and so is `steps.add("Clip", a, 0.0, 1.0)`.

It must not know what the nodes are for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper


@dataclass(frozen=True, eq=False)
class Value:
    """What a node gives, by its name. A float that it meets is float32, an int or a list of them int64."""

    name: str
    steps: Steps

    def __add__(self, other: Any) -> Value:
        return self.steps.add("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.steps.add("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.steps.add("Sub", other, self)

    def __mul__(self, other: Any) -> Value:
        return self.steps.add("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.steps.add("Div", self, other)

    def __matmul__(self, other: Any) -> Value:
        return self.steps.add("MatMul", self, other)

    def __and__(self, other: Any) -> Value:
        return self.steps.add("And", self, other)

    def __or__(self, other: Any) -> Value:
        return self.steps.add("Or", self, other)

    def __gt__(self, other: Any) -> Value:
        return self.steps.add("Greater", self, other)

    def __ge__(self, other: Any) -> Value:
        return self.steps.add("GreaterOrEqual", self, other)

    def __le__(self, other: Any) -> Value:
        return self.steps.add("LessOrEqual", self, other)

    def equals(self, other: Any) -> Value:
        """Whether both are alike, element by element."""
        return self.steps.add("Equal", self, other)

    def as_float(self) -> Value:
        """The same numbers as float32."""
        return self.steps.add("Cast", self, to=TensorProto.FLOAT)

    def as_int(self) -> Value:
        """The same numbers as int64."""
        return self.steps.add("Cast", self, to=TensorProto.INT64)

    def reshape(self, shape: Any) -> Value:
        """The same numbers in another shape; 0 keeps a side, -1 takes what is left."""
        return self.steps.add("Reshape", self, shape)

    def most(self, axis: int) -> Value:
        """The largest number along an axis, which stays, with one element."""
        return self.steps.reduced("ReduceMax", self, axis)

    def least(self, axis: int) -> Value:
        """The smallest number along an axis, which stays, with one element."""
        return self.steps.reduced("ReduceMin", self, axis)


@dataclass(eq=False)
class Steps:
    """Nodes in the making, of a graph or of the body of a loop, which sees the values outside of it.

    opset: the version of the operators.
    """

    prefix: str = ""
    opset: int = 17
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> Value:
        """Add a node with one output and return that."""
        name = f"{self.prefix}{operator}_{len(self.nodes)}"
        names = [self.value(given).name for given in inputs]
        self.nodes.append(helper.make_node(operator, names, [name], name=name, **attributes))
        return Value(name, self)

    def reduced(self, operator: str, value: Value, axis: int) -> Value:
        """Add a node that makes one of all along an axis, which stays; from opset 18 on that is an input."""
        if self.opset >= 18:
            return self.add(operator, value, [axis], keepdims=1)
        return self.add(operator, value, axes=[axis], keepdims=1)

    def value(self, given: Any) -> Value:
        """A value as it is, or the constant that a number, a list of ints or an array stands for."""
        if isinstance(given, Value):
            return given
        wanted = np.float32 if isinstance(given, float | np.floating) else np.int64
        array = given if isinstance(given, np.ndarray) else np.array(given, bool if given is True else wanted)
        key = f"{array.dtype}_{array.shape}_{array.tobytes().hex()}"
        if key not in self.constants:
            name = f"constant_{len(self.constants)}"
            self.constants[key] = numpy_helper.from_array(np.asarray(array), name)
        return Value(self.constants[key].name, self)

    def called(self, value: Value, name: str) -> None:
        """Give a value a name of one's own."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))

    def repeat(
        self, start: Sequence[Value], turn: Callable[[Steps, list[Value]], tuple[Value, Sequence[Value]]]
    ) -> list[Value]:
        """Change float values (n, 1, h, w) turn by turn and return what becomes of them.

        turn: adds the steps of one turn to the steps it is given; it returns whether another must follow, and the new
        values.
        """
        place = f"{self.prefix}loop_{len(self.nodes)}"
        inner = Steps(f"{place}_", self.opset, constants=self.constants)
        names = [f"{place}_now_{number}" for number in range(len(start))]
        more, after = turn(inner, [Value(name, inner) for name in names])
        sides = ("n", 1, "rows", "columns")
        told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sides) for name in names]
        body = helper.make_graph(
            inner.nodes,
            place,
            [
                helper.make_tensor_value_info(f"{place}_turn", TensorProto.INT64, ()),
                helper.make_tensor_value_info(f"{place}_on", TensorProto.BOOL, ()),
                *told,
            ],
            [
                helper.make_tensor_value_info(more.name, TensorProto.BOOL, ()),
                *(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, sides) for value in after),
            ],
        )
        outputs = [f"{place}_{number}" for number in range(len(start))]
        inputs = ["", self.value(True).name, *(value.name for value in start)]
        self.nodes.append(helper.make_node("Loop", inputs, outputs, name=place, body=body))
        return [Value(name, self) for name in outputs]
