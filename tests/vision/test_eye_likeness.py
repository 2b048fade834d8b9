import cv2
import numpy as np
import pytest

from vision.eye_likeness import (
    EYE_HEIGHT,
    EYE_TEMPLATE,
    EYE_WIDTH,
    EYE_WIDTH_IN_EYES,
    eye_likeness,
    eye_piece,
)
from vision.face import BgrImage

_WIDTH = 40.0


def _with_eye(*, mirrored: bool = False) -> BgrImage:
    """The average eye at the middle of an image, 40 pixels from corner to corner."""
    shades = (EYE_TEMPLATE[:, ::-1] if mirrored else EYE_TEMPLATE) / np.abs(EYE_TEMPLATE).max() * 60 + 130
    width = round(_WIDTH * EYE_WIDTH_IN_EYES)
    eye = cv2.resize(shades.astype(np.uint8), (width, round(width * EYE_HEIGHT / EYE_WIDTH)))
    image = np.full((120, 160, 3), 130, np.uint8)
    top, left = 60 - eye.shape[0] // 2, 80 - eye.shape[1] // 2
    image[top : top + eye.shape[0], left : left + eye.shape[1]] = eye[..., None]
    return image


_CORNERS = np.array([60.0, 60.0]), np.array([100.0, 60.0])


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_average_eye_is_an_eye(mirrored: bool) -> None:
    piece = eye_piece(_with_eye(mirrored=mirrored), *_CORNERS, mirrored=mirrored, least_width=5.0)
    assert piece is not None
    assert piece.shape == (EYE_HEIGHT, EYE_WIDTH)
    assert eye_likeness(piece) > 0.9


def test_a_flat_eye_is_like_nothing() -> None:
    piece = eye_piece(np.full((120, 160, 3), 90, np.uint8), *_CORNERS, mirrored=False, least_width=5.0)
    assert piece is not None
    assert eye_likeness(piece) == 0


def test_a_narrow_eye_is_not_cut() -> None:
    assert eye_piece(_with_eye(), *_CORNERS, mirrored=False, least_width=_WIDTH + 1) is None
