import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.verdict import assessed, log_odds, network_log_odds, not_assessed, score_against_line


@pytest.mark.parametrize(
    ("score", "kept", "passed"), [(0.7, 0.7, True), (0.5, 0.5, True), (-1, 0, False), (9, 1, True)]
)
def test_scores_are_clamped_and_compared_with_the_line(score: float, kept: float, passed: bool) -> None:
    signal = assessed(name="a", label="A", score=score, detail="d")
    assert (signal.score, signal.passed, signal.assessed) == (kept, passed, True)


def test_an_unassessed_signal_has_no_weight() -> None:
    signal = not_assessed(name="a", label="A", reason="too dark")
    assert (signal.score, signal.passed, signal.weight, signal.assessed) == (None, None, 0.0, False)
    assert signal.detail == "too dark"


@given(st.floats(1e-9, 1e9), st.floats(1e-3, 1e3), st.floats(0.5, 8))
def test_scores_rise_through_a_half_on_the_line(value: float, line: float, steepness: float) -> None:
    score = score_against_line(value, line, steepness)
    assert 0 <= score <= 1
    assert (score >= 0.5) == (value >= line) or score == pytest.approx(0.5)
    assert score_against_line(line, line, steepness) == 0.5


def test_nothing_scores_nothing() -> None:
    assert score_against_line(0.0, 1.0, 4.0) == 0
    assert score_against_line(2.0, 1.0, 3.0) + score_against_line(0.5, 1.0, 3.0) == pytest.approx(1)


@given(st.floats(0, 1))
def test_no_score_is_certain(score: float) -> None:
    assert abs(log_odds(score)) <= 3.9
    assert log_odds(0.5) == 0
    assert log_odds(score) == pytest.approx(-log_odds(1 - score), abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_network_is_at_most_as_certain_as_its_clamp(score: float, other: float) -> None:
    assert abs(network_log_odds(score)) <= 8 + 1e-9
    low, high = sorted((score, other))
    assert network_log_odds(low) <= network_log_odds(high)
    if 0.001 <= score <= 0.999:
        assert 1 / (1 + math.exp(-network_log_odds(score))) == pytest.approx(score)


def test_a_network_that_is_certain_has_the_clamped_log_odds() -> None:
    assert network_log_odds(1.0) == pytest.approx(8)
    assert network_log_odds(0.0) == pytest.approx(-8)
    assert network_log_odds(0.5) == 0
