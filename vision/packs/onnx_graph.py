"""Builds ONNX graphs node by node, for networks whose numbers come from other files."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET: Final = 17
_IR_VERSION: Final = 8

Shapes = Mapping[str, tuple[int | str, ...]]
"""The names of inputs or outputs, all float32, with their shapes; a string is an axis of any length."""


class OnnxGraph:
    """An ONNX graph that is built layer by layer."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Add a node and return the name of its output."""
        name = output or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: NDArray[Any]) -> str:
        """Add numbers, as float32 unless they are int64, and return their name."""
        name = f"c{len(self._constants)}"
        kind = values.dtype if values.dtype == np.int64 else np.dtype(np.float32)
        self._constants.append(numpy_helper.from_array(values.astype(kind), name))
        return name

    def convolve(
        self,
        value: str,
        weights: NDArray[Any],
        bias: NDArray[Any],
        *,
        stride: int,
        border: int,
        output: str = "",
        **attributes: object,
    ) -> str:
        """Add a convolution and return the name of its output.

        Args:
            weights: Shape (filters, channels, height, width).
            bias: Shape (filters,).
            border: Width of the zeros on each side, in pixels.
            attributes: Further ones of ONNX's ``Conv``.
        """
        return self.add(
            "Conv",
            value,
            self.constant(weights),
            self.constant(bias),
            output=output,
            kernel_shape=list(weights.shape[2:]),
            strides=[stride, stride],
            pads=[border] * 4,
            **attributes,
        )

    def model(self, name: str, *, inputs: Shapes, outputs: Shapes, **metadata: object) -> onnx.ModelProto:
        """Return the finished model; ``metadata`` are further fields of it, such as ``producer_name``."""
        ends = [
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in shapes.items()]
            for shapes in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, *ends, initializer=self._constants)
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION, **metadata
        )
