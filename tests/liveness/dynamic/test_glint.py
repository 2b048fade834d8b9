from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.glint import GlintSettings, glint_signal, measure_glint
from liveness.dynamic.response import ResponseSettings, fit_response
from liveness.dynamic.sample import Region
from tests.liveness.builders import face_at
from tests.liveness.dynamic.light_scan import LAG, light_scan, seen

SETTINGS = GlintSettings()


@pytest.mark.parametrize(("power", "found"), [(2.5, True), (1.0, False)])
def test_eyes_that_answer_more_than_skin_are_told(power: float, found: bool) -> None:
    scan = light_scan(3)
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    samples = []
    for sample in scan.samples:
        linear = sample.linear.copy()
        linear[Region.LEFT_EYE] = 0.2 * (linear[Region.NOSE] / 0.3) ** power
        samples.append(replace(sample, linear=linear.astype(np.float32)))
    share = measure_glint(samples, track, shown, response, lag=LAG, settings=SETTINGS)
    assert share == pytest.approx(power, rel=0.15)
    assert glint_signal(share, SETTINGS).assessed is found


def test_small_eyes_tell_nothing() -> None:
    scan = light_scan(3)
    track, shown = seen(scan)
    response = fit_response(track, shown, lag=LAG, settings=ResponseSettings())
    assert response is not None
    small = [replace(sample, face=face_at(width=120)) for sample in scan.samples]
    assert measure_glint(small, track, shown, response, lag=LAG, settings=SETTINGS) is None
    assert not glint_signal(None, SETTINGS).assessed
