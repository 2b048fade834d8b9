"""Converts dlib's network files to ONNX graphs.

A file is dlib's serialisation of a network: from the input to the output, each layer's name, its
settings and its numbers. Integers are stored as a byte with the count of the bytes that follow; tensors
as version, four sizes and little-endian float32. The order of the layers is known from the program that
trained the network, so only the tensors are read. Batch normalisation, and the affine layers that replace
it in a network stored for use, are merged into the convolutions before them.

Sources: ``dlib/cuda/tensor.h``, ``dlib/dnn/layers.h`` and ``dlib/serialize.h`` of dlib 20.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["DlibGraph"]

_MEAN_RGB: Final = (122.782, 117.001, 104.298)
_DIVISOR: Final = 256.0
_OPSET: Final = 17
_IR_VERSION: Final = 8
_TENSOR_VERSION: Final = 2
_CONVOLUTION, _AFFINE, _NORMALISATION, _PROJECTION = "con_4", "affine_", "bn_con2", "fc_2"
_NORMALISATION_EPSILON: Final = 1e-4
"""``dlib::DEFAULT_BATCH_NORM_EPS``."""


class DlibGraph:
    """An ONNX graph that is built layer by layer, with the numbers of a dlib file in their order."""

    def __init__(self, content: bytes) -> None:
        """Start a graph.

        Args:
            content: A dlib network file; its hash was verified.
        """
        self._layers = _layers(content)
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Add an ONNX node and return the name of its output."""
        name = output or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def normalise(self, value: str) -> str:
        """Add nodes that normalise RGB of 0..255 for dlib's networks; return the name of the output."""
        centred = self.add("Sub", value, self._constant(np.array(_MEAN_RGB).reshape(1, 3, 1, 1)))
        return self.add("Div", centred, self._constant(np.array(_DIVISOR)))

    def convolution(
        self,
        value: str,
        *,
        channels: int,
        filters: int,
        side: int,
        stride: int = 1,
        affine: bool = True,
        output: str = "",
    ) -> str:
        """Add the file's next convolution, with the affine layer after it if there is one.

        The output keeps the image's size at stride 1; at stride 2 dlib adds no border.

        Raises:
            ValueError: The file contains another layer there.
        """
        numbers = self._next(_CONVOLUTION, filters * channels * side * side + filters)
        weights, bias = numbers[:-filters].reshape(filters, channels, side, side), numbers[-filters:]
        if affine:
            gamma, beta = np.split(self._next(_AFFINE, 2 * filters), 2)
            weights, bias = weights * gamma.reshape(-1, 1, 1, 1), bias * gamma + beta
        border = side // 2 if stride == 1 else 0
        return self.add(
            "Conv",
            value,
            self._constant(weights),
            self._constant(bias),
            output=output,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[border] * 4,
        )

    def projection(self, value: str, *, inputs: int, outputs: int, output: str) -> str:
        """Add the file's next fully connected layer, without bias.

        Raises:
            ValueError: The file contains another layer there.
        """
        numbers = self._next(_PROJECTION, inputs * outputs)
        return self.add("MatMul", value, self._constant(numbers.reshape(inputs, outputs)), output=output)

    def pad(self, value: str, *, channels: int = 0, pixels: int = 0) -> str:
        """Add a node that pads ``value`` with zeros, and return the name of its output.

        Args:
            value: Name of the tensor to pad.
            channels: Number of channels to append.
            pixels: Number of pixels to add below and to the right of the image.
        """
        ends = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], dtype=np.int64)
        return self.add("Pad", value, self._constant(ends))

    def model(
        self,
        *,
        name: str,
        inputs: tuple[str, tuple[int | str, ...]],
        outputs: tuple[str, tuple[int | str, ...]],
    ) -> bytes:
        """Return the finished ONNX model.

        Args:
            name: Name of the graph.
            inputs: Name and shape of the input.
            outputs: Name and shape of the output.
        """
        ends = [
            helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in (inputs, outputs)
        ]
        graph = helper.make_graph(self._nodes, name, ends[:1], ends[1:], initializer=self._constants)
        opset = helper.make_opsetid("", _OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION)
        content: bytes = model.SerializeToString()
        return content

    def _constant(self, values: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]) -> str:
        name = f"c{len(self._constants)}"
        kind = values.dtype if values.dtype == np.int64 else np.dtype(np.float32)
        self._constants.append(numpy_helper.from_array(values.astype(kind), name))
        return name

    def _next(self, kind: str, size: int) -> NDArray[np.float32]:
        found, numbers = next(self._layers, ("the end of the file", np.zeros(0, dtype=np.float32)))
        if found != kind or numbers.size != size:
            raise ValueError(f"expected a layer {kind} of {size} numbers, found {found} of {numbers.size}")
        return numbers


def _layers(content: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield name and numbers of every layer that has numbers, from the input on."""
    kinds = (_CONVOLUTION, _AFFINE, _NORMALISATION, _PROJECTION)
    marks = {bytes([1, len(kind)]) + kind.encode(): kind for kind in kinds}
    position = 0
    # The next position of each mark. Only a mark that was passed is searched again, because a search
    # that finds nothing reads the whole file.
    ahead = {mark: content.find(mark) for mark in marks}
    while True:
        for mark, start in ahead.items():
            if 0 <= start < position:
                ahead[mark] = content.find(mark, position)
        starts = {start: mark for mark, start in ahead.items() if start >= 0}
        if not starts:
            return
        first = min(starts)
        kind, position = marks[starts[first]], first + len(starts[first])
        if kind == _PROJECTION:
            for _ in ("outputs", "inputs"):
                _, position = _whole(content, position)
        numbers, position = _tensor(content, position)
        if kind == _NORMALISATION:
            kind = _AFFINE
            numbers, position = _as_affine(numbers, content, position)
        yield kind, numbers


def _as_affine(
    numbers: NDArray[np.float32], content: bytes, position: int
) -> tuple[NDArray[np.float32], int]:
    """Return gamma and beta that equal batch normalisation with the averages of its training."""
    for _ in range(2 * 5):  # version and four sizes of gamma and of beta, which ``numbers`` contains
        _, position = _whole(content, position)
    tensors = []
    for _ in ("last means", "last deviations", "means", "variances"):
        tensor, position = _tensor(content, position)
        tensors.append(tensor)
    *_, means, variances = tensors
    if not 2 * means.size == 2 * variances.size == numbers.size:
        raise ValueError("the tensors of a batch normalisation do not belong together")
    gamma, beta = np.split(numbers, 2)
    scale = gamma / np.sqrt(variances + _NORMALISATION_EPSILON)
    return np.concatenate([scale, beta - means * scale]).astype(np.float32), position


def _tensor(content: bytes, position: int) -> tuple[NDArray[np.float32], int]:
    version, position = _whole(content, position)
    if version != _TENSOR_VERSION:
        raise ValueError(f"a tensor is of version {version}, expected {_TENSOR_VERSION}")
    count = 1
    for _ in range(4):
        size, position = _whole(content, position)
        count *= size
    end = position + 4 * count
    if end > len(content):
        raise ValueError("the file ends inside a tensor")
    return np.frombuffer(content, dtype="<f4", count=count, offset=position).astype(np.float32), end


def _whole(content: bytes, position: int) -> tuple[int, int]:
    """Return an integer of 0 or more, and the position of the next item."""
    length = content[position] if position < len(content) else 0
    end = position + 1 + length
    if not 1 <= length <= 8 or end > len(content):
        raise ValueError("expected a whole number, but the file ends or breaks dlib's form")
    return int.from_bytes(content[position + 1 : end], "little"), end
