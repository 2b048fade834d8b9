"""Covered faces: the names of covers, the conclusion about a scan, and drawn and real faces."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.occlusion import (
    Cover,
    FaceRegions,
    cut_regions,
    measure_regions,
    most_covered,
    mouth_is_open,
    name_cover,
    observe_cover,
    regions_of_part,
)
from research.occlusion import Painted, painted
from tests.packs import shared_pack
from vision.face import BgrImage, Box, DetectedFace, HeadPose, Landmarks
from vision.geometry import FIVE_ALIGNED
from vision.mouth_colours import GREY_MOUTH, MOUTH_SIZE, RED_MOUTH
from vision.pose import estimate_pose

_HALF_AN_EYE = np.array([25.0, 0.0], np.float32)
_FRONTAL = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)
_SUNGLASSES = "faces_lfw/Nicholas_Tse_0001.jpg"
_MASK = "faces/X-zhangyang__RWMFD_part_1__0003__0003.jpg"
_BARE = "faces/cmusatyalab__images__examples__adams.jpg"

_SHARES = st.floats(min_value=-1.0, max_value=1.0)
_REGIONS = st.builds(
    FaceRegions,
    eyes_alike=_SHARES,
    eyes_dark=st.floats(min_value=0.0, max_value=3.0),
    mouth_grey=_SHARES,
    mouth_red=_SHARES,
    lips=st.floats(min_value=-10.0, max_value=30.0),
    cheek=st.floats(min_value=0.0, max_value=30.0),
    skin=st.floats(min_value=20.0, max_value=80.0),
    one_colour=st.booleans(),
    coloured=st.booleans(),
)
_COVERS = st.lists(st.none() | st.sampled_from(Cover), max_size=12)
_VISIBLE = FaceRegions(
    eyes_alike=0.7,
    eyes_dark=0.9,
    mouth_grey=0.4,
    mouth_red=0.7,
    lips=15.0,
    cheek=3.0,
    skin=60.0,
    one_colour=False,
    coloured=True,
)
_NO_MOUTH = replace(_VISIBLE, mouth_grey=0.0, mouth_red=-0.1, lips=-2.0, cheek=15.0)


@pytest.mark.parametrize(
    ("regions", "cover"),
    [
        (_VISIBLE, Cover.NOTHING),
        (replace(_VISIBLE, eyes_alike=0.2, eyes_dark=0.4), Cover.SUNGLASSES),
        (replace(_VISIBLE, eyes_alike=0.2), Cover.NOTHING),
        (replace(_VISIBLE, eyes_alike=-0.1), Cover.EYES),
        (_NO_MOUTH, Cover.MOUTH),
        (replace(_NO_MOUTH, one_colour=True), Cover.MASK),
        (replace(_NO_MOUTH, coloured=False), Cover.NOTHING),
        (replace(_NO_MOUTH, eyes_alike=0.0), Cover.FACE),
    ],
)
def test_a_cover_is_named_by_its_measurements(regions: FaceRegions, cover: Cover) -> None:
    assert name_cover(regions, eyes_shut=False, mouth_open=False) is cover


def test_shut_eyes_are_not_hidden_and_an_open_mouth_is_not_covered() -> None:
    hidden = replace(_VISIBLE, eyes_alike=-0.1)
    assert name_cover(hidden, eyes_shut=True, mouth_open=False) is Cover.NOTHING
    assert name_cover(_NO_MOUTH, eyes_shut=False, mouth_open=True) is Cover.NOTHING


@given(_REGIONS, st.booleans(), st.booleans())
def test_eyes_and_mouth_are_named_independently(regions: FaceRegions, shut: bool, is_open: bool) -> None:
    cover = name_cover(regions, eyes_shut=shut, mouth_open=is_open)
    eyes = name_cover(regions, eyes_shut=shut, mouth_open=True)
    mouth = name_cover(replace(regions, eyes_alike=1.0), eyes_shut=shut, mouth_open=is_open)
    assert eyes in (Cover.NOTHING, Cover.SUNGLASSES, Cover.EYES)
    assert mouth in (Cover.NOTHING, Cover.MASK, Cover.MOUTH)
    assert (cover is Cover.FACE) == (Cover.NOTHING not in (eyes, mouth))
    assert cover in (Cover.FACE, eyes, mouth)


@given(_REGIONS, st.floats(min_value=0.0, max_value=1.0))
def test_redder_lips_count_against_a_cover(regions: FaceRegions, more: float) -> None:
    assert replace(regions, lips=regions.lips + more).mouth_covered <= regions.mouth_covered


@given(_COVERS)
def test_most_frames_must_be_covered(covers: list[Cover | None]) -> None:
    measured = [cover for cover in covers if cover is not None]
    covered: list[Cover] = [cover for cover in measured if cover is not Cover.NOTHING]
    found = most_covered(covers)
    assert (found is not None) == (len(measured) >= 2 and len(covered) > len(measured) / 2)
    assert found is None or covered.count(found) == max(covered.count(one) for one in covered)


@given(_COVERS, st.integers(min_value=0, max_value=5))
def test_frames_without_a_measurement_change_nothing(covers: list[Cover | None], more: int) -> None:
    assert most_covered([*covers, *[None] * more]) is most_covered(covers)


def _landmarks(image: BgrImage) -> tuple[DetectedFace, Landmarks]:
    """The face of an image in which the five points lie as in the aligned image, with few landmarks."""
    assert image.shape == (616, 616, 3)
    points = np.full((478, 2), 402.0, np.float32)
    for eye, corners in zip(FIVE_ALIGNED[:2], ((33, 133), (362, 263)), strict=True):
        points[corners[0]], points[corners[1]] = eye - _HALF_AN_EYE, eye + _HALF_AN_EYE
    points[4], points[61], points[291] = FIVE_ALIGNED[2:]
    points[[13, 14]] = FIVE_ALIGNED[3:].mean(axis=0)
    face = DetectedFace(box=Box(160, 150, 456, 520), confidence=0.9, five_points=FIVE_ALIGNED)
    return face, Landmarks(points=points, scheme="mediapipe478")


def _plain(colour: tuple[int, int, int] = (110, 140, 190)) -> BgrImage:
    return np.full((616, 616, 3), colour, np.uint8)


def test_a_flat_face_has_neither_eyes_nor_mouth() -> None:
    regions = measure_regions(_plain(), *_landmarks(_plain()))
    assert regions is not None
    assert regions.coloured
    assert (regions.eyes_alike, regions.mouth_grey, regions.mouth_red) == pytest.approx((0, 0, 0), abs=0.2)
    assert regions.eyes_dark == pytest.approx(1.0, abs=0.02)
    grey = measure_regions(_plain((128, 128, 128)), *_landmarks(_plain()))
    assert grey is not None
    assert not grey.coloured


def test_the_average_mouth_is_a_mouth() -> None:
    lab = np.full((MOUTH_SIZE[1], MOUTH_SIZE[0], 3), (60, 15, 18), np.float32)
    lab[..., 0] += 40 * GREY_MOUTH
    lab[..., 1] += 80 * RED_MOUTH
    mouth = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR) * 255, 0, 255).astype(np.uint8)
    image = _plain()
    image[355:445, 238:378] = cv2.resize(mouth, (140, 90), interpolation=cv2.INTER_CUBIC)
    regions = measure_regions(image, *_landmarks(image))
    assert regions is not None
    assert min(regions.mouth_grey, regions.mouth_red) > 0.9
    assert regions.mouth_covered < 0


def test_a_face_that_is_small_turned_or_cut_off_is_not_measured() -> None:
    image = _plain()
    face, landmarks = _landmarks(image)
    assert observe_cover(image, face, landmarks, _FRONTAL) is not None
    assert observe_cover(image, face, landmarks, replace(_FRONTAL, yaw=40.0)) is None
    small = replace(face, five_points=(face.five_points / 6).astype(np.float32))
    assert observe_cover(image, small, landmarks, _FRONTAL) is None
    assert measure_regions(image[:470], face, landmarks) is None
    one_place = replace(landmarks, points=np.full((478, 2), 300.0, np.float32))
    assert measure_regions(image, face, one_place) is None


def test_only_landmarks_with_reliable_lips_show_an_open_mouth() -> None:
    _, landmarks = _landmarks(_plain())
    assert not mouth_is_open(landmarks)
    points = landmarks.points.copy()
    points[14] += (0, 30)
    assert mouth_is_open(replace(landmarks, points=points))
    assert not mouth_is_open(Landmarks(points=np.zeros((68, 2), np.float32), scheme="ibug68"))


def _photo(assets: Path, name: str) -> tuple[BgrImage, DetectedFace, Landmarks, HeadPose]:
    pack = shared_pack(f"open:{assets / 'models'}")
    image = cv2.imread(str(assets / "data" / name))
    assert image is not None
    assert pack.landmarker is not None
    pixels = image.astype(np.uint8, copy=False)
    face = pack.detector.detect(pixels)[0]
    landmarks = pack.landmarker.locate(pixels, face)
    assert landmarks is not None
    return pixels, face, landmarks, estimate_pose(landmarks, (pixels.shape[1], pixels.shape[0]))


def test_a_real_bare_face_is_not_covered(assets: Path) -> None:
    assert observe_cover(*_photo(assets, _BARE)) is Cover.NOTHING


def test_real_sunglasses_and_a_real_mask_are_named(assets: Path) -> None:
    assert observe_cover(*_photo(assets, _SUNGLASSES)) is Cover.SUNGLASSES
    assert observe_cover(*_photo(assets, _MASK)) is Cover.MASK


@pytest.mark.parametrize(
    ("what", "cover"),
    [
        (Painted.MASK, Cover.MASK),
        (Painted.LENSES, Cover.SUNGLASSES),
    ],
)
def test_painted_covers_are_named(assets: Path, what: Painted, cover: Cover) -> None:
    found = cut_regions(*_photo(assets, _BARE)[:3])
    assert found is not None
    part, eyes = found
    rng = np.random.default_rng(1)
    named = [
        name_cover(regions_of_part(painted(part, eyes, what, rng), eyes), eyes_shut=False, mouth_open=False)
        for _ in range(8)
    ]
    assert named.count(cover) >= 7
