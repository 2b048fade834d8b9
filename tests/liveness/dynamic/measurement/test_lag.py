from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.measurement.lag import (
    LagFinding,
    find_lag,
    lag_signal,
    measure_lag,
    region_lags,
    step_lags,
)
from liveness.dynamic.measurement.response import fit_response
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.light_scan import LAG, LightScan, light_scan, seen

SETTINGS = load_flash_model().lag


@pytest.mark.parametrize("lag", [0.0, 0.08, 0.2, 0.35, 0.5, 0.8, 1.1])
def test_the_lag_is_found(lag: float) -> None:
    track, shown = seen(light_scan(2, lag=lag, steps=10))
    found, explained = measure_lag(track, shown)
    # A frame shows the scene at its capture: on average half a frame's time is blurred.
    assert found == pytest.approx(lag - 0.02, abs=0.025)
    assert explained > 0.5


def test_jitter_shows_step_by_step() -> None:
    spreads = []
    for jitter in (0.0, 0.06):
        track, shown = seen(light_scan(3, lag=0.15, lag_jitter=jitter, steps=12, noise=0.003))
        lag, _ = measure_lag(track, shown)
        assert lag is not None
        response = fit_response(track, shown, lag=lag, settings=load_flash_model().response)
        assert response is not None
        lags = [own for _, own in step_lags(track, shown, response.matrix, lag=lag)]
        assert len(lags) >= 5
        spreads.append(float(np.std(lags)))
    assert spreads[0] < 0.02
    assert spreads[1] > 0.03


def _spread(scan: LightScan) -> float:
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=LAG, settings=load_flash_model().response)
    assert response is not None
    lags = [own for _, own in step_lags(track, shown, response.matrix, lag=LAG)]
    assert len(lags) >= 3
    return float(np.std(lags))


def test_a_face_that_is_found_anew_has_not_answered() -> None:
    scans = [light_scan(seed, strength=0.15, steps=14, noise=0.003, leaps=0.06) for seed in range(12)]
    unaware = [
        LightScan(tuple(replace(sample, followed=False) for sample in scan.samples), scan.revealed)
        for scan in scans
    ]
    aware = [_spread(scan) for scan in scans]
    assert max(aware) < 0.01
    assert np.median([_spread(scan) for scan in unaware]) > 1.5 * np.median(aware)


def test_regions_agree() -> None:
    track, shown = seen(light_scan(4))
    lag, _ = measure_lag(track, shown)
    assert lag is not None
    lags = region_lags(track, shown, lag=lag)
    assert len(lags) == 5
    assert float(np.std(lags)) < 0.005


@pytest.mark.parametrize(("strength", "is_compared"), [(0.03, False), (0.3, True)])
def test_times_are_compared_where_the_answer_is_clear(strength: float, is_compared: bool) -> None:
    track, shown = seen(light_scan(2, strength=strength, noise=0.02, steps=14))
    lag, explained = measure_lag(track, shown)
    assert lag is not None
    response = fit_response(track, shown, lag=lag, settings=load_flash_model().response)
    assert response is not None
    found = find_lag(track, shown, response.matrix, lag=lag, explained=explained)
    assert (found.lag, found.explained, found.comparable) == (lag, explained, is_compared)
    for compared in (found.jitter, found.spread):
        assert (compared is not None) is is_compared
    assert LagFinding(lag, explained, 0.01, None).comparable
    assert LagFinding(lag, explained, None, 0.01).comparable


def test_no_answer_has_no_lag() -> None:
    track, shown = seen(light_scan(5, strength=0.0))
    _, explained = measure_lag(track, shown)
    assert explained < 0.2
    assert measure_lag(track, shown[:1]) == (None, 0.0)


@pytest.mark.parametrize(
    ("finding", "passed"),
    [
        (LagFinding(0.06, 0.9, 0.004, 0.003), True),
        (LagFinding(0.06, 0.9, 0.06, 0.003), False),
        (LagFinding(0.06, 0.9, 0.004, 0.08), False),
        (LagFinding(-0.12, 0.9, 0.004, 0.003), False),
        (LagFinding(0.5, 0.9, 0.004, 0.003), None),
        (LagFinding(0.5, 0.9, None, None), None),
        (LagFinding(0.5, 0.9, 0.06, 0.003), False),
        (LagFinding(0.9, 0.9, 0.004, 0.08), False),
        (LagFinding(0.06, 0.9, None, None), None),
        (LagFinding(None, 0.0, None, None), None),
        (LagFinding(0.06, 0.05, 0.004, 0.003), None),
    ],
)
def test_lateness_alone_proves_nothing(finding: LagFinding, passed: bool | None) -> None:
    assert lag_signal(finding, SETTINGS, earliest=-0.1).passed is passed
