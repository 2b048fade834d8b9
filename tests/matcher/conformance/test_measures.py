"""The table of the measures; for any image content, a measure gives a score or a reason, and never raises."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matcher.conformance.interface import Assessment, Component, PortraitView, sigmoid_score
from matcher.conformance.light import dynamic_range
from matcher.conformance.measures import (
    BOUNDS,
    MEASURES,
    Span,
    assess_all,
    unassessable,
    validate_bounds,
)
from matcher.conformance.requirement import IntakeCode, Profile, Rule, Severity, profile_rules
from matcher.errors import PortraitPolicyInvalid
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    NO_POSE,
    SCHEMES,
    Head,
    above_the_edge,
    below_the_edge,
    drawn_face,
    expected_scores,
    measured,
    plain,
    portrait_of,
    refused,
    score,
    spaced_left,
    spaced_right,
    with_face,
    with_histogram,
)
from vision.face import BgrImage, Box, Landmarks

OF_PIXELS = tuple(
    measure
    for measure in MEASURES
    if measure.component
    in {
        Component.BACKGROUND_UNIFORMITY, Component.ILLUMINATION_UNIFORMITY, Component.LUMINANCE_MEAN,
        Component.LUMINANCE_VARIANCE, Component.UNDER_EXPOSURE_PREVENTION, Component.OVER_EXPOSURE_PREVENTION,
        Component.DYNAMIC_RANGE, Component.SHARPNESS, Component.COMPRESSION_ARTIFACTS,
        Component.NATURAL_COLOUR, Component.MOUTH_OCCLUSION_PREVENTION, Component.FACE_OCCLUSION_PREVENTION,
    }
)  # fmt: skip


def assess(portrait: PortraitView) -> dict[Component, Assessment]:
    found = {measure.component: measure.assess(portrait) for measure in MEASURES}
    for component, assessment in found.items():
        if assessment.score is None:
            refused(assessment)
        else:
            assert assessment.measured is not None
            assert math.isfinite(assessment.measured)
            if component in {measure.component for measure in OF_PIXELS}:
                # Sums of shares are rounded. Measures of points are beyond their range outside the picture.
                assert BOUNDS[component].least <= assessment.measured <= BOUNDS[component].most + 1e-9
            assert 0 <= assessment.score <= 100
            assert assessment.unassessed == ""
    return found


def test_every_component_has_one_measure() -> None:
    assert [measure.component for measure in MEASURES] == list(Component)


def test_a_good_portrait_is_assessed_and_scores_well() -> None:
    found = assess(portrait_of(drawn_face()))
    for measure in OF_PIXELS:
        if measure.component is not Component.FACE_OCCLUSION_PREVENTION:
            assert (found[measure.component].score or 0) >= 45


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 3), (616, 616)])
def test_flat_pictures_of_any_size(level: int, size: tuple[int, int]) -> None:
    assess(portrait_of(np.full((*size, 3), level, dtype=np.uint8)))


@pytest.mark.parametrize(
    "shift", [(-600, 0), (600, 0), (0, -600), (0, 600), (-330, -380), (300, 250), (9e4, 9e4)]
)
def test_a_face_at_the_border_or_beyond(shift: tuple[float, float]) -> None:
    assess(portrait_of(drawn_face(), five_points=FIVE_POINTS + np.array(shift, np.float32)))


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan)])
def test_points_that_are_no_face_are_not_assessed(points: NDArray[np.float64]) -> None:
    found = assess(portrait_of(drawn_face(), five_points=points.astype(np.float32)))
    assert all(found[measure.component].score is None for measure in OF_PIXELS)


@pytest.mark.parametrize("scheme", ["ibug68", "insightface106", "mediapipe478", "unknown"])
@pytest.mark.parametrize("value", [0.0, 1e6, np.nan])
def test_landmarks_that_are_no_face(scheme: str, value: float) -> None:
    count = int("".join(filter(str.isdigit, scheme)) or 5)
    landmarks = Landmarks(points=np.full((count, 2), value, dtype=np.float32), scheme=scheme)
    assess(portrait_of(drawn_face(), landmarks=landmarks))


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    eyes=st.tuples(*[st.floats(-40, 130, width=32) for _ in range(4)]),
    seed=st.integers(0, 9),
    encoded=st.binary(max_size=60),
)
# Eyes in nearly one place: the aligned image's corners are beyond the range of a 32-bit float.
@example(size=(1, 2), eyes=(0.0, 0.0, 0.0, 1.1754943508222875e-38), seed=0, encoded=b"")
@example(size=(80, 60), eyes=(30.0, 30.0, 30.0, 30.0 + 2**-10), seed=1, encoded=b"")
def test_every_measure_survives_noise_with_a_face_anywhere(
    size: tuple[int, int], eyes: tuple[float, float, float, float], seed: int, encoded: bytes
) -> None:
    picture: BgrImage = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    left, right = np.array(eyes[:2]), np.array(eyes[2:])
    across = right - left
    down = np.array([-across[1], across[0]])
    points = [
        left,
        right,
        left + across / 2 + down * 0.57,
        left + 0.1 * across + down * 1.15,
        right + down * 1.15,
    ]
    assess(portrait_of(picture, five_points=np.array(points, dtype=np.float32), encoded=encoded))


def test_assessing_changes_nothing_and_repeats() -> None:
    image = drawn_face()
    before = image.copy()
    data = cv2.imencode(".jpg", image)[1].tobytes()
    first, second = (assess(portrait_of(image, encoded=data)) for _ in range(2))
    assert {code: one.score for code, one in first.items()} == {
        code: one.score for code, one in second.items()
    }
    # Sums over an image may differ in the last digits, depending on where it lies in memory.
    measured = [
        [math.nan if one.measured is None else one.measured for one in found.values()]
        for found in (first, second)
    ]
    assert measured[0] == pytest.approx(measured[1], rel=1e-9, nan_ok=True)
    assert np.array_equal(image, before)


def test_the_aligned_face_is_made_once() -> None:
    portrait = portrait_of(plain())
    assert portrait.aligned is portrait.aligned


def drawn(scheme: str | None) -> PortraitView:
    head = Head()
    landmarks = None if scheme is None else head.landmarks(scheme)
    return portrait_of(drawn_face(), five_points=FIVE_POINTS, landmarks=landmarks)


@pytest.mark.parametrize("scheme", [None, *SCHEMES])
def test_unassessable_components_are_known_before_the_upload(scheme: str | None) -> None:
    """A policy that makes it hard is therefore refused at start-up, and no other policy is."""
    missing = {
        measure.component for measure, assessment in assess_all(drawn(scheme)) if assessment.measured is None
    }
    assert missing == set(unassessable(scheme))
    assert all(unassessable(scheme).values())


@pytest.mark.parametrize("image", [np.zeros((1, 1, 3)), np.zeros((616, 616, 3)), np.full((616, 616, 3), 255)])
def test_landmarks_without_a_picture_of_their_face(image: NDArray[np.float64]) -> None:
    assess(replace(drawn("mediapipe478"), image=image.astype(np.uint8)))


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_a_face_of_any_size(factor: float) -> None:
    assess(portrait_of(drawn_face(), five_points=FIVE_POINTS * np.float32(factor)))


def test_every_requirement_that_measures_a_number_has_its_range() -> None:
    assert set(BOUNDS) == {*Component, *IntakeCode} - {IntakeCode.MEDIA_TYPE, IntakeCode.DECLARED_SIZE}
    assert all(span.least < span.most for span in BOUNDS.values())


@pytest.mark.parametrize("profile", Profile)
def test_the_profiles_keep_to_the_ranges(profile: Profile) -> None:
    for code, rule in profile_rules(profile).items():
        validate_bounds(code, rule)


@pytest.mark.parametrize("code", [code for code, span in BOUNDS.items() if math.isfinite(span.most)])
def test_both_ends_belong_to_the_range_and_nothing_beyond(code: Component | IntakeCode) -> None:
    span = BOUNDS[code]
    validate_bounds(code, Rule(severity=Severity.HARD, minimum=span.least, maximum=span.most))
    for beyond in (
        Rule(severity=Severity.HARD, minimum=math.nextafter(span.least, -math.inf)),
        Rule(severity=Severity.HARD, maximum=math.nextafter(span.most, math.inf)),
    ):
        with pytest.raises(PortraitPolicyInvalid, match=f"{code}: .* range, {span.words()}, got"):
            validate_bounds(code, beyond)


def test_ranges_are_formatted_as_text() -> None:
    assert Span(0, 0.25).words() == "0 to 0.25"
    with pytest.raises(PortraitPolicyInvalid, match="minimum must lie in its range, 0 and more, got -1"):
        validate_bounds(Component.EYES_OPEN, Rule(severity=Severity.HARD, minimum=-1))


@pytest.mark.parametrize(
    ("raw", "score"), [(-1e300, 0.0), (-math.inf, 0.0), (1e300, 100.0), (math.inf, 100.0)]
)
def test_far_out_nothing_overflows(raw: float, score: float) -> None:
    assert sigmoid_score(raw, x0=0.3, w=0.001) == pytest.approx(score, abs=1e-9)


def _unicity(share: float) -> PortraitView:
    portrait = portrait_of(plain(side=64))
    sides = (100.0, 100 * share) if share else (100.0,)
    faces = tuple(replace(portrait.face, box=Box(0, 0, side, side)) for side in sides)
    return replace(portrait, faces=faces, face=faces[0])


def _eyes_apart(distance: float) -> PortraitView:
    return portrait_of(plain(side=64), five_points=FIVE_POINTS * np.float32(distance / 113))


def _turned(angle_name: str) -> Callable[[float], PortraitView]:
    return lambda angle: replace(portrait_of(plain(side=64)), pose=replace(NO_POSE, **{angle_name: angle}))


def _lit(shared: float) -> PortraitView:
    """Cheeks that have this share of their luminances in common."""
    aligned = with_histogram({0: 1.0}).aligned
    assert aligned is not None
    cheeks = np.full((2, 300, 300, 3), 200, dtype=np.uint8)
    cheeks[1].reshape(-1, 3)[round(shared * 90_000) :] = 90
    return with_face(replace(aligned, cheeks=cheeks))


def _of_mean(mean: float) -> PortraitView:
    level = int(mean * 255)
    above = mean * 255 - level
    return with_histogram({level: 1 - above, level + 1: above})


def _of_variance(variance: float) -> PortraitView:
    """Two levels 100 or 200 apart, with a share of the upper one that gives the variance."""
    apart = 100 if variance < 0.038 else 200
    share = (1 - math.sqrt(1 - 4 * variance / (apart / 255) ** 2)) / 2
    return with_histogram({20: 1 - share, 20 + apart: share})


def _of_entropy(entropy: float) -> PortraitView:
    """One level of a share and 255 others: the entropy falls from 8 bits to 0 as the share grows."""
    least, most = 1 / 256, 1.0
    portrait = with_histogram({0: most})
    for _ in range(40):
        share = (least + most) / 2
        portrait = with_histogram({0: share} | dict.fromkeys(range(1, 256), (1 - share) / 255))
        least, most = (share, most) if measured(dynamic_range, portrait) > entropy else (least, share)
    return portrait


# A portrait with a native measure, and how far the measure and the score may be off.
_AS_OFIQ: dict[str, tuple[Component, Callable[[float], PortraitView], float, int]] = {
    "IlluminationUniformity": (Component.ILLUMINATION_UNIFORMITY, _lit, 6e-6, 0),
    "LuminanceMean": (Component.LUMINANCE_MEAN, _of_mean, 1e-6, 0),
    "LuminanceVariance": (Component.LUMINANCE_VARIANCE, _of_variance, 1e-7, 0),
    "UnderExposurePrevention": (
        Component.UNDER_EXPOSURE_PREVENTION, lambda dark: with_histogram({10: dark, 100: 1 - dark}), 1e-6, 0
    ),
    "OverExposurePrevention": (
        Component.OVER_EXPOSURE_PREVENTION, lambda lit: with_histogram({250: lit, 100: 1 - lit}), 1e-6, 0
    ),
    "DynamicRange": (Component.DYNAMIC_RANGE, _of_entropy, 1e-6, 0),
    "SingleFacePresent": (Component.SINGLE_FACE_PRESENT, _unicity, 1e-6, 0),
    "EyesOpen": (
        Component.EYES_OPEN, lambda opening: Head(left_eye=200 * opening, right_eye=30).portrait(), 1e-4, 1
    ),
    "MouthClosed": (
        Component.MOUTH_CLOSED, lambda opening: Head(mouth=200 * opening).portrait(), 1e-4, 1
    ),
    "InterEyeDistance": (Component.INTER_EYE_DISTANCE, _eyes_apart, 1e-3, 0),
    "HeadSize": (Component.HEAD_SIZE, lambda size: Head(eyes_to_chin=616 * size).portrait(), 1e-4, 0),
    "LeftwardCropOfTheFaceImage": (Component.LEFTWARD_CROP, spaced_left, 1e-3, 0),
    "RightwardCropOfTheFaceImage": (Component.RIGHTWARD_CROP, spaced_right, 1e-3, 0),
    "MarginAboveOfTheFaceImage": (Component.MARGIN_ABOVE, below_the_edge, 1e-3, 0),
    "MarginBelowOfTheFaceImage": (Component.MARGIN_BELOW, above_the_edge, 1e-3, 0),
    "HeadPoseYaw": (Component.HEAD_POSE_YAW, _turned("yaw"), 0, 0),
    "HeadPosePitch": (Component.HEAD_POSE_PITCH, _turned("pitch"), 0, 0),
    "HeadPoseRoll": (Component.HEAD_POSE_ROLL, _turned("roll"), 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", _AS_OFIQ)
def test_scores_as_ofiq_does(assets: Path, name: str) -> None:
    component, portrait_with, off, points_off = _AS_OFIQ[name]
    assess_one = next(measure.assess for measure in MEASURES if measure.component is component)
    for native, points in expected_scores(assets, name):
        portrait = portrait_with(native)
        assert measured(assess_one, portrait) == pytest.approx(native, abs=off)
        assert score(assess_one, portrait) == pytest.approx(points, abs=points_off)
