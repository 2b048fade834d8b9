import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.selfie import SelfieSettings
from liveness.selfie.face_area_ratio import FaceAreaRatio, area_score
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from tests.liveness.selfie.builders import faceless, flat, subject

_SIGNAL, _SETTINGS = FaceAreaRatio(), SelfieSettings()
_LIMIT = _SETTINGS.min_face_area_ratio


@pytest.mark.parametrize(
    ("share", "score"),
    [(0, 0), (0.02, 0.25), (0.04, 0.5), (0.20, 1), (0.40, 0.75), (0.80, 0.5), (0.81, 0.5), (1.0, 0.5)],
)
def test_the_score_follows_the_seeds_table(share: float, score: float) -> None:
    assert area_score(share, smallest=_LIMIT) == pytest.approx(score)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_score_peaks_at_20_percent(one: float, other: float) -> None:
    less, more = sorted((one, other))
    first, second = area_score(less, smallest=_LIMIT), area_score(more, smallest=_LIMIT)
    assert 0 <= first <= 1
    if more <= 0.20:
        assert first <= second
    if less >= 0.20:
        assert first >= second


@given(st.floats(0.10, 0.40))
def test_the_seeds_optimal_range_scores_at_least_three_quarters(share: float) -> None:
    assert area_score(share, smallest=_LIMIT) >= 0.749


def test_the_share_is_of_the_part_inside_the_picture() -> None:
    # An extent 100 wide is 2.9 / 2.15 times as high.
    share = 100 * 100 * 2.9 / 2.15 / (WIDTH * HEIGHT)
    whole = _SIGNAL.assess(subject(flat(), face=face_at(width=100)), _SETTINGS)
    assert whole.score == pytest.approx(area_score(share, smallest=_LIMIT), abs=1e-4)
    half = _SIGNAL.assess(subject(flat(), face=face_at(x=0, width=100)), _SETTINGS)
    assert half.score == pytest.approx(area_score(share / 2, smallest=_LIMIT), abs=1e-4)


def test_a_face_larger_than_the_picture_is_a_tight_crop() -> None:
    found = _SIGNAL.assess(subject(np.zeros((200, 150, 3), np.uint8), face=face_at(75, 100, 300)), _SETTINGS)
    assert found.score == 0.5
    assert "tight crop" in found.detail


def test_without_a_face_it_is_not_assessed() -> None:
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
