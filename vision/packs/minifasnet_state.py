"""Silent-Face's two PAD networks: from the PyTorch files that their authors publish to ONNX graphs.

PyTorch is not needed: a state file is a pickle of names and shapes, followed by the numbers. The pickle is
read with everything refused but an ordered dictionary and tensors, so it cannot run code. The names state
how deep each part is and which parts squeeze and excite, so one builder makes MiniFASNetV2 and
MiniFASNetV1SE. The graph takes images of BGR 0..255 and gives the three logits.

Source: minivision-ai/Silent-Face-Anti-Spoofing, ``src/model_lib/MiniFASNet.py`` (layers).
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vision.errors import PackFileUnusable
from vision.packs.onnx_graph import OnnxGraph

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_EPSILON: Final = 1e-5
_SIDE: Final = 80
_CLASSES: Final = 3
_STORAGES: Final[Mapping[str, np.dtype[Any]]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}

State = Mapping[str, NDArray[np.float32]]


class StateFileError(PackFileUnusable):
    """The file is not a state file of a MiniFASNet."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the pickle, before its numbers are read."""

    storage: str
    offset: int
    shape: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Knows tensors, their storages and an ordered dictionary, and nothing else."""

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
    """Return the tensors of a PyTorch state file in the form that was used before PyTorch 1.6.

    Raises:
        StateFileError: It is not such a file, or its pickle contains anything but tensors.
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
    """Return the network to which ``state`` belongs, as an ONNX model.

    It takes ``input``, float32 of shape (n, 3, 80, 80), BGR, 0..255, and gives ``logits`` of shape (n, 3);
    the second class is a bona fide presentation.

    Raises:
        StateFileError: The tensors are of another network.
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
    model: bytes = graph.model(
        "minifasnet", inputs={"input": ("n", 3, _SIDE, _SIDE)}, outputs={"logits": ("n", _CLASSES)}
    ).SerializeToString()
    return model


class _Graph(OnnxGraph):
    """An ONNX graph whose numbers come from a state file."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def block(self, name: str, value: str, *, stride: int = 1, padded: bool = True) -> str:
        """Add convolution, batch normalisation and, if the state has one, PReLU."""
        value = self._convolution(f"{name}.conv", f"{name}.bn", value, stride=stride, padded=padded)
        slopes = self._state.get(f"{name}.prelu.weight")
        return value if slopes is None else self.add("PRelu", value, self.constant(slopes.reshape(-1, 1, 1)))

    def separable(self, name: str, value: str, *, stride: int = 1) -> str:
        value = self.block(f"{name}.conv", value)
        return self.block(f"{name}.project", self.block(f"{name}.conv_dw", value, stride=stride))

    def squeeze_and_excite(self, name: str, value: str) -> str:
        """Add a weight for each channel of ``value``; leave it unchanged if the state has no such part."""
        if f"{name}.fc1.weight" not in self._state:
            return value
        weights = self.add("GlobalAveragePool", value)
        weights = self.add("Relu", self._convolution(f"{name}.fc1", f"{name}.bn1", weights))
        weights = self.add("Sigmoid", self._convolution(f"{name}.fc2", f"{name}.bn2", weights))
        return self.add("Mul", value, weights)

    def classify(self, value: str) -> None:
        scale, shift = self._normalisation("bn")
        inner = self._state["linear.weight"] * scale[:, None]
        value = self.add("Gemm", value, self.constant(inner), self.constant(shift), transB=1)
        last = self._state["prob.weight"]
        if last.shape[0] != _CLASSES:
            raise ValueError(f"{last.shape[0]} classes, expected {_CLASSES}")
        self.add("MatMul", value, self.constant(last.T), output="logits")

    def _convolution(
        self, name: str, normalisation: str, value: str, *, stride: int = 1, padded: bool = True
    ) -> str:
        weights = self._state[f"{name}.weight"]
        scale, shift = self._normalisation(normalisation)
        # A convolution of one input channel a filter is depthwise, but for the first on a squeezed value.
        groups = weights.shape[0] if weights.shape[1] == 1 and weights.shape[2] > 1 else 1
        border = weights.shape[2] // 2 if padded else 0
        return self.convolve(
            value, weights * scale.reshape(-1, 1, 1, 1), shift, stride=stride, border=border, group=groups
        )

    def _normalisation(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        gamma, beta, mean, variance = (
            self._state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        return scale, beta - mean * scale
