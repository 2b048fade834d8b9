"""Changes ONNX graphs so that they run faster, or accept images of any size.

``without_prelu``: ONNX Runtime's CPU kernels keep images in blocks of channels. PRelu has no kernel
for that layout, so every PRelu costs two conversions of the layout and a slow kernel between them. With
``a`` for the slope of a channel, ``PRelu(x) = x + (1 - a) * max(-x, 0)``: a negation, a Relu, a
depthwise convolution of 1 x 1 and an addition, all of which stay in the blocked layout. (Of the forms
tried, this one was the fastest; ``max(x, 0) - a * max(-x, 0)`` has one node more.)
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError, EncodeError
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

from vision.errors import PackFileUnusable
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session

_IMAGE_RANK = 4
_SMALL = 1024
# Before version 4 of the format, every constant was also an input, which a caller could override.
_CONSTANTS_ARE_NO_INPUTS = 4


def without_prelu(model: bytes) -> bytes | None:
    """Return ``model`` with its PRelu nodes replaced by faster ones.

    Only nodes over images (batch, channels, height, width) with one constant slope, or one for each
    channel, are replaced. Others stay.

    Args:
        model: An ONNX model without external data.

    Returns:
        The changed model; ``None`` if there is nothing to replace or the bytes are not an ONNX model.
    """
    if b"PRelu" not in model:
        return None
    try:
        proto = onnx.load_model_from_string(model)
        channels = _channels(proto)
        constants = _constants(proto.graph)
        nodes: list[Any] = []
        for number, node in enumerate(proto.graph.node):
            slopes = _slopes(node, constants, channels)
            if slopes is None:
                nodes.append(node)
            else:
                nodes += _replacement(proto.graph, node, slopes, prefix=f"facegate_prelu_{number}")
        if len(nodes) == len(proto.graph.node):
            return None
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        _constants_are_no_inputs(proto)
        changed: bytes = proto.SerializeToString()
    except (DecodeError, EncodeError, TypeError, ValueError, shape_inference.InferenceError):
        return None
    return changed


def with_free_sides(model: bytes) -> bytes:
    """Return a model for images of one size as a model for images of any size.

    This is correct only for networks of convolutions alone. Outputs lose their stated shapes.

    Args:
        model: An ONNX model with one input of shape (batch, channels, height, width).

    Raises:
        PackFileUnusable: The bytes are not such a model.
    """
    try:
        proto = onnx.load_model_from_string(model)
        _constants_are_no_inputs(proto)
        (image,) = proto.graph.input
        _, _, height, width = image.type.tensor_type.shape.dim
    except (DecodeError, ValueError) as error:
        raise PackFileUnusable(
            f"the network is not an ONNX model with one image as its input ({type(error).__name__})"
        ) from error
    height.dim_param, width.dim_param = "height", "width"
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    del proto.graph.value_info[:]
    opened: bytes = proto.SerializeToString()
    return opened


def _constants_are_no_inputs(proto: Any) -> None:
    constants = {tensor.name for tensor in proto.graph.initializer}
    kept = [value for value in proto.graph.input if value.name not in constants]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    proto.ir_version = max(proto.ir_version, _CONSTANTS_ARE_NO_INPUTS)


def _constants(graph: Any) -> dict[str, Any]:
    """Return the constant tensors by name."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        value = next((entry for entry in node.attribute if entry.name == "value"), None)
        if node.op_type == "Constant" and value is not None:
            constants[node.output[0]] = value.t
    return constants


def _channels(proto: Any) -> dict[str, int]:
    """Return the numbers of channels of the images inside a graph, by name.

    Shapes are inferred on a copy without the weights, which may be hundreds of megabytes.
    """
    graph = proto.graph
    constants = {tensor.name for tensor in graph.initializer}
    light = helper.make_graph(
        graph.node,
        graph.name or "graph",
        [value for value in graph.input if value.name not in constants]
        + [
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            for tensor in graph.initializer
            if math.prod(tensor.dims) > _SMALL
        ],
        graph.output,
        [tensor for tensor in graph.initializer if math.prod(tensor.dims) <= _SMALL],
    )
    inferred = shape_inference.infer_shapes(helper.make_model(light, opset_imports=proto.opset_import)).graph
    found = {}
    for value in (*inferred.input, *inferred.value_info):
        sides = value.type.tensor_type.shape.dim
        if len(sides) == _IMAGE_RANK and sides[1].dim_value > 0:
            found[value.name] = int(sides[1].dim_value)
    return found


def _slopes(
    node: Any, constants: Mapping[str, Any], channels: Mapping[str, int]
) -> NDArray[np.float32] | None:
    """Return a replaceable PRelu's slopes, shape (channels,); ``None`` for every other node."""
    if node.op_type != "PRelu" or node.input[1] not in constants or node.input[0] not in channels:
        return None
    slopes: NDArray[Any] = numpy_helper.to_array(constants[node.input[1]])
    wanted = channels[node.input[0]]
    if slopes.dtype != np.float32 or not _one_a_channel(slopes.shape, wanted):
        return None
    return np.broadcast_to(slopes.reshape(-1), (wanted,))


