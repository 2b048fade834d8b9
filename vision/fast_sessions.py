"""Sessions of graphs that were rewritten to run faster, each checked against the original.

The check costs one run of both graphs when a pack is loaded; a graph whose numbers changed is not used.
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
"""How far outputs may differ, as a share of the largest value of the same output.

Both graphs state the same function; float32 rounds each of a hundred layers to 6e-8 of its value, which
adds up to about 1e-5, while one wrong slope changes outputs by percents. A template that differs by 1e-4
has a cosine with its twin of 0.99999999."""

_CPU = "CPUExecutionProvider"
_FREE_SIDE = 160
_SEED = 20_261_120


def create_fast_session(
    model: bytes, options: RuntimeOptions, *, name: str, input_range: tuple[float, float]
) -> OnnxSession:
    """Load an ONNX model in the form that runs fastest here and gives the same numbers.

    On the CPU, PRelu nodes are replaced (see ``vision.graph_rewrite``); a GPU runs them well as they are.

    Args:
        model: The model's bytes.
        options: How to run it.
        name: The file's name for messages.
        input_range: Between which values its inputs lie once they are normalised.

    Returns:
        A session that any number of threads may call at once; of the original graph where there is
        nothing to rewrite or the rewritten one does not agree with it.

    Raises:
        PackFileUnusable: The runtime cannot load the model or the demanded provider.
    """
    original = create_session(model, options, name=name)
    if not options.rewrite_graphs or original.get_providers()[0] != _CPU or b"PRelu" not in model:
        return original
    expected = sample_outputs(original, input_range)
    # Only one of the two is held at a time: a large embedder takes hundreds of megabytes.
    del original
    session = _rewritten(model, options, name)
    if session is not None and outputs_agree(expected, sample_outputs(session, input_range)):
        return session
    del session
    return create_session(model, options, name=name)


def sample_outputs(session: OnnxSession, input_range: tuple[float, float]) -> list[NDArray[np.float32]]:
    """What a session answers to one noise image, always the same; empty where it cannot be run.

    Args:
        session: With images as its only inputs.
        input_range: Between which values the noise lies.
    """
    random = np.random.default_rng(_SEED)
    sample = {
        str(entry.name): random.uniform(*input_range, size=_sides(entry.shape)).astype(np.float32)
        for entry in session.get_inputs()
    }
    try:
        return session.run(None, sample)
    except Exception:  # noqa: BLE001 - whatever keeps a runtime from comparing graphs, the original serves
        return []


def outputs_agree(expected: Sequence[NDArray[np.float32]], found: Sequence[NDArray[np.float32]]) -> bool:
    """Whether there are outputs, and those of two graphs are alike within ``MOST_DIFFERENCE``."""
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
    # A NaN in the rewritten output makes the comparison false, as it should.
    difference = np.abs(original - rewritten).max(initial=0)
    return bool(difference <= MOST_DIFFERENCE * np.abs(original).max(initial=0))


def _sides(shape: list[Any]) -> tuple[int, ...]:
    """A shape with numbers in place of names: one image, of a side that detectors accept."""
    return tuple(
        side if isinstance(side, int) else 1 if position == 0 else _FREE_SIDE
        for position, side in enumerate(shape)
    )
