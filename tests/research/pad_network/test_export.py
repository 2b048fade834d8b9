"""The exported graph computes the network of the weights."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate

from research.pad_network.export import State, student_to_onnx
from tests.research.pad_network.builders import student_state
from vision.onnx_sessions import RuntimeOptions, create_session

CPU = RuntimeOptions(providers="cpu")


def _halved(value: NDArray[np.float64], state: State, name: str, *, stride: int) -> NDArray[np.float64]:
    """Convolution and batch normalisation, straight from their definitions; shape (channels, h, w)."""
    padded = np.pad(value, ((0, 0), (1, 1), (1, 1)))
    weights = state[f"{name}.0.weight"].astype(np.float64)
    made = np.array([correlate(padded, kernel, mode="valid")[0] for kernel in weights])[:, ::stride, ::stride]
    mean, variance = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
    scaled = (made - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    return np.asarray(
        scaled * state[f"{name}.1.weight"][:, None, None] + state[f"{name}.1.bias"][:, None, None]
    )


def _expected(state: State, crops: dict[str, NDArray[np.float32]]) -> float:
    pooled = []
    for trunk, stages in (("tight", 2), ("wide", 1)):
        value = (crops[trunk][0].astype(np.float64) - 127.5) / 127.5
        value = np.maximum(_halved(value, state, f"{trunk}.stem", stride=2), 0)
        for stage in range(stages):
            part = f"{trunk}.stages.{stage}"
            value = np.maximum(_halved(value, state, f"{part}.halve", stride=2), 0)
            inner = np.maximum(_halved(value, state, f"{part}.first", stride=1), 0)
            value = np.maximum(value + _halved(inner, state, f"{part}.second", stride=1), 0)
        pooled += [value.mean(axis=(1, 2)), value.max(axis=(1, 2))]
    hidden = np.maximum(state["join.weight"] @ np.concatenate(pooled) + state["join.bias"], 0)
    return float((state["last.weight"] @ hidden + state["last.bias"])[0])


def test_the_graph_computes_the_same_as_the_layers() -> None:
    state = student_state()
    random = np.random.default_rng(3)
    crops = {
        "tight": random.uniform(0, 255, (1, 3, 112, 112)).astype(np.float32),
        "wide": random.uniform(0, 255, (1, 3, 80, 80)).astype(np.float32),
    }
    plain = create_session(student_to_onnx(state), CPU).run(None, crops)[0]
    assert plain.shape == (1, 1)
    # Numbers are stored as float16.
    assert plain[0, 0] == pytest.approx(_expected(state, crops), rel=2e-2, abs=2e-2)
    calibrated = create_session(student_to_onnx(state, scale=0.5, shift=1.25), CPU).run(None, crops)[0]
    assert calibrated[0, 0] == pytest.approx(0.5 * plain[0, 0] + 1.25, rel=1e-2, abs=1e-2)


def test_the_same_weights_give_the_same_bytes() -> None:
    assert student_to_onnx(student_state()) == student_to_onnx(student_state())


def test_the_graph_has_no_slow_activation() -> None:
    model = onnx.load_from_string(student_to_onnx(student_state()))
    assert "PRelu" not in {node.op_type for node in model.graph.node}


def test_missing_weights_are_named() -> None:
    state = student_state()
    del state["join.bias"]
    with pytest.raises(KeyError, match=r"join\.bias"):
        student_to_onnx(state)