def _one_a_channel(shape: Sequence[int], channels: int) -> bool:
    """Return whether slopes of ``shape`` are one number, or one for each channel."""
    if math.prod(shape) == 1:
        return len(shape) <= _IMAGE_RANK
    return tuple(shape) in {(channels, 1, 1), (1, channels, 1, 1)}


def _replacement(graph: Any, node: Any, slopes: NDArray[np.float32], *, prefix: str) -> list[Any]:
    weights = (np.float32(1) - slopes).reshape(-1, 1, 1, 1)
    graph.initializer.append(numpy_helper.from_array(weights, f"{prefix}_weights"))
    source, result = node.input[0], node.output[0]
    return [
        helper.make_node("Neg", [source], [f"{prefix}_negated"], name=f"{prefix}_neg"),
        helper.make_node("Relu", [f"{prefix}_negated"], [f"{prefix}_below"], name=f"{prefix}_relu"),
        helper.make_node(
            "Conv",
            [f"{prefix}_below", f"{prefix}_weights"],
            [f"{prefix}_lifted"],
            name=f"{prefix}_conv",
            group=slopes.size,
            kernel_shape=[1, 1],
        ),
        helper.make_node("Add", [source, f"{prefix}_lifted"], [result], name=f"{prefix}_add"),
    ]


# Creates sessions of graphs that were rewritten to run faster.
#
# When a pack is loaded, both graphs are run once and compared. A rewritten graph with other outputs is not
# used.

MOST_DIFFERENCE = 1e-4
"""The largest difference of outputs, as a share of the largest value of the same output.

Both graphs compute the same function. float32 rounds each of a hundred layers to 6e-8 of its value, which
adds up to about 1e-5, while one wrong slope changes outputs by percents. Two templates that differ by 1e-4
have a cosine of 0.99999999."""

_CPU = "CPUExecutionProvider"
_FREE_SIDE = 160
_SEED = 20_261_120


def create_fast_session(
    model: bytes, options: RuntimeOptions, *, name: str, input_range: tuple[float, float]
) -> OnnxSession:
    """Load an ONNX model in the form that runs fastest here and gives the same outputs.

    On the CPU, PRelu nodes are replaced (see ``vision.graph_rewrite``). A GPU runs them well.

    ``input_range`` is the least and the largest value of its normalised inputs.

    Returns:
        A session, safe to call from several threads at once. It runs the original graph if there is nothing
        to rewrite or the outputs of the rewritten one differ.

    Raises:
        PackFileUnusable: The runtime cannot load the model or the requested provider.
    """
    original = create_session(model, options, name=name)
    if not options.rewrite_graphs or original.get_providers()[0] != _CPU or b"PRelu" not in model:
        return original
    expected = sample_outputs(original, input_range)
    # Only one of the two is kept at a time, because a large embedder takes hundreds of megabytes.
    del original
    session = _rewritten(model, options, name)
    if session is not None and outputs_agree(expected, sample_outputs(session, input_range)):
        return session
    del session
    return create_session(model, options, name=name)


def sample_outputs(session: OnnxSession, input_range: tuple[float, float]) -> list[NDArray[np.float32]]:
    """Return a session's outputs for one noise image, always the same; empty if the session cannot be run.

    ``input_range`` is the least and the largest value of the noise; images are the session's only inputs.
    """
    random = np.random.default_rng(_SEED)
    sample = {
        str(entry.name): random.uniform(*input_range, size=_sides(entry.shape)).astype(np.float32)
        for entry in session.get_inputs()
    }
    try:
        return session.run(None, sample)
    except Exception:  # noqa: BLE001 - if the graphs cannot be compared, the original is used
        return []


def outputs_agree(expected: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]) -> bool:
    """Return whether there are outputs, and those of two graphs agree within ``MOST_DIFFERENCE``."""
    if not expected or len(expected) != len(found):
        return False
    return all(_close(*pair) for pair in zip(expected, found, strict=True))


def _rewritten(model: bytes, options: RuntimeOptions, name: str) -> OnnxSession | None:
    rewritten = without_prelu(model)
    if rewritten is None:
        return None
    try:
        return create_session(rewritten, options, name=name)
    except PackFileUnusable:
        return None


def _close(original: NDArray[np.float32], rewritten: NDArray[np.float32]) -> bool:
    if original.shape != rewritten.shape or not np.isfinite(original).all():
        return False
    # A NaN in the rewritten output makes the comparison false, as intended.
    difference = np.abs(original - rewritten).max(initial=0)
    return bool(difference <= MOST_DIFFERENCE * np.abs(original).max(initial=0))


def _sides(shape: list[Any]) -> tuple[int, ...]:
    """Replace the names in a shape with numbers: one image, of a side that detectors accept."""
    return tuple(
        side if isinstance(side, int) else 1 if position == 0 else _FREE_SIDE
        for position, side in enumerate(shape)
    )
