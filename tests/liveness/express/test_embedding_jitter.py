import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.express.embedding_jitter import EmbeddingJitter, measure_leaps
from liveness.express.interface import FrameEmbedding
from liveness.express.settings import ExpressSettings
from liveness.signal import Signal
from tests.liveness.builders import scan

_SETTINGS = ExpressSettings()


def _unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return (values / np.linalg.norm(values)).astype(np.float32)


def _templates(count: int = 9, wander: float = 0.4, *, others: tuple[int, ...] = ()) -> list[FrameEmbedding]:
    """Templates that wander about one person's; at ``others`` they are another's."""
    rng = np.random.default_rng(1)
    person, other = rng.normal(size=(2, 128))
    return [
        FrameEmbedding(
            frame_index=3 * at,
            capture_time=0.35 * at,
            embedding=_unit((other if at in others else person) + wander * rng.normal(size=128)),
        )
        for at in range(count)
    ]


def _assess(embeddings: list[FrameEmbedding]) -> Signal:
    return EmbeddingJitter(embeddings).assess(scan(), _SETTINGS)


@pytest.mark.parametrize("wander", [0.0, 0.02, 0.3, 0.6])
def test_a_face_that_wanders_says_nothing(wander: float) -> None:
    assert _assess(_templates(wander=wander)).score == 0.5


@pytest.mark.parametrize("others", [(4,), (1,), (2, 5)])
@pytest.mark.parametrize("wander", [0.05, 0.35])
def test_another_face_for_a_frame_is_a_leap(others: tuple[int, ...], wander: float) -> None:
    found = _assess(_templates(wander=wander, others=others))
    assert found.score is not None
    assert found.score < 0.4
    assert "another face" in found.detail


def test_one_who_takes_the_others_place_does_not_leap_back() -> None:
    assert _assess(_templates(others=(5, 6, 7, 8))).score == 0.5


def test_the_order_of_arrival_does_not_count() -> None:
    embeddings = _templates(others=(4,))
    assert _assess(embeddings[::-1]) == _assess(embeddings)


def test_the_leap_is_over_what_is_usual() -> None:
    found = measure_leaps(_templates(wander=0.0, others=(4,)), floor=0.15)
    assert found.usual == pytest.approx(0, abs=1e-6)
    distance = 1 - float(
        _templates(wander=0.0)[0].embedding @ _templates(wander=0.0, others=(4,))[4].embedding
    )
    assert found.leap == pytest.approx(distance / 0.15, rel=1e-4)


def test_too_few_are_not_assessed() -> None:
    assert _assess([]).score is None
    assert _assess(_templates(4)).score is None
    assert _assess(_templates(5)).score is not None
