import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness.selfie import SelfieSettings, asymmetry, symmetric_pairs
from liveness.selfie.geometry import EyeAspectRatio, FaceAreaRatio, FacialSymmetry, SelfieHeadPose, area_score
from tests.liveness.builders import HEIGHT, WIDTH, face_at
from tests.liveness.selfie.builders import (
    faceless,
    flat,
    mirrored_landmarks,
    subject,
    turned_face,
    turned_landmarks,
)
from vision.face import DetectedFace, Landmarks

_SIGNAL, _SETTINGS = EyeAspectRatio(), SelfieSettings()


@pytest.mark.parametrize(("scheme", "count"), [("ibug68", 68), ("mediapipe478", 478)])
@pytest.mark.parametrize(
    ("ratio", "score"), [(0, 0), (0.075, 0.25), (0.15, 0.5), (0.20, 0.65), (0.25, 0.8), (0.30, 1), (0.5, 1)]
)
def test_the_score_follows_the_seeds_table(scheme: str, count: int, ratio: float, score: float) -> None:
    landmarks = mirrored_landmarks(scheme, count, eye=ratio)
    assert _SIGNAL.assess(subject(landmarks=landmarks), _SETTINGS).score == pytest.approx(score, abs=1e-4)


def test_the_floor_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68, eye=0.10)
    assert _SIGNAL.assess(subject(landmarks=landmarks), SelfieSettings(min_ear=0.10)).passed is True
    assert _SIGNAL.assess(subject(landmarks=landmarks), _SETTINGS).passed is False


def test_without_landmarks_of_the_eyes_it_is_not_assessed() -> None:
    assert _SIGNAL.assess(subject(), _SETTINGS).score is None
    assert _SIGNAL.assess(faceless(), _SETTINGS).score is None
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    assert _SIGNAL.assess(subject(landmarks=broken), _SETTINGS).score is None


_HEAD_POSE_SIGNAL, _HEAD_POSE_SETTINGS = SelfieHeadPose(), SelfieSettings()


@pytest.mark.parametrize(
    ("turn", "score"),
    [
        ({"yaw": 0.0}, 1.0),
        ({"yaw": 17.5}, 0.75),
        ({"yaw": -35.0}, 0.5),
        ({"pitch": 15.0}, 0.75),
        ({"pitch": -30.0}, 0.5),
        ({"roll": 15.0}, 0.75),
        ({"roll": -30.0}, 0.5),
        ({"yaw": 52.5}, 0.25),
    ],
)
def test_the_worst_angle_counts_against_its_limit(turn: dict[str, float], score: float) -> None:
    dense = _HEAD_POSE_SIGNAL.assess(subject(landmarks=turned_landmarks(**turn)), _HEAD_POSE_SETTINGS)
    coarse = _HEAD_POSE_SIGNAL.assess(subject(face=turned_face(**turn)), _HEAD_POSE_SETTINGS)
    assert dense.score == pytest.approx(score, abs=0.02)
    assert coarse.score == pytest.approx(score, abs=0.02)


def test_the_limits_are_settings() -> None:
    face = turned_face(yaw=20)
    assert _HEAD_POSE_SIGNAL.assess(subject(face=face), SelfieSettings(max_yaw_deg=15)).passed is False
    assert _HEAD_POSE_SIGNAL.assess(subject(face=face), _HEAD_POSE_SETTINGS).passed is True


def test_a_pose_that_the_points_do_not_determine_scores_nothing() -> None:
    point = DetectedFace(box=turned_face().box, confidence=0.9, five_points=np.full((5, 2), 100, np.float32))
    found = _HEAD_POSE_SIGNAL.assess(subject(face=point), _HEAD_POSE_SETTINGS)
    assert (found.score, found.passed) == (0, False)
    assert "180" not in found.detail


def test_broken_landmarks_leave_the_five_points() -> None:
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    found = _HEAD_POSE_SIGNAL.assess(
        subject(face=turned_face(yaw=17.5), landmarks=broken), _HEAD_POSE_SETTINGS
    )
    assert found.score == pytest.approx(0.75, abs=0.02)


