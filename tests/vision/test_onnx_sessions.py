"""Sessions: the only function that sets ONNX Runtime options, calls in batches, and rewritten graphs."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import vision.graph_rewrite
from lab.packs.dlib_networks import resnet_to_onnx
from lab.packs.facegate_pad import read_facegate_pad
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
from vision.onnx_sessions import (
    BatchingSession,
    OnnxSession,
    RuntimeOptions,
    choose_providers,
    create_session,
    describe,
    on_gpu,
    takes_batches,
)
from vision.packs.minifasnet_state import minifasnet_to_onnx, read_state

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
    session = create_session(scaling_model(factor=3), RuntimeOptions(providers="cpu"))
    assert isinstance(session, onnxruntime.InferenceSession)
    settings = session.get_session_options()
    assert settings.intra_op_num_threads == 1
    assert settings.inter_op_num_threads == 1
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    # Its arena would keep the largest use of each model for good.
    assert not settings.enable_cpu_mem_arena
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
    create_session(b"", RuntimeOptions(providers="cuda"))
    create_session(b"", RuntimeOptions())
    (name, cuda), cpu = gpu.made[0]["providers"]
    assert name == CUDA
    assert cuda["device_id"] == "0"
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
    with pytest.raises(PackFileUnusable, match=r"model\.onnx.*16 images.*CUDA_VISIBLE_DEVICES"):
        create_session(b"", RuntimeOptions(), name="model.onnx")
    create_session(b"", RuntimeOptions(max_batch=8), name="model.onnx")


def test_calls_are_joined_on_a_gpu_and_on_demand_only(gpu: type[FakeGpu]) -> None:
    assert isinstance(create_session(b"", RuntimeOptions()), BatchingSession)
    assert isinstance(create_session(b"", RuntimeOptions(max_batch=1)), gpu)
    assert "up to 16 calls joined" in describe(RuntimeOptions())
    assert "joined" not in describe(RuntimeOptions(providers="cpu"))
    assert "up to 4 calls joined" in describe(RuntimeOptions(providers="cpu", max_batch=4))


LONG = 30.0
"""Seconds that no test waits in full, unless it fails."""


class DoublingModel:
    """Doubles its input, counts its calls, and fails on negative numbers. A test may hold its calls."""

    def __init__(self, *, shape: Sequence[int | str] = ("n", 1), outputs: int = 0) -> None:
        self.batches: list[list[float]] = []
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)
        self._shape = shape
        self._outputs = outputs

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        values = input_feed["input"]
        self.batches.append([float(value) for value in values[:, 0]])
        self.entered.release()
        assert self.open.wait(LONG)
        if (values < 0).any():
            raise ValueError(f"negative: {values.min()}")
        return [2 * values[: self._outputs or len(values)]]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=list(self._shape))]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name="output", shape=["n", 1])]

    def get_providers(self) -> list[str]:
        return ["CUDAExecutionProvider"]


def batching(model: OnnxSession, *, most: int = 16, wait: float = 0.0) -> BatchingSession:
    return BatchingSession(model, max_batch=most, max_wait_seconds=wait)


def feed(*values: float) -> dict[str, NDArray[np.float32]]:
    """An image of one number for each value."""
    return {"input": np.array(values, np.float32)[:, None]}


def numbers(outputs: list[NDArray[np.float32]]) -> list[float]:
    (output,) = outputs
    return [float(value) for (value,) in output]


def call(session: OnnxSession, value: float) -> float:
    (answer,) = numbers(session.run(None, feed(value)))
    return answer


def waiting_for(session: BatchingSession, number: int) -> None:
    """Return when that many calls wait for the running one."""
    with session._changed:
        assert session._changed.wait_for(lambda: len(session._waiting) == number, LONG)


def together(
    session: BatchingSession, model: DoublingModel, feeds: Sequence[dict[str, Any]], pool: ThreadPoolExecutor
) -> list["Future[list[NDArray[np.float32]]]"]:
    """Call with the first feed, and with the others, one after the other, while the first call runs."""
    model.open.clear()
    futures = [pool.submit(session.run, None, feeds[0])]
    assert model.entered.acquire(timeout=LONG)
    for number, each in enumerate(feeds[1:], start=1):
        futures.append(pool.submit(session.run, None, each))
        waiting_for(session, number)
    model.open.set()
    return futures


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(max_workers=24) as threads:
        yield threads


def test_a_single_caller_is_served_at_once() -> None:
    """With a deadline that would fail the test, so that no call waits for others."""
    model = DoublingModel()
    session = batching(model, wait=10 * LONG)
    assert [call(session, value) for value in (1, 2, 3)] == [2, 4, 6]
    assert model.batches == [[1], [2], [3]]


def test_calls_that_arrive_during_another_share_the_next_one(pool: ThreadPoolExecutor) -> None:
    """A model whose call costs the same for any batch, as on a GPU, serves seventeen callers in two calls."""
    model = DoublingModel()
    futures = together(batching(model), model, [feed(value) for value in range(17)], pool)
    assert [numbers(future.result(LONG)) for future in futures] == [[2 * value] for value in range(17)]
    assert model.batches == [[0], list(range(1, 17))]


def test_a_batch_is_bounded_and_served_in_order(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    futures = together(batching(model, most=4), model, [feed(value) for value in range(10)], pool)
    assert [numbers(future.result(LONG)) for future in futures] == [[2 * value] for value in range(10)]
    assert model.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]]


def test_after_company_a_caller_waits_until_the_deadline_and_then_no_more(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    session = batching(model, wait=0.05)
    for future in together(session, model, [feed(1), feed(2), feed(3)], pool):
        future.result(LONG)
    # Three callers are expected; one comes, waits in vain, and is served alone.
    assert call(session, 4) == 8
    # None is expected any more: with a wait, this would not end within the time limit of a test.
    session._max_wait_seconds = 10 * LONG
    assert call(session, 5) == 10
    assert model.batches[-2:] == [[4], [5]]


def test_a_caller_waits_for_the_company_that_it_had(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    session = batching(model)
    for future in together(session, model, [feed(1), feed(2), feed(3)], pool):
        future.result(LONG)
    session._max_wait_seconds = LONG
    first = pool.submit(call, session, 4)
    waiting_for(session, 1)
    second = pool.submit(call, session, 5)
    assert (first.result(LONG), second.result(LONG)) == (8, 10)
    assert model.batches[-1] == [4, 5]


def test_an_error_goes_to_the_caller_that_caused_it(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    values = (1, 2, -3, 4, -5)
    futures = together(batching(model), model, [feed(value) for value in values], pool)
    for future, value in zip(futures, values, strict=True):
        if value < 0:
            with pytest.raises(ValueError, match="negative"):
                future.result(LONG)
        else:
            assert numbers(future.result(LONG)) == [2 * value]
    # The batch failed and each was run once more, alone.
    assert model.batches == [[1], [2, -3, 4, -5], [2], [-3], [4], [-5]]


def test_an_input_of_another_shape_does_not_harm_the_others(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    wide = {"input": np.ones((1, 2), np.float32)}
    first, other, usual = together(batching(model), model, [feed(1), wide, feed(2)], pool)
    assert (numbers(first.result(LONG)), numbers(usual.result(LONG))) == ([2], [4])
    assert other.result(LONG)[0].shape == (1, 2)


def test_a_model_that_answers_for_one_image_only_is_run_for_each(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel(outputs=1)
    futures = together(batching(model), model, [feed(1), feed(2), feed(3)], pool)
    assert [numbers(future.result(LONG)) for future in futures] == [[2], [4], [6]]


def test_several_images_of_one_caller_stay_together(pool: ThreadPoolExecutor) -> None:
    model = DoublingModel()
    futures = together(batching(model), model, [feed(1), feed(2, 3), feed(4)], pool)
    assert [numbers(future.result(LONG)) for future in futures] == [[2], [4, 6], [8]]
    assert model.batches == [[1], [2, 3, 4]]


def test_if_the_thread_that_runs_a_batch_is_interrupted_the_others_are_served(
    pool: ThreadPoolExecutor,
) -> None:
    class Interrupted(DoublingModel):
        def run(
            self, output_names: list[str] | None, input_feed: dict[str, Any]
        ) -> list[NDArray[np.float32]]:
            outputs = super().run(output_names, input_feed)
            if input_feed["input"][0, 0] == 2 and len(self.batches) == 2:
                raise KeyboardInterrupt
            return outputs

    model = Interrupted()
    session = batching(model)
    futures = together(session, model, [feed(1), feed(2), feed(3), feed(4)], pool)
    results: list[list[float] | None] = []
    for future in futures:
        try:
            results.append(numbers(future.result(LONG)))
        except KeyboardInterrupt:
            results.append(None)
    assert results[0] == [2]
    # Any of the three may have run the batch; it lost its own result and no other's.
    assert results[1:].count(None) == 1
    assert all(found in (None, [wanted]) for found, wanted in zip(results, [2, 4, 6, 8], strict=True))
    assert not session._waiting
    assert call(session, 7) == 14


@settings(max_examples=25, deadline=None)
@given(
    callers=st.lists(st.lists(st.integers(-3, 50), max_size=6), min_size=1, max_size=8),
    most=st.integers(1, 9),
    wait=st.sampled_from([0.0, 0.0005]),
)
def test_every_call_gets_its_own_answer(callers: list[list[int]], most: int, wait: float) -> None:
    model = DoublingModel()
    session = batching(model, most=most, wait=wait)

    def answers(values: list[int]) -> list[float | None]:
        found: list[float | None] = []
        for value in values:
            try:
                found.append(call(session, value))
            except ValueError:
                found.append(None)
        return found

    with ThreadPoolExecutor(max_workers=len(callers)) as threads:
        found = list(threads.map(answers, callers, timeout=LONG))
    assert found == [[None if value < 0 else 2 * value for value in values] for values in callers]
    assert all(len(batch) <= most for batch in model.batches)
    assert not session._waiting
    assert not session._leading


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (("n", 3, 8, 8), True),
        ((None, 3, 8, 8), True),
        ((1, 3, 8, 8), False),
        (("n", 3, "height", "width"), False),
        ((), False),
    ],
)
def test_only_models_with_a_free_first_side_and_fixed_others_take_batches(
    shape: Sequence[int | str], expected: bool
) -> None:
    assert takes_batches(DoublingModel(shape=shape)) is expected


def _published(assets: Path) -> dict[str, bytes]:
    models = assets / "models"
    return {
        "minifas_v2se": (models / "minifas_v2se_celebaspoof_128.onnx").read_bytes(),
        **{
            name: minifasnet_to_onnx(read_state((models / name).read_bytes()))
            for name in ("2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth")
        },
    }


def _largest_difference(model: bytes, pool: ThreadPoolExecutor) -> float:
    """The largest difference between outputs of eight noise images, alone and in one batch."""
    alone = create_session(model, RuntimeOptions(providers="cpu"))
    counted: list[int] = []
    run: Callable[..., Any] = alone.run

    class Counting(DoublingModel):
        def run(
            self, output_names: list[str] | None, input_feed: dict[str, Any]
        ) -> list[NDArray[np.float32]]:
            counted.append(len(next(iter(input_feed.values()))))
            self.entered.release()
            assert self.open.wait(LONG)
            outputs: list[NDArray[np.float32]] = run(output_names, input_feed)
            return outputs

    random = np.random.default_rng(20_261_126)
    feeds = [
        {
            str(entry.name): random.uniform(0, 1, size=[1, *entry.shape[1:]]).astype(np.float32)
            for entry in alone.get_inputs()
        }
        for _ in range(9)
    ]
    held = Counting()
    futures = together(batching(held), held, feeds, pool)
    differences = [
        float(np.abs(joined.result(LONG)[0] - run(None, feed)[0]).max())
        for joined, feed in zip(futures, feeds, strict=True)
    ]
    assert counted == [1, 8]
    return max(differences)


def test_published_pad_networks_answer_the_same_in_a_batch(assets: Path, pool: ThreadPoolExecutor) -> None:
    for name, model in _published(assets).items():
        assert takes_batches(create_session(model, RuntimeOptions(providers="cpu"))), name
        assert _largest_difference(model, pool) < 1e-4, name


def test_the_pad_network_of_facegate_answers_the_same_in_a_batch(pool: ThreadPoolExecutor) -> None:
    """It has two inputs."""
    assert _largest_difference(read_facegate_pad().content, pool) < 1e-4


def test_the_embedder_of_dlib_answers_the_same_in_a_batch(pool: ThreadPoolExecutor) -> None:
    installed = find_spec("face_recognition_models")
    if installed is None or installed.origin is None:
        pytest.skip("face_recognition_models is not installed")
    weights = Path(installed.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"
    assert _largest_difference(resnet_to_onnx(weights.read_bytes()), pool) < 1e-4


_LOAD = """
from pathlib import Path
import lab.packs
from vision.onnx_sessions import on_gpu
import onnxruntime
model = Path(lab.packs.__file__).parent / "facegate_pad_v1.onnx"
session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
print(len(session.get_inputs()))
"""


def test_onnx_runtime_writes_nothing_into_the_home(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD],
        env={**environment, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert int(done.stdout) >= 1
    assert list(tmp_path.rglob("*")) == []


ON_CPU = RuntimeOptions(providers="cpu")
SLOPES = np.array([0.25, -0.5, 1.75], np.float32)
CHANNELS = SLOPES[:, None, None]


def _operators(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]


def _run(model: bytes, image: NDArray[np.float32]) -> NDArray[np.float32]:
    session = create_session(model, ON_CPU)
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
    return create_fast_session(model, ON_CPU, name="tiny.onnx", input_range=(-1, 1))


def _answer(session: OnnxSession) -> list[float]:
    return [float(value) for value in session.run(None, {"input": BELOW})[0][0, :, 0, 0]]


def test_the_rewritten_graph_is_used(loaded: list[bytes]) -> None:
    session = _fast(prelu_model(CHANNELS))
    assert [b"PRelu" in model for model in loaded] == [True, False]
    assert _answer(session) == [-1, 2, -7]


def test_a_graph_without_prelu_is_loaded_once(loaded: list[bytes]) -> None:
    _fast(scaling_model(factor=2))
    assert loaded == [scaling_model(factor=2)]


def test_a_graph_whose_prelu_must_stay_runs_as_it_is() -> None:
    per_pixel = np.broadcast_to(CHANNELS, (3, 8, 8)).copy()
    assert _answer(_fast(prelu_model(per_pixel))) == [-1, 2, -7]


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


def test_a_rewritten_graph_needs_a_model() -> None:
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
    session = create_session(scaling_model(factor=2), ON_CPU)
    fake = FakeSession([1.0], shape=(1, 3, 5, 5))
    fake.run = session.run  # type: ignore[method-assign]
    assert sample_outputs(fake, (0, 1)) == []
