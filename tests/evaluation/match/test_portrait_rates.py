from dataclasses import replace

import numpy as np
import pytest

from evaluation.match.evaluation import Bootstrap, evaluate_sets
from evaluation.match.portrait_rates import PortraitResult, evaluate_portraits
from evaluation.match.templates import AcquisitionFault, Degradation, TemplateRun
from tests.evaluation.match.crowds import crowd

BOOTSTRAP = Bootstrap(resamples=200, confidence=0.95, seed=1)


def result(*, noise: float) -> PortraitResult:
    run, comparisons = crowd(persons=40, photos=2, seed=3, spread=0.8)
    rng = np.random.default_rng(5)
    degraded = []
    for each in run.templates[1:]:
        vector = each.embedding + noise * rng.normal(size=each.embedding.size) / 5.0
        degraded.append(replace(each, embedding=(vector / np.linalg.norm(vector)).astype(np.float32)))
    portraits = TemplateRun(templates=tuple(degraded), photos=80, faults={0: AcquisitionFault.NO_FACE})
    return evaluate_portraits(
        Degradation.GREY,
        portraits,
        main=evaluate_sets(comparisons, BOOTSTRAP)[0],
        calibrated=[(0.05, 0.3)],
        confidence=0.95,
    )


def test_portraits_like_their_photos_have_their_rates() -> None:
    found = result(noise=0.0)
    assert (found.portraits, found.failures) == (80, 1)
    # Each portrait with the other photo of its person; one portrait has failed.
    assert (found.genuine, found.persons, found.impostors) == (79, 40, 79 * 78)
    assert [(rates.target, rates.calibrated) for rates in found.rates] == [
        (0.1, False),
        (0.01, False),
        (0.05, True),
    ]
    for rates in found.rates:
        assert rates.fnmr is not None
        assert rates.plain is not None
        assert rates.fnmr.rate == pytest.approx(rates.plain.rate, abs=0.02)
    assert found.rates[0].fmr == pytest.approx(0.1, abs=0.01)


def test_worse_portraits_are_missed_more_often() -> None:
    for good, bad in zip(result(noise=0.0).rates, result(noise=1.5).rates, strict=True):
        assert good.fnmr is not None
        assert bad.fnmr is not None
        assert bad.fnmr.rate > good.fnmr.rate + 0.1
        assert bad.fnmr.lower <= bad.fnmr.rate <= bad.fnmr.upper
        assert bad.threshold == good.threshold
