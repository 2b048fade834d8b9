from dataclasses import replace

import numpy as np
import pytest

from simulator import Photo, PhotoUnusable, photo_from_image
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.packs.interfaces import Landmarker
from vision.packs.pack import Pack


class _Blind:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return ()


class _OtherScheme:
    scheme = "insightface106"

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        raise AssertionError("must not be asked")


class _SeesNone:
    scheme = "ibug68"

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        return None


def test_the_eye_distance_is_that_of_the_landmarks(astronaut: Photo) -> None:
    left, right = astronaut.eye_centres
    assert left[0] < right[0]
    assert astronaut.eye_distance == pytest.approx(float(np.linalg.norm(right - left)))
    assert astronaut.eye_distance > 85


@pytest.mark.parametrize(
    "landmarks",
    [
        np.zeros((68, 2), np.float32),
        np.zeros((106, 2), np.float32),
        np.full((68, 2), np.nan, np.float32),
    ],
)
def test_landmarks_that_make_no_head_are_refused(landmarks: np.typing.NDArray[np.float32]) -> None:
    with pytest.raises(PhotoUnusable):
        Photo(pixels=np.zeros((100, 100, 3), np.uint8), landmarks=landmarks)


def test_a_grey_image_is_refused(astronaut: Photo) -> None:
    with pytest.raises(PhotoUnusable, match="8-bit"):
        Photo(pixels=astronaut.pixels[..., 0], landmarks=astronaut.landmarks)


def test_a_photo_without_a_face_is_refused(embedded: Pack) -> None:
    assert embedded.landmarker is not None
    with pytest.raises(PhotoUnusable, match="no face"):
        photo_from_image(np.zeros((200, 200, 3), np.uint8), detector=_Blind(), landmarker=embedded.landmarker)


class _Sees:
    """A detector that returns these faces, largest first."""

    def __init__(self, *faces: DetectedFace) -> None:
        self._faces = faces

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return self._faces


@pytest.mark.parametrize(
    ("width", "confidence", "person"),
    [(1.1, 0.5, True), (0.9, 0.5, True), (0.9, 0.999, False), (0.5, 0.999, True)],
    ids=["a larger one, hardly sure", "a smaller one, hardly sure", "as large, surer", "far smaller, surer"],
)
def test_of_faces_as_large_the_surest_one_counts(
    embedded: Pack, astronaut: Photo, width: float, confidence: float, person: bool
) -> None:
    """dlib detects a second face of the same size in the astronaut's whole photo: a patch on the suit."""
    assert embedded.landmarker is not None
    (face,) = (replace(one, confidence=0.99) for one in embedded.detector.detect(astronaut.pixels)[:1])
    left = face.box.left + 40
    aside = Box(left, face.box.top, left + width * face.box.width, face.box.bottom)
    other = DetectedFace(box=aside, confidence=confidence, five_points=face.five_points + np.float32(40.0))
    faces = sorted((face, other), key=lambda one: -one.box.width)
    landmarker = _Notes(embedded.landmarker)
    photo_from_image(astronaut.pixels, detector=_Sees(*faces), landmarker=landmarker)
    assert landmarker.asked == [face if person else other]


class _Notes:
    """A landmarker that records the faces of its calls."""

    scheme = "ibug68"

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker = landmarker
        self.asked: list[DetectedFace] = []

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        self.asked.append(face)
        return self._landmarker.locate(image, face)


def test_a_face_that_the_landmarker_does_not_see_is_refused(embedded: Pack, astronaut: Photo) -> None:
    with pytest.raises(PhotoUnusable, match="finds no face"):
        photo_from_image(astronaut.pixels, detector=embedded.detector, landmarker=_SeesNone())


def test_a_landmarker_of_another_scheme_is_refused() -> None:
    with pytest.raises(PhotoUnusable, match="ibug68"):
        photo_from_image(np.zeros((200, 200, 3), np.uint8), detector=_Blind(), landmarker=_OtherScheme())
