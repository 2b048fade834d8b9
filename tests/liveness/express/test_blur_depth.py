import cv2
import numpy as np
import pytest

from liveness.express.blur_depth import BlurDepth
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small, through_camera

_LINES = ExpressSettings().blur_depth


def _measured(image: np.ndarray) -> float:
    value = measured(image.astype(np.uint8), FACE, "blur_depth")
    assert value is not None
    return value


def test_a_picture_in_focus_is_crisp() -> None:
    assert _measured(portrait()) < _LINES.line


def test_a_picture_of_an_unsharp_picture_is_soft_though_its_camera_has_noise() -> None:
    rng = np.random.default_rng(2)
    again = through_camera(cv2.GaussianBlur(portrait(), (0, 0), 3.0).astype(np.float32), rng)
    assert _measured(again) > _LINES.line
    assert _measured(again) > _measured(portrait()) + 1


def test_a_sharp_room_explains_a_face_out_of_focus() -> None:
    blurred = cv2.GaussianBlur(portrait(), (0, 0), 3.0)
    sharp_room = blurred.copy()
    sharp_room[:, :138] = portrait()[:, :138]
    assert _measured(sharp_room) < _measured(blurred) - 0.5


def test_the_signal_hardly_depends_on_the_resolution() -> None:
    image, face = small(portrait(), 0.7)
    value = measured(image, face, "blur_depth")
    assert value is not None
    assert value == pytest.approx(_measured(portrait()), abs=0.7)


def test_a_small_face_and_one_mostly_outside_are_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "blur_depth") is None
    assert measured(portrait(), face_at(-20.0, 300.0, 200.0), "blur_depth") is None
    assert measured(portrait(), face_at(-900.0, 300.0, 200.0), "blur_depth") is None


def test_the_signal_falls_with_the_blur() -> None:
    settings = ExpressSettings()
    crisp = BlurDepth(cues_of("blur_depth", [_LINES.live])).assess(scan(), settings)
    assert crisp.score == pytest.approx(0.8)
    soft = BlurDepth(cues_of("blur_depth", [2.5, 2.6])).assess(scan(), settings)
    assert soft.passed is False
    assert "as soft as" in soft.detail
    assert BlurDepth(()).assess(scan(), settings).score is None
