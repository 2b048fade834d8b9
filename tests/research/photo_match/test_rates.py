"""FMR at thresholds, over all people and within groups."""

import numpy as np
import pytest
from scipy.special import ndtri

from research.photo_match.rates import (
    LEAST_MATCHES,
    LEAST_OF_GROUPS,
    bounds_of,
    curve_of,
    fmr_at,
    group_bounds,
    group_rates,
    threshold_for,
)
from research.photo_match.scores import TemplateSet, score_pairs
from tests.research.photo_match.drawn import GROUPS, PEOPLE

_NOBODY = 2.0


def test_rates_are_counted_within_groups_pooled_and_by_sex(templates: TemplateSet) -> None:
    _, impostor = score_pairs(templates, cohort=False)
    at = threshold_for(0.1, impostor)
    found = {
        group.name: group
        for group in group_rates(templates, impostor, thresholds=np.array([at]), resamples=100)
    }
    each = PEOPLE // len(GROUPS)
    assert set(found) == {*GROUPS, "the groups pooled", "female", *(f"{group} female" for group in GROUPS)}
    matches = 0
    for name in GROUPS:
        own = np.flatnonzero(templates.groups == name)
        cosines = (templates.vectors[own] @ templates.vectors[own].T)[np.triu_indices(each, 1)]
        matches += int((cosines >= at).sum())
        assert (found[name].persons, found[name].pairs) == (each, each * (each - 1) // 2)
        assert found[name].rates[0].rate == pytest.approx((cosines >= at).mean())
        assert found[name].rates[0].bound > found[name].rates[0].rate
    pooled = found["the groups pooled"]
    assert (pooled.persons, pooled.pairs) == (PEOPLE, len(GROUPS) * each * (each - 1) // 2)
    assert pooled.rates[0].rate == pytest.approx(matches / pooled.pairs)
    assert found["female"].pairs == PEOPLE * (PEOPLE - 1) // 2


def test_a_rate_that_the_people_cannot_show_is_not_supported(templates: TemplateSet) -> None:
    _, impostor = score_pairs(templates, cohort=False)
    at = threshold_for(0.1, impostor)
    nobody, many = fmr_at(templates, impostor, thresholds=np.array([_NOBODY, at]), resamples=100)
    assert nobody.rate == 0.0
    assert nobody.bound == nobody.lowest_bound == many.lowest_bound
    assert not nobody.supported
    # The rule of three, a little wider because persons are shared: 120 people have 7140 pairs.
    assert nobody.bound == pytest.approx(2.996 / 7140, rel=0.05)
    assert many.supported
    assert many.rate == pytest.approx(0.1, rel=0.02)


def test_a_calibration_is_never_below_the_bound_within_a_group(templates: TemplateSet) -> None:
    _, impostor = score_pairs(templates, cohort=False)
    thresholds = np.round(np.arange(0.0, 1.5, 0.01), 3)
    curve = curve_of(templates, impostor, thresholds=thresholds, resamples=100)
    bounds = bounds_of(templates, impostor, curve, resamples=100)
    groups = group_bounds(templates, impostor, thresholds=thresholds, resamples=100)
    assert set(groups) == set(GROUPS)
    assert all((bounds >= group - 1e-12).all() for group in groups.values())
    assert (np.diff(bounds) <= 0).all()


def test_a_group_s_bound_continues_as_a_straight_line_of_normal_deviates(templates: TemplateSet) -> None:
    _, impostor = score_pairs(templates, cohort=False)
    thresholds = np.round(np.arange(0.0, 1.5, 0.01), 3)
    for name, bounds in group_bounds(templates, impostor, thresholds=thresholds, resamples=100).items():
        own = np.flatnonzero(templates.groups == name)
        cosines = (templates.vectors[own] @ templates.vectors[own].T)[np.triu_indices(own.size, 1)]
        matches = (cosines[None] >= thresholds[:, None]).sum(axis=1)
        measured = matches >= LEAST_MATCHES
        assert (bounds[measured] > matches[measured] / cosines.size).all()
        line = bounds[~measured]
        assert line[-1] == LEAST_OF_GROUPS
        steps = np.diff(ndtri(line[line > LEAST_OF_GROUPS]))
        assert steps == pytest.approx(np.full(steps.size, steps[0]), rel=1e-6)
        assert steps[0] < 0
