"""The part of a session of ONNX Runtime that the packs use."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["OnnxSession"]


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
