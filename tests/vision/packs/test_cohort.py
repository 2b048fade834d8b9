"""Cohorts: the mean and covariance of a population against which templates are scored."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vision.errors import PackDataInvalid
from vision.packs.calibration import fit_cohort, parse_cohort


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found


def _population(seed: int = 1, people: int = 400, *, hub: float = 0.0) -> NDArray[np.float64]:
    """Templates that all lean towards one direction, as those of a real network do."""
    drawn = np.random.default_rng(seed).normal(size=(people, 32))
    drawn[:, 0] += 3.0
    drawn[:10, 1] += hub
    return _unit(drawn)


def test_strangers_score_zero_in_the_mean_and_a_template_with_itself_one() -> None:
    people = _population()
    cohort = fit_cohort(people, directions=8)
    assert cohort.persons == 400
    vectors = cohort.vectors(_population(seed=2))
    scores = vectors @ vectors.T
    others = scores[~np.eye(len(scores), dtype=bool)]
    assert abs(others.mean()) < 0.02
    assert np.diag(scores).mean() == pytest.approx(1.0, abs=0.05)
    assert (people @ people.T).mean() > 0.15  # the cosine of strangers is not 0


def test_a_cohort_survives_its_file() -> None:
    cohort = fit_cohort(_population(), directions=4)
    read = parse_cohort(cohort.as_table())
    templates = _population(seed=3)
    np.testing.assert_allclose(read.vectors(templates), cohort.vectors(templates), atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"persons": 1},
        {"persons": True},
        {"rest": 0.0},
        {"scale": -1.0},
        {"scale": float("nan")},
        {"mean": ""},
        {"mean": "AAA"},
        {"mean": "no base64"},
        {"directions": "AAAAAA=="},
        {"variances": 3},
    ],
)
def test_a_broken_cohort_is_refused(change: dict[str, object]) -> None:
    table: dict[str, object] = dict(fit_cohort(_population(), directions=2).as_table())
    with pytest.raises(PackDataInvalid):
        parse_cohort(table | change)


@pytest.mark.parametrize("factor", [0.0, 0.5, 3e38])
def test_directions_that_are_not_orthonormal_are_refused(factor: float) -> None:
    cohort = fit_cohort(_population(), directions=2)
    stretched = replace(cohort, directions=cohort.directions * factor)
    with pytest.raises(PackDataInvalid):
        parse_cohort(stretched.as_table())


@given(st.text(max_size=40), st.text(max_size=40))
@example("0" * 16, "0" * 16)
@example("AAAAAA==", "AACAPw==")
def test_any_text_is_a_usable_cohort_or_refused(mean: str, directions: str) -> None:
    table: dict[str, object] = dict(fit_cohort(_population(), directions=1).as_table())
    try:
        cohort = parse_cohort(table | {"mean": mean, "directions": directions})
    except PackDataInvalid:
        return
    assert np.isfinite(cohort.vectors(np.ones((1, cohort.mean.size)))).all()
