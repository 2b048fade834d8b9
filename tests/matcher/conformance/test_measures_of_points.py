"""Measures of the points of a face: its features, and its place in the portrait."""

from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter

import cv2
import numpy as np
import pytest

from matcher.conformance.features import (
    Features,
    expression_neutrality,
    eyes_open,
    eyes_visible,
    features_of,
    mouth_closed,
    mouth_colours,
    mouth_occlusion_prevention,
)
from matcher.conformance.framing import (
    head_pose,
    head_size,
    inter_eye_distance,
    leftward_crop,
    margin_above,
    margin_below,
    rightward_crop,
    single_face_present,
)
from matcher.conformance.interface import Assess, PortraitView
from tests.matcher.conformance.pictures import (
    FIVE_POINTS,
    NO_POSE,
    SCHEMES,
    Head,
    above_the_edge,
    below_the_edge,
    drawn_face,
    measured,
    plain,
    portrait_of,
    refused,
    score,
    spaced_left,
    spaced_right,
)
from vision.eye_likeness import EYE_HEIGHT, EYE_TEMPLATE, EYE_WIDTH, EYE_WIDTH_IN_EYES
from vision.face import BgrImage, Box, HeadPose, Landmarks
from vision.geometry import eye_corners
from vision.mouth_colours import MouthColours, covered_evidence

LEANING = Head(left_eye=12, right_eye=18, mouth=7, mouth_width=88, corner_lift=5)


def features(head: Head, scheme: str) -> Features:
    found = features_of(head.landmarks(scheme))
    assert found is not None
    return found


class TestFeatures:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("turned", [0.0, 25.0, -90.0])
    def test_distances_are_those_of_the_head_however_it_leans(self, scheme: str, turned: float) -> None:
        found = features(replace(LEANING, turned=turned), scheme)
        assert found.eye_distance == pytest.approx(113, abs=1e-3)
        assert found.eyes_to_chin == pytest.approx(200, abs=1e-3)
        assert found.eye_openings == pytest.approx((12, 18), abs=1e-3)
        assert found.mouth_opening == pytest.approx(7, abs=1e-3)
        assert found.mouth_width == pytest.approx(88, abs=1e-3)
        assert found.corner_lift == pytest.approx(5, abs=1e-3)

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_eyes_are_where_they_are(self, scheme: str) -> None:
        found = features(LEANING, scheme)
        assert found.eye_x == pytest.approx((308 - 56.5, 308 + 56.5), abs=1e-3)
        assert found.eyes_y == pytest.approx(272)
        corners = eye_corners(LEANING.landmarks(scheme))
        assert corners is not None
        assert corners.shape == (2, 2, 2)
        assert (np.diff(corners[..., 0].ravel()) > 0).all()  # from left to right

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_points_that_make_no_face_have_no_features(self, scheme: str) -> None:
        good = LEANING.landmarks(scheme)
        assert features_of(None) is None
        assert eye_corners(None) is None
        assert features_of(replace(good, points=np.zeros_like(good.points))) is None
        broken = good.points.copy()
        broken[3, 1] = np.nan
        assert features_of(replace(good, points=broken)) is None
        assert eye_corners(replace(good, points=broken)) is None

    def test_landmarks_of_an_unknown_scheme_have_none(self) -> None:
        unknown = Landmarks(points=np.ones((5, 2), dtype=np.float32), scheme="five")
        assert features_of(unknown) is None
        assert eye_corners(unknown) is None


class TestEyesOpen:
    @pytest.mark.parametrize("winking", [Head(left_eye=1.0), Head(right_eye=1.0)])
    def test_the_less_open_eye_counts(self, winking: Head) -> None:
        assert score(eyes_open, Head().portrait()) >= 99
        assert score(eyes_open, winking.portrait()) < 20

    def test_landmarks_of_106_points_give_the_same(self) -> None:
        head = Head(left_eye=200 * 0.03)
        assert measured(eyes_open, head.portrait("insightface106")) == pytest.approx(0.03, abs=1e-4)

    def test_dlibs_points_are_not_asked(self) -> None:
        assert "68 landmarks" in refused(eyes_open(Head().portrait("ibug68")))


class TestMouthClosed:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_a_wider_open_mouth_scores_lower(self, scheme: str) -> None:
        heads = [Head(mouth=200 * opening) for opening in (0.0, 0.1, 0.2, 0.3, 0.4)]
        found = [score(mouth_closed, head.portrait(scheme)) for head in heads]
        assert found == [97, 84, 50, 16, 3]
        assert measured(mouth_closed, heads[2].portrait(scheme)) == pytest.approx(0.2, abs=1e-4)


