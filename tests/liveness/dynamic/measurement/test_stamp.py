import math
from dataclasses import replace

import pytest

from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement.lag import measure_lag
from liveness.dynamic.measurement.stamp import earliest_lag
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.sample import ExposureReading
from tests.liveness.dynamic.light_scan import LightScan, light_scan, seen, track_of

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
