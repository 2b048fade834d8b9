from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
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
def test_the_camera_settings_give_the_light(seconds: float, iso: float, lux: float) -> None:
    assert scene_lux([_exposed(seconds, iso)] * 3) == pytest.approx(lux, rel=0.02)


def test_without_metadata_the_light_is_unknown() -> None:
    assert scene_lux([SAMPLE]) is None
    assert scene_lux([_exposed(None, 100), _exposed(0.01, None), _exposed(0.0, 100)]) is None
    assert scene_lux([_exposed(0.01, float("nan")), _exposed(0.01, float("inf"))]) is None
    assert scene_lux([]) is None


def _filmed(
    settings: NDArray[np.float64], picture: NDArray[np.float64], *, locked: bool = False
) -> list[FlashSample]:
    """Frames with an exposure of 2 by their settings, and a background of 0.2 by their pixels."""
    return [
        replace(
            SAMPLE,
            exposure=ExposureReading(
                exposure_seconds=0.01, iso=200 * float(np.exp(setting)), exposure_locked=locked
            ),
            linear=np.full((len(Region), 3), 0.2 * np.exp(light), np.float32),
        )
        for setting, light in zip(settings, picture, strict=True)
    ]


WAVE = 0.1 * np.sin(np.arange(60) / 5)
STILL = np.zeros(60)


@pytest.mark.parametrize(
    ("settings", "picture", "locked", "borne_out"),
    [
        (WAVE, WAVE, False, True),
        (WAVE, 1.2 * WAVE, False, True),
        (STILL, STILL, True, True),
        (STILL, STILL, False, False),
        (STILL, WAVE, True, False),
        (WAVE, STILL, False, False),
        (WAVE, -WAVE, False, False),
        (WAVE, 5 * WAVE, False, False),
        (WAVE, np.roll(WAVE, 8), False, False),
    ],
)
def test_settings_are_believed_where_the_picture_bears_them_out(
    settings: NDArray[np.float64], picture: NDArray[np.float64], locked: bool, borne_out: bool
) -> None:
    assert lux_borne_out(_filmed(settings, picture, locked=locked)) is borne_out


def test_a_camera_that_is_locked_in_the_middle_is_judged_while_it_is() -> None:
    """As the protocol requires: only after it has followed the screen's light."""
    following = _filmed(np.linspace(0.3, 0.0, 15), np.linspace(0.0, 0.3, 15))
    assert lux_borne_out([*following, *_filmed(STILL, STILL, locked=True)])
    assert not lux_borne_out([*following, *_filmed(STILL, WAVE, locked=True)])
    assert not lux_borne_out([*following, *_filmed(STILL[:19], STILL[:19], locked=True)])


@pytest.mark.parametrize(("iso", "dim"), [(200, True), (50, False), (None, False)])
def test_dim_light_follows_from_the_metadata(iso: float | None, dim: bool) -> None:
    assert is_dim([_exposed(1 / 60, iso)] * 3, 300.0) is dim


@pytest.mark.parametrize(("seconds", "dim"), [(1 / 30, True), (1 / 1000, False)])
def test_skin_that_is_saturated_everywhere_is_as_bright_as_the_camera_shows(
    seconds: float, dim: bool
) -> None:
    assert is_dim([_exposed(seconds, 1600, np.nan)] * 3, 300.0) is dim
    assert scene_lux([_exposed(seconds, 1600, np.nan)] * 3) is None


def test_without_metadata_or_a_background_nothing_is_borne_out() -> None:
    assert not lux_borne_out([])
    assert not lux_borne_out([SAMPLE] * 60)
    assert not lux_borne_out(_filmed(WAVE[:5], WAVE[:5]))
    dark = [replace(one, linear=np.full_like(one.linear, np.nan)) for one in _filmed(WAVE, WAVE)]
    assert not lux_borne_out(dark)


def test_the_exposure_of_the_skin_is_measured() -> None:
    assert read_exposure([]).level is None
    assert read_exposure([_exposed(0.01, 100, 0.3)]).level == pytest.approx(0.3)
    lost = replace(SAMPLE, usable=np.zeros(len(Region), np.float32))
    assert read_exposure([SAMPLE, lost]).lost == 0.5


def test_less_light_shows_more_of_the_screen() -> None:
    answers = [expected_response(lux, 30.0) for lux in (1.0, 20.0, 150.0, 3000.0, 30000.0)]
    assert answers == sorted(answers, reverse=True)
    assert answers[2] == pytest.approx(0.184, abs=0.01)