def test_without_a_face_it_is_not_assessed() -> None:
    assert _HEAD_POSE_SIGNAL.assess(faceless(), _HEAD_POSE_SETTINGS).score is None


_FACE_AREA_RATIO_SIGNAL, _FACE_AREA_RATIO_SETTINGS = FaceAreaRatio(), SelfieSettings()
_LIMIT = _FACE_AREA_RATIO_SETTINGS.min_face_area_ratio


@pytest.mark.parametrize(
    ("share", "score"),
    [(0, 0), (0.02, 0.25), (0.04, 0.5), (0.20, 1), (0.40, 0.75), (0.80, 0.5), (0.81, 0.5), (1.0, 0.5)],
)
def test_the_score_follows_the_seeds_table_of_face_area_ratio(share: float, score: float) -> None:
    assert area_score(share, smallest=_LIMIT) == pytest.approx(score)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_score_peaks_at_20_percent(one: float, other: float) -> None:
    less, more = sorted((one, other))
    first, second = area_score(less, smallest=_LIMIT), area_score(more, smallest=_LIMIT)
    assert 0 <= first <= 1
    if more <= 0.20:
        assert first <= second
    if less >= 0.20:
        assert first >= second


@given(st.floats(0.10, 0.40))
def test_the_seeds_optimal_range_scores_at_least_three_quarters(share: float) -> None:
    assert area_score(share, smallest=_LIMIT) >= 0.749


def test_the_share_is_of_the_part_inside_the_picture() -> None:
    # An extent 100 wide is 2.9 / 2.15 times as high.
    share = 100 * 100 * 2.9 / 2.15 / (WIDTH * HEIGHT)
    whole = _FACE_AREA_RATIO_SIGNAL.assess(
        subject(flat(), face=face_at(width=100)), _FACE_AREA_RATIO_SETTINGS
    )
    assert whole.score == pytest.approx(area_score(share, smallest=_LIMIT), abs=1e-4)
    half = _FACE_AREA_RATIO_SIGNAL.assess(
        subject(flat(), face=face_at(x=0, width=100)), _FACE_AREA_RATIO_SETTINGS
    )
    assert half.score == pytest.approx(area_score(share / 2, smallest=_LIMIT), abs=1e-4)


def test_a_face_larger_than_the_picture_is_a_tight_crop() -> None:
    found = _FACE_AREA_RATIO_SIGNAL.assess(
        subject(np.zeros((200, 150, 3), np.uint8), face=face_at(75, 100, 300)), _FACE_AREA_RATIO_SETTINGS
    )
    assert found.score == 0.5
    assert "tight crop" in found.detail


def test_without_a_face_it_is_not_assessed_of_face_area_ratio() -> None:
    assert _FACE_AREA_RATIO_SIGNAL.assess(faceless(), _FACE_AREA_RATIO_SETTINGS).score is None


_SCHEMES = [("ibug68", 68), ("insightface106", 106), ("mediapipe478", 478)]


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_a_mirror_image_of_itself_has_no_asymmetry(scheme: str, count: int) -> None:
    pairs = symmetric_pairs(mirrored_landmarks(scheme, count))
    assert len(pairs) >= 7
    assert asymmetry(pairs) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("scheme", "count"), _SCHEMES)
def test_pairs_are_the_image_s_left_and_right_point(scheme: str, count: int) -> None:
    pairs = symmetric_pairs(mirrored_landmarks(scheme, count))
    assert (pairs[:, 0, 0] < pairs[:, 1, 0]).all()
    np.testing.assert_allclose(pairs[:, 0, 1], pairs[:, 1, 1], atol=1e-4)


def test_five_points_give_eyes_and_mouth() -> None:
    five = face_at().five_points
    np.testing.assert_array_equal(symmetric_pairs(five), five[[[0, 1], [3, 4]]])


def test_the_index_of_a_hand_made_face() -> None:
    # Widths 10 and 6, the second pair's middle 1 to the right: mirrored points are 2 * 0.5 off at both
    # pairs, in shares of the wider one 0.1.
    pairs = np.array([[[0.0, 0.0], [10.0, 0.0]], [[3.0, 5.0], [9.0, 5.0]]])
    assert asymmetry(pairs) == pytest.approx(0.1)


