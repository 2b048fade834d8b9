import math
from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.response import ResponseSettings, fit_response
from liveness.dynamic.sample import ROWS, FlashSample
from liveness.dynamic.shutter import ShutterFinding, ShutterSettings, measure_shutter, shutter_signal
from liveness.dynamic.steps import Transition
from tests.liveness.dynamic.light_scan import LAG, LightScan, light_scan, seen

SETTINGS = ShutterSettings()


def _rows(scan: LightScan, *, readout: float) -> tuple[FlashSample, ...]:
    """The scan with strips that are read one after another within ``readout`` seconds."""
    light = {one.step.number: one.step.colour.linear for one in scan.revealed}
    flat = {one.step.number for one in scan.revealed if one.step.transition is Transition.FLAT}
    read = np.linspace(-0.5, 0.5, ROWS) * readout
    done = []
    for sample in scan.samples:
        level = np.tile(light[1], (ROWS, 1))
        if sample.step > 1 and sample.step_since is not None:
            into = np.clip((sample.capture_time + read - sample.step_since - LAG) / 0.03, 0, 1)[:, None]
            before, after = light[sample.step - 1], light[sample.step]
            level = before + (into if sample.step in flat else np.ones((ROWS, 1))) * (after - before)
        done.append(replace(sample, face_rows=(0.2 * np.exp(0.3 * level)).astype(np.float32)))
    return tuple(done)


@pytest.mark.parametrize(("readout", "assessed"), [(0.03, True), (0.0, False)])
def test_rows_that_follow_each_other_are_a_camera(readout: float, assessed: bool) -> None:
    scan = light_scan(3, steps=16, noise=0.003, fps=40.0)
    samples = _rows(scan, readout=readout)
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    finding = measure_shutter(samples, track, shown, response, lag=LAG)
    signal = shutter_signal(finding, SETTINGS)
    assert signal.assessed is assessed
    assert signal.passed is (True if assessed else None)


def test_a_missing_edge_says_nothing() -> None:
    assert not shutter_signal(ShutterFinding(0, 0.0, math.inf), SETTINGS).assessed
