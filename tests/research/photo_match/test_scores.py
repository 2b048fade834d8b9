"""The scores of photo against photo, over templates that are drawn."""

from dataclasses import replace

import numpy as np
import pytest

from research.photo_match.scores import DIRECTIONS, FOLDS, TemplateSet, score_pairs, suspected_duplicates
from tests.research.photo_match.drawn import PEOPLE
from vision.packs.calibration import fit_cohort


def test_all_pairs_are_scored_once(templates: TemplateSet) -> None:
    genuine, impostor = score_pairs(templates, cohort=False)
    photos = templates.files.size
    assert genuine.scores.size == PEOPLE
    assert impostor.scores.size == photos * (photos - 1) // 2 - PEOPLE
    one, other = int(genuine.first[0]), int(genuine.second[0])
    cosine = float(templates.vectors[one] @ templates.vectors[other])
    assert genuine.scores[0] == pytest.approx(cosine, abs=1e-6)
    assert genuine.scores.mean() > impostor.scores.mean() + 0.5


def test_a_pair_is_scored_by_a_cohort_of_other_people(templates: TemplateSet) -> None:
    genuine, impostor = score_pairs(templates, cohort=True)
    plain, other = score_pairs(templates, cohort=False)
    assert (genuine.scores.size, impostor.scores.size) == (plain.scores.size, other.scores.size)
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = (np.random.default_rng(1).permutation(names.size) % FOLDS)[persons]
    for pairs in (genuine, impostor):
        for place in (0, pairs.scores.size // 2, pairs.scores.size - 1):
            pair = [int(pairs.first[place]), int(pairs.second[place])]
            # One photo of each person in the folds of neither.
            others = [
                photo
                for photo in np.unique(templates.identities, return_index=True)[1]
                if fold_of[photo] not in fold_of[pair]
            ]
            one, two = fit_cohort(templates.vectors[others], directions=DIRECTIONS).vectors(
                templates.vectors[pair]
            )
            assert pairs.scores[place] == pytest.approx(min(float(one @ two), 1.0), abs=1e-5)


def test_suspected_duplicates_count_only_on_demand(templates: TemplateSet) -> None:
    pair = sorted(next(iter(suspected_duplicates())))
    identities = templates.identities.astype(object)
    # Two photos each of two persons: four pairs of photos.
    identities[[0, 1, 2, 3]] = [pair[0], pair[0], pair[1], pair[1]]
    named = replace(templates, identities=identities.astype(str))
    without = score_pairs(named, cohort=False)[1].scores.size
    assert score_pairs(named, cohort=False, duplicates=True)[1].scores.size == without + 4


def test_thirteen_pairs_are_suspected() -> None:
    assert len(suspected_duplicates()) == 13
