import pytest

from liveness.signal import assessed, not_assessed


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
