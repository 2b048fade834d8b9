import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.binomial import fewest_trials, proportion


def test_an_interval_of_the_books() -> None:
    # A. Agresti, "Categorical Data Analysis", 3rd ed., 16.6.1: 0 and 9 of 25.
    none, some = proportion(0, 25, confidence=0.95), proportion(9, 25, confidence=0.95)
    assert none is not None
    assert some is not None
    assert (none.lower, round(none.upper, 3)) == (0.0, 0.137)
    assert (round(some.lower, 3), round(some.upper, 3)) == (0.18, 0.575)
    assert some.rate == 0.36


def test_without_a_trial_there_is_no_share() -> None:
    assert proportion(0, 0, confidence=0.95) is None
    with pytest.raises(ValueError, match="3 hits of 2"):
        proportion(3, 2, confidence=0.95)


@given(trials=st.integers(1, 2000), data=st.data())
def test_the_rate_lies_within(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    found = proportion(hits, trials, confidence=0.95)
    assert found is not None
    assert 0.0 <= found.lower <= found.rate <= found.upper <= 1.0


@pytest.mark.parametrize(("rate", "needed"), [(0.01, 300), (0.05, 60), (0.1, 30), (1.0, 3)])
def test_bounds_agree_with_the_rule_of_three(rate: float, needed: int) -> None:
    assert fewest_trials(rate) == needed
    # One-sided 95 %: zero of this many proves the rate, and a tenth fewer does not.
    found, fewer = proportion(0, needed, confidence=0.9), proportion(0, needed * 9 // 10, confidence=0.9)
    assert found is not None
    assert fewer is not None
    assert found.upper <= rate < fewer.upper or rate == 1.0
