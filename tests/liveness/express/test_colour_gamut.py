import cv2
import numpy as np
import pytest

from liveness.express.colour_gamut import ColourGamut
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait

_LINES = ExpressSettings().colour_gamut


def _measured(image: np.ndarray) -> float:
    value = measured(np.clip(image, 0, 255).astype(np.uint8), FACE, "colour_gamut")
    assert value is not None
    return value


def test_a_scene_is_above_the_line() -> None:
    assert _measured(portrait()) > _LINES.line


def test_a_narrow_bluish_print_of_it_is_below() -> None:
    narrow = 95 + 0.3 * portrait().astype(np.float32)
    assert _measured(narrow) < _measured(portrait())
    assert _measured(narrow + np.array([45.0, 0.0, -15.0])) < _LINES.line


def test_a_yellow_light_gains_nothing_beyond_skins_own_yellow() -> None:
    yellow = portrait() * np.array([0.6, 1.0, 1.0])
    yellower = portrait() * np.array([0.4, 1.0, 1.0])
    assert _measured(yellower) - _measured(yellow) < 0.03


def test_grey_pictures_and_faces_mostly_outside_are_not_measured() -> None:
    grey = cv2.cvtColor(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert measured(np.asarray(grey, np.uint8), FACE, "colour_gamut") is None
    assert measured(portrait(), face_at(-40.0, 300.0, 200.0), "colour_gamut") is None
    assert measured(portrait(), face_at(-900.0, 300.0, 200.0), "colour_gamut") is None


def test_a_dim_picture_is_not_called_narrow() -> None:
    assert measured((portrait() * 0.4).astype(np.uint8), FACE, "colour_gamut") is None


def test_the_signal_rises_with_the_gamut() -> None:
    settings = ExpressSettings()
    wide = ColourGamut(cues_of("colour_gamut", [_LINES.live])).assess(scan(), settings)
    assert wide.score == pytest.approx(0.8)
    narrow = ColourGamut(cues_of("colour_gamut", [0.2, 0.3, 0.9])).assess(scan(), settings)
    assert narrow.passed is False
    assert "0.30 in 3 frames" in narrow.detail
    assert ColourGamut(()).assess(scan(), settings).score is None
