import cv2
import numpy as np
import pytest

from liveness.express.moire import Moire
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import HEIGHT, WIDTH, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small

_LINES = ExpressSettings().moire


def _grid(*, period: float, degrees: float, depth: float) -> np.ndarray:
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    angle = np.radians(degrees)
    along = across * np.cos(angle) + down * np.sin(angle)
    grid: np.ndarray = (1 + depth * np.cos(2 * np.pi * along / period))[..., None]
    return grid


@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_room_shows_no_pattern(seed: int) -> None:
    value = measured(portrait(seed), FACE, "moire")
    assert value is not None
    assert value < _LINES.line


@pytest.mark.parametrize(("period", "degrees"), [(3.1, 0.0), (4.7, 7.0), (6.0, 84.0), (2.4, 40.0)])
def test_a_faint_grid_over_the_image_is_detected(period: float, degrees: float) -> None:
    shown = portrait() * _grid(period=period, degrees=degrees, depth=0.05)
    value = measured(np.clip(shown, 0, 255).astype(np.uint8), FACE, "moire")
    assert value is not None
    assert value > 3 * _LINES.line


def test_a_straight_edge_is_no_pattern() -> None:
    image = portrait()
    image[:, :130] = 30
    image[:, 350:] = 220
    value = measured(image, FACE, "moire")
    assert value is not None
    assert value < _LINES.line


def test_the_seams_of_jpeg_blocks_are_no_pattern() -> None:
    coded = cv2.imencode(".jpg", portrait(), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    value = measured(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8), FACE, "moire")
    assert value is not None
    assert value < _LINES.line


def test_a_small_face_that_fills_its_picture_is_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "moire") is None


def test_the_signal_falls_with_the_pattern_and_its_detail_names_it() -> None:
    settings = ExpressSettings()
    clear = Moire(cues_of("moire", [_LINES.live] * 3)).assess(scan(), settings)
    assert clear.score == pytest.approx(0.8)
    assert clear.passed
    assert "3 frames" in clear.detail
    seen = Moire(cues_of("moire", [20.0, 25.0, 1.0])).assess(scan(), settings)
    assert seen.score is not None
    assert seen.score < 0.01
    assert not seen.passed
    assert Moire(()).assess(scan(), settings).score is None
