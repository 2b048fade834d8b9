import pytest

from liveness.selfie.scoring import score_between


@pytest.mark.parametrize(
    ("value", "score"), [(-1, 0), (0, 0), (1, 0.25), (2, 0.5), (3, 0.75), (4, 1), (9, 1)]
)
def test_straight_lines_and_level_ends(value: float, score: float) -> None:
    assert score_between(value, ((0, 0), (2, 0.5), (4, 1))) == pytest.approx(score)
