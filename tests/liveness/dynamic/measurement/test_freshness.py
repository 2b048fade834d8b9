from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.measurement.course import Sent
from liveness.dynamic.measurement.freshness import (
    Freshness,
    freshness_signal,
    measure_freshness,
)
from liveness.dynamic.measurement.track import FlashTrack
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen

SETTINGS = load_flash_model().freshness


def test_an_honest_scan_is_fresh() -> None:
    scan = light_scan(1)
    track, shown = seen(scan)
    sent = [Sent(one.step, one.at, 0.0) for one in scan.revealed]
    fresh = measure_freshness(track, sent, shown, lag=LAG, settings=SETTINGS)
    # The light scan shows a step 39 ms after it was sent.
    # The first frame after that arrives up to a frame later.
    assert fresh.age == pytest.approx(0.039 + LAG + 0.02, abs=0.021)
    assert fresh.delay == pytest.approx(0, abs=1e-6)
    assert freshness_signal(fresh, SETTINGS).passed


def test_frames_that_somebody_held_back_are_delayed() -> None:
    scan = light_scan(1)
    rng = np.random.default_rng(1)
    track = FlashTrack()
    for sample in scan.samples:
        track.add(replace(sample, arrival_time=sample.arrival_time + float(rng.uniform(0, 2))))
    fresh = measure_freshness(track.view(), [], [], lag=LAG, settings=SETTINGS)
    assert fresh.age is None
    assert fresh.delay > 1.5


@pytest.mark.parametrize(
    ("fresh", "passed"),
    [
        (Freshness({2: 0.2}, 0.05, 0.0), True),
        (Freshness({2: 0.2}, 0.05, 0.3), False),
        (Freshness({2: 2.0}, 0.05, 0.0), None),
        (Freshness({2: 0.4}, 1.5, 0.0), None),
        (Freshness({}, 0.0, 0.0), None),
    ],
)
def test_lateness_alone_proves_nothing(fresh: Freshness, passed: bool | None) -> None:
    signal = freshness_signal(fresh, SETTINGS)
    assert signal.passed is passed
    assert signal.score is None or signal.score >= 0.05


@pytest.mark.parametrize("delay", [0.3, 0.55, 0.6, 0.9])
def test_a_stalled_network_is_not_held_against_a_person(delay: float) -> None:
    score = freshness_signal(Freshness({2: 0.4}, delay, 0.0), SETTINGS).score
    assert score is None or score >= 0.5
