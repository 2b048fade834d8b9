"""The calibration of logits on the scores of the cross-validation."""

import numpy as np
import pytest

from research.pad_network.export import fit_calibration


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
