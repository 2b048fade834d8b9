from dataclasses import replace

import cv2
import numpy as np

from matcher.records import open_trusted_image
from server.evidence.archive import facial_record
from server.verdict.record import ImageFacts
from tests.server.verdict.samples import RECORD
from vision.image import encode_jpeg

_UPRIGHT = replace(RECORD.images[0], rotation=0, mirrored=False)


def _frame() -> bytes:
    """A frame that is white at its left and black elsewhere, 90 wide and 60 high."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, :30] = 255
    return encode_jpeg(pixels, quality=95)


def _pixels(facts: ImageFacts) -> np.ndarray:
    record = facial_record(_frame(), facts)
    assert record is not None
    decoded = cv2.imdecode(np.frombuffer(open_trusted_image(record).image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.asarray(decoded)


def test_an_upright_frame_is_stored_byte_for_byte() -> None:
    record = facial_record(_frame(), _UPRIGHT)
    assert record is not None
    assert record.startswith(b"FAC\x00030\x00")
    assert open_trusted_image(record).image == _frame()


def test_a_turned_frame_is_made_upright() -> None:
    upright = _pixels(replace(_UPRIGHT, rotation=90))
    assert upright.shape == (90, 60)
    # What was at the left is at the top.
    assert upright[5].mean() > 200
    assert upright[-5].mean() < 50


def test_a_mirrored_frame_is_mirrored_back() -> None:
    assert _pixels(replace(_UPRIGHT, mirrored=True))[:, -5].mean() > 200


def test_what_is_no_image_becomes_no_record() -> None:
    assert facial_record(b"no image", _UPRIGHT) is None
    assert facial_record(b"no image", replace(_UPRIGHT, rotation=180)) is None
