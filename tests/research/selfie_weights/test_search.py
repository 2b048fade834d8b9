import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.selfie import SIGNAL_NAMES
from research.selfie_weights import FIXED, Group, best_weights, candidates, figures_of, mean_error

_TEXTURE, _SHARPNESS = SIGNAL_NAMES.index("lbp_texture"), SIGNAL_NAMES.index("sharpness")
_GROUP = Group("all", np.arange(4), np.arange(4, 8))


def _scores(column: int, live: float, attack: float) -> NDArray[np.float64]:
    """Eight images that differ in one signal only."""
    scores = np.full((8, 8), 0.6)
    scores[:4, column], scores[4:, column] = live, attack
    return scores


def test_every_candidate_sums_to_1_and_has_texture_first() -> None:
    sets = candidates()
    assert len(np.unique(sets, axis=0)) == len(sets) > 400
    np.testing.assert_allclose(sets.sum(axis=1), 1)
    assert sets.min() == pytest.approx(0.05)
    others = np.delete(sets, _TEXTURE, axis=1)
    assert (sets[:, _TEXTURE] > others.max(axis=1)).all()
    for name, weight in FIXED.items():
        np.testing.assert_array_equal(sets[:, SIGNAL_NAMES.index(name)], weight)


@pytest.mark.parametrize(("column", "weight"), [(_TEXTURE, 0.30), (_SHARPNESS, 0.25)])
def test_an_informative_signal_gets_its_weight(column: int, weight: float) -> None:
    # The attacks' sum falls below 0.58 where 0.6 - weight * 0.6 does: from a weight of 0.05 on; live ones
    # stay at 0.6. A wrong signal could not separate them.
    scores = _scores(column, 0.6, 0.0)
    best = best_weights(candidates(), [scores], [[_GROUP]], threshold=0.58)
    assert mean_error(best, [scores], [[_GROUP]], threshold=0.58) == 0
    harder = _scores(column, 0.6, 0.6 - 0.021 / weight)
    best = best_weights(candidates(), [harder], [[_GROUP]], threshold=0.58)
    assert best[column] >= weight - 1e-9
    assert mean_error(best, [harder], [[_GROUP]], threshold=0.58) == 0


def test_the_figures_of_a_group_are_counted() -> None:
    scores = np.repeat(np.array([0.70, 0.60, 0.58, 0.50, 0.65, 0.55, 0.54, 0.10])[:, None], 8, axis=1)
    weights = candidates()[0]
    figures = figures_of(weights, scores, _GROUP, threshold=0.58)
    assert figures.live == (1, 2, 1)
    assert figures.attacks == (1, 2, 1)
    # Live below 0.58: one of four; attacks at or above it: one of four.
    assert figures.error == pytest.approx(0.25)
    # Of 16 pairs the live one is above in 4 + 3 + 3 + 1.
    assert figures.area == pytest.approx(11 / 16)
