import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.dynamic.rows import Draws, Row, rate_of, text_of
from research.dynamic.tables import spoofed
from tests.research.dynamic.builders import row

_DRAWS = Draws(resamples=400, seed=1)


def _scans(people: int, each: int, *, wrong: int = 0) -> list[Row]:
    """``wrong`` persons are SPOOF every time."""
    return [
        row(person=str(person), flash="SPOOF" if person < wrong else "SUCCESS")
        for person in range(people)
        for _ in range(each)
    ]


def test_no_error_is_bounded_by_the_rule_of_three_over_people_not_scans() -> None:
    rate = rate_of(_scans(30, 10), spoofed, _DRAWS)
    assert (rate.hits, rate.scans, rate.people) == (0, 300, 30)
    assert rate.lower == 0.0
    assert rate.upper == pytest.approx(0.1)


def test_errors_of_one_person_are_bounded_as_one_person_not_as_ten_scans() -> None:
    of_one = rate_of(_scans(30, 10, wrong=1), spoofed, _DRAWS)
    alone = rate_of(_scans(30, 1, wrong=1), spoofed, _DRAWS)
    assert of_one.share == pytest.approx(alone.share)
    assert of_one.upper == pytest.approx(alone.upper)


def test_few_people_give_no_interval() -> None:
    rate = rate_of(_scans(5, 10, wrong=2), spoofed, _DRAWS)
    assert rate.lower is None
    assert text_of(rate) == "20 of 50, 40.0 %"


def test_no_scans_are_no_rate() -> None:
    rate = rate_of([], spoofed, _DRAWS)
    assert text_of(rate) == "none"
    assert rate.upper is None


@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), min_size=1, max_size=60))
def test_the_share_lies_in_its_interval(scans: list[tuple[int, bool]]) -> None:
    rows = [row(person=str(person), flash="SPOOF" if hit else "SUCCESS") for person, hit in scans]
    rate = rate_of(rows, spoofed, Draws(resamples=50, seed=2))
    if rate.lower is not None and rate.upper is not None:
        assert 0 <= rate.lower <= rate.upper <= 1
    if rate.hits in {0, rate.scans}:
        assert rate.upper is not None
        assert rate.lower is not None
        assert rate.lower <= rate.share <= rate.upper
