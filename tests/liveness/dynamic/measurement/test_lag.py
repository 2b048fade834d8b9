import math
from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement.lag import (
    LagFinding,
    centring_within_detections,
    earliest_lag,
    find_lag,
    lag_signal,
    measure_lag,
    region_lags,
    step_lags,
)
from liveness.dynamic.measurement.response import fit_response
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.sample import ExposureReading
from tests.liveness.dynamic.light_scan import LAG, LightScan, light_scan, seen, track_of


def test_each_detection_interval_loses_its_own_mean() -> None:
    within = centring_within_detections(np.array([0, 0, 1, 1, 1, 2]))
    np.testing.assert_allclose(within @ [1.0, 3.0, 10.0, 11.0, 12.0, 7.0], [-1, 1, -1, 0, 1, 0], atol=1e-12)


def test_one_detection_interval_loses_its_mean() -> None:
    np.testing.assert_allclose(
        centring_within_detections(np.zeros(3, np.intp)) @ [1.0, 2.0, 3.0], [-1, 0, 1], atol=1e-12
    )


def test_removing_the_means_is_a_projection() -> None:
    within = centring_within_detections(np.array([0, 1, 1, 2, 2, 2]))
    np.testing.assert_allclose(within @ within, within, atol=1e-12)
    np.testing.assert_allclose(within, within.T)


MODEL = load_flash_model()
MARGIN = MODEL.lag.early
_DISPLAY = 0.01
"""From the claimed appearance of a colour to its light, seconds."""
_PIPELINE = 0.04
"""From the end of the read-out to the arrival at the app, seconds."""


def _filmed(stamp: str, *, fps: float, exposure: float, readout: float = 0.025, seed: int = 2) -> LightScan:
    """A genuine scan of a phone that stamps the start or middle of the exposure, or the arrival."""
    after = {
        "start": 0.0,
        "middle": (exposure + readout) / 2,
        "arrival": exposure + readout + _PIPELINE,
    }[stamp]
    scan = light_scan(
        seed, fps=fps, steps=10, lag=_DISPLAY, exposure=exposure, shown_after=readout / 2, stamped_after=after
    )
    return _claiming(scan, ExposureReading(exposure_seconds=exposure, readout_seconds=readout))


def _claiming(scan: LightScan, claim: ExposureReading | None) -> LightScan:
    return replace(scan, samples=tuple(replace(sample, exposure=claim) for sample in scan.samples))


@pytest.mark.parametrize("stamp", ["start", "middle", "arrival"])
@pytest.mark.parametrize(
    ("fps", "exposure"), [(20.0, 0.01), (20.0, 0.03), (20.0, 0.048), (12.0, 0.08), (8.3, 0.118)]
)
def test_every_honest_time_stamp_is_within_the_window(stamp: str, fps: float, exposure: float) -> None:
    scan = _filmed(stamp, fps=fps, exposure=exposure)
    track, shown = seen(scan)
    lag, explained = measure_lag(track, shown)
    assert lag is not None
    assert explained > 0.5
    assert earliest_lag(track, margin=MARGIN) < lag < MODEL.lag.longest
    # The margin is needed by none of them.
    assert lag > earliest_lag(track, margin=0.0) - 0.01


@pytest.mark.parametrize(("fps", "exposure"), [(20.0, 0.048), (8.3, 0.118)])
def test_a_long_exposure_is_no_early_answer(fps: float, exposure: float) -> None:
    scan = _filmed("start", fps=fps, exposure=exposure)
    result = judge_flash(samples=scan.samples, revealed=scan.revealed, model=MODEL)
    signal = next(one for one in result.signals if one.name == "flash_lag")
    assert signal.score is not None
    assert signal.score > 0.5


@pytest.mark.parametrize("lag", [-0.15, -0.2])
def test_an_answer_before_any_exposure_is_early(lag: float) -> None:
    scan = _claiming(
        light_scan(2, fps=20.0, steps=10, lag=lag),
        ExposureReading(exposure_seconds=0.01, readout_seconds=0.02),
    )
    result = judge_flash(samples=scan.samples, revealed=scan.revealed, model=MODEL)
    signal = next(one for one in result.signals if one.name == "flash_lag")
    assert signal.score == MODEL.lag.early_score


def test_longer_exposures_and_read_outs_explain_earlier_answers() -> None:
    scan = light_scan(1, fps=20.0)
    windows = [
        earliest_lag(
            track_of(_claiming(scan, ExposureReading(exposure_seconds=exposure, readout_seconds=readout))),
            margin=MARGIN,
        )
        for exposure, readout in ((0.01, 0.01), (0.03, 0.01), (0.03, 0.03))
    ]
    assert windows == sorted(windows, reverse=True)
    assert windows[0] == pytest.approx(-(0.05 + 0.01 + 0.01) / 2 - MARGIN, abs=0.001)


@pytest.mark.parametrize("claim", [0.2, 1e9])
def test_a_claim_gains_no_more_than_a_frame(claim: float) -> None:
    scan = light_scan(1, fps=20.0)
    silent = earliest_lag(track_of(scan), margin=MARGIN)
    most = ExposureReading(exposure_seconds=claim, readout_seconds=claim)
    assert earliest_lag(track_of(_claiming(scan, most)), margin=MARGIN) == silent
    assert silent == pytest.approx(-1.5 * 0.05 - MARGIN, abs=0.001)


@pytest.mark.parametrize("claim", [0.0, -1.0, math.nan, math.inf])
def test_a_claim_that_is_no_time_counts_as_none(claim: float) -> None:
    scan = light_scan(1, fps=20.0)
    strange = ExposureReading(exposure_seconds=claim, readout_seconds=claim)
    assert earliest_lag(track_of(_claiming(scan, strange)), margin=MARGIN) == earliest_lag(
        track_of(scan), margin=MARGIN
    )


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
