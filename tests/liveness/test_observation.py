"""The measurements of frames: observations, their selection, signals, and covers of the face."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.studies.scans import select_frames
from liveness.errors import LivenessError, LivenessPolicyError, ObservationError
from liveness.observation import backlight, black_level
from liveness.observe import VIEW_SIDE, fine_view, observe_followed, observe_frame, sample_frame, view_frame
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
from liveness.policy import EVIDENCE_FLOOR, LivenessPolicy
from liveness.selection import FrameSelector, frame_quality, spread_of
from liveness.verdict import assessed, log_odds, network_log_odds, score_against_line
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, observations, texture
from tests.packs import shared_pack
from vision.face import BgrImage, Box, DetectedFace, HeadPose, Landmarks
from vision.geometry import FIVE_ALIGNED
from vision.mouth_colours import GREY_MOUTH, MOUTH_SIZE, RED_MOUTH
from vision.pose import estimate_pose


def test_the_black_level_is_that_of_the_darkest_hundredth() -> None:
    samples = np.full((64, 64), 120, np.uint8)
    samples.flat[:40] = 10
    assert black_level(samples) == 120
    samples.flat[:41] = 10
    assert black_level(samples) == 10


def test_the_background_is_compared_with_the_face() -> None:
    samples = np.full((64, 64), 200, np.uint8)
    # A face 240 pixels wide and 320 high in the middle of a frame of 480 x 640 pixels.
    face = face_at(x=240.0, y=320.0, width=240.0)
    samples[16:48, 16:48] = 50
    frame = observation(face=face, samples=samples, luminance=50.0)
    assert backlight(frame) == pytest.approx(4.0)


def test_there_is_no_backlight_without_a_face_or_without_a_background() -> None:
    assert backlight(observation(face=None, luminance=None)) == 0.0
    assert backlight(observation(luminance=0.0)) == 0.0
    assert backlight(observation(face=face_at(width=2000.0))) == 0.0


_IMAGE: BgrImage = texture()[:HEIGHT, :WIDTH]


def test_the_subject_of_a_frame_is_measured_and_the_persons_are_counted() -> None:
    subject, neighbour = face_at(), face_at(60, 60, 120)
    view = view_frame(_IMAGE)
    seen = observe_frame(_IMAGE, index=3, capture_time=0.2, faces=[subject, neighbour], seen=view)
    assert (seen.index, seen.capture_time, seen.width, seen.height, seen.faces) == (3, 0.2, WIDTH, HEIGHT, 2)
    assert seen.face is subject
    assert seen.sharpness is not None
    assert seen.sharpness > 0
    assert seen.luminance == pytest.approx(128, abs=20)
    assert seen.pose is not None
    assert abs(seen.pose.yaw) < 8
    assert seen.eyes is None
    assert seen.eyes_open is None
    assert seen.view is view.view
    assert max(view.view.shape) == VIEW_SIDE
    assert seen.samples.shape == (64, 64)
    nobody = observe_frame(_IMAGE, index=0, capture_time=0, faces=[])
    assert (nobody.faces, nobody.face, nobody.sharpness, nobody.luminance, nobody.pose) == (0, *[None] * 4)
    tiny = observe_frame(np.zeros((1, 1, 3), np.uint8), index=0, capture_time=0, faces=[subject])
    assert tiny.samples.shape == (64, 64)


def test_given_pose_and_eyes_replace_the_estimated_ones() -> None:
    pose = HeadPose(yaw=4.0, pitch=-2.0, roll=1.0)
    seen = observe_frame(
        _IMAGE, index=0, capture_time=0, faces=[face_at()], pose=pose, eyes=(14 / 40, 13 / 40)
    )
    assert (seen.pose, seen.eyes) == (pose, (14 / 40, 13 / 40))
    by_five_points = observe_frame(_IMAGE, index=0, capture_time=0, faces=[face_at()])
    assert by_five_points.eyes is None
    assert by_five_points.pose is not None
    assert by_five_points.pose != pose


def test_exposure_moves_nothing_in_the_view() -> None:
    brighter = np.clip(_IMAGE.astype(np.float32) + 25, 0, 255).astype(np.uint8)
    inside = (_IMAGE > 5) & (_IMAGE < 225)
    assert inside.mean() > 0.9
    plain = observe_frame(_IMAGE, index=0, capture_time=0, faces=[]).view
    lit = observe_frame(brighter, index=0, capture_time=0, faces=[]).view
    assert plain is not None
    assert lit is not None
    assert np.median(np.abs(plain.astype(int) - lit.astype(int))) <= 1


def test_a_followed_frame_keeps_slowly_changing_measurements() -> None:
    detected = observation(3, sharpness=77.0, luminance=140.0, dark_fraction=0.1, faces=1)
    face = face_at(200, 310, 220)
    seen = view_frame(_IMAGE)
    followed = observe_followed(seen, index=4, capture_time=0.3, face=face, detected=detected)
    assert followed.followed
    assert not detected.followed
    assert (followed.index, followed.capture_time, followed.face) == (4, 0.3, face)
    assert (followed.sharpness, followed.luminance, followed.dark_fraction) == (77.0, 140.0, 0.1)
    assert (followed.pose, followed.faces) == (detected.pose, 1)
    # Eyes are not carried over, because a blink is short.
    assert followed.eyes is None
    assert followed.view is seen.view
    assert followed.samples is seen.samples


@pytest.mark.parametrize("unlike", [np.zeros((10, 10), np.float32), np.zeros((10, 10, 4), np.uint8)])
def test_anything_but_an_image_is_refused(unlike: BgrImage) -> None:
    for refusing in (view_frame, sample_frame):
        with pytest.raises(ObservationError, match="8-bit colour or grey"):
            refusing(unlike)
    for image in (unlike, np.zeros((10, 10), np.uint8), np.zeros((0, 10, 3), np.uint8)):
        with pytest.raises(ObservationError):
            observe_frame(image, index=0, capture_time=0, faces=[])


def test_luma_alone_gives_the_same_views_and_samples() -> None:
    luma = cv2.cvtColor(_IMAGE, cv2.COLOR_BGR2GRAY).astype(np.uint8)
    of_luma, of_colours = view_frame(luma), view_frame(_IMAGE)
    assert np.array_equal(of_luma.view, of_colours.view)
    assert np.array_equal(of_luma.samples, of_colours.samples)
    assert np.array_equal(of_luma.samples, sample_frame(luma))
    assert np.array_equal(of_luma.grey, luma)
    assert (of_luma.width, of_luma.height, of_luma.scale) == (WIDTH, HEIGHT, of_colours.scale)


@pytest.mark.parametrize("side", [100, 384, 385, 1920])
def test_views_of_any_frame_are_alike(side: int) -> None:
    """The same scene gives about the same view, whatever the camera's resolution."""
    scene = cv2.resize(_IMAGE, (3 * side // 4, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    seen = view_frame(scene)
    assert max(seen.view.shape) == min(side, VIEW_SIDE)
    assert seen.scale == pytest.approx(min(1.0, VIEW_SIDE / side))
    if side >= VIEW_SIDE:
        reference = view_frame(_IMAGE).view
        other = cv2.resize(seen.view, reference.shape[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.corrcoef(reference.ravel(), other.ravel())[0, 1] > 0.95


@pytest.mark.parametrize(
    ("frame", "view"),
    [
        ((480, 640), (480, 640)),
        ((720, 1280), (480, 853)),
        ((800, 600), (800, 600)),
        ((1280, 720), (1067, 600)),
        ((4000, 400), (1280, 128)),
    ],
)
def test_the_fine_view_shows_the_field_at_one_size(frame: tuple[int, int], view: tuple[int, int]) -> None:
    seen, scale = fine_view(np.zeros(frame[::-1], np.uint8))
    assert seen.shape[::-1] == view
    assert scale == pytest.approx(view[0] / frame[0], abs=0.001)


def test_a_full_scan_gives_eight_frames_spread_in_time() -> None:
    chosen = select_frames(observations(60))
    assert len(chosen) == 8
    assert chosen == tuple(sorted(chosen))
    gaps = [later - earlier for earlier, later in pairwise(chosen)]
    assert max(gaps) <= 3 * min(gaps)
    assert chosen[0] <= 10
    assert chosen[-1] >= 49
    assert [select_frames(observations(few)) for few in (0, 3)] == [(), (0, 1, 2)]
    blurred = [replace(frame, sharpness=10.0) if frame.index % 2 else frame for frame in observations(40)]
    assert all(index % 2 == 0 for index in select_frames(blurred))


@pytest.mark.parametrize("change", [{"faces": 0, "face": None}, {"faces": 2}, {"sharpness": None}])
def test_frames_without_exactly_one_face_are_never_kept(change: dict[str, object]) -> None:
    selector = FrameSelector()
    offer = selector.select_frame(observation(0, **change))
    assert (offer.keep, offer.replaced, selector.selected, selector.best) == (False, None, (), None)


@pytest.mark.parametrize(
    "worse",
    [
        {"sharpness": 15.0},
        {"eyes": (0.1, 0.1)},
        {"pose": HeadPose(30, 0, 0)},
        {"luminance": 20.0},
        {"luminance": 245.0},
        {"face": face_at(x=20)},
    ],
)
def test_each_flaw_lowers_quality(worse: dict[str, object]) -> None:
    assert 0 < frame_quality(observation(0, **worse)) < 0.8 * frame_quality(observation(0))


def test_the_best_frame_stays_whatever_comes_after() -> None:
    selector = FrameSelector(count=3)
    frames = [observation(index, sharpness=400.0 if index == 4 else 60.0) for index in range(50)]
    for frame in frames:
        selector.select_frame(frame)
    assert 4 in selector.selected
    assert selector.best == 4


@given(st.lists(st.floats(0, 500), max_size=60), st.integers(1, 9))
def test_the_server_keeps_exactly_the_selected_frames(sharpness: list[float], count: int) -> None:
    selector, held = FrameSelector(count=count), set[int]()
    for index, value in enumerate(sharpness):
        offer = selector.select_frame(observation(index, sharpness=value))
        if offer.keep:
            held.add(index)
        if offer.replaced is not None:
            held.remove(offer.replaced)
        assert held == set(selector.selected)
        assert len(held) <= count
    assert (selector.best is None) == (not sharpness)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ObservationError):
        FrameSelector(count=0)
    with pytest.raises(ObservationError):
        select_frames([observation(2), observation(1)])


def test_a_followed_frame_is_never_kept() -> None:
    assert frame_quality(observation(0)) > 0
    assert frame_quality(observation(0, followed=True)) == 0
    assert select_frames([observation(0), observation(1, followed=True), observation(2)]) == (0, 2)


def test_the_best_frame_stays_longest_and_then_isolated_ones() -> None:
    selector = FrameSelector(count=5)
    for index in (0, 1, 2, 10, 20):
        selector.select_frame(observation(index, sharpness=200.0 if index == 10 else 100.0))
    assert selector.likeliest_to_stay == (10, 20, 2, 0, 1)
    assert selector.likeliest_to_stay[0] == selector.best
    assert not FrameSelector().likeliest_to_stay


def test_a_few_of_many_are_spread_from_the_first_to_the_last() -> None:
    assert spread_of([3, 5, 8, 9, 12, 20, 22, 30], 4) == (3, 8, 20, 30)
    assert spread_of([3, 5], 4) == (3, 5)
    assert spread_of([], 4) == ()
    assert spread_of([3, 5, 8], 1) == (3,)


@pytest.mark.parametrize(
    ("score", "kept", "passed"), [(0.7, 0.7, True), (0.5, 0.5, True), (-1, 0, False), (9, 1, True)]
)
def test_scores_are_clamped_and_compared_with_the_line(score: float, kept: float, passed: bool) -> None:
    signal = assessed(name="a", label="A", score=score, detail="d")
    assert (signal.score, signal.passed, signal.assessed) == (kept, passed, True)


@given(st.floats(1e-9, 1e9), st.floats(1e-3, 1e3), st.floats(0.5, 8))
def test_scores_rise_through_a_half_on_the_line(value: float, line: float, steepness: float) -> None:
    score = score_against_line(value, line, steepness)
    assert 0 <= score <= 1
    assert (score >= 0.5) == (value >= line) or score == pytest.approx(0.5)
    assert score_against_line(line, line, steepness) == 0.5


def test_nothing_scores_nothing() -> None:
    assert score_against_line(0.0, 1.0, 4.0) == 0
    assert score_against_line(2.0, 1.0, 3.0) + score_against_line(0.5, 1.0, 3.0) == pytest.approx(1)


@given(st.floats(0, 1))
def test_no_score_is_certain(score: float) -> None:
    assert abs(log_odds(score)) <= 3.9
    assert log_odds(0.5) == 0
    assert log_odds(score) == pytest.approx(-log_odds(1 - score), abs=1e-9)


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_network_is_at_most_as_certain_as_its_clamp(score: float, other: float) -> None:
    assert abs(network_log_odds(score)) <= 8 + 1e-9
    low, high = sorted((score, other))
    assert network_log_odds(low) <= network_log_odds(high)
    if 0.001 <= score <= 0.999:
        assert 1 / (1 + math.exp(-network_log_odds(score))) == pytest.approx(score)
    assert [network_log_odds(certain) for certain in (0.0, 1.0)] == pytest.approx([-8, 8])


@pytest.mark.parametrize(
    "wrong",
    [
        {"live_threshold": 30.0, "spoof_threshold": 30.0},
        {"live_threshold": 101.0},
        {"spoof_threshold": -1.0},
        {"minimum_frames": 1},
        {"minimum_seconds": 0.0},
        {"minimum_eyes_open": 1.5},
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError) as refused:
        LivenessPolicy(**wrong)  # type: ignore[arg-type]  # wrong on purpose
    assert isinstance(refused.value, LivenessError)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_face_width": -1.0},
        {"max_face_width": 60.0},
        {"min_sharpness": math.nan},
        {"max_sharpness": 9.0},
        {"min_luminance": 220.0},
    ],
)
def test_limits_of_a_capture_that_contradict_each_other_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError):
        replace(EVIDENCE_FLOOR, **wrong)


# Covered faces: the names of covers, the conclusion about a scan, and drawn and real faces.

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
def test_most_of_the_measured_frames_must_be_covered(covers: list[Cover | None]) -> None:
    measured = [cover for cover in covers if cover is not None]
    covered: list[Cover] = [cover for cover in measured if cover is not Cover.NOTHING]
    found = most_covered(covers)
    assert found is most_covered([*covers, None, None])
    assert (found is not None) == (len(measured) >= 2 and len(covered) > len(measured) / 2)
    assert found is None or covered.count(found) == max(covered.count(one) for one in covered)


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


def test_real_sunglasses_and_a_real_mask_are_named(assets: Path) -> None:
    assert observe_cover(*_photo(assets, _SUNGLASSES)) is Cover.SUNGLASSES
    assert observe_cover(*_photo(assets, _MASK)) is Cover.MASK
    assert observe_cover(*_photo(assets, _BARE)) is Cover.NOTHING


_MASKS = np.array(
    [
        *((230, 200, 150), (245, 245, 245), (30, 30, 30), (140, 200, 150)),
        *((190, 160, 230), (200, 120, 60), (120, 120, 125), (90, 60, 40)),
    ],
    np.float64,
)
"""Colours of masks, BGR: surgical blue, white, black, green, pink, blue, grey and navy."""


def _with_lenses(part: BgrImage, eyes: NDArray[np.float64], rng: np.random.Generator) -> BgrImage:
    """Paint dark lenses with some sky in them over the eyes, whose corners have the shape (2, 2, 2)."""
    wide, tall = 24, 18
    mask, shade = np.zeros(part.shape[:2], np.uint8), np.zeros(part.shape)
    rows = np.arange(part.shape[0], dtype=np.float64)[:, None, None]
    for x, y in eyes.mean(axis=1):
        cv2.ellipse(mask, (round(float(x)), round(float(y))), (wide, tall), 0, 0, 360, 255, cv2.FILLED)
        shade[:] = rng.uniform(50, 80) - 45 * np.clip((rows - (y - tall)) / (2 * tall), 0, 1)
    return _painted(part, mask, shade, rng)


def _with_mask(part: BgrImage, _: NDArray[np.float64], rng: np.random.Generator) -> BgrImage:
    """Paint a mask with folds from nose to chin, as bright as the bridge of the nose."""
    light = float(np.clip(part[35:65, 68:90].mean() / 150, 0.25, 1.3))
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float64)
    folds = 1 + rng.uniform(0, 0.1) * np.sin(rows / rng.uniform(4, 9) + rng.uniform(0, 6))
    shade = rng.choice(_MASKS) * light * (folds - 0.1 * ((columns - 79) / 79) ** 2)[..., None]
    side, top = 72 + int(rng.integers(0, 8)), int(rng.integers(62, 75))
    outline = np.array([(14, side), (79, top), (144, side), (137, 130), (79, 162), (20, 130)], np.int32)
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, outline, 255)
    return _painted(part, mask, shade, rng)


def _painted(
    part: BgrImage, mask: NDArray[np.uint8], shade: NDArray[np.float64], rng: np.random.Generator
) -> BgrImage:
    soft = cv2.GaussianBlur(mask, (3, 3), 0)[..., None] / 255.0
    noisy = np.clip(shade + rng.normal(0, 3, part.shape), 0, 255)
    return (part * (1 - soft) + noisy * soft).astype(np.uint8)


_Paint = Callable[[BgrImage, NDArray[np.float64], np.random.Generator], BgrImage]


@pytest.mark.parametrize(("paint", "cover"), [(_with_mask, Cover.MASK), (_with_lenses, Cover.SUNGLASSES)])
def test_painted_covers_are_named(assets: Path, paint: _Paint, cover: Cover) -> None:
    found = cut_regions(*_photo(assets, _BARE)[:3])
    assert found is not None
    part, eyes = found
    rng = np.random.default_rng(1)
    named = [
        name_cover(regions_of_part(paint(part, eyes, rng), eyes), eyes_shut=False, mouth_open=False)
        for _ in range(8)
    ]
    assert named.count(cover) >= 7
