"""The one place that sets ONNX Runtime options.

Why these options (a server runs several scans at once, each on its own thread):

* One intra-op thread a call: callers times threads must not exceed the cores, and one thread a
  caller gives the most images a second.
* No spinning: ONNX Runtime's waiting threads otherwise burn the cores that other scans need.
* Providers in the order CUDA, CPU, of those that the installed runtime offers and can really use.
* Only errors in the runtime's own log: its warnings name tensors, not problems.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from vision.errors import PackFileUnusable

__all__ = [
    "OnnxSession",
    "ProviderChoice",
    "ProviderRequest",
    "RuntimeOptions",
    "choose_providers",
    "create_session",
    "describe",
]

ProviderRequest: TypeAlias = Literal["auto", "cpu", "cuda"]

_CPU = "CPUExecutionProvider"
_CUDA = "CUDAExecutionProvider"
_ERRORS_ONLY = 3


class OnnxSession(Protocol):
    """What the packs use of ``onnxruntime.InferenceSession``; it may be shared between threads."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[NDArray[np.float32]]:
        """Run the model once."""
        ...

    def get_inputs(self) -> list[Any]:
        """Names, shapes and types of the inputs."""
        ...

    def get_outputs(self) -> list[Any]:
        """Names, shapes and types of the outputs."""
        ...

    def get_providers(self) -> list[str]:
        """The execution providers in use, in order."""
        ...


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How models are run.

    Attributes:
        intra_op_threads: Threads inside one call, 1 or more.
        providers: ``"auto"`` for CUDA where it is available and else the CPU, or one of them by
            name; ``"cuda"`` refuses to fall back.
        rewrite_graphs: Whether graphs are rewritten to run faster (see ``vision.fast_sessions``); only
            measurements of the difference turn it off.
    """

    intra_op_threads: int = 1
    providers: ProviderRequest = "auto"
    rewrite_graphs: bool = True


@dataclass(frozen=True, slots=True)
class ProviderChoice:
    """Which execution providers run the models.

    Attributes:
        providers: ONNX Runtime's names, in order of preference; the CPU is always the last.
        reason: Why, in one plain sentence.
    """

    providers: tuple[str, ...]
    reason: str


def choose_providers(options: RuntimeOptions) -> ProviderChoice:
    """Decide which execution providers to ask for.

    Args:
        options: What the operator asked for.

    Raises:
        PackFileUnusable: CUDA was demanded but the installed runtime does not offer it.
    """
    available = onnxruntime.get_available_providers()
    if options.providers == "cpu":
        return ProviderChoice((_CPU,), "the CPU was asked for")
    if _CUDA in available:
        return ProviderChoice((_CUDA, _CPU), "the installed ONNX Runtime offers CUDA")
    if options.providers == "cuda":
        raise PackFileUnusable(
            f"CUDA was demanded, but the installed ONNX Runtime offers only {', '.join(available)}: install "
            'Facegate from requirements/gpu.lock, or set the provider to "auto" or "cpu"'
        )
    return ProviderChoice((_CPU,), "the installed ONNX Runtime offers no CUDA")


def create_session(model: bytes | Path, options: RuntimeOptions, *, name: str = "") -> OnnxSession:
    """Load an ONNX model.

    Args:
        model: The model's bytes (preferred: what was hashed is what is loaded) or its path.
        options: How to run it.
        name: The file's name for messages; taken from the path if empty.

    Returns:
        A session that any number of threads may call at once.

    Raises:
        PackFileUnusable: The runtime cannot load the model or the demanded provider.
    """
    label = name or (model.name if isinstance(model, Path) else "the model")
    if options.intra_op_threads < 1:
        raise PackFileUnusable(f"intra_op_threads is {options.intra_op_threads}: expected 1 or more")
    choice = choose_providers(options)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.intra_op_threads
    settings.inter_op_num_threads = 1
    settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.log_severity_level = _ERRORS_ONLY
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if _CUDA in choice.providers:
        # Finds the CUDA and cuDNN libraries that pip installs beside the runtime; a repeat is harmless.
        onnxruntime.preload_dlls()
    try:
        session: OnnxSession = onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            sess_options=settings,
            providers=list(choice.providers),
        )
    except Exception as error:
        raise PackFileUnusable(
            f"{label}: ONNX Runtime {onnxruntime.__version__} cannot load it ({type(error).__name__}); "
            "check that the file is a whole ONNX model for this version"
        ) from error
    if options.providers == "cuda" and _CUDA not in session.get_providers():
        raise PackFileUnusable(
            f"{label}: CUDA was demanded, but ONNX Runtime runs it on {', '.join(session.get_providers())}: "
            "check the driver and the CUDA libraries"
        )
    return session


def describe(options: RuntimeOptions, session: OnnxSession | None = None) -> str:
    """One plain sentence for the log: which runtime, provider and threads, and why.

    Args:
        options: How models are run.
        session: A loaded model, so that the sentence tells what is used and not only what was asked.

    Raises:
        PackFileUnusable: CUDA was demanded but the installed runtime does not offer it.
    """
    choice = choose_providers(options)
    wanted = choice.providers[0]
    used = session.get_providers()[0] if session is not None else wanted
    reason = choice.reason if used == wanted else f"{wanted} could not be started"
    threads = f"{options.intra_op_threads} thread{'s' if options.intra_op_threads > 1 else ''} a call"
    return f"ONNX Runtime {onnxruntime.__version__} on {used} because {reason}; {threads}, spinning off"
