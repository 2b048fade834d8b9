"""Converts Silent-Face's two PAD networks to ONNX, from the PyTorch files that their authors publish.

::

    python -m evaluation.minifasnet_onnx WEIGHTS.pth OUT.onnx

PyTorch is not needed: a file of state tensors is a pickle of names and shapes, followed by the numbers.
The reader refuses everything in the pickle except an ordered dictionary and tensors, so that it cannot run
code. The names state the depth of each part and whether it squeezes and excites, so that one builder makes
MiniFASNetV2 and MiniFASNetV1SE. The networks take images of BGR 0..255 and return the three logits.

Source: minivision-ai/Silent-Face-Anti-Spoofing, ``src/model_lib/MiniFASNet.py`` (layers).
"""

import argparse
import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs.catalogue import load_catalogue
from vision.packs.pad_onnx import OnnxPadNetwork

__all__ = ["StateFileError", "converted_network", "main", "minifasnet_to_onnx", "read_state"]

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_EPSILON: Final = 1e-5
_SIDE: Final = 80
_CLASSES: Final = 3
_KINDS: Final[Mapping[str, str]] = {
    "MiniFASNetV2": "MiniFASNetV2.onnx",
    "MiniFASNetV1SE": "MiniFASNetV1SE.onnx",
}
_STORAGES: Final[Mapping[str, np.dtype[Any]]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}

State = Mapping[str, NDArray[np.float32]]


