import pytest

from evaluation.pad.conclusion import difference
from evaluation.pad.resampling import draw
from tests.evaluation.pad.samples import BOOTSTRAP, SAMPLES, scored


def test_a_scorer_does_not_differ_from_itself() -> None:
    run = scored(SAMPLES, apart=1.0)
    found = difference(run, run, draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert found is not None
    assert (found.auc, found.bpcer) == (0.0, 0.0)
    assert not found.better
    assert found.not_worse


def test_a_difference_uses_samples_that_both_scored() -> None:
    first, second = scored(SAMPLES, apart=1.0, silent=(0,)), scored(SAMPLES, apart=1.0, silent=(3,))
    found = difference(first, second, draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
    assert found is not None
    assert (found.live, found.attacks) == (70, 144)
    with pytest.raises(ValueError, match="same presentations"):
        difference(first, scored(SAMPLES[1:], apart=1.0), draws=draw(SAMPLES, BOOTSTRAP), bootstrap=BOOTSTRAP)
