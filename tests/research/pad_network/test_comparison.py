"""Paired comparison: known areas, intervals over sources and persons."""

import math

import numpy as np
import pytest

from research.pad_network.calibration import fit_calibration
from research.pad_network.comparison import compare

LIVE = np.array([True, True, False, False] * 10)
SOURCES = [f"s{row // 8}" for row in range(40)]
PERSONS = [row // 4 for row in range(40)]


def test_a_perfect_network_gains_on_a_blind_one() -> None:
    perfect = LIVE.astype(np.float64) + np.linspace(0, 0.1, 40)
    blind = np.zeros(40)
    first, second = compare({"ours": perfect, "blind": blind}, LIVE, SOURCES, PERSONS, draws=50)
    assert (first.area.value, first.area.low, first.area.high) == (1, 1, 1)
    assert (first.bpcer.value, second.bpcer.value) == (0, 1)
    assert second.area.value == 0.5
    assert (second.area_gain.value, second.area_gain.low) == (0.5, 0.5)
    assert second.bpcer_gain.value == 1
    assert math.isnan(first.area_gain.value)


def test_equal_networks_do_not_differ_in_any_draw() -> None:
    scores = np.random.default_rng(2).normal(size=40) + LIVE
    _, twin = compare({"a": scores, "b": scores.copy()}, LIVE, SOURCES, PERSONS, draws=50)
    assert (twin.area_gain.low, twin.area_gain.high) == (0, 0)
    assert twin.area.low < twin.area.value < twin.area.high


def test_one_source_with_all_mistakes_widens_the_interval() -> None:
    scores = LIVE.astype(np.float64)
    scores[:8] = ~LIVE[:8]
    (by_source,) = compare({"a": scores}, LIVE, SOURCES, PERSONS, draws=300)
    (as_one,) = compare({"a": scores}, LIVE, ["s"] * 40, list(range(40)), draws=300)
    assert by_source.area.high - by_source.area.low > as_one.area.high - as_one.area.low


def test_without_attacks_there_is_no_comparison() -> None:
    (only,) = compare({"a": np.ones(40)}, np.ones(40, dtype=bool), SOURCES, PERSONS, draws=5)
    assert math.isnan(only.area.value)


def test_calibration_finds_the_scale_that_was_lost() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(0, 2, size=4000)
    is_live = random.random(4000) < 1 / (1 + np.exp(-truth))
    weights = np.where(is_live, is_live.mean(), 1 - is_live.mean())
    found = fit_calibration(4 * truth - 1, is_live, weights)
    assert found.scale == pytest.approx(0.25, rel=0.1)
    assert found.shift == pytest.approx(0.25, abs=0.12)
    assert found.probabilities(np.array([-1e3, 1.0, 1e3])) == pytest.approx([0, 0.62, 1], abs=0.04)


def test_calibration_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="bona fide pictures and attacks"):
        fit_calibration(np.zeros(4), np.ones(4, dtype=bool), np.ones(4))
