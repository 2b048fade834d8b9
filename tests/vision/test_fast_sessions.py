"""A rewritten graph is used only if it agrees with the original."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import vision.graph_rewrite
from tests.vision.models import prelu_model, scaling_model
from vision.errors import PackFileUnusable
from vision.graph_rewrite import create_fast_session, outputs_agree, sample_outputs
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session

CPU = RuntimeOptions(providers="cpu")
SLOPES = np.array([0.25, -0.5, 1.75], np.float32).reshape(3, 1, 1)
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
    session = _fast(prelu_model(SLOPES))
    assert [b"PRelu" in model for model in loaded] == [True, False]
    assert _answer(session) == [-1, 2, -7]


def test_a_graph_without_prelu_is_loaded_once(loaded: list[bytes]) -> None:
    _fast(scaling_model(factor=2))
    assert loaded == [scaling_model(factor=2)]


def test_a_graph_whose_prelu_must_stay_runs_as_it_is() -> None:
    per_pixel = np.broadcast_to(SLOPES, (3, 8, 8)).copy()
    assert _answer(_fast(prelu_model(per_pixel))) == [-1, 2, -7]


def test_rewriting_can_be_turned_off(loaded: list[bytes]) -> None:
    options = RuntimeOptions(providers="cpu", rewrite_graphs=False)
    session = create_fast_session(prelu_model(SLOPES), options, name="tiny.onnx", input_range=(-1, 1))
    assert loaded == [prelu_model(SLOPES)]
    assert _answer(session) == [-1, 2, -7]


@pytest.mark.parametrize("wrong", [prelu_model(SLOPES + np.float32(1e-3)), b"no model"])
def test_a_rewritten_graph_that_disagrees_is_not_used(monkeypatch: pytest.MonkeyPatch, wrong: bytes) -> None:
    monkeypatch.setattr(vision.graph_rewrite, "without_prelu", lambda model: wrong)
    assert _answer(_fast(prelu_model(SLOPES))) == [-1, 2, -7]


def test_on_a_gpu_graphs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnGpu:
        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    models: list[bytes] = []

    def create(model: bytes, options: RuntimeOptions, *, name: str = "") -> Any:
        models.append(model)
        return OnGpu()

    monkeypatch.setattr(vision.graph_rewrite, "create_session", create)
    assert isinstance(_fast(prelu_model(SLOPES)), OnGpu)
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
