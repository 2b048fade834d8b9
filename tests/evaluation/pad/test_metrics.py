import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluation.pad.points import (
    area_under_curve,
    bpcer_at,
    det_curve,
    equal_error_rate,
    threshold_at,
    threshold_for_all,
)

SCORES = arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 8).map(lambda at: at / 8))


def test_area_under_curve_matches_known_values() -> None:
    assert area_under_curve(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert area_under_curve(np.array([0.5]), np.array([0.5])) == 0.5
    assert area_under_curve(np.array([0.3, 0.9]), np.array([0.6])) == 0.5
    with pytest.raises(ValueError, match="bona fide and attack"):
        area_under_curve(np.array([0.3]), np.array([]))


@given(live=SCORES, attacks=SCORES)
def test_the_area_is_the_share_of_pairs(live: np.ndarray, attacks: np.ndarray) -> None:
    above = (live[:, None] > attacks[None, :]).mean() + (live[:, None] == attacks[None, :]).mean() / 2
    assert area_under_curve(live, attacks) == pytest.approx(above)


def test_bpcer_at_an_apcer_matches_known_values() -> None:
    live, attacks = np.array([0.2, 0.6, 0.9]), np.arange(20) / 32
    # One attack of twenty may pass, at 19/32; the threshold is the next one's score, 18/32.
    assert bpcer_at(0.05, live=live, attacks=attacks) == pytest.approx(1 / 3)
    assert bpcer_at(0.0, live=live, attacks=attacks + 0.05) == pytest.approx(2 / 3)


@given(attacks=SCORES, other=SCORES, apcer=st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.5]))
def test_a_threshold_keeps_every_species_out_and_is_the_lowest(
    attacks: np.ndarray, other: np.ndarray, apcer: float
) -> None:
    threshold = threshold_at(apcer, attacks)
    assert (attacks > threshold).mean() <= apcer
    lower = attacks[attacks < threshold]
    if lower.size:
        assert (attacks > lower.max()).mean() > apcer
    both = threshold_for_all(apcer, {"print": attacks, "screen": other})
    assert both == max(threshold, threshold_at(apcer, other))


@given(live=SCORES, attacks=SCORES)
def test_the_curve_holds_both_rates(live: np.ndarray, attacks: np.ndarray) -> None:
    curve = det_curve(live, attacks)
    assert (curve.apcer[0], curve.bpcer[0]) == (1.0, 0.0)
    assert (curve.apcer[-1], curve.bpcer[-1]) == (0.0, 1.0)
    for at, threshold in enumerate(curve.thresholds):
        assert curve.apcer[at] == pytest.approx((attacks > threshold).mean())
        assert curve.bpcer[at] == pytest.approx((live <= threshold).mean())


def test_equal_error_rate_matches_known_values() -> None:
    assert equal_error_rate(np.array([0.8, 0.9]), np.array([0.1, 0.2])) == 0.0
    assert equal_error_rate(np.array([0.1, 0.9, 0.8, 0.7]), np.array([0.95, 0.2, 0.15, 0.3])) == 0.25
