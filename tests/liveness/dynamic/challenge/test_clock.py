import math

import pytest

from liveness.dynamic.challenge.clock import ChallengeClock
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
