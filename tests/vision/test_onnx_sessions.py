"""The only function that sets ONNX Runtime options."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.vision.models import scaling_model
from vision.errors import PackFileUnusable
from vision.onnx_sessions import RuntimeOptions, choose_providers, create_session, describe

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"


def _offer(monkeypatch: pytest.MonkeyPatch, *providers: str) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(providers))


@pytest.mark.parametrize("from_path", [False, True])
def test_loads_from_bytes_and_from_a_path(tmp_path: Path, from_path: bool) -> None:
    model = scaling_model(factor=3)
    (tmp_path / "model.onnx").write_bytes(model)
    session = create_session(tmp_path / "model.onnx" if from_path else model, RuntimeOptions(providers="cpu"))
    (out,) = session.run(None, {"input": np.ones((1, 3, 4, 4), np.float32)})
    assert (out == 3).all()


def test_sets_threads_and_spinning() -> None:
    session = create_session(scaling_model(factor=3), RuntimeOptions(intra_op_threads=2, providers="cpu"))
    assert isinstance(session, onnxruntime.InferenceSession)
    settings = session.get_session_options()
    assert settings.intra_op_num_threads == 2
    assert settings.inter_op_num_threads == 1
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session.get_providers() == [CPU]


def test_cuda_comes_before_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(monkeypatch, CPU, "AzureExecutionProvider", CUDA)
    assert choose_providers(RuntimeOptions()).providers == (CUDA, CPU)
    assert choose_providers(RuntimeOptions(providers="cuda")).providers == (CUDA, CPU)
    assert choose_providers(RuntimeOptions(providers="cpu")).providers == (CPU,)


def test_without_cuda_the_cpu_is_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(monkeypatch, CPU)
    assert choose_providers(RuntimeOptions()).providers == (CPU,)
    assert "offers no CUDA" in describe(RuntimeOptions())
    with pytest.raises(PackFileUnusable, match=r"requirements/gpu\.lock"):
        choose_providers(RuntimeOptions(providers="cuda"))


def test_describe_tells_what_is_used_not_what_was_hoped(monkeypatch: pytest.MonkeyPatch) -> None:
    session = create_session(scaling_model(factor=1), RuntimeOptions(providers="cpu"))
    _offer(monkeypatch, CUDA, CPU)
    sentence = describe(RuntimeOptions(), session)
    assert CPU in sentence
    assert "CUDAExecutionProvider could not be started" in sentence


def test_cuda_that_cannot_start_is_refused_only_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The installed runtime has no CUDA, so its session falls back although the list contains it."""
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    _offer(monkeypatch, CUDA, CPU)
    preloads: list[bool] = []
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: preloads.append(True))
    with pytest.warns(UserWarning, match=CUDA):
        session = create_session(scaling_model(factor=1), RuntimeOptions())
    assert session.get_providers() == [CPU]
    with pytest.warns(UserWarning, match=CUDA), pytest.raises(PackFileUnusable, match="CUDA was demanded"):
        create_session(scaling_model(factor=1), RuntimeOptions(providers="cuda"))
    assert preloads == [True, True]


@pytest.mark.parametrize("model", [b"", b"no model at all"])
def test_what_is_no_model_is_refused(model: bytes) -> None:
    with pytest.raises(PackFileUnusable, match=r"broken\.onnx"):
        create_session(model, RuntimeOptions(), name="broken.onnx")


def test_no_threads_is_refused() -> None:
    with pytest.raises(PackFileUnusable, match="intra_op_threads"):
        create_session(scaling_model(factor=1), RuntimeOptions(intra_op_threads=0))
