"""Sets the options of ONNX Runtime; no other module does.

Why these options (a server runs several scans at once, each on its own thread):

* One intra-op thread per call: callers times threads must not exceed the cores, and one thread per
  caller gives the most images per second.
* No spinning: ONNX Runtime's waiting threads would otherwise use the cores that other scans need.
* Providers in the order CUDA, CPU, of those that the installed runtime offers and can really use.
* Only errors in the runtime's own log: its warnings name tensors and do not help.
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


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How models are run.

    Attributes:
        intra_op_threads: Threads inside one call, 1 or more.
        providers: ``"auto"`` for CUDA if it is available and the CPU otherwise, or one of them by
            name; ``"cuda"`` does not fall back to the CPU.
        rewrite_graphs: Whether graphs are rewritten to run faster (see ``vision.fast_sessions``); only
            measurements of the difference turn it off.
    """

    intra_op_threads: int = 1
    providers: ProviderRequest = "auto"
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


def choose_providers(options: RuntimeOptions) -> ProviderChoice:
    """Choose the execution providers.

    Args:
        options: The options that the operator set.

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
            'Facegate from requirements/gpu.lock, or set the provider to "auto" or "cpu"'
        )
    return ProviderChoice((_CPU,), "the installed ONNX Runtime offers no CUDA")


def create_session(model: bytes | Path, options: RuntimeOptions, *, name: str = "") -> OnnxSession:
    """Load an ONNX model.

    Args:
        model: The model's bytes, or its path. Bytes are better, because the hashed bytes are those loaded.
        options: How to run it.
        name: The file's name for messages; taken from the path if empty.

    Returns:
        A session, safe to call from several threads at once.

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
    """Return one plain sentence for the log: runtime, provider, threads, and the reason for the provider.

    Args:
        options: How models are run.
        session: A loaded model, so that the sentence names the provider in use and not only the requested
            one.

    Raises:
        PackFileUnusable: CUDA was demanded, but the installed runtime does not offer it.
    """
    choice = choose_providers(options)
    wanted = choice.providers[0]
    used = session.get_providers()[0] if session is not None else wanted
    reason = choice.reason if used == wanted else f"{wanted} could not be started"
    threads = f"{options.intra_op_threads} thread{'s' if options.intra_op_threads > 1 else ''} a call"
    return f"ONNX Runtime {onnxruntime.__version__} on {used} because {reason}; {threads}, spinning off"
