import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.motion import Blinks, HeldMotion, Sway, Tremor

seeds = st.integers(0, 2**32)


@settings(max_examples=25)
@given(seeds)
def test_sway_has_the_rms_asked_for(seed: int) -> None:
    # Of several persons, because two close tones of one person cancel each other for minutes.
    sways = [Sway(np.random.default_rng([seed, number]), rms=3.0) for number in range(8)]
    long_run = np.array([sway(time) for sway in sways for time in np.arange(0, 300, 1.1)])
    assert abs(np.sqrt((long_run**2).mean()) - 3.0) < 0.3


@settings(max_examples=25)
@given(seeds)
def test_sway_is_slow_and_tremor_fast(seed: int) -> None:
    times = np.arange(0, 8, 0.01)
    sway = Sway(np.random.default_rng(seed), rms=1.0)
    tremor = Tremor(np.random.default_rng(seed), rms=1.0)
    slow = np.array([sway(time) for time in times])
    fast = np.array([tremor(time)[0] for time in times])

    def turns(values: np.typing.NDArray[np.float64]) -> int:
        return int((np.diff(np.sign(np.diff(values))) != 0).sum())

    assert turns(slow) / 8 <= 4  # a tone of 1.1 Hz turns 2.2 times a second
    assert turns(fast) / 8 >= 6


@settings(max_examples=50)
@given(seeds, st.floats(1.0, 20.0), st.floats(1.0, 5.0))
def test_blinks_come_at_least_as_often_as_asked_and_last_as_long_as_blinks_do(
    seed: int, seconds: float, longest_gap: float
) -> None:
    blinks = Blinks(np.random.default_rng(seed), seconds=seconds, longest_gap=longest_gap, depth=1.0)
    step = 0.002
    closure = np.array([blinks.closure(time) for time in np.arange(0, seconds, step)])
    assert closure.min() >= 0
    assert closure.max() <= 1
    closed = closure > 0
    starts = np.flatnonzero(np.diff(closed.astype(int)) == 1)
    ends = np.flatnonzero(np.diff(closed.astype(int)) == -1)
    assert len(starts) >= 1
    assert closure.max() > 0.85
    assert np.diff(starts, prepend=0).max() * step <= longest_gap + 0.01
    for start, end in zip(starts, ends, strict=False):
        assert 0.19 <= (end - start) * step <= 0.35


def test_a_held_motion_rises_is_held_and_falls() -> None:
    motion = HeldMotion(start=1.0, rising=0.4, held=0.5, falling=0.3, extent=0.8)
    times = np.arange(0, 4, 0.005)
    openness = np.array([motion.at(float(time)) for time in times])
    assert motion.end == pytest.approx(2.2)
    assert openness[(times <= 1.0) | (times >= motion.end)].max() == 0
    assert openness.max() == pytest.approx(0.8)
    assert np.abs(np.diff(openness)).max() < 0.03, "no leap"
    full = times[openness == openness.max()]
    assert full[0] - 1.0 == pytest.approx(0.4, abs=0.02)
    assert full[-1] - full[0] == pytest.approx(0.5, abs=0.02)