@given(st.floats(-math.pi, math.pi), st.floats(0.1, 50), st.floats(-1000, 1000), st.integers(0, 2**32 - 1))
def test_turning_moving_and_resizing_change_nothing(
    angle: float, scale: float, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left = rng.uniform((0, 0), (4, 10), (6, 2))
    pairs = np.stack([left, left * (-1, 1) + (20, 0) + rng.normal(0, 0.5, (6, 2))], axis=1)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = scale * pairs @ turn.T + shift
    before, after = asymmetry(pairs), asymmetry(moved)
    assert before is not None
    assert after == pytest.approx(before, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("value", [5.0, float("nan"), float("inf")])
def test_points_that_make_no_face_have_no_index(value: float) -> None:
    assert asymmetry(np.full((4, 2, 2), value)) is None


def test_an_unknown_scheme_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="unknown landmark scheme"):
        symmetric_pairs(Landmarks(points=np.zeros((3, 2), np.float32), scheme="three"))


_FACIAL_SYMMETRY_SIGNAL, _FACIAL_SYMMETRY_SETTINGS = FacialSymmetry(), SelfieSettings()


@pytest.mark.parametrize(
    ("scheme", "count"), [("ibug68", 68), ("insightface106", 106), ("mediapipe478", 478)]
)
def test_a_symmetric_face_scores_1_and_a_warped_one_less_and_less(scheme: str, count: int) -> None:
    landmarks = mirrored_landmarks(scheme, count)
    scores = []
    for warp in (0.0, 0.02, 0.05, 0.1, 1.0):
        points = landmarks.points.copy()
        # The right half bends up, increasingly to the outside, as a curled sheet does.
        points[:, 1] -= warp * np.maximum(points[:, 0] - 240, 0)
        scores.append(
            _FACIAL_SYMMETRY_SIGNAL.assess(
                subject(landmarks=replace(landmarks, points=points)), _FACIAL_SYMMETRY_SETTINGS
            ).score
        )
    assert scores[0] == pytest.approx(1, abs=1e-4)
    assert scores == sorted(scores, key=lambda score: score or 0, reverse=True)
    assert scores[-1] == 0


def test_the_maximum_is_a_setting() -> None:
    landmarks = mirrored_landmarks("ibug68", 68)
    points = landmarks.points + np.random.default_rng(1).normal(0, 6, (68, 2)).astype(np.float32)
    bent = Landmarks(points=points, scheme="ibug68")
    index = asymmetry(symmetric_pairs(bent))
    assert index is not None
    assert (
        _FACIAL_SYMMETRY_SIGNAL.assess(subject(landmarks=bent), SelfieSettings(max_asymmetry=index)).score
        == 0
    )
    half = _FACIAL_SYMMETRY_SIGNAL.assess(subject(landmarks=bent), SelfieSettings(max_asymmetry=2 * index))
    assert half.score == pytest.approx(0.5)


def test_five_points_do_and_broken_landmarks_leave_them() -> None:
    assert _FACIAL_SYMMETRY_SIGNAL.assess(subject(), _FACIAL_SYMMETRY_SETTINGS).score == pytest.approx(
        1, abs=1e-4
    )
    broken = Landmarks(points=np.full((68, 2), np.nan, np.float32), scheme="ibug68")
    assert _FACIAL_SYMMETRY_SIGNAL.assess(
        subject(landmarks=broken), _FACIAL_SYMMETRY_SETTINGS
    ).score == pytest.approx(1, abs=1e-4)


def test_a_crop_without_a_face_is_not_assessed() -> None:
    point = replace(face_at(), five_points=np.full((5, 2), 9, np.float32))
    assert _FACIAL_SYMMETRY_SIGNAL.assess(subject(face=point), _FACIAL_SYMMETRY_SETTINGS).score is None
    assert _FACIAL_SYMMETRY_SIGNAL.assess(faceless(), _FACIAL_SYMMETRY_SETTINGS).score is None
