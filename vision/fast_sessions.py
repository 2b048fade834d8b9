"""Creates sessions of graphs that were rewritten to run faster.

When a pack is loaded, both graphs are run once and compared. A rewritten graph with other outputs is not
used.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.errors import PackFileUnusable
from vision.graph_rewrite import without_prelu
from vision.onnx_sessions import OnnxSession, RuntimeOptions, create_session

__all__ = ["MOST_DIFFERENCE", "create_fast_session", "outputs_agree", "sample_outputs"]

MOST_DIFFERENCE = 1e-4
"""The largest difference of outputs, as a share of the largest value of the same output.

Both graphs compute the same function. float32 rounds each of a hundred layers to 6e-8 of its value, which
adds up to about 1e-5, while one wrong slope changes outputs by percents. Two templates that differ by 1e-4
have a cosine of 0.99999999."""

_CPU = "CPUExecutionProvider"
_FREE_SIDE = 160
_SEED = 20_261_120


def create_fast_session(
    model: bytes, options: RuntimeOptions, *, name: str, input_range: tuple[float, float]
) -> OnnxSession:
    """Load an ONNX model in the form that runs fastest here and gives the same outputs.

    On the CPU, PRelu nodes are replaced (see ``vision.graph_rewrite``). A GPU runs them well.

    Args:
        model: The model's bytes.
        options: How to run it.
        name: The file's name for messages.
        input_range: The least and the largest value of its normalised inputs.

    Returns:
        A session, safe to call from several threads at once. It runs the original graph if there is nothing
        to rewrite or the outputs of the rewritten one differ.

    Raises:
        PackFileUnusable: The runtime cannot load the model or the requested provider.
    """
    original = create_session(model, options, name=name)
    if not options.rewrite_graphs or original.get_providers()[0] != _CPU or b"PRelu" not in model:
        return original
    expected = sample_outputs(original, input_range)
    # Only one of the two is kept at a time, because a large embedder takes hundreds of megabytes.
    del original
    session = _rewritten(model, options, name)
    if session is not None and outputs_agree(expected, sample_outputs(session, input_range)):
        return session
    del session
    return create_session(model, options, name=name)


def sample_outputs(session: OnnxSession, input_range: tuple[float, float]) -> list[NDArray[np.float32]]:
    """Return a session's outputs for one noise image, always the same; empty if the session cannot be run.

    Args:
        session: A session with images as its only inputs.
        input_range: The least and the largest value of the noise.
    """
    random = np.random.default_rng(_SEED)
    sample = {
        str(entry.name): random.uniform(*input_range, size=_sides(entry.shape)).astype(np.float32)
        for entry in session.get_inputs()
    }
    try:
        return session.run(None, sample)
    except Exception:  # noqa: BLE001 - if the graphs cannot be compared, the original is used
        return []


def outputs_agree(expected: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]) -> bool:
    """Return whether there are outputs, and those of two graphs agree within ``MOST_DIFFERENCE``."""
    if not expected or len(expected) != len(found):
        return False
    return all(_close(*pair) for pair in zip(expected, found, strict=True))


def _rewritten(model: bytes, options: RuntimeOptions, name: str) -> OnnxSession | None:
    rewritten = without_prelu(model)
    if rewritten is None:
        return None
    try:
        return create_session(rewritten, options, name=name)
    except PackFileUnusable:
        return None


def _close(original: NDArray[np.float32], rewritten: NDArray[np.float32]) -> bool:
    if original.shape != rewritten.shape or not np.isfinite(original).all():
        return False
    # A NaN in the rewritten output makes the comparison false, as intended.
    difference = np.abs(original - rewritten).max(initial=0)
    return bool(difference <= MOST_DIFFERENCE * np.abs(original).max(initial=0))


def _sides(shape: list[Any]) -> tuple[int, ...]:
    """Replace the names in a shape with numbers: one image, of a side that detectors accept."""
    return tuple(
        side if isinstance(side, int) else 1 if position == 0 else _FREE_SIDE
        for position, side in enumerate(shape)
    )
