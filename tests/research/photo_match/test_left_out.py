"""Rates on people left out, over templates that are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from research.photo_match.left_out import Basis, left_out
from research.photo_match.templates import TemplateSet

_FOLDS = 3
_RESAMPLES = 100


def test_thresholds_come_from_the_other_folds(templates: TemplateSet) -> None:
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = (np.random.default_rng(1).permutation(names.size) % _FOLDS)[persons]
    cosines = templates.vectors @ templates.vectors.T
    pairs = np.triu(np.ones_like(cosines, dtype=np.bool_), 1)
    same = persons[:, None] == persons[None, :]
    missed = matched = genuine = impostors = 0
    for fold in range(_FOLDS):
        tested = np.outer(fold_of == fold, fold_of == fold) & pairs
        others = np.outer(fold_of != fold, fold_of != fold) & pairs & ~same
        ordered = np.sort(cosines[others])
        threshold = ordered[ordered.size - int(1e-2 * ordered.size) - 1]
        genuine += int((tested & same).sum())
        impostors += int((tested & ~same).sum())
        missed += int((cosines[tested & same] <= threshold).sum())
        matched += int((cosines[tested & ~same] > threshold).sum())
    found = {
        (row.basis, row.target): row
        for row in left_out(templates, folds=_FOLDS, cohort=False, resamples=_RESAMPLES)
    }
    row = found[Basis.MEASURED, 1e-2]
    assert row.comparisons == (genuine, impostors)
    assert row.people == (names.size, np.unique(persons[fold_of >= 0]).size // 2)
    assert row.fnmr == pytest.approx(missed / genuine)
    assert row.low <= row.fnmr <= row.high
    # Pairs of persons count alike, and half of the persons have two photos.
    assert row.fmr.rate == pytest.approx(matched / impostors, rel=0.3)
    assert row.fmr.bound > row.fmr.rate
    # A bound is a higher threshold: more misses, and fewer matches than it promises.
    bound = found[Basis.BOUND, 1e-2]
    assert bound.fnmr >= row.fnmr
    assert bound.fmr.rate <= 1e-2
    assert found[Basis.LEFT_OUT, 1e-2].fmr.rate <= 1.2e-2
    # 80 people have 3160 pairs: none of their bounds is 1e-4.
    assert (Basis.BOUND, 1e-4) not in found


def test_people_left_out_do_not_move_their_own_cohort(templates: TemplateSet) -> None:
    with_cohort = {
        (row.basis, row.target): row
        for row in left_out(templates, folds=_FOLDS, cohort=True, resamples=_RESAMPLES)
    }
    # All photos turned by one rotation: cohort and threshold turn along, and no rate changes.
    turned, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(templates.vectors.shape[1],) * 2))
    moved = replace(templates, vectors=(templates.vectors @ turned).astype(np.float32))
    for row in left_out(moved, folds=_FOLDS, cohort=True, resamples=_RESAMPLES):
        before = with_cohort[row.basis, row.target]
        assert row.fnmr == pytest.approx(before.fnmr, abs=0.02)
        assert row.fmr.rate == pytest.approx(before.fmr.rate, rel=0.05)
