"""Rewritten graphs give the answers of the originals."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import vision.graph_rewrite
from tests.vision.models import prelu_model, scaling_model
from vision.errors import PackFileUnusable
from vision.graph_rewrite import (
    MOST_DIFFERENCE,
    create_fast_session,
    outputs_agree,
    sample_outputs,
    with_free_sides,
    without_prelu,
)
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session

CPU = RuntimeOptions(providers="cpu")
SLOPES = np.array([0.25, -0.5, 1.75], np.float32)
CHANNELS = SLOPES[:, None, None]


def _operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


def _run(model: bytes, image: NDArray[np.float32]) -> NDArray[np.float32]:
    session = create_session(model, CPU)
    return session.run(None, {session.get_inputs()[0].name: image})[0]


@pytest.mark.parametrize(
    ("slopes", "options"),
    [
        (CHANNELS, {}),
        (SLOPES.reshape(1, 3, 1, 1), {}),
        (np.array([0.1], np.float32), {}),
        (np.array(-2.0, np.float32), {}),
        (CHANNELS, {"kind": "constant"}),
        (CHANNELS, {"ir_version": 3}),
        (CHANNELS, {"shape": ("batch", 3, "h", "w")}),
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
        (CHANNELS, {"shape": (3, 8, 8)}),
        (CHANNELS, {"kind": "computed"}),
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
    model = prelu_model(CHANNELS)
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


BELOW = np.full((1, 3, 8, 8), -4, np.float32)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every model that becomes a session."""
    models: list[bytes] = []

    def create(model: bytes, options: RuntimeOptions, *, name: str = "") -> OnnxSession:
        models.append(model)
        return create_session(model, options, name=name)

    monkeypatch.setattr(vision.graph_rewrite, "create_session", create)
    return models


def _fast(model: bytes) -> OnnxSession:
    return create_fast_session(model, CPU, name="tiny.onnx", input_range=(-1, 1))


def _answer(session: OnnxSession) -> list[float]:
    return [float(value) for value in session.run(None, {"input": BELOW})[0][0, :, 0, 0]]


def test_the_rewritten_graph_is_used(loaded: list[bytes]) -> None:
    session = _fast(prelu_model(CHANNELS))
    assert [b"PRelu" in model for model in loaded] == [True, False]
    assert _answer(session) == [-1, 2, -7]


def test_a_graph_without_prelu_is_loaded_once(loaded: list[bytes]) -> None:
    _fast(scaling_model(factor=2))
    assert loaded == [scaling_model(factor=2)]


def test_rewriting_can_be_turned_off(loaded: list[bytes]) -> None:
    options = RuntimeOptions(providers="cpu", rewrite_graphs=False)
    session = create_fast_session(prelu_model(CHANNELS), options, name="tiny.onnx", input_range=(-1, 1))
    assert loaded == [prelu_model(CHANNELS)]
    assert _answer(session) == [-1, 2, -7]


@pytest.mark.parametrize("wrong", [prelu_model(CHANNELS + np.float32(1e-3)), b"no model"])
def test_a_rewritten_graph_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch, wrong: bytes) -> None:
    monkeypatch.setattr(vision.graph_rewrite, "without_prelu", lambda model: wrong)
    assert _answer(_fast(prelu_model(CHANNELS))) == [-1, 2, -7]


def test_on_a_gpu_graphs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnGpu:
        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    models: list[bytes] = []

    def create(model: bytes, options: RuntimeOptions, *, name: str = "") -> Any:
        models.append(model)
        return OnGpu()

    monkeypatch.setattr(vision.graph_rewrite, "create_session", create)
    assert isinstance(_fast(prelu_model(CHANNELS)), OnGpu)
    assert len(models) == 1


def test_anything_but_a_model_is_refused() -> None:
    with pytest.raises(PackFileUnusable, match=r"tiny\.onnx"):
        _fast(b"no model with a PRelu")


class FakeSession:
    """Answers every image with the same numbers."""

    def __init__(self, *answers: list[float], shape: tuple[Any, ...] = ("batch", 3, "h", 8)) -> None:
        self.answers = [np.array(answer, np.float32) for answer in answers]
        self.shape = shape
        self.seen: list[NDArray[np.float32]] = []

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        self.seen += input_feed.values()
        return self.answers

    def get_inputs(self) -> list[Any]:
        class Entry:
            name = "input"
            shape = self.shape

        return [Entry()]

    def get_outputs(self) -> list[Any]:
        return []

    def get_providers(self) -> list[str]:
        return []


@pytest.mark.parametrize(
    ("rewritten", "same"),
    [
        ([[100.0, 1.0]], True),
        ([[100.0, 1.0099]], True),
        ([[100.0, 1.0101]], False),
        ([[100.0, float("nan")]], False),
        ([[100.0]], False),
        ([[100.0, 1.0], [1.0]], False),
    ],
)
def test_how_far_outputs_may_differ(rewritten: list[list[float]], same: bool) -> None:
    expected = sample_outputs(FakeSession([100.0, 1.0]), (0, 1))
    assert outputs_agree(expected, sample_outputs(FakeSession(*rewritten), (0, 1))) is same


@pytest.mark.parametrize("answers", [[], [[float("nan")]], [[float("inf"), 1.0]]])
def test_without_sound_outputs_nothing_agrees(answers: list[list[float]]) -> None:
    outputs = sample_outputs(FakeSession(*answers), (0, 1))
    assert not outputs_agree(outputs, outputs)


def test_the_sample_is_noise_of_the_right_shape_and_range() -> None:
    session = FakeSession([1.0])
    sample_outputs(session, (-2, 3))
    sample_outputs(session, (-2, 3))
    image, again = session.seen
    assert image.shape[:2] == (1, 3)
    assert image.shape[3] == 8
    assert -2 <= image.min() < -1.9
    assert 2.9 < image.max() <= 3
    np.testing.assert_array_equal(image, again)


def test_a_session_that_cannot_be_run_has_no_outputs() -> None:
    session = create_session(scaling_model(factor=2), CPU)
    fake = FakeSession([1.0], shape=(1, 3, 5, 5))
    fake.run = session.run  # type: ignore[method-assign]
    assert sample_outputs(fake, (0, 1)) == []
