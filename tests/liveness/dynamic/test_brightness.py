from dataclasses import replace

import numpy as np
import pytest

from liveness.dynamic.brightness import expected_response, read_exposure, scene_lux
from liveness.dynamic.sample import ExposureReading, FlashSample, Region
from tests.liveness.dynamic.light_scan import light_scan

SAMPLE = light_scan(1).samples[0]


def _exposed(seconds: float | None, iso: float | None, level: float = 0.18) -> FlashSample:
    return replace(
        SAMPLE,
        exposure=ExposureReading(exposure_seconds=seconds, iso=iso),
        linear=np.full((len(Region), 3), level, np.float32),
    )


@pytest.mark.parametrize(
    ("seconds", "iso", "lux"), [(1 / 60, 200, 135), (1 / 30, 1600, 8.4), (1 / 8000, 50, 72000)]
)
def test_the_cameras_settings_tell_the_light(seconds: float, iso: float, lux: float) -> None:
    assert scene_lux([_exposed(seconds, iso)] * 3) == pytest.approx(lux, rel=0.02)


def test_without_metadata_the_light_is_unknown() -> None:
    assert scene_lux([SAMPLE]) is None
    assert scene_lux([_exposed(None, 100), _exposed(0.01, None), _exposed(0.0, 100)]) is None
    assert scene_lux([_exposed(0.01, float("nan")), _exposed(0.01, float("inf"))]) is None
    assert scene_lux([]) is None


def test_exposure_of_the_skin() -> None:
    assert read_exposure([]).level is None
    assert read_exposure([_exposed(0.01, 100, 0.3)]).level == pytest.approx(0.3)
    lost = replace(SAMPLE, usable=np.zeros(len(Region), np.float32))
    assert read_exposure([SAMPLE, lost]).lost == 0.5


def test_less_light_shows_more_of_the_screen() -> None:
    answers = [expected_response(lux, 30.0) for lux in (1.0, 20.0, 150.0, 3000.0, 30000.0)]
    assert answers == sorted(answers, reverse=True)
    assert answers[2] == pytest.approx(0.184, abs=0.01)
