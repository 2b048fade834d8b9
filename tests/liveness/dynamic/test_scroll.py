import math
from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.response import ResponseSettings, fit_response
from liveness.dynamic.scroll import ScrollFinding, ScrollSettings, measure_scroll, scroll_signal
from liveness.dynamic.steps import Transition
from tests.liveness.dynamic.light_scan import LAG, LightScan, light_scan, seen

SETTINGS = ScrollSettings()


def _with_scrolls() -> LightScan:
    scans = (light_scan(seed, steps=10, noise=0.003) for seed in range(50))
    return next(
        scan
        for scan in scans
        if sum(one.step.transition is Transition.SCROLL_DOWN for one in scan.revealed) >= 4
    )


def test_a_scroll_is_answered_gradually() -> None:
    track, shown = seen(_with_scrolls())
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    finding = measure_scroll(track, shown, response, lag=LAG)
    assert finding.grown >= 3
    assert finding.jumped == 0
    assert scroll_signal(finding, SETTINGS).passed


def test_a_face_that_is_found_anew_does_not_hide_how_a_scroll_is_answered() -> None:
    aware, unaware = [], []
    for seed in range(8):
        track, shown = seen(light_scan(seed, strength=0.15, steps=24, noise=0.003, leaps=0.06))
        response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
        assert response is not None
        aware.append(measure_scroll(track, shown, response, lag=LAG))
        track = replace(track, looks=np.zeros_like(track.looks))
        unaware.append(measure_scroll(track, shown, response, lag=LAG))
    assert sum(one.jumped for one in aware) == 0
    assert sum(one.jumped for one in unaware) >= 3


def test_a_scroll_that_is_answered_at_once_speaks_against_a_face() -> None:
    assert scroll_signal(ScrollFinding(0, 3, None, math.inf), SETTINGS).passed is False


def test_without_scrolls_nothing_is_told() -> None:
    assert not scroll_signal(ScrollFinding(0, 0, None, math.inf), SETTINGS).assessed


@pytest.mark.parametrize(("error", "said"), [(0.01, True), (0.2, False)])
def test_travel_is_told_where_it_is_known(error: float, said: bool) -> None:
    signal = scroll_signal(ScrollFinding(2, 0, 0.07, error), SETTINGS)
    assert ("7 % of a scroll" in signal.detail) is said
