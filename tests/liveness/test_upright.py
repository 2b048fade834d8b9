"""Faces in upright images, and in images that are not upright although their frames state it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from liveness.extent import UprightFaces
from matcher.persons import SCAN_SUBJECT, persons_among
from simulator.photo import builtin_image, builtin_photo_names
from tests.liveness.builders import face_at
from tests.packs import shared_pack
from tests.sampling import some_fast
from vision.face import BgrImage, DetectedFace

LOOKS_APART = 8


class _Detector:
    """A detector with a set confidence for each rotation of an image; a marked corner shows the rotation."""

    def __init__(self, *sure: float) -> None:
        self.sure = sure
        self.calls = 0

    def __call__(self, pixels: BgrImage) -> Sequence[DetectedFace]:
        self.calls += 1
        corners = [pixels[0, 0], pixels[0, -1], pixels[-1, -1], pixels[-1, 0]]
        # ``np.rot90`` rotates counter-clockwise: after one turn the right corner is the left one.
        turns = next(turns for turns, corner in enumerate(_turned_corners(corners)) if corner.all())
        confidence = self.sure[turns]
        return (replace(face_at(), confidence=confidence),) if confidence else ()


def _turned_corners(corners: Sequence[BgrImage]) -> tuple[BgrImage, ...]:
    """The mark's corner after 0, 1, 2 and 3 quarter turns counter-clockwise."""
    left_top, right_top, right_bottom, left_bottom = corners
    return left_top, left_bottom, right_bottom, right_top


def _picture() -> BgrImage:
    pixels = np.zeros((8, 6, 3), np.uint8)
    pixels[0, 0] = 255
    return pixels


def test_an_upright_face_costs_one_comparison() -> None:
    detector = _Detector(0.9, 0.8, 0.5, 0.0)
    faces = UprightFaces(detector)
    for _ in range(20):
        (face,) = faces(_picture())
        assert face.confidence == 0.9
        assert not faces.turned
    assert detector.calls == 20 + 3


@pytest.mark.parametrize("here", [0.0, 0.7])
@pytest.mark.parametrize("way", [1, 2, 3])
def test_a_face_that_fits_a_rotated_frame_better_is_refused(here: float, way: int) -> None:
    sure = [here, 0.5, 0.5, 0.5]
    sure[way] = 0.9
    faces = UprightFaces(_Detector(*sure))
    assert not faces(_picture())
    assert not faces.turned
    for _ in range(20):
        assert not faces(_picture())
        assert faces.turned


def test_pictures_that_turn_upright_are_taken_again_before_long() -> None:
    detector = _Detector(0.7, 0.9, 0.0, 0.0)
    faces = UprightFaces(detector)
    for _ in range(3):
        faces(_picture())
    assert faces.turned
    detector.sure = (0.9, 0.7, 0.0, 0.0)
    looks = 1
    while not faces(_picture()):
        looks += 1
    assert looks <= LOOKS_APART + 1
    assert not faces.turned


def test_one_odd_picture_does_not_make_the_others_turned() -> None:
    detector = _Detector(0.7, 0.9, 0.0, 0.0)
    faces = UprightFaces(detector)
    assert not faces(_picture())
    detector.sure = (0.9, 0.7, 0.0, 0.0)
    assert faces(_picture())
    assert not faces.turned


def test_a_frame_without_a_face_is_no_rotated_face() -> None:
    detector = _Detector(0.0, 0.0, 0.0, 0.55)
    faces = UprightFaces(detector)
    for _ in range(3 * LOOKS_APART):
        assert not faces(_picture())
        assert not faces.turned
    # One comparison for some images, not one for each.
    assert detector.calls <= 3 * LOOKS_APART + 3 * 4


def test_a_new_face_is_compared_at_once() -> None:
    detector = _Detector(0.0, 0.0, 0.0, 0.0)
    faces = UprightFaces(detector)
    faces(_picture())
    detector.sure = (0.7, 0.0, 0.9, 0.0)
    assert not faces(_picture())
    assert not faces(_picture())
    assert faces.turned


@pytest.mark.parametrize(
    ("degrees", "taken"), [(0, True), (45, True), (-50, True), (75, False), (180, False)]
)
def test_a_head_that_lies_on_its_side_is_not_taken_even_where_others_stood_upright(
    degrees: float, taken: bool
) -> None:
    turned = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    face = face_at()
    centre = face.five_points.mean(axis=0)
    points = ((face.five_points - centre) @ rotation.T + centre).astype(np.float32)
    found = [face]
    faces = UprightFaces(lambda _: found)
    assert faces(_picture())
    found[0] = replace(face, five_points=points)
    assert bool(faces(_picture())) is taken
    assert faces.turned is not taken


@pytest.mark.parametrize("family", ["embedded", "insightface", "open"])
@pytest.mark.parametrize("name", some_fast(builtin_photo_names(), step=5))
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turned_photos_of_real_people_are_found_out(assets: Path, family: str, name: str, turns: int) -> None:
    find = _finder(family if family == "embedded" else f"{family}:{assets / 'models'}")
    pixels = np.ascontiguousarray(np.rot90(builtin_image(name)[::2, ::2], turns))
    faces = UprightFaces(find)
    found = [bool(faces(pixels)) for _ in range(2)]
    assert found == [turns == 0] * 2
    assert faces.turned is (turns != 0)


def _finder(spec: str) -> Callable[[BgrImage], Sequence[DetectedFace]]:
    detector = shared_pack(spec).detector

    def find(pixels: BgrImage) -> Sequence[DetectedFace]:
        return persons_among(
            detector.detect(pixels), size=(pixels.shape[1], pixels.shape[0]), rule=SCAN_SUBJECT
        )

    return find
