import numpy as np
import pytest

from liveness.observation import backlight, black_level
from tests.liveness.builders import face_at, observation


def test_the_black_level_is_that_of_the_darkest_hundredth() -> None:
    samples = np.full((64, 64), 120, np.uint8)
    samples.flat[:40] = 10
    assert black_level(samples) == 120
    samples.flat[:41] = 10
    assert black_level(samples) == 10


def test_the_background_is_compared_with_the_face() -> None:
    samples = np.full((64, 64), 200, np.uint8)
    # A face 240 pixels wide and 320 high in the middle of a frame of 480 x 640 pixels.
    face = face_at(x=240.0, y=320.0, width=240.0)
    samples[16:48, 16:48] = 50
    frame = observation(face=face, samples=samples, luminance=50.0)
    assert backlight(frame) == pytest.approx(4.0)


def test_there_is_no_backlight_without_a_face_or_without_a_background() -> None:
    assert backlight(observation(face=None, luminance=None)) == 0.0
    assert backlight(observation(luminance=0.0)) == 0.0
    assert backlight(observation(face=face_at(width=2000.0))) == 0.0