NEUTRAL = Head(mouth_width=0.85 * 113)


class TestExpressionNeutrality:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_a_neutral_face_scores_best(self, scheme: str) -> None:
        assert score(expression_neutrality, NEUTRAL.portrait(scheme)) >= 99

    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize(
        "moved",
        [
            replace(NEUTRAL, mouth_width=1.17 * 113, corner_lift=14),
            replace(NEUTRAL, mouth_width=1.25 * 113),
            replace(NEUTRAL, mouth=30),
        ],
    )
    def test_smiles_and_open_mouths_score_worst(self, scheme: str, moved: Head) -> None:
        assert score(expression_neutrality, moved.portrait(scheme)) < 10

    def test_half_way_is_one_departure_and_half_the_score(self) -> None:
        head = replace(NEUTRAL, mouth_width=1.06 * 113)
        assert measured(expression_neutrality, head.portrait()) == pytest.approx(1.0, abs=1e-4)
        assert score(expression_neutrality, head.portrait()) == 50


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


class TestEyesVisible:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_average_eyes_are_seen(self, scheme: str) -> None:
        assert measured(eyes_visible, seen(with_average_eyes(), scheme)) > 0.9
        assert score(eyes_visible, seen(with_average_eyes(), scheme)) == 100

    def test_light_and_contrast_play_no_part(self) -> None:
        bright = np.clip(with_average_eyes(contrast=20).astype(int) + 60, 0, 255).astype(np.uint8)
        assert measured(eyes_visible, seen(bright)) == pytest.approx(
            measured(eyes_visible, seen(with_average_eyes())), abs=0.05
        )

    @pytest.mark.parametrize("hidden", [EYES[:1], EYES[1:], EYES])
    def test_dark_lenses_hide_them(self, hidden: tuple[tuple[int, int], ...]) -> None:
        image = with_average_eyes()
        for eye in hidden:
            cv2.ellipse(image, eye, (48, 36), 0, 0, 360, (20, 18, 18), cv2.FILLED)
        assert score(eyes_visible, seen(image)) < 30

    def test_a_plain_face_has_no_eyes(self) -> None:
        assert measured(eyes_visible, seen(plain())) == 0
        assert score(eyes_visible, seen(plain())) < 20

    def test_eyes_that_are_turned_away_are_not_seen(self) -> None:
        narrow = replace(HEAD, eye_distance=4.0)
        portrait = replace(HEAD.portrait(), landmarks=narrow.landmarks("mediapipe478"))
        portrait.__dict__["aligned"] = HEAD.portrait().aligned
        assert measured(eyes_visible, portrait) == -1


@pytest.mark.parametrize(
    "measure",
    [eyes_open, mouth_closed, expression_neutrality, eyes_visible, head_size, margin_above, margin_below],
)
def test_without_landmarks_it_is_not_assessed(measure: Assess) -> None:
    assert "landmarks" in refused(measure(portrait_of(plain())))


def masked(colour: tuple[int, int, int]) -> BgrImage:
    image = drawn_face()
    outline = np.array([(175, 325), (308, 312), (441, 325), (425, 440), (308, 505), (191, 440)])
    cv2.fillConvexPoly(image, outline, colour)
    texture = np.random.default_rng(7).normal(0, 4, (*image.shape[:2], 1))
    return np.clip(image + texture, 0, 255).astype(np.uint8)


