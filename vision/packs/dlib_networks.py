"""Converts dlib's two networks, embedder and face detector, to ONNX models.

dlib runs a network on one core, without an optimised convolution, and holds Python's lock meanwhile, so that
all other scans wait. ONNX Runtime runs the same numbers in a tenth of the time and releases the lock.

Sources: D. King, ``examples/dnn_face_recognition_ex.cpp`` and ``examples/dnn_mmod_face_detection_ex.cpp``.
"""

from typing import Final

from vision.packs.dlib_weights import DlibGraph

__all__ = ["CHIP_SIDE", "FINDER_STEP", "FINDER_WINDOW", "finder_to_onnx", "resnet_to_onnx"]

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

    Args:
        content: The file; its hash was verified.

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
    return graph.model(
        name="dlib_resnet",
        inputs=("chips", ("n", 3, CHIP_SIDE, CHIP_SIDE)),
        outputs=("templates", ("n", _DIMENSIONS)),
    )


def finder_to_onnx(content: bytes) -> bytes:
    """Return the face detector as an ONNX model, from ``mmod_human_face_detector.dat``.

    It takes ``picture``, float32 of shape (1, 3, height, width), RGB, 0..255, and gives ``scores`` of
    shape (1, 1, rows, columns): above 0 for a face of 80 pixels; see ``FINDER_STEP``.

    Args:
        content: The file; its hash was verified.

    Raises:
        ValueError: The bytes are not such a file.
    """
    graph = DlibGraph(content)
    value = graph.normalise("picture")
    for channels, filters, stride in _FINDER_LAYERS:
        value = graph.convolution(value, channels=channels, filters=filters, side=5, stride=stride)
        value = graph.add("Relu", value)
    graph.convolution(value, channels=_FINDER_LAYERS[-1][1], filters=1, side=9, affine=False, output="scores")
    return graph.model(
        name="dlib_mmod",
        inputs=("picture", (1, 3, "height", "width")),
        outputs=("scores", (1, 1, "rows", "columns")),
    )


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
