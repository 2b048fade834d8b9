"""Converts dlib's two networks, embedder and face detector, to ONNX models.

dlib runs a network on one core, without an optimised convolution, and holds Python's lock meanwhile, so that
all other scans wait. ONNX Runtime runs the same numbers in a tenth of the time and releases the lock.

Sources: D. King, ``examples/dnn_face_recognition_ex.cpp`` and ``examples/dnn_mmod_face_detection_ex.cpp``.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vision.packs.onnx_graph import OnnxGraph

# Converts dlib's network files to ONNX graphs.
#
# A file is dlib's serialisation of a network: from the input to the output, each layer's name, its settings
# and its numbers. Integers are stored as a byte with the count of the bytes that follow; tensors as
# version, four sizes and little-endian float32. The order of the layers is known from the program that
# trained the network, so only the tensors are read. Batch normalisation, and the affine layers that replace
# it in a network stored for use, are merged into the convolutions before them.
#
# Sources: ``dlib/cuda/tensor.h``, ``dlib/dnn/layers.h`` and ``dlib/serialize.h`` of dlib 20.

_MEAN_RGB: Final = (122.782, 117.001, 104.298)
_DIVISOR: Final = 256.0
_TENSOR_VERSION: Final = 2
_CONVOLUTION, _AFFINE, _NORMALISATION, _PROJECTION = "con_4", "affine_", "bn_con2", "fc_2"
_NORMALISATION_EPSILON: Final = 1e-4
"""``dlib::DEFAULT_BATCH_NORM_EPS``."""


class DlibGraph(OnnxGraph):
    """An ONNX graph with the numbers of a dlib file in their order."""

    def __init__(self, content: bytes) -> None:
        """Start a graph.

        Args:
            content: A dlib network file; its hash was verified.
        """
        super().__init__()
        self._layers = _layers(content)

    def normalise(self, value: str) -> str:
        """Add nodes that normalise RGB of 0..255 for dlib's networks; return the name of the output."""
        centred = self.add("Sub", value, self.constant(np.array(_MEAN_RGB).reshape(1, 3, 1, 1)))
        return self.add("Div", centred, self.constant(np.array(_DIVISOR)))

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
        return self.convolve(value, weights, bias, stride=stride, border=border, output=output)

    def projection(self, value: str, *, inputs: int, outputs: int, output: str) -> str:
        """Add the file's next fully connected layer, without bias.

        Raises:
            ValueError: The file contains another layer there.
        """
        numbers = self._next(_PROJECTION, inputs * outputs)
        return self.add("MatMul", value, self.constant(numbers.reshape(inputs, outputs)), output=output)

    def pad(self, value: str, *, channels: int = 0, pixels: int = 0) -> str:
        """Add a node that pads ``value`` with zeros, and return the name of its output."""
        ends = np.array([0, 0, 0, 0, 0, channels, pixels, pixels], dtype=np.int64)
        return self.add("Pad", value, self.constant(ends))

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


CHIP_SIDE: Final = 150
FINDER_WINDOW: Final = 80
"""Side of the faces that the face detector finds, pixels; the image is resized for others."""
FINDER_STEP: Final = (8, 18)
"""Step and offset: a score at (column, row) is that of the window around pixel 8 times it plus 18.

The strides alone would give an offset of 14. The network was trained to answer half a step later, as photos
and their mirror images both show.
"""

_DIMENSIONS: Final = 128
_STAGES: Final = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, residual blocks, and whether the first block halves the image."""
_FINDER_LAYERS: Final = ((3, 16, 2), (16, 32, 2), (32, 32, 2), (32, 45, 1), (45, 45, 1), (45, 45, 1))
"""Channels in and out, and stride, of the 5 x 5 convolutions."""


def resnet_to_onnx(content: bytes) -> bytes:
    """Return the embedder as an ONNX model, from ``dlib_face_recognition_resnet_model_v1.dat``.

    It takes ``chips``, float32 of shape (n, 3, 150, 150), RGB, 0..255, and gives ``templates`` of shape
    (n, 128), not of length 1.

    Raises:
        ValueError: The bytes are not such a file.
    """
    graph = DlibGraph(content)
    value = graph.convolution(graph.normalise("chips"), channels=3, filters=32, side=7, stride=2)
    value = graph.add("MaxPool", graph.add("Relu", value), kernel_shape=[3, 3], strides=[2, 2])
    picture, channels = 35, 32
    for filters, blocks, halves in _STAGES:
        for index in range(blocks):
            if halves and index == 0:
                value, picture = _halving(graph, value, picture=picture, channels=channels, filters=filters)
            else:
                inner = _two_convolutions(graph, value, channels=channels, filters=filters, stride=1)
                value = graph.add("Relu", graph.add("Add", inner, value))
            channels = filters
    value = graph.add("Flatten", graph.add("GlobalAveragePool", value))
    graph.projection(value, inputs=channels, outputs=_DIMENSIONS, output="templates")
    model: bytes = graph.model(
        "dlib_resnet",
        inputs={"chips": ("n", 3, CHIP_SIDE, CHIP_SIDE)},
        outputs={"templates": ("n", _DIMENSIONS)},
    ).SerializeToString()
    return model


def finder_to_onnx(content: bytes) -> bytes:
    """Return the face detector as an ONNX model, from ``mmod_human_face_detector.dat``.

    It takes ``picture``, float32 of shape (1, 3, height, width), RGB, 0..255, and gives ``scores`` of
    shape (1, 1, rows, columns): above 0 for a face of 80 pixels; see ``FINDER_STEP``.

    Raises:
        ValueError: The bytes are not such a file.
    """
    graph = DlibGraph(content)
    value = graph.normalise("picture")
    for channels, filters, stride in _FINDER_LAYERS:
        value = graph.convolution(value, channels=channels, filters=filters, side=5, stride=stride)
        value = graph.add("Relu", value)
    graph.convolution(value, channels=_FINDER_LAYERS[-1][1], filters=1, side=9, affine=False, output="scores")
    model: bytes = graph.model(
        "dlib_mmod",
        inputs={"picture": (1, 3, "height", "width")},
        outputs={"scores": (1, 1, "rows", "columns")},
    ).SerializeToString()
    return model


def _two_convolutions(graph: DlibGraph, value: str, *, channels: int, filters: int, stride: int) -> str:
    value = graph.convolution(value, channels=channels, filters=filters, side=3, stride=stride)
    return graph.convolution(graph.add("Relu", value), channels=filters, filters=filters, side=3)


def _halving(graph: DlibGraph, value: str, *, picture: int, channels: int, filters: int) -> tuple[str, int]:
    """Add a residual block that halves the image; smaller parts are padded with zeros, as in dlib."""
    inner = _two_convolutions(graph, value, channels=channels, filters=filters, stride=2)
    convolved, pooled = (picture - 3) // 2 + 1, picture // 2
    shortcut = graph.add("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
    if filters > channels:
        shortcut = graph.pad(shortcut, channels=filters - channels)
    if pooled > convolved:
        inner = graph.pad(inner, pixels=pooled - convolved)
    return graph.add("Relu", graph.add("Add", inner, shortcut)), pooled
