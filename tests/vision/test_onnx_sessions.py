"""The only function that sets ONNX Runtime options."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.vision.models import scaling_model
from vision.batching_session import BatchingSession
from vision.errors import PackFileUnusable
from vision.onnx_sessions import RuntimeOptions, choose_providers, create_session, describe, on_gpu

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
    assert not on_gpu(session)


def test_cuda_comes_before_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(monkeypatch, CPU, "AzureExecutionProvider", CUDA)
    assert choose_providers(RuntimeOptions()).providers == (CUDA, CPU)
    assert choose_providers(RuntimeOptions(providers="cuda")).providers == (CUDA, CPU)
    assert choose_providers(RuntimeOptions(providers="cpu")).providers == (CPU,)


def test_without_cuda_the_cpu_is_used_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    _offer(monkeypatch, CPU)
    assert choose_providers(RuntimeOptions()).providers == (CPU,)
    assert "offers no CUDA" in describe(RuntimeOptions())
    with pytest.raises(PackFileUnusable, match=r"requirements/gpu\.lock"):
        choose_providers(RuntimeOptions(providers="cuda"))


def test_describe_names_the_provider_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_anything_but_a_model_is_refused(model: bytes) -> None:
    with pytest.raises(PackFileUnusable, match=r"broken\.onnx"):
        create_session(model, RuntimeOptions(), name="broken.onnx")


def test_no_threads_is_refused() -> None:
    with pytest.raises(PackFileUnusable, match="intra_op_threads"):
        create_session(scaling_model(factor=1), RuntimeOptions(intra_op_threads=0))


class FakeGpu:
    """Stands in for ``onnxruntime.InferenceSession`` on a GPU; keeps how it was made and run."""

    made: ClassVar[list[dict[str, Any]]]
    runs: ClassVar[list[tuple[int, ...]]]
    most = 1000
    first_side: int | str = "n"

    def __init__(self, model: bytes, **options: Any) -> None:
        self.made.append(options)

    def disable_fallback(self) -> None:
        self.made[-1]["disabled"] = True

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        (image,) = input_feed.values()
        self.runs.append(image.shape)
        if len(image) > self.most:
            raise RuntimeError("out of memory")
        return [image]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=[self.first_side, 3, 8, 8])]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="output", shape=[self.first_side, 3, 8, 8])]

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> type[FakeGpu]:
    monkeypatch.setattr(FakeGpu, "made", [], raising=False)
    monkeypatch.setattr(FakeGpu, "runs", [], raising=False)
    _offer(monkeypatch, CUDA, CPU)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeGpu)
    return FakeGpu


def test_a_gpu_gets_its_options(gpu: type[FakeGpu]) -> None:
    create_session(b"", RuntimeOptions(providers="cuda", cuda_memory_mib=512))
    create_session(b"", RuntimeOptions())
    (name, cuda), cpu = gpu.made[0]["providers"]
    assert name == CUDA
    assert (cuda["device_id"], cuda["gpu_mem_limit"]) == ("0", str(512 * 1024 * 1024))
    assert (cuda["use_tf32"], cuda["cudnn_conv_algo_search"]) == ("0", "HEURISTIC")
    assert cpu == (CPU, {})
    assert "gpu_mem_limit" not in gpu.made[1]["providers"][0][1]
    assert [made["enable_fallback"] for made in gpu.made] == [False, True]
    assert all(made["disabled"] for made in gpu.made), "while a server runs, no session changes its provider"


def test_on_a_gpu_a_model_is_warm_with_the_largest_batch_before_it_is_used(gpu: type[FakeGpu]) -> None:
    session = create_session(b"", RuntimeOptions(max_batch=5))
    assert gpu.runs == [(1, 3, 8, 8), (5, 3, 8, 8)]
    assert isinstance(session, BatchingSession)
    assert session.get_providers() == [CUDA, CPU]
    assert on_gpu(session)


def test_a_model_of_one_image_is_warm_and_not_batched(
    gpu: type[FakeGpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "first_side", 1)
    session = create_session(b"", RuntimeOptions())
    assert gpu.runs == [(1, 3, 8, 8)]
    assert isinstance(session, gpu)


def test_a_batch_that_does_not_fit_in_memory_is_refused_at_the_start(
    gpu: type[FakeGpu], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "most", 8)
    with pytest.raises(PackFileUnusable, match=r"model\.onnx.*16 images.*runtime\.max_batch"):
        create_session(b"", RuntimeOptions(), name="model.onnx")
    create_session(b"", RuntimeOptions(max_batch=8), name="model.onnx")


def test_calls_are_joined_on_a_gpu_and_on_demand_only(gpu: type[FakeGpu]) -> None:
    assert isinstance(create_session(b"", RuntimeOptions()), BatchingSession)
    assert isinstance(create_session(b"", RuntimeOptions(max_batch=1)), gpu)
    assert "up to 16 calls joined" in describe(RuntimeOptions())
    assert "joined" not in describe(RuntimeOptions(providers="cpu"))
    assert "up to 4 calls joined" in describe(RuntimeOptions(providers="cpu", max_batch=4))
