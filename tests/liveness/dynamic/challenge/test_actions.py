import math

import pytest

from liveness.dynamic.challenge.actions import ChallengeClock, Hint, HintCode, HintPacing
from liveness.errors import ObservationError


def test_the_first_time_starts_the_challenge_and_time_never_goes_back() -> None:
    clock = ChallengeClock()
    assert clock.now == -math.inf
    for reading, now in ((5.0, 5.0), (7.0, 7.0), (6.0, 7.0)):
        clock.advance(reading)
        assert (clock.now, clock.began) == (now, 5.0)
    assert [clock.not_before(time) for time in (6.0, 8.0)] == [7.0, 8.0]
    clock.begin_anew()
    assert clock.began == 7.0


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf])
def test_nan_is_no_time(time: float) -> None:
    with pytest.raises(ObservationError):
        ChallengeClock().advance(time)


def test_the_first_hint_is_reported() -> None:
    assert HintPacing().paced(HintCode.BLINK, now=5.0) == Hint(HintCode.BLINK)


def test_the_same_is_reported_again_after_two_seconds() -> None:
    hints = HintPacing()
    given = [hints.paced(HintCode.BLINK, now=now / 4) is not None for now in range(20)]
    assert [index / 4 for index, one in enumerate(given) if one] == [0.0, 2.0, 4.0]


def test_something_else_is_reported_after_half_a_second() -> None:
    hints = HintPacing()
    assert hints.paced(HintCode.BLINK, now=0.0) is not None
    assert hints.paced(HintCode.HOLD_STILL, now=0.4) is None
    assert hints.paced(HintCode.HOLD_STILL, now=0.5) == Hint(HintCode.HOLD_STILL)
    assert hints.paced(HintCode.BLINK, now=0.9) is None
    assert hints.paced(HintCode.BLINK, now=1.0) == Hint(HintCode.BLINK)
