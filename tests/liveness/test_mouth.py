"""Whether the mouth was opened after the request."""

import pytest

from liveness.mouth import MouthRequest, mouth_opened, mouth_signal
from liveness.observation import ScanObservations
from tests.liveness.builders import RATE, observation, scan

_ASKED = MouthRequest(asked_at=20 / RATE)
_SHUT, _OPEN = 0.1, 2.4


def _seen(*gaps: tuple[range, float | None], faces: int = 1) -> ScanObservations:
    """A scan of 60 frames with a shut mouth; the gaps replace those of some frames."""
    frames = [observation(index, mouth=_SHUT) for index in range(60)]
    for where, gap in gaps:
        for index in where:
            frames[index] = observation(index, mouth=gap, faces=faces)
    return scan(frames)


_PARTLY = (range(33, 35), 0.8)


def test_a_mouth_that_opens_after_the_request_counts() -> None:
    seen = _seen(_PARTLY, (range(35, 42), _OPEN))
    assert mouth_opened(seen, _ASKED)
    signal = mouth_signal(seen, _ASKED)
    assert (signal.name, signal.passed, signal.weight) == ("mouth_opened", True, 0.0)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_seen(), id="shut"),
        pytest.param(_seen((range(5, 15), _OPEN)), id="before the request"),
        pytest.param(_seen((range(10, 12), 0.8), (range(12, 60), _OPEN)), id="before, and held"),
        pytest.param(_seen((range(35, 42), _OPEN)), id="from one frame to the next"),
        pytest.param(_seen(_PARTLY, (range(35, 36), _OPEN)), id="in a single frame"),
        pytest.param(_seen((range(35, 60), _SHUT + 1.15)), id="no farther than in talk"),
        pytest.param(_seen((range(60), _OPEN)), id="open all the time"),
        pytest.param(_seen((range(20, 60), None)), id="not measured after the request"),
        pytest.param(_seen((range(30), None), _PARTLY, (range(35, 42), _OPEN)), id="no rest known"),
        pytest.param(_seen(_PARTLY, (range(35, 42), _OPEN), faces=2), id="with another person beside"),
    ],
)
def test_all_else_does_not(seen: ScanObservations) -> None:
    assert not mouth_opened(seen, _ASKED)
    assert mouth_signal(seen, _ASKED).passed is False


def test_an_attempt_that_ended_before_the_request_is_not_assessed() -> None:
    request = MouthRequest(asked_at=None)
    assert not mouth_opened(_seen((range(60), _OPEN)), request)
    assert not mouth_signal(_seen(), request).assessed
