"""For any image content, a measure of pixels gives a score or a reason, and does not raise."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matcher.conformance.background_uniformity import BackgroundUniformity
from matcher.conformance.bounds import BOUNDS
from matcher.conformance.compression_artifacts import CompressionArtifacts
from matcher.conformance.dynamic_range import DynamicRange
from matcher.conformance.face_occlusion_prevention import FaceOcclusionPrevention
from matcher.conformance.illumination_uniformity import IlluminationUniformity
from matcher.conformance.interface import Assessment, Component, Measure, Method, PortraitView
from matcher.conformance.luminance_mean import LuminanceMean
from matcher.conformance.luminance_variance import LuminanceVariance
from matcher.conformance.mouth_occlusion_prevention import MouthOcclusionPrevention
from matcher.conformance.natural_colour import NaturalColour
from matcher.conformance.over_exposure_prevention import OverExposurePrevention
from matcher.conformance.sharpness import Sharpness
from matcher.conformance.under_exposure_prevention import UnderExposurePrevention
from tests.matcher.conformance.pictures import FIVE_POINTS, drawn_face, plain, portrait_of, refused
from vision.face import BgrImage, Landmarks

MEASURES: tuple[Measure, ...] = (
    BackgroundUniformity(),
    IlluminationUniformity(),
    LuminanceMean(),
    LuminanceVariance(),
    UnderExposurePrevention(),
    OverExposurePrevention(),
    DynamicRange(),
    Sharpness(),
    CompressionArtifacts(),
    NaturalColour(),
    MouthOcclusionPrevention(),
    FaceOcclusionPrevention(),
)


def assess(portrait: PortraitView) -> dict[Component, Assessment]:
    found = {measure.component: measure.assess(portrait) for measure in MEASURES}
    for component, assessment in found.items():
        if assessment.score is None:
            refused(assessment)
        else:
            assert assessment.measured is not None
            assert math.isfinite(assessment.measured)
            # Sums of shares are rounded.
            assert BOUNDS[component].least <= assessment.measured <= BOUNDS[component].most + 1e-9
            assert 0 <= assessment.score <= 100
            assert assessment.unassessed == ""
    return found


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.component)
def test_each_measure_states_name_unit_and_standard(measure: Measure) -> None:
    name = "".join(word.capitalize() for word in measure.component.split("_"))
    assert type(measure).__name__ == name
    assert measure.unit
    standard = {
        Component.ILLUMINATION_UNIFORMITY, Component.LUMINANCE_MEAN, Component.LUMINANCE_VARIANCE,
        Component.DYNAMIC_RANGE, Component.NATURAL_COLOUR, Component.FACE_OCCLUSION_PREVENTION,
    }  # fmt: skip
    assert (measure.method is Method.STANDARD) == (measure.component in standard)


def test_a_good_portrait_is_assessed_and_scores_well() -> None:
    found = assess(portrait_of(drawn_face()))
    del found[Component.FACE_OCCLUSION_PREVENTION]
    assert all((assessment.score or 0) >= 45 for assessment in found.values())


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
    assert all(assessment.score is None for assessment in found.values())


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
