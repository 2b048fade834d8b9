from dataclasses import replace

import cv2
import numpy as np
import pytest

from matcher.conformance.eyes_visible import EyesVisible
from matcher.conformance.interface import PortraitView
from tests.matcher.conformance.heads import SCHEMES, Head
from tests.matcher.conformance.pictures import measured, plain, portrait_of, refused, score
from vision.eye_template import EYE_HEIGHT, EYE_TEMPLATE, EYE_WIDTH, EYE_WIDTH_IN_EYES
from vision.face import BgrImage

MEASURE = EyesVisible()
HEAD = Head()
EYES = ((308 - 56, 272), (308 + 56, 272))


def with_average_eyes(*, contrast: float = 60.0) -> BgrImage:
    """Skin with the average eye at the eyes of ``HEAD``."""
    image = plain()
    width = round(EYE_WIDTH_IN_EYES * 0.44 * 113)
    height = round(width * EYE_HEIGHT / EYE_WIDTH)
    shades = EYE_TEMPLATE / np.abs(EYE_TEMPLATE).max() * contrast + 130
    eye = cv2.resize(shades.astype(np.uint8), (width, height))
    for (x, y), drawn in zip(EYES, (eye, eye[:, ::-1]), strict=True):
        left, top = x - width // 2, y - height // 2
        image[top : top + height, left : left + width] = drawn[..., None]
    return image


def seen(image: BgrImage, scheme: str = "mediapipe478") -> PortraitView:
    return replace(HEAD.portrait(scheme), image=image)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_average_eyes_are_seen(scheme: str) -> None:
    assert measured(MEASURE, seen(with_average_eyes(), scheme)) > 0.9
    assert score(MEASURE, seen(with_average_eyes(), scheme)) == 100


def test_light_and_contrast_play_no_part() -> None:
    bright = np.clip(with_average_eyes(contrast=20).astype(int) + 60, 0, 255).astype(np.uint8)
    assert measured(MEASURE, seen(bright)) == pytest.approx(
        measured(MEASURE, seen(with_average_eyes())), abs=0.05
    )


@pytest.mark.parametrize("hidden", [EYES[:1], EYES[1:], EYES])
def test_dark_lenses_hide_them(hidden: tuple[tuple[int, int], ...]) -> None:
    image = with_average_eyes()
    for eye in hidden:
        cv2.ellipse(image, eye, (48, 36), 0, 0, 360, (20, 18, 18), cv2.FILLED)
    assert score(MEASURE, seen(image)) < 30


def test_a_plain_face_has_no_eyes() -> None:
    assert measured(MEASURE, seen(plain())) == 0
    assert score(MEASURE, seen(plain())) < 20


def test_eyes_that_are_turned_away_are_not_seen() -> None:
    narrow = replace(HEAD, eye_distance=4.0)
    portrait = replace(HEAD.portrait(), landmarks=narrow.landmarks("mediapipe478"))
    portrait.__dict__["aligned"] = HEAD.portrait().aligned
    assert measured(MEASURE, portrait) == -1


def test_without_landmarks_it_is_not_assessed() -> None:
    refused(MEASURE.assess(portrait_of(plain())))
