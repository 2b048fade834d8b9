"""Rewritten graphs give the answers of the originals."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from tests.vision.models import prelu_model, scaling_model
from vision.errors import PackFileUnusable
from vision.graph_rewrite import MOST_DIFFERENCE, with_free_sides, without_prelu
from vision.onnx_sessions import RuntimeOptions, create_session

CPU = RuntimeOptions(providers="cpu")
SLOPES = np.array([0.25, -0.5, 1.75], np.float32)


def _operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


def _run(model: bytes, image: NDArray[np.float32]) -> NDArray[np.float32]:
    session = create_session(model, CPU)
    return session.run(None, {session.get_inputs()[0].name: image})[0]


@pytest.mark.parametrize(
    ("slopes", "options"),
    [
        (SLOPES.reshape(3, 1, 1), {}),
        (SLOPES.reshape(1, 3, 1, 1), {}),
        (np.array([0.1], np.float32), {}),
        (np.array(-2.0, np.float32), {}),
        (SLOPES.reshape(3, 1, 1), {"kind": "constant"}),
        (SLOPES.reshape(3, 1, 1), {"ir_version": 3}),
        (SLOPES.reshape(3, 1, 1), {"shape": ("batch", 3, "h", "w")}),
    ],
)
def test_prelu_of_images_is_replaced(slopes: NDArray[np.float32], options: dict[str, Any]) -> None:
    model = prelu_model(slopes, **options)
    rewritten = without_prelu(model)
    assert rewritten is not None
    onnx.checker.check_model(onnx.load_model_from_string(rewritten), full_check=True)
    assert "PRelu" not in _operators(rewritten)
    image = np.random.default_rng(1).normal(0, 100, (1, 3, 8, 8)).astype(np.float32)
    expected = np.where(image > 0, image, image * np.broadcast_to(slopes, (1, 3, 1, 1)))
    np.testing.assert_allclose(_run(model, image), expected, rtol=1e-6)
    np.testing.assert_allclose(_run(rewritten, image), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("slopes", "options"),
    [
        (np.full((3, 8, 8), 0.25, np.float32), {}),
        (np.full((8,), 0.25, np.float32), {}),
        (np.full((1, 1, 8), 0.25, np.float32), {}),
        (SLOPES, {"shape": (5, 3)}),
        (SLOPES.reshape(3, 1, 1), {"shape": (3, 8, 8)}),
        (SLOPES.reshape(3, 1, 1), {"kind": "computed"}),
        (np.array([0.1], np.float32), {"shape": (1, "channels", 8, 8)}),
    ],
)
def test_other_prelu_nodes_stay(slopes: NDArray[np.float32], options: dict[str, Any]) -> None:
    assert without_prelu(prelu_model(slopes, **options)) is None


@pytest.mark.parametrize("model", [b"", b"no model", b"\xffPRelu", scaling_model(factor=2)])
def test_a_graph_without_replaceable_nodes_is_unchanged(model: bytes) -> None:
    assert without_prelu(model) is None


def test_a_real_pad_network_gives_the_same_scores(assets: Path) -> None:
    model = (assets / "models" / "minifas_v2se_celebaspoof_128.onnx").read_bytes()
    rewritten = without_prelu(model)
    assert rewritten is not None
    assert _operators(model).count("PRelu") == 33
    assert "PRelu" not in _operators(rewritten)
    random = np.random.default_rng(7)
    for _ in range(5):
        image = random.uniform(0, 1, (1, 3, 128, 128)).astype(np.float32)
        expected = _run(model, image)
        difference = np.abs(_run(rewritten, image) - expected).max()
        assert difference <= MOST_DIFFERENCE * np.abs(expected).max()


@pytest.mark.parametrize("name", ["det_500m.onnx", "mobilefacenet_foamliu.onnx"])
def test_real_networks_without_prelu_stay_as_they_are(assets: Path, name: str) -> None:
    assert without_prelu((assets / "models" / name).read_bytes()) is None


def test_an_input_of_another_size_is_refused() -> None:
    model = prelu_model(SLOPES.reshape(3, 1, 1))
    image = np.full((1, 3, 5, 11), -4, np.float32)
    with pytest.raises(Exception, match="invalid dimensions"):
        _run(model, image)
    opened = with_free_sides(model)
    np.testing.assert_array_equal(_run(opened, image)[0, :, 0, 0], [-1, 2, -7])
    assert _run(opened, image).shape == image.shape


@pytest.mark.parametrize("model", [b"no model", b"", prelu_model(SLOPES, shape=(5, 3))])
def test_a_model_without_an_image_input_is_refused(model: bytes) -> None:
    with pytest.raises(PackFileUnusable, match="one image"):
        with_free_sides(model)
