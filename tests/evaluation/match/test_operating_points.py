import numpy as np
import pytest

from evaluation.match.error_bounds import persons_needed
from evaluation.match.evaluation import Bootstrap
from evaluation.match.operating_points import NotSupported, OperatingPoint, operating_point, samples_at
from tests.evaluation.match.crowds import crowd

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


@pytest.mark.parametrize(
    ("max_fmr", "persons"), [(0.1, 9), (1e-2, 26), (1e-3, 79), (1e-4, 247), (1e-5, 776), (1e-6, 2450)]
)
def test_persons_that_a_rate_needs(max_fmr: float, persons: int) -> None:
    assert persons_needed(max_fmr, confidence=0.95) == persons
    pairs = persons * (persons - 1) / 2
    assert 3 / pairs == pytest.approx(max_fmr, rel=0.2)


@pytest.mark.parametrize("persons", [25, 26, 27])
def test_a_rate_is_distinguished_from_the_number_of_persons_on_that_it_needs(persons: int) -> None:
    # Maximally different persons: at the highest threshold none match.
    _, comparisons = crowd(persons=persons, photos=1, seed=2)
    fmr, _ = BOOTSTRAP.curves(comparisons)
    point = operating_point(1e-2, fmr=fmr, fnmr=None)
    assert isinstance(point, OperatingPoint) is (persons >= persons_needed(1e-2, confidence=0.95))
    if isinstance(point, NotSupported):
        assert point.persons_needed == 26
    else:
        assert point.measured.fnmr is None


def test_the_two_thresholds_are_the_lowest_that_keep_the_rate() -> None:
    _, comparisons = crowd(persons=40, photos=3, seed=3, spread=1.0)
    fmr, fnmr = BOOTSTRAP.curves(comparisons)
    for target in (0.1, 1e-2):
        point = operating_point(target, fmr=fmr, fnmr=fnmr)
        assert isinstance(point, OperatingPoint)
        index = int(np.searchsorted(fmr.thresholds, point.measured.threshold))
        assert fmr.rates[index] <= target < fmr.rates[index - 1]
        index = int(np.searchsorted(fmr.thresholds, point.bounded.threshold))
        assert fmr.upper_bounds[index] <= target < fmr.upper_bounds[index - 1]
        assert point.bounded.threshold >= point.measured.threshold
        assert point.measured.fnmr is not None
        assert point.bounded.fnmr is not None
        assert point.bounded.fnmr.rate >= point.measured.fnmr.rate
        assert point.measured.upper_bound >= point.measured.fmr


def test_that_the_threshold_was_set_on_the_data_widens_the_interval() -> None:
    _, comparisons = crowd(persons=40, photos=3, seed=3, spread=1.0)
    fmr, fnmr = BOOTSTRAP.curves(comparisons)
    assert fnmr is not None
    point = operating_point(1e-2, fmr=fmr, fnmr=fnmr)
    assert isinstance(point, OperatingPoint)
    interval = point.measured.fnmr
    index = int(np.searchsorted(fmr.thresholds, point.measured.threshold))
    assert interval is not None
    assert interval.lower <= fnmr.lower[index]
    assert interval.upper >= fnmr.upper[index]
    samples = samples_at(1e-2, fmr=fmr, fnmr=fnmr)
    assert samples.shape == (fmr.draws.shape[0],)
    # Each sample keeps the rate with its own threshold.
    assert np.unique(samples).size > 10


def test_without_pairs_of_one_person_only_fmr_is_reported() -> None:
    _, comparisons = crowd(persons=12, photos=1, seed=4)
    fmr, fnmr = BOOTSTRAP.curves(comparisons)
    assert fnmr is None
    point = operating_point(0.1, fmr=fmr, fnmr=fnmr)
    assert isinstance(point, OperatingPoint)
    assert point.measured.fnmr is None
    assert point.bounded.fnmr is None
