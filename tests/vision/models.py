"""Tiny ONNX models with answers that can be computed by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def _model(
    nodes: Sequence[Any], constants: dict[str, NDArray[Any]], shape: Sequence[int], out: Sequence[int]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def scaling_model(*, factor: float) -> bytes:
    """Output = input times factor, shape (1, 3, 4, 4)."""
    nodes = [helper.make_node("Mul", ["input", "factor"], ["output"])]
    return _model(nodes, {"factor": np.array(factor, np.float32)}, [1, 3, 4, 4], [1, 3, 4, 4])


def channel_means_model(*, size: int, classes: int = 3) -> bytes:
    """Output = the means of the first ``classes`` input channels, shape (1, classes)."""
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Gather", ["means", "first"], ["output"], axis=1),
    ]
    return _model(nodes, {"first": np.arange(classes)}, [1, 3, size, size], [1, classes])


def constant_points_model(points: NDArray[np.float32], *, size: int = 192) -> bytes:
    """Output = always ``points`` flattened, shape (1, 2 n); the input only has to be present."""
    flat = points.reshape(1, -1).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["points", "nothing"], ["output"]),
    ]
    constants = {"zero": np.array(0, np.float32), "points": flat}
    return _model(nodes, constants, [1, 3, size, size], list(flat.shape))


def prelu_model(
    slopes: NDArray[np.float32],
    *,
    shape: Sequence[int] = (1, 3, 8, 8),
    kind: str = "initializer",
    ir_version: int = 8,
) -> bytes:
    """Output = PRelu of the input.

    Args:
        slopes: The slopes, of any shape that broadcasts to ``shape``.
        kind: The source of the slopes: an ``initializer``, a ``constant`` node, or ``computed`` ones.
        ir_version: Version of ONNX's intermediate representation; before 4 constants are inputs as well.
    """
    constant = numpy_helper.from_array(slopes.astype(np.float32), "slopes")
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    before = {
        "initializer": [],
        "constant": [helper.make_node("Constant", [], ["slopes"], value=constant)],
        "computed": [helper.make_node("Relu", ["given"], ["slopes"])],
    }[kind]
    if kind == "computed":
        constant.name = "given"
    inputs = [image]
    if ir_version < 4:
        inputs.append(helper.make_tensor_value_info("slopes", TensorProto.FLOAT, list(slopes.shape)))
    graph = helper.make_graph(
        [*before, helper.make_node("PRelu", ["input", "slopes"], ["output"])],
        "tiny",
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [] if kind == "constant" else [constant],
    )
    opsets = [helper.make_opsetid("", 8 if ir_version < 4 else 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version).SerializeToString())
