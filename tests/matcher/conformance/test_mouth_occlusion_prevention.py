import cv2
import numpy as np
import pytest

from matcher.conformance.mouth_occlusion_prevention import MouthOcclusionPrevention, mouth_colours
from tests.matcher.conformance.pictures import drawn_face, measured, portrait_of, refused, score
from vision.face import BgrImage
from vision.mouth_colours import MouthColours, covered_evidence

MEASURE = MouthOcclusionPrevention()


def masked(colour: tuple[int, int, int]) -> BgrImage:
    image = drawn_face()
    outline = np.array([(175, 325), (308, 312), (441, 325), (425, 440), (308, 505), (191, 440)])
    cv2.fillConvexPoly(image, outline, colour)
    texture = np.random.default_rng(7).normal(0, 4, (*image.shape[:2], 1))
    return np.clip(image + texture, 0, 255).astype(np.uint8)


def test_lips_are_seen() -> None:
    assert measured(MEASURE, portrait_of(drawn_face())) < 0.1
    assert score(MEASURE, portrait_of(drawn_face())) > 90


@pytest.mark.parametrize(
    "colour", [(230, 200, 150), (250, 250, 250), (30, 30, 30), (140, 200, 150), (180, 140, 240)]
)
def test_a_mask_is_seen(colour: tuple[int, int, int]) -> None:
    assert measured(MEASURE, portrait_of(masked(colour))) > 0.8
    assert score(MEASURE, portrait_of(masked(colour))) < 20


def test_a_grey_image_is_not_assessed() -> None:
    grey = np.repeat(cv2.cvtColor(drawn_face(), cv2.COLOR_BGR2GRAY)[..., None], 3, 2).astype(np.uint8)
    assert "colour" in refused(MEASURE.assess(portrait_of(grey)))


def test_a_dark_image_is_not_assessed() -> None:
    assert "dark" in refused(MEASURE.assess(portrait_of((drawn_face() // 4).astype(np.uint8))))


def test_dim_skin_weighs_less() -> None:
    lit, dim = (MouthColours(lips=5, cheek=8, skin=skin) for skin in (75, 35))
    assert covered_evidence(lit) > 0 > covered_evidence(dim)


def test_colours_are_those_of_the_picture() -> None:
    bare, white = (portrait_of(image).aligned for image in (drawn_face(), masked((250, 250, 250))))
    assert bare is not None
    assert white is not None
    seen, covered = mouth_colours(bare), mouth_colours(white)
    assert isinstance(seen, MouthColours)
    assert isinstance(covered, MouthColours)
    assert seen.lips > 10 > abs(covered.lips)
    assert covered.cheek > 10 > seen.cheek
    assert covered.skin == pytest.approx(seen.skin, abs=2)
