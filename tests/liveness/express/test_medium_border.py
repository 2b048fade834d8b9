import cv2
import numpy as np
import pytest

from liveness.express.frame_cues import MediumBorder
from liveness.express.settings import ExpressSettings
from tests.liveness.builders import face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait
from vision.face import BgrImage

_LINES = ExpressSettings().medium_border


def _on_medium(degrees: float, *, low: int) -> BgrImage:
    """The portrait on a rotated sheet before a dark wall, with its lower edge at row ``low``."""
    image = portrait()
    sheet = np.zeros(image.shape[:2], np.uint8)
    cv2.rectangle(sheet, (110, 130), (370, low), 255, -1)
    turn = cv2.getRotationMatrix2D((240, 300), degrees, 1.0)
    covered = cv2.warpAffine(sheet, turn, (image.shape[1], image.shape[0]))[..., None] > 127
    return np.where(covered, image, np.uint8(12))


@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_room_has_no_border(seed: int) -> None:
    value = measured(portrait(seed), FACE, "medium_border")
    assert value is not None
    assert value < _LINES.line


@pytest.mark.parametrize("degrees", [-6.0, 0.0, 3.0])
@pytest.mark.parametrize("low", [500, 900])
def test_a_sheet_has_one_whether_its_lower_edge_is_in_the_picture_or_not(degrees: float, low: int) -> None:
    value = measured(_on_medium(degrees, low=low), FACE, "medium_border")
    assert value is not None
    assert value > _LINES.line


def test_a_door_frame_that_the_shoulders_hide_is_no_border() -> None:
    behind = portrait()
    bright = np.clip(behind.astype(np.int16) + 90, 0, 255).astype(np.uint8)
    room = np.zeros(behind.shape[:2], bool)
    room[:, :115] = room[:, 365:] = True
    room[455:] = False
    value = measured(np.where(room[..., None], bright, behind), FACE, "medium_border")
    assert value is not None
    assert value < _LINES.line


def test_a_tight_crop_is_not_measured() -> None:
    assert measured(portrait()[150:450, 150:330], face_at(90.0, 150.0, 200.0), "medium_border") is None


def test_most_frames_must_show_the_border() -> None:
    settings = ExpressSettings()
    once = MediumBorder(cues_of("medium_border", [0.95, 0.5, 0.5])).assess(scan(), settings)
    assert once.passed
    mostly = MediumBorder(cues_of("medium_border", [0.95, 0.96, 0.5])).assess(scan(), settings)
    assert mostly.passed is False
    assert "95 %" in mostly.detail
    assert MediumBorder(()).assess(scan(), settings).score is None
