import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.express.interface import FrameEmbedding
from research.temporal_cues.drawn import with_bands, with_leap
from tests.liveness.builders import face_at, observation, scan

_FLAT = np.full((64, 64), 120, np.uint8)


def _swing(everywhere: bool) -> NDArray[np.float64]:
    """How much each column's brightness swings over rows and frames."""
    seen = scan([observation(index, face=face_at(width=150), samples=_FLAT) for index in range(12)])
    drawn = with_bands(seen, 0.1, everywhere=everywhere)
    samples = np.stack([frame.samples for frame in drawn.frames]).astype(np.float64)
    swing: NDArray[np.float64] = np.ptp(samples, axis=(0, 1))
    return swing


def test_bands_of_a_screen_end_beside_it_and_a_lamps_do_not() -> None:
    screen, lamp = _swing(False), _swing(True)
    assert screen[32] == pytest.approx(2 * 12, abs=3)
    assert screen[[0, 63]].max() <= 2
    assert lamp.min() == pytest.approx(2 * 12, abs=3)


def test_bands_drift() -> None:
    drawn = with_bands(scan([observation(index, samples=_FLAT) for index in range(2)]), 0.1, everywhere=True)
    first, second = (frame.samples[:, 32].astype(float) for frame in drawn.frames)
    assert np.abs(first - second).max() > 5


def test_a_frame_without_a_face_is_left_as_it_is() -> None:
    nobody = observation(0, face=None, faces=0, samples=_FLAT)
    assert with_bands(scan([nobody]), 0.1, everywhere=True).frames == (nobody,)


def test_a_leap_is_one_template() -> None:
    person, other = np.eye(2, 8, dtype=np.float32)
    embeddings = tuple(FrameEmbedding(index, index / 3, person) for index in range(5))
    leaping = with_leap(embeddings, other, 2)
    assert [one.embedding is other for one in leaping] == [False, False, True, False, False]
    assert [one.frame_index for one in leaping] == [0, 1, 2, 3, 4]
