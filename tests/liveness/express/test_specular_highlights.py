import cv2
import numpy as np
import pytest

from liveness.express.settings import ExpressSettings
from liveness.express.specular_highlights import SpecularHighlights
from tests.liveness.builders import face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small

_LINES = ExpressSettings().specular_highlights


def _measured(image: np.ndarray) -> float:
    value = measured(image.astype(np.uint8), FACE, "specular_highlights")
    assert value is not None
    return value


def test_shiny_skin_is_above_the_line_and_a_flattened_one_below() -> None:
    image = portrait()
    assert _measured(image) > _LINES.line
    level = cv2.blur(image, (61, 61)).astype(np.float32)
    assert _measured(level + 0.25 * (image - level)) < _LINES.line


def test_coloured_spots_are_no_shine() -> None:
    image = portrait()
    spotted = image.copy()
    for x, y in ((240, 230), (215, 320), (268, 322), (240, 400), (200, 260), (285, 262)):
        cv2.circle(spotted, (x, y), 5, (60, 60, 255), -1)
    assert _measured(spotted) < _measured(image)


def test_glare_across_the_outline_takes_the_value_away() -> None:
    image = portrait()
    glaring = image.copy()
    cv2.ellipse(glaring, (330, 260), (75, 60), 0, 0, 360, (255, 255, 255), -1)
    assert _measured(glaring) < 0.2 * _measured(image)


def test_white_that_stays_beside_the_face_is_a_window() -> None:
    image = portrait()
    window = image.copy()
    window[100:300, 360:] = 255
    assert _measured(window) == pytest.approx(_measured(image), rel=0.05)


def test_a_small_face_and_one_cut_off_are_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "specular_highlights") is None
    assert measured(portrait(), face_at(10.0, 300.0, 200.0), "specular_highlights") is None
    assert measured(portrait(), face_at(-400.0, 300.0, 200.0), "specular_highlights") is None


def test_the_signal_rises_with_the_shine() -> None:
    settings = ExpressSettings()
    skin = SpecularHighlights(cues_of("specular_highlights", [_LINES.live])).assess(scan(), settings)
    assert skin.score == pytest.approx(0.8)
    flat = SpecularHighlights(cues_of("specular_highlights", [0.02])).assess(scan(), settings)
    assert flat.passed is False
    assert "flatter" in flat.detail
    assert SpecularHighlights(()).assess(scan(), settings).score is None
