"""Sets the options of ONNX Runtime; no other module does.

Why these options (a server runs several scans at once, each on its own thread):

* One intra-op thread per call: callers times threads must not exceed the cores, and one thread per
  caller gives the most images per second.
* No spinning: ONNX Runtime's waiting threads would otherwise use the cores that other scans need.
* Of the providers that the installed runtime offers and can start, CUDA comes before the CPU.
* Only errors in the runtime's own log: its warnings name tensors and do not help.

On a GPU:

* 32-bit numbers as on the CPU, not TF32: thresholds and calibrations hold for both.
* Memory grows by the amount that a model needs, not by powers of two.
* cuDNN chooses its algorithms by rules, not by trying them: it would try again for every new batch size.
* No fallback to the CPU while a server runs. ONNX Runtime would change the provider of a session that other
  threads use.
* Every model runs once when it is loaded, with the largest batch, so that the first person does not wait, and
  a lack of memory is found at the start.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

# ONNX Runtime collects telemetry for its maker, and stores it in the home of the user, unless this is set
# before the import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

from vision.errors import PackFileUnusable


class OnnxSession(Protocol):
    """The part of ``onnxruntime.InferenceSession`` that the packs use; threads may share one."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Run the model once."""
        ...

    def get_inputs(self) -> list[Any]:
        """Return names, shapes and types of the inputs."""
        ...

    def get_outputs(self) -> list[Any]:
        """Return names, shapes and types of the outputs."""
        ...

    def get_providers(self) -> list[str]:
        """Return the execution providers in use, in order."""
        ...


# Runs the inputs of several threads in one call of a model.
#
# A GPU needs almost as long for one small image as for several, so one call for the frames of several scans
# is cheaper than one call for each. On the CPU, batches gain nothing: the callers already use all cores.
#
# The session starts no thread. The first caller runs the model. Callers that arrive meanwhile wait; then
# one of them runs the model for all of them. Before a run, a caller waits for others only if the previous
# batch joined several or others arrived while it ran, and never longer than the given time. Each thread
# waits for its own result, so memory is bounded by the number of calling threads.


def takes_batches(session: OnnxSession) -> bool:
    """Return whether a model takes any number of images at once.

    The first side of every input and output must be free, and the other sides of the inputs fixed. Many
    published files fix the first side to 1.
    """
    inputs = [list(entry.shape) for entry in session.get_inputs()]
    outputs = [list(entry.shape) for entry in session.get_outputs()]
    return all(shape and not isinstance(shape[0], int) for shape in (*inputs, *outputs)) and all(
        isinstance(side, int) for shape in inputs for side in shape[1:]
    )


