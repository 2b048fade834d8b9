import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.express.pad_network import PadNetworks, PadScore, network_medians, stretch_medians
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import scan

_SCORE = st.floats(0, 1)


def _score(scores: list[PadScore]) -> float | None:
    return PadNetworks(scores).assess(scan(), ExpressSettings()).score


def _frames(network: str, *values: float) -> list[PadScore]:
    return [PadScore(index, network, value) for index, value in enumerate(values)]


def test_without_a_network_nothing_is_assessed() -> None:
    assert _score([]) is None


def test_one_odd_frame_decides_nothing() -> None:
    assert _score(_frames("n", *[0.95] * 7, 0.0)) == pytest.approx(0.95)
    assert _score(_frames("n", 0.2)) == pytest.approx(0.2)


def test_four_good_frames_of_ten_do_not_hide_an_attack() -> None:
    assert _score(_frames("n", *[1.0] * 4, *[0.02] * 6)) == pytest.approx(0.02)
    assert _score(_frames("n", *[0.02] * 4, *[1.0] * 6)) == pytest.approx(1.0, abs=1e-3)


@given(st.lists(_SCORE, max_size=9), st.data())
def test_a_minority_of_frames_decides_nothing(minority: list[float], data: st.DataObject) -> None:
    more = len(minority) + 1
    majority = data.draw(st.lists(_SCORE, min_size=more, max_size=more + 5))
    drawn = data.draw(st.permutations([*minority, *majority]))
    (median,) = network_medians(_frames("n", *drawn)).values()
    assert min(majority) <= median <= max(majority)


def test_every_network_counts_the_same_for_any_number_of_frames() -> None:
    many = _frames("a", *[1.0] * 8)
    assert _score([*many, PadScore(0, "b", 0.0)]) == pytest.approx(0.5)
    found = PadNetworks([*many, PadScore(0, "b", 0.0)]).assess(scan(), ExpressSettings())
    assert "a 1.00" in found.detail
    assert "b 0.00" in found.detail
    assert "frames examined: 8" in found.detail


def test_the_score_is_the_mean_of_the_networks_log_odds() -> None:
    found = _score([*_frames("a", 0.9), *_frames("b", 0.6)])
    assert found == pytest.approx(1 / (1 + math.sqrt(1 / 9 * 2 / 3)))


def test_each_network_has_its_own_median_for_the_fusion() -> None:
    scores = _frames("b", 0.0, 0.3, 0.9, 0.95, 1.0)
    medians = network_medians([*scores, PadScore(0, "a", 0.2)])
    assert medians == pytest.approx({"a": 0.2, "b": 0.9})
    assert list(medians) == ["a", "b"]
    assert network_medians([]) == {}


def test_each_half_of_the_scored_frames_is_a_stretch() -> None:
    scores = [PadScore(index, "n", 0.9 if index < 5 else 0.1) for index in range(10)]
    assert stretch_medians(scores) == ({"n": 0.9}, {"n": 0.1})
    assert stretch_medians(scores[:5]) == ()
    assert stretch_medians([]) == ()
