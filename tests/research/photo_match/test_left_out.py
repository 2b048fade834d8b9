"""Rates on people left out, over templates that are drawn."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from research.photo_match.rates import Basis, left_out
from research.photo_match.scores import DIRECTIONS, TemplateSet, one_of_each_person, score_pairs
from tests.research.photo_match.drawn import PEOPLE
from vision.packs.calibration import fit_cohort

_FOLDS = 3
_TARGET = 1e-2


def _of(templates: TemplateSet, which: NDArray[np.bool_]) -> TemplateSet:
    names = [field.name for field in fields(templates) if field.name != "failures"]
    return TemplateSet(**{name: getattr(templates, name)[which] for name in names}, failures=0)


@pytest.mark.parametrize("cohort", [False, True])
def test_threshold_and_cohort_come_from_the_other_folds(templates: TemplateSet, cohort: bool) -> None:
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = (np.random.default_rng(1).permutation(names.size) % _FOLDS)[persons]
    photos = np.bincount(persons)
    missed = genuine = impostors = 0
    matched = pairs_of_people = 0.0
    for fold in range(_FOLDS):
        others, own = _of(templates, fold_of != fold), np.flatnonzero(fold_of == fold)
        of_others = np.sort(score_pairs(others, cohort=cohort)[1].scores)
        threshold = of_others[of_others.size - int(_TARGET * of_others.size) - 1]
        vectors = templates.vectors[own].astype(np.float64)
        if cohort:
            everybody_else = others.vectors[one_of_each_person(others)]
            vectors = fit_cohort(everybody_else, directions=DIRECTIONS).vectors(vectors)
        for one in range(own.size):
            for other in range(one + 1, own.size):
                high = float(vectors[one] @ vectors[other]) > threshold
                first, second = persons[own[one]], persons[own[other]]
                if first == second:
                    genuine += 1
                    missed += not high
                else:
                    # Each pair of people counts once, however many photos they have.
                    impostors += 1
                    pairs_of_people += 1 / (photos[first] * photos[second])
                    matched += high / (photos[first] * photos[second])
    rows = left_out(templates, folds=_FOLDS, cohort=cohort, resamples=100)
    row = next(row for row in rows if (row.basis, row.target) == (Basis.MEASURED, _TARGET))
    assert row.comparisons == (genuine, impostors)
    assert row.people == (2 * PEOPLE, PEOPLE)
    assert row.fnmr == pytest.approx(missed / genuine)
    assert row.low <= row.fnmr <= row.high
    assert row.fmr.rate == pytest.approx(matched / pairs_of_people)
    assert row.fmr.bound > row.fmr.rate


def test_a_bound_misses_more_and_matches_less_than_a_measured_rate(templates: TemplateSet) -> None:
    rows = left_out(templates, folds=_FOLDS, cohort=False, resamples=100)
    found = {(row.basis, row.target): row for row in rows}
    bound, measured = found[Basis.BOUND, _TARGET], found[Basis.MEASURED, _TARGET]
    assert bound.fnmr >= measured.fnmr
    assert bound.fmr.rate < measured.fmr.rate
    # 80 people have 3160 pairs: none of their bounds is 1e-4.
    assert (Basis.BOUND, 1e-4) not in found
    assert found[Basis.LEFT_OUT, 1e-4].fmr.rate <= 1e-3