class BatchingSession:
    """A session that joins the calls of several threads; implements ``OnnxSession``."""

    def __init__(self, session: OnnxSession, *, max_batch: int, max_wait_seconds: float) -> None:
        """Wrap a session.

        Args:
            session: A session for which ``takes_batches`` is true.
            max_batch: The most calls that are joined, 1 or more.
            max_wait_seconds: The longest time that a caller waits for others before it runs the model.
        """
        self._session = session
        self._max_batch = max_batch
        self._max_wait_seconds = max_wait_seconds
        self._changed = threading.Condition()
        self._waiting: deque[_Call] = deque()
        self._leading = False
        self._expected = 1

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Run the model on the input of this caller, perhaps together with those of others.

        Raises:
            Exception: The exception of the model, run on this input alone.
        """
        call = _Call(output_names, input_feed)
        with self._changed:
            self._waiting.append(call)
            self._changed.notify_all()
            try:
                while not call.done:
                    if self._leading:
                        self._changed.wait()
                    else:
                        self._lead()
            finally:
                # Only if this thread was interrupted.
                if call in self._waiting:
                    self._waiting.remove(call)
        return call.result()

    def get_inputs(self) -> list[Any]:
        """Return names, shapes and types of the inputs."""
        return self._session.get_inputs()

    def get_outputs(self) -> list[Any]:
        """Return names, shapes and types of the outputs."""
        return self._session.get_outputs()

    def get_providers(self) -> list[str]:
        """Return the execution providers in use, in order."""
        return self._session.get_providers()

    def _lead(self) -> None:
        """Run one batch for its callers. The lock is held, but not while the model runs."""
        self._leading = True
        batch: list[_Call] = []
        try:
            self._changed.wait_for(lambda: len(self._waiting) >= self._expected, self._max_wait_seconds)
            batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
            self._changed.release()
            try:
                self._serve(batch)
            finally:
                self._changed.acquire()
            # As many callers as there were are likely to come again.
            self._expected = min(self._max_batch, len(batch) + len(self._waiting))
        finally:
            self._leading = False
            # If this thread was interrupted, another one serves its followers.
            self._waiting.extendleft(call for call in reversed(batch) if not call.done)
            self._changed.notify_all()

    def _serve(self, batch: Sequence["_Call"]) -> None:
        if len(batch) > 1 and self._run_together(batch):
            return
        for call in batch:
            call.run_alone(self._session)

    def _run_together(self, batch: Sequence["_Call"]) -> bool:
        """Run all calls at once; return ``False`` if that failed and each must be run alone."""
        names = batch[0].output_names
        if any(call.output_names != names for call in batch):
            return False
        try:
            feed = {name: np.concatenate([call.feed[name] for call in batch]) for name in batch[0].feed}
            outputs = self._session.run(names, feed)
        except Exception:  # noqa: BLE001 - which input caused it shows when each is run alone
            return False
        ends = np.cumsum([call.rows for call in batch])
        if any(len(output) != ends[-1] for output in outputs):
            return False
        for call, end in zip(batch, ends, strict=True):
            call.outcome = [output[end - call.rows : end] for output in outputs]
        return True


@dataclass(slots=True, eq=False)
class _Call:
    """The input of one caller, and its result or error."""

    output_names: list[str] | None
    feed: dict[str, Any]
    outcome: list[NDArray[np.float32]] | Exception | None = None

    @property
    def rows(self) -> int:
        """Number of images."""
        return len(next(iter(self.feed.values())))

    @property
    def done(self) -> bool:
        return self.outcome is not None

    def run_alone(self, session: OnnxSession) -> None:
        try:
            self.outcome = session.run(self.output_names, self.feed)
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            self.outcome = error

    def result(self) -> list[NDArray[np.float32]]:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        if self.outcome is None:
            raise RuntimeError("a call was ended before the model ran")
        return self.outcome


ProviderRequest: TypeAlias = Literal["auto", "cpu", "cuda"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_ERRORS_ONLY = 3
_CUDA_OPTIONS: Final = {
    "device_id": "0",
    "arena_extend_strategy": "kSameAsRequested",
    "cudnn_conv_algo_search": "HEURISTIC",
    "use_tf32": "0",
}
"""The options of the CUDA provider, under ONNX Runtime's names."""
_GPU_BATCH: Final = 16
_FREE_SIDE: Final = 160
"""A side that detectors accept."""
_CUDA_ADVICE: Final = (
    ", and that the GPU exists and has enough free memory: CUDA_VISIBLE_DEVICES chooses one of several"
)


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How models are run.

    Attributes:
        providers: ``"auto"`` for CUDA if it is available and the CPU otherwise, or one of them by
            name; ``"cuda"`` does not fall back to the CPU.
        max_batch: The most calls of several threads that are joined (see ``vision.onnx_sessions``);
            ``None`` for 16 on a GPU and 1, which joins none, on the CPU.
        max_batch_wait_seconds: The longest time that a call waits for others.
        rewrite_graphs: Whether graphs are rewritten to run faster (see ``vision.graph_rewrite``); only
            measurements of the difference turn it off.
    """

    providers: ProviderRequest = "auto"
    max_batch: int | None = None
    max_batch_wait_seconds: float = 0.002
    rewrite_graphs: bool = True


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """The execution providers that run the models.

    Attributes:
        providers: ONNX Runtime's names, in order of preference; the CPU is always the last.
        reason: The reason for the choice, in plain words.
    """

    providers: tuple[str, ...]
    reason: str

    @property
    def wants_gpu(self) -> bool:
        """Whether a GPU comes first."""
        return self.providers[0] == _CUDA


def choose_providers(options: RuntimeOptions) -> ProviderChoice:
    """Return the execution providers for the options and the installed runtime.

    Raises:
        PackFileUnusable: CUDA was demanded, but the installed runtime does not offer it.
    """
    available = onnxruntime.get_available_providers()
    if options.providers == "cpu":
        return ProviderChoice((_CPU,), "the CPU was requested")
    if _CUDA in available:
        return ProviderChoice((_CUDA, _CPU), "the installed ONNX Runtime offers CUDA")
    if options.providers == "cuda":
        raise PackFileUnusable(
            f"CUDA was demanded, but the installed ONNX Runtime offers only {', '.join(available)}: install "
            'Facegate from deploy/requirements/gpu.lock, or set the provider to "auto" or "cpu"'
        )
    return ProviderChoice((_CPU,), "the installed ONNX Runtime offers no CUDA")


def create_session(model: bytes | Path, options: RuntimeOptions, *, name: str = "") -> OnnxSession:
    """Load an ONNX model.

    Bytes are better than a path, because the hashed bytes are those loaded. ``name`` is for messages; it is
    taken from the path if empty.

    Returns:
        A session, safe to call from several threads at once.

    Raises:
        PackFileUnusable: The runtime cannot load the model or the demanded provider.
    """
    label = name or (model.name if isinstance(model, Path) else "the model")
    choice = choose_providers(options)
    settings = onnxruntime.SessionOptions()
    # Several scans run at once, each on a thread of its own; more threads a call would only wait.
    settings.intra_op_num_threads = 1
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.log_severity_level = _ERRORS_ONLY
    # The arena of each model keeps its largest use for good; malloc takes no more time.
    settings.enable_cpu_mem_arena = False
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if _CUDA in choice.providers:
        # Finds the CUDA and cuDNN libraries that pip installs beside the runtime; a repeat is harmless.
        onnxruntime.preload_dlls()
    try:
        session = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            sess_options=settings,
            providers=[(name, _CUDA_OPTIONS if name == _CUDA else {}) for name in choice.providers],
            enable_fallback=options.providers != "cuda",
        )
    except Exception as error:
        raise PackFileUnusable(
            f"{label}: ONNX Runtime {onnxruntime.__version__} cannot load it on {choice.providers[0]} "
            f"({type(error).__name__}); check that the file is a whole ONNX model for this version"
            f"{_CUDA_ADVICE if _CUDA in choice.providers else ''}"
        ) from error
    if options.providers == "cuda" and _CUDA not in session.get_providers():
        raise PackFileUnusable(
            f"{label}: CUDA was demanded, but ONNX Runtime runs it on {', '.join(session.get_providers())}: "
            "check the driver and the CUDA libraries"
        )
    session.disable_fallback()
    return _prepared(session, options, label)


def _prepared(session: OnnxSession, options: RuntimeOptions, label: str) -> OnnxSession:
    """Warm a session up if it runs on a GPU, and let it join calls if that is wanted and possible."""
    batch = _max_batch(options, gpu=on_gpu(session)) if takes_batches(session) else 1
    if on_gpu(session):
        _warm_up(session, sizes=sorted({1, batch}), label=label)
    if batch == 1:
        return session
    return BatchingSession(session, max_batch=batch, max_wait_seconds=options.max_batch_wait_seconds)


def _max_batch(options: RuntimeOptions, *, gpu: bool) -> int:
    return options.max_batch or (_GPU_BATCH if gpu else 1)


def _warm_up(session: OnnxSession, *, sizes: Sequence[int], label: str) -> None:
    for size in sizes:
        feed = {
            str(entry.name): np.zeros(
                [size, *(side if isinstance(side, int) else _FREE_SIDE for side in entry.shape[1:])],
                np.float32,
            )
            for entry in session.get_inputs()
        }
        try:
            session.run(None, feed)
        except Exception as error:
            raise PackFileUnusable(
                f"{label}: it was loaded, but cannot be run on {size} image{'s' if size > 1 else ''} "
                f"({type(error).__name__}): check the driver{_CUDA_ADVICE}"
            ) from error


def on_gpu(session: OnnxSession) -> bool:
    """Return whether a model runs on a GPU."""
    return session.get_providers()[0] == _CUDA


def describe(options: RuntimeOptions, session: OnnxSession | None = None) -> str:
    """Return one plain sentence for the log: runtime, provider, threads, and the reason for the provider.

    ``session`` is a loaded model, so that the sentence names the provider in use and not only the requested
    one.

    Raises:
        PackFileUnusable: CUDA was demanded, but the installed runtime does not offer it.
    """
    choice = choose_providers(options)
    wanted = choice.providers[0]
    used = session.get_providers()[0] if session is not None else wanted
    reason = choice.reason if used == wanted else f"{wanted} could not be started"
    batch = _max_batch(options, gpu=used == _CUDA)
    joined = f", up to {batch} calls joined where a model allows it" if batch > 1 else ""
    return (
        f"ONNX Runtime {onnxruntime.__version__} on {used} because {reason}; 1 thread a call, "
        f"spinning off{joined}"
    )