class TestMouthOcclusionPrevention:
    def test_lips_are_seen(self) -> None:
        assert measured(mouth_occlusion_prevention, portrait_of(drawn_face())) < 0.1
        assert score(mouth_occlusion_prevention, portrait_of(drawn_face())) > 90

    @pytest.mark.parametrize(
        "colour", [(230, 200, 150), (250, 250, 250), (30, 30, 30), (140, 200, 150), (180, 140, 240)]
    )
    def test_a_mask_is_seen(self, colour: tuple[int, int, int]) -> None:
        assert measured(mouth_occlusion_prevention, portrait_of(masked(colour))) > 0.8
        assert score(mouth_occlusion_prevention, portrait_of(masked(colour))) < 20

    def test_a_grey_image_is_not_assessed(self) -> None:
        grey = np.repeat(cv2.cvtColor(drawn_face(), cv2.COLOR_BGR2GRAY)[..., None], 3, 2).astype(np.uint8)
        assert "colour" in refused(mouth_occlusion_prevention(portrait_of(grey)))

    def test_a_dark_image_is_not_assessed(self) -> None:
        assert "dark" in refused(
            mouth_occlusion_prevention(portrait_of((drawn_face() // 4).astype(np.uint8)))
        )

    def test_dim_skin_weighs_less(self) -> None:
        lit, dim = (MouthColours(lips=5, cheek=8, skin=skin) for skin in (75, 35))
        assert covered_evidence(lit) > 0 > covered_evidence(dim)

    def test_colours_are_those_of_the_picture(self) -> None:
        bare, white = (portrait_of(image).aligned for image in (drawn_face(), masked((250, 250, 250))))
        assert bare is not None
        assert white is not None
        seen, covered = mouth_colours(bare), mouth_colours(white)
        assert isinstance(seen, MouthColours)
        assert isinstance(covered, MouthColours)
        assert seen.lips > 10 > abs(covered.lips)
        assert covered.cheek > 10 > seen.cheek
        assert covered.skin == pytest.approx(seen.skin, abs=2)


def crowd(*sides: float) -> PortraitView:
    portrait = portrait_of(plain(side=64))
    faces = tuple(replace(portrait.face, box=Box(0, 0, side, side)) for side in sides)
    return replace(portrait, faces=faces, face=faces[0])


class TestSingleFacePresent:
    def test_the_second_largest_face_counts_at_any_place(self) -> None:
        assert score(single_face_present, crowd(100)) == 100
        assert score(single_face_present, crowd(100, 20, 50)) == 50
        assert score(single_face_present, crowd(100, 100)) == 0

    def test_boxes_without_area_are_ignored(self) -> None:
        refused(single_face_present(crowd(0)))


def apart(distance: float) -> float:
    points = FIVE_POINTS * np.float32(distance / 113)
    return score(inter_eye_distance, portrait_of(plain(side=64), five_points=points))


class TestInterEyeDistance:
    @pytest.mark.parametrize(("distance", "points"), [(60, 38), (70, 50), (85, 68), (90, 73), (120, 92)])
    def test_the_score_follows_the_sigmoid_of_the_standard(self, distance: float, points: int) -> None:
        assert apart(distance) == points

    def test_the_distance_is_measured_in_the_image(self) -> None:
        assert measured(inter_eye_distance, portrait_of(plain(side=64))) == pytest.approx(113)

    def test_points_that_are_no_numbers_have_no_distance(self) -> None:
        nowhere = FIVE_POINTS * np.float32("nan")
        refused(inter_eye_distance(portrait_of(plain(side=64), five_points=nowhere)))


class TestHeadSize:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_the_score_peaks_at_nine_tenths_of_the_height(self, scheme: str) -> None:
        heads = [Head(eyes_to_chin=616 * size) for size in (0.3, 0.45, 0.6)]
        assert [score(head_size, head.portrait(scheme)) for head in heads] == [9, 100, 9]


@pytest.mark.parametrize(
    ("measure", "placed", "middle"),
    [
        (leftward_crop, spaced_left, 0.9),
        (rightward_crop, spaced_right, 0.9),
        (margin_above, below_the_edge, 1.4),
        (margin_below, above_the_edge, 1.8),
    ],
)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_head_at_the_edge_lacks_space(
    scheme: str, measure: Assess, placed: Callable[[float, str], PortraitView], middle: float
) -> None:
    spaces = (middle - 0.3, middle, middle + 0.3)
    assert [score(measure, placed(space, scheme)) for space in spaces] == [5, 50, 95]


@pytest.mark.parametrize(
    ("measure", "space"), [(leftward_crop, 251 / 113), (rightward_crop, (616 - 364) / 113)]
)
def test_without_landmarks_the_detectors_eyes_count(measure: Assess, space: float) -> None:
    assert measured(measure, portrait_of(plain())) == pytest.approx(space)
    refused(measure(portrait_of(plain(), five_points=np.zeros_like(FIVE_POINTS))))


@pytest.mark.parametrize("angle_name", ["yaw", "pitch", "roll"])
class TestHeadPose:
    @pytest.mark.parametrize(
        ("angle", "points"), [(0, 100), (5, 99), (30, 75), (-45, 50), (90, 0), (-120, 0)]
    )
    def test_a_head_that_turns_further_scores_lower(self, angle_name: str, angle: float, points: int) -> None:
        portrait = replace(portrait_of(plain(side=64)), pose=replace(NO_POSE, **{angle_name: angle}))
        assert score(head_pose(attrgetter(angle_name)), portrait) == points

    def test_a_pose_that_was_not_found_is_not_assessed(self, angle_name: str) -> None:
        lost = replace(portrait_of(plain(side=64)), pose=HeadPose(yaw=180.0, pitch=0.0, roll=0.0))
        assert "pose" in refused(head_pose(attrgetter(angle_name))(lost))
