"""Exports the network to ONNX: batch normalisation is folded, logits are calibrated, numbers are float16.

PyTorch's own exporter is not needed: the network is two lists of convolutions. Numbers are stored as float16
and cast when the graph is loaded, which halves the file without a later cost. Logits are calibrated to
probabilities after J. Platt, "Probabilistic outputs for support vector machines", 1999, with equal weight of
both kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper
from scipy.optimize import minimize

from lab.packs.facegate_pad import TIGHT_SIDE, WIDE_SIDE
from vision.packs.onnx_graph import OnnxGraph


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated logits are ``scale * logit + shift``.

    Attributes:
        scale: Above 0.
        shift: Moves the probability of 0.5.
    """

    scale: float
    shift: float


def fit_calibration(
    logits: NDArray[np.float64], is_live: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Calibration:
    """Fit the calibration by maximum likelihood of the labels.

    Args:
        logits: Logits of images that the network was not trained on, shape (n,).
        is_live: Shape (n,); both kinds must occur.
        weights: Weights of each image, above 0; both kinds are then brought to the same sum.

    Raises:
        ValueError: One of both kinds does not occur.
    """
    if is_live.all() or not is_live.any():
        raise ValueError("a calibration needs bona fide pictures and attacks")
    balanced = weights / np.where(is_live, weights[is_live].sum(), weights[~is_live].sum())
    signs = np.where(is_live, 1.0, -1.0)

    def cost(values: NDArray[np.float64]) -> float:
        margins = signs * (np.exp(values[0]) * logits + values[1])
        return float((balanced * np.logaddexp(0, -margins)).sum())

    # The scale is fitted as its logarithm, because a calibration must not reverse the order.
    best = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    return Calibration(scale=float(np.exp(best.x[0])), shift=float(best.x[1]))


State = Mapping[str, NDArray[np.float32]]

_EPSILON: Final = 1e-5
_MIDDLE: Final = 127.5
_TRUNKS: Final = (("tight", TIGHT_SIDE), ("wide", WIDE_SIDE))


def student_to_onnx(state: State, *, scale: float = 1.0, shift: float = 0.0) -> bytes:
    """Return the network as an ONNX model.

    Args:
        state: The tensors of a ``Student`` by name; those of its teachers' features are omitted.
        scale: Factor of the calibration on the logits, above 0.
        shift: Offset of the calibration, added to the scaled logits.

    Returns:
        A model with inputs ``tight``, float32 of shape (n, 3, 112, 112), and ``wide``, (n, 3, 80, 80), both
        BGR 0..255, and the output ``logit`` of shape (n, 1), of a bona fide presentation.

    Raises:
        KeyError: A tensor is missing.
    """
    graph = _Graph(state)
    both = graph.add("Concat", *(graph.trunk(name) for name, _ in _TRUNKS), axis=1)
    hidden = graph.add("Relu", graph.linear("join", both))
    graph.linear("last", hidden, scale=scale, shift=shift, output="logit")
    model = graph.model(
        "facegate_pad",
        inputs={name: ("n", 3, side, side) for name, side in _TRUNKS},
        outputs={"logit": ("n", 1)},
        producer_name="facegate",
    )
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Graph(OnnxGraph):
    """A graph with the numbers of the trained state."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self._state = state

    def trunk(self, name: str) -> str:
        middle = self.constant(np.array(_MIDDLE, dtype=np.float32))
        value = self.add("Div", self.add("Sub", name, middle), middle)
        value = self.add("Relu", self._convolution(f"{name}.stem", value, stride=2))
        stage = 0
        while f"{name}.stages.{stage}.halve.0.weight" in self._state:
            part = f"{name}.stages.{stage}"
            value = self.add("Relu", self._convolution(f"{part}.halve", value, stride=2))
            inner = self.add("Relu", self._convolution(f"{part}.first", value))
            inner = self._convolution(f"{part}.second", inner)
            value = self.add("Relu", self.add("Add", value, inner))
            stage += 1
        pooled = [self.add(kind, value) for kind in ("GlobalAveragePool", "GlobalMaxPool")]
        return self.add("Flatten", self.add("Concat", *pooled, axis=1))

    def linear(
        self, name: str, value: str, *, scale: float = 1.0, shift: float = 0.0, output: str = ""
    ) -> str:
        weights = self.constant(self._state[f"{name}.weight"] * np.float32(scale))
        bias = self.constant(self._state[f"{name}.bias"] * np.float32(scale) + np.float32(shift))
        return self.add("Gemm", value, weights, bias, transB=1, output=output)

    def _convolution(self, name: str, value: str, *, stride: int = 1) -> str:
        weights, bias = self._folded(name)
        return self.convolve(value, weights, bias, stride=stride, border=1)

    def _folded(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        state = self._state
        factor = state[f"{name}.1.weight"] / np.sqrt(state[f"{name}.1.running_var"] + np.float32(_EPSILON))
        bias = state[f"{name}.1.bias"] - state[f"{name}.1.running_mean"] * factor
        return state[f"{name}.0.weight"] * factor.reshape(-1, 1, 1, 1), bias

    def constant(self, values: NDArray[Any]) -> str:
        """Add numbers as float16, which the graph casts when it is loaded."""
        name = f"c{len(self._constants)}"
        # The order of bytes in memory does not follow PyTorch's layout once it is contiguous.
        half = np.ascontiguousarray(values, dtype=np.float16)
        self._constants.append(numpy_helper.from_array(half, name))
        return self.add("Cast", name, to=TensorProto.FLOAT)