class StateFileError(Exception):
    """The file is not a state file of such a network."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the pickle, before its numbers are loaded."""

    storage: str
    offset: int
    shape: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Reads tensors, their storages and an ordered dictionary, and refuses everything else."""

    def __init__(self, stream: io.BytesIO) -> None:
        super().__init__(stream)
        self.storages: dict[str, np.dtype[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, *_: _Tensor(storage, offset, tuple(shape))
        if module == "torch" and name in _STORAGES:
            return name
        raise StateFileError(f"the file asks for {module}.{name}; only tensors are expected")

    def persistent_load(self, pid: Any) -> str:
        _, kind, key, *_ = pid
        self.storages[key] = _STORAGES[kind]
        return str(key)


def read_state(content: bytes) -> State:
    """Read the tensors of a PyTorch state file of the form used before PyTorch 1.6.

    Args:
        content: The file.

    Raises:
        StateFileError: It is not such a file, or refers to anything but tensors.
    """
    stream = io.BytesIO(content)
    try:
        if _Unpickler(stream).load() != _MAGIC:
            raise StateFileError("the file is not a PyTorch state file of the old form")
        for _ in ("protocol", "system"):
            _Unpickler(stream).load()
        unpickler = _Unpickler(stream)
        tensors = unpickler.load()
        keys = _Unpickler(stream).load()
        numbers = {}
        for key in keys:
            count = int.from_bytes(stream.read(8), "little")
            kind = unpickler.storages[key]
            numbers[key] = np.frombuffer(stream.read(count * kind.itemsize), dtype=kind, count=count)
        return {
            name.removeprefix("module."): numbers[tensor.storage][
                tensor.offset : tensor.offset + int(np.prod(tensor.shape))
            ]
            .reshape(tensor.shape)
            .astype(np.float32)
            for name, tensor in tensors.items()
        }
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateFileError(f"the file is not a PyTorch state file: {error!r}") from error


def minifasnet_to_onnx(state: State) -> bytes:
    """Build the network of a state file.

    It takes ``input``, float32 of shape (n, 3, 80, 80), BGR, 0..255, and returns ``logits`` of shape (n, 3);
    the second class is a bona fide presentation.

    Raises:
        StateFileError: The tensors belong to another network.
    """
    graph = _Graph(state)
    try:
        value = graph.block("conv1", "input", stride=2)
        value = graph.block("conv2_dw", value)
        for halving, deep in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
            value = graph.separable(halving, value, stride=2)
            index = 0
            while f"{deep}.model.{index}.conv.conv.weight" in state:
                name = f"{deep}.model.{index}"
                inner = graph.squeeze_and_excite(f"{name}.se_module", graph.separable(name, value))
                value = graph.add("Add", value, inner)
                index += 1
        value = graph.block("conv_6_sep", value)
        value = graph.add("Flatten", graph.block("conv_6_dw", value, padded=False))
        graph.classify(value)
    except (KeyError, ValueError) as error:
        raise StateFileError(f"the tensors are not those of a MiniFASNet: {error!r}") from error
    return graph.model()


class _Graph:
    """An ONNX graph with the numbers of a state file."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        name = output or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def block(self, name: str, value: str, *, stride: int = 1, padded: bool = True) -> str:
        """Add convolution, batch normalisation and, if the state has one, PReLU."""
        value = self._convolution(f"{name}.conv", f"{name}.bn", value, stride=stride, padded=padded)
        slopes = self._state.get(f"{name}.prelu.weight")
        return value if slopes is None else self.add("PRelu", value, self._constant(slopes.reshape(-1, 1, 1)))

    def separable(self, name: str, value: str, *, stride: int = 1) -> str:
        value = self.block(f"{name}.conv", value)
        return self.block(f"{name}.project", self.block(f"{name}.conv_dw", value, stride=stride))

    def squeeze_and_excite(self, name: str, value: str) -> str:
        """Weight ``value`` by channel; return it unchanged if the state has no such part."""
        if f"{name}.fc1.weight" not in self._state:
            return value
        weights = self.add("GlobalAveragePool", value)
        weights = self.add("Relu", self._convolution(f"{name}.fc1", f"{name}.bn1", weights))
        weights = self.add("Sigmoid", self._convolution(f"{name}.fc2", f"{name}.bn2", weights))
        return self.add("Mul", value, weights)

    def classify(self, value: str) -> None:
        scale, shift = self._normalisation("bn")
        inner = self._state["linear.weight"] * scale[:, None]
        value = self.add("Gemm", value, self._constant(inner), self._constant(shift), transB=1)
        last = self._state["prob.weight"]
        if last.shape[0] != _CLASSES:
            raise ValueError(f"{last.shape[0]} classes, expected {_CLASSES}")
        self.add("MatMul", value, self._constant(last.T), output="logits")

    def model(self) -> bytes:
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("input", ("n", 3, _SIDE, _SIDE)), ("logits", ("n", _CLASSES)))
        ]
        graph = helper.make_graph(self._nodes, "minifasnet", ends[:1], ends[1:], initializer=self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        content: bytes = model.SerializeToString()
        return content

    def _convolution(
        self, name: str, normalisation: str, value: str, *, stride: int = 1, padded: bool = True
    ) -> str:
        weights = self._state[f"{name}.weight"]
        scale, shift = self._normalisation(normalisation)
        # A convolution with one input channel per filter is depthwise, except the first on a squeezed value.
        groups = weights.shape[0] if weights.shape[1] == 1 and weights.shape[2] > 1 else 1
        border = weights.shape[2] // 2 if padded else 0
        return self.add(
            "Conv",
            value,
            self._constant(weights * scale.reshape(-1, 1, 1, 1)),
            self._constant(shift),
            kernel_shape=list(weights.shape[2:]),
            strides=[stride, stride],
            pads=[border] * 4,
            group=groups,
        )

    def _normalisation(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        gamma, beta, mean, variance = (
            self._state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale

    def _constant(self, values: NDArray[np.float32]) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name))
        return name


def converted_network(path: Path) -> OnnxPadNetwork:
    """Load the network of a ``.pth`` file, with the catalogue's preprocessing for its kind, on the CPU.

    Raises:
        StateFileError: The file name is that of no network of the catalogue, or it holds another network.
        OSError: It cannot be read.
    """
    kind = next((kind for kind in _KINDS if kind in path.name), None)
    entry = load_catalogue().by_name(_KINDS[kind]) if kind else None
    if entry is None or entry.pad is None:
        raise StateFileError(f"{path.name} is named after none of {', '.join(_KINDS)}")
    model = minifasnet_to_onnx(read_state(path.read_bytes()))
    session = create_session(model, RuntimeOptions(providers="cpu"), name=path.name)
    return OnnxPadNetwork(name=entry.name, session=session, preprocessing=entry.pad)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not convert."""
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.minifasnet_onnx", description="Convert Silent-Face's weights to ONNX."
    )
    parser.add_argument("weights", type=Path, help="a .pth file of Silent-Face-Anti-Spoofing")
    parser.add_argument("out", type=Path, help="ONNX file to write")
    options = parser.parse_args(arguments)
    try:
        options.out.write_bytes(minifasnet_to_onnx(read_state(options.weights.read_bytes())))
    except (StateFileError, OSError) as error:
        sys.stderr.write(f"could not convert: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
