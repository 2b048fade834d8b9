"""FMR at thresholds, over all people and within groups."""

import numpy as np
import pytest

from research.photo_match.rates import fmr_at, group_rates, threshold_for
from research.photo_match.scores import score_pairs
from research.photo_match.templates import TemplateSet
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
