import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from research.liveness_fusion.parts import fit_trace, fit_traces
from research.liveness_fusion.rows import Row, RowKind

_LIVE = [-1.0, -0.8, -0.7, -0.5, *np.linspace(-0.4, 3.0, 495).tolist()]


def test_a_trace_counts_in_full_beyond_all_live_pictures_by_how_often_attacks_show_it() -> None:
    trace = fit_trace(_LIVE, [-3.0] * 19 + [1.0] * 179)
    assert trace is not None
    # One in a hundred of the live images is below -0.4.
    assert (trace.begins, trace.full) == pytest.approx((-1.0, -1.6))
    # All of 19 are attacks: of as many trials, 0.1 ** (1 / 19) succeed at least, at 90 %.
    chance = 0.1 ** (1 / 19)
    assert trace.strength == pytest.approx(math.log(chance / (1 - chance) * 499 / 198))


def test_a_rare_trace_is_weaker_than_a_common_one_and_still_counts() -> None:
    rare, common = (fit_trace(_LIVE, [-3.0] * many + [1.0] * (200 - many)) for many in (8, 100))
    assert rare is not None
    assert common is not None
    assert 1.5 < rare.strength < common.strength


def test_a_trace_that_few_attacks_show_is_worth_nothing() -> None:
    trace = fit_trace(_LIVE, [-3.0] + [1.0] * 400)
    assert trace is not None
    assert trace.strength == 0


def test_a_trace_that_no_attack_shows_is_worth_nothing() -> None:
    trace = fit_trace(_LIVE, [-0.99] * 50)
    assert trace is not None
    assert trace.strength == 0


def test_too_few_live_images_place_no_trace() -> None:
    assert fit_trace(_LIVE[:98], [-3.0] * 50) is None
    assert fit_trace(_LIVE[:99], [-3.0] * 50) is not None
    assert fit_trace(_LIVE, []) is None


@given(
    st.lists(st.floats(-3.9, 3.9), min_size=99, max_size=200),
    st.lists(st.floats(-3.9, 3.9), min_size=1, max_size=60),
)
def test_no_measured_live_image_exceeds_its_line(live: list[float], attacks: list[float]) -> None:
    trace = fit_trace(live, attacks)
    assert trace is not None
    assert trace.full < trace.begins
    assert trace.begins == min(live)
    assert trace.strength >= 0


def test_traces_are_distinguished_from_rows_that_have_them() -> None:
    def row(number: int, live: bool, scores: dict[str, float]) -> Row:
        return Row(RowKind.PICTURE, str(number), "s", "" if live else "screen", live, scores, {})

    rows = [row(n, True, {"moire": 0.8}) for n in range(120)] + [
        row(n, False, {"moire": 0.01}) for n in range(9)
    ]
    found = fit_traces([*rows, row(0, True, {})], ("moire", "medium_border"), most_against=2.0)
    assert found.most_against == 2.0
    assert set(found.signals) == {"moire"}
    assert found.signals["moire"].strength > 3
