import io

import numpy as np
import pytest
from rich.console import Console

from research.portrait_measures.measures import (
    Mouth,
    exact_bounds,
    fit_logistic,
    left_out_evidence,
    print_mouths,
)
from vision.mouth_colours import MouthColours


def drawn(offset: float, slope: float, *, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    features = rng.normal(0, 2, (count, 1))
    chance = 1 / (1 + np.exp(-(offset + slope * features[:, 0])))
    return features, rng.uniform(size=count) < chance


def test_the_fit_finds_the_slope_that_the_data_were_drawn_with() -> None:
    features, covered = drawn(0.0, 1.5)
    offset, slope = fit_logistic(features, covered)
    assert slope == pytest.approx(1.5, abs=0.15)
    assert offset == pytest.approx(0.0, abs=0.15)


def test_many_bare_photos_count_no_more_than_few() -> None:
    features, covered = drawn(0.0, 1.5)
    again = np.concatenate([np.arange(covered.size), *[np.flatnonzero(~covered)] * 4])
    np.testing.assert_allclose(
        fit_logistic(features[again], covered[again]), fit_logistic(features, covered), atol=1e-3
    )


def test_a_fold_is_judged_by_the_others() -> None:
    """The fold's own labels are reversed; a function that was fitted to them would follow."""
    rng = np.random.default_rng(5)
    found = []
    for at in range(400):
        lips, cheek, skin = rng.uniform((-10, 0, 20), (30, 30, 80)).tolist()
        colours = MouthColours(lips=lips, cheek=cheek, skin=skin)
        turned = at < 150
        found.append(
            Mouth("s", "turned" if turned else "as drawn", (lips + rng.normal(0, 3) < 10) != turned, colours)
        )
    said = left_out_evidence(found, fitted_on=found) > 0
    true = np.array([each.colours.lips < 10 for each in found])
    assert np.mean(said[:150] == true[:150]) > 0.9
    assert np.mean(said[150:] == true[150:]) < 0.1


@pytest.mark.parametrize(
    ("count", "trials", "low", "high"),
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (5, 10, 0.1871, 0.8129), (1, 100, 0.0003, 0.0545)],
)
def test_bounds_are_those_of_the_tables(count: int, trials: int, low: float, high: float) -> None:
    assert exact_bounds(count, trials) == pytest.approx((low, high), abs=1e-4)


def test_the_table_counts_by_source() -> None:
    mask, bare = MouthColours(lips=0, cheek=15, skin=70), MouthColours(lips=15, cheek=3, skin=70)
    found = [Mouth(source="masks", fold=str(at % 3), covered=True, colours=mask) for at in range(6)] + [
        Mouth(source="faces", fold=str(at % 3), covered=False, colours=bare) for at in range(9)
    ]
    found.append(Mouth(source="faces", fold="0", covered=False, colours=mask))
    text = io.StringIO()
    print_mouths(found, Console(file=text, width=150), name="pack", fitted_on=found)
    rows = [line.replace("│", " ").split() for line in text.getvalue().splitlines()]
    assert ["masks", "covered", "6", "of", "6", "6", "of", "6"] in rows
    assert ["faces", "bare", "1", "of", "10", "1", "of", "10"] in rows


def test_bare_mouths_alone_are_no_measurement() -> None:
    bare = Mouth("s", "f", covered=False, colours=MouthColours(lips=15, cheek=3, skin=70))
    with pytest.raises(ValueError, match="found 0 of 1"):
        print_mouths([bare], Console(file=io.StringIO()), name="pack", fitted_on=[bare])
