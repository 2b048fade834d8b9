"""Alignment, crops, and how far eyes and mouth are open."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matcher.conformance.pictures import FIVE_POINTS
from vision.face import BgrImage, Box, DetectedFace, Landmarks, Points
from vision.geometry import (
    ARCFACE_TEMPLATE,
    CHIP_POINTS,
    CHIP_SHAPE,
    align_face,
    clamped_crop,
    context_crop,
    cut_chip,
    eye_aspect_ratio,
    eye_centres,
    face_parts,
    lip_gap,
    mesh_points,
    similarity_transform,
)
from vision.image import GreyImage
from vision.packs.insightface_library import import_insightface
from vision.pose import MEDIAPIPE478_HEAD, MEDIAPIPE478_INDICES


def _moved(points: Points, *, degrees: float, scale: float, shift: tuple[float, float]) -> Points:
    angle = math.radians(degrees)
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points @ turn.T + shift).astype(np.float32)


class TestSimilarityTransform:
    @given(
        st.floats(-180, 180),
        st.floats(0.2, 8),
        st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    )
    def test_recovers_any_similarity(self, degrees: float, scale: float, shift: tuple[float, float]) -> None:
        moved = _moved(ARCFACE_TEMPLATE, degrees=degrees, scale=scale, shift=shift)
        matrix = similarity_transform(moved, ARCFACE_TEMPLATE)
        back = moved @ matrix[:, :2].T + matrix[:, 2]
        np.testing.assert_allclose(back, ARCFACE_TEMPLATE, atol=0.02)

    def test_agrees_with_scikit_image(self) -> None:
        from skimage.transform import SimilarityTransform

        rng = np.random.default_rng(7)
        points = (
            _moved(ARCFACE_TEMPLATE, degrees=20, scale=3, shift=(90, 40)) + rng.normal(0, 4, (5, 2))
        ).astype(np.float32)
        expected = SimilarityTransform.from_estimate(points, ARCFACE_TEMPLATE).params[:2]
        np.testing.assert_allclose(similarity_transform(points, ARCFACE_TEMPLATE), expected, atol=1e-4)

    def test_has_the_points_of_insightface(self) -> None:
        face_align = import_insightface().utils.face_align
        np.testing.assert_allclose(ARCFACE_TEMPLATE, face_align.arcface_dst, atol=1e-4)

    def test_points_without_extent_are_only_shifted(self) -> None:
        matrix = similarity_transform(np.zeros((5, 2), np.float32), ARCFACE_TEMPLATE)
        np.testing.assert_allclose(matrix[:, :2], np.eye(2))


class TestAlignFace:
    @pytest.mark.parametrize("size", [112, 224])
    def test_puts_the_five_points_on_the_template(self, size: int) -> None:
        points = _moved(ARCFACE_TEMPLATE, degrees=-17, scale=2.4, shift=(140, 90))
        image = np.zeros((480, 480, 3), np.uint8)
        for x, y in points:
            cv2.circle(image, (round(float(x)), round(float(y))), 5, (255, 255, 255), -1)
        aligned = align_face(image, points, size)
        assert aligned.shape == (size, size, 3)
        for x, y in ARCFACE_TEMPLATE * (size / 112):
            window = aligned[int(y) - 6 : int(y) + 8, int(x) - 6 : int(x) + 8, 0].astype(float)
            rows, columns = np.indices(window.shape)
            assert abs((columns * window).sum() / window.sum() + int(x) - 6 - x) < 1
            assert abs((rows * window).sum() / window.sum() + int(y) - 6 - y) < 1


class TestContextCrop:
    def test_inside_the_frame_it_is_a_plain_crop(self, astronaut: BgrImage) -> None:
        crop = context_crop(astronaut, Box(200, 100, 240, 160), 1.5, 90)
        np.testing.assert_array_equal(crop, astronaut[85:175, 175:265])

    def test_mirrors_at_the_border(self) -> None:
        image = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 3))
        crop = context_crop(image, Box(-6, 40, 14, 60), 1.0, 20)
        assert crop[0, :, 0].tolist() == [6, 5, 4, 3, 2, 1, *range(14)]

    def test_width_and_height_may_differ(self, astronaut: BgrImage) -> None:
        assert context_crop(astronaut, Box(100, 100, 200, 200), 2, (80, 60)).shape == (60, 80, 3)

    @given(
        st.floats(-400, 400),
        st.floats(-400, 400),
        st.floats(0.5, 900),
        st.floats(0.5, 900),
        st.floats(0.5, 5),
    )
    def test_any_box_gives_a_whole_crop(
        self, left: float, top: float, width: float, height: float, scale: float
    ) -> None:
        image = np.full((120, 90, 3), 7, np.uint8)
        box = Box(left, top, left + width, top + height)
        for take in (context_crop, clamped_crop):
            crop = take(image, box, scale, 32)
            assert crop.shape == (32, 32, 3)
            assert (crop == 7).all()


class TestClampedCrop:
    def test_inside_the_frame_it_is_the_enlarged_box(self, astronaut: BgrImage) -> None:
        crop = clamped_crop(astronaut, Box(200, 100, 240, 160), 2, (81, 121))
        np.testing.assert_array_equal(crop, astronaut[70:191, 180:261])

    @pytest.mark.parametrize(
        ("box", "scale", "side", "ends"),
        [(Box(0, 40, 20, 60), 2, 41, (0, 40)), (Box(20, 20, 80, 80), 4, 100, (0, 99))],
    )
    def test_moves_into_the_frame_and_shrinks_to_it(
        self, box: Box, scale: float, side: int, ends: tuple[int, int]
    ) -> None:
        image = np.tile(np.arange(100, dtype=np.uint8)[None, :, None], (100, 1, 3))
        crop = clamped_crop(image, box, scale, side)
        assert (crop[0, 0, 0], crop[0, -1, 0]) == ends


def _eyes68(opening: float) -> Landmarks:
    points = np.zeros((68, 2), np.float32)
    eye = [(0, 0), (10, -opening), (20, -opening), (30, 0), (20, opening), (10, opening)]
    points[36:42] = np.add(eye, (100, 100))
    points[42:48] = np.add(eye, (180, 100))
    return Landmarks(points=points, scheme="ibug68")


def _eyes106(opening: float, degrees: float) -> Landmarks:
    angles = np.linspace(0, 2 * math.pi, 8, endpoint=False)
    ring = np.column_stack([15 * np.cos(angles), opening * np.sin(angles)])
    eye = np.vstack([ring, [0, 0], [0, 0]])
    points = np.zeros((106, 2), np.float32)
    points[33:43] = np.add(eye, (100, 100))
    points[87:97] = np.add(eye, (180, 100))
    return Landmarks(points=_moved(points, degrees=degrees, scale=1, shift=(0, 0)), scheme="insightface106")


def _eyes478(opening: float, *, yaw: float, with_depth: bool) -> Landmarks:
    """Two eyes of width 30 on a rotated head, as seen from a distance."""
    eye = np.array([(-15, 0), (-5, -opening), (5, -opening), (15, 0), (5, opening), (-5, opening)], float)
    head = np.zeros((478, 3))
    head[[33, 160, 158, 133, 153, 144], :2] = eye + np.array([-40, 0])
    head[[362, 385, 387, 263, 373, 380], :2] = eye + np.array([40, 0])
    angle = math.radians(yaw)
    points = head[:, :2] * (math.cos(angle), 1) + np.array([300, 200])
    depth = (head[:, 0] * math.sin(angle)).astype(np.float32) if with_depth else None
    return Landmarks(points=points.astype(np.float32), scheme="mediapipe478", depth=depth)


class TestEyeCentres:
    def test_of_every_scheme(self) -> None:
        assert eye_centres(_eyes68(3.0)) == pytest.approx(np.array([[115, 100], [195, 100]]), abs=1e-3)
        assert eye_centres(_eyes106(3.0, 0)) == pytest.approx(np.array([[100, 100], [180, 100]]), abs=1e-3)
        meshed = eye_centres(_eyes478(3.0, yaw=0, with_depth=True))
        assert meshed == pytest.approx(np.array([[260, 200], [340, 200]]), abs=1e-3)


class TestEyeAspectRatio:
    @pytest.mark.parametrize("opening", [0.0, 3.0, 6.0])
    def test_ibug68(self, opening: float) -> None:
        assert eye_aspect_ratio(_eyes68(opening)) == pytest.approx((opening / 15, opening / 15))

    @pytest.mark.parametrize("degrees", [0, 30, -75])
    @pytest.mark.parametrize("opening", [0.0, 3.0, 6.0])
    def test_insightface106_whatever_the_roll(self, opening: float, degrees: float) -> None:
        assert eye_aspect_ratio(_eyes106(opening, degrees)) == pytest.approx((opening / 15,) * 2, abs=1e-4)

    @pytest.mark.parametrize("yaw", [0, 20, -45])
    @pytest.mark.parametrize("opening", [0.0, 3.0, 6.0])
    def test_mediapipe478_whatever_the_yaw(self, opening: float, yaw: float) -> None:
        ratios = eye_aspect_ratio(_eyes478(opening, yaw=yaw, with_depth=True))
        assert ratios == pytest.approx((opening / 15,) * 2, abs=1e-4)

    def test_mediapipe478_without_depth_is_the_ratio_in_the_picture(self) -> None:
        ratios = eye_aspect_ratio(_eyes478(3.0, yaw=60, with_depth=False))
        assert ratios == pytest.approx((0.4, 0.4), abs=1e-4)

    def test_left_is_the_images_left(self) -> None:
        landmarks = _eyes478(3.0, yaw=0, with_depth=True)
        landmarks.points[[160, 158, 153, 144], 1] = 200
        assert eye_aspect_ratio(landmarks) == pytest.approx((0, 0.2), abs=1e-4)

    def test_an_eye_without_width_is_closed(self) -> None:
        assert eye_aspect_ratio(Landmarks(np.zeros((68, 2), np.float32), "ibug68")) == (0, 0)
        assert eye_aspect_ratio(Landmarks(np.zeros((106, 2), np.float32), "insightface106")) == (0, 0)
        assert eye_aspect_ratio(Landmarks(np.zeros((478, 2), np.float32), "mediapipe478")) == (0, 0)

    def test_unknown_scheme(self) -> None:
        for measure in (eye_aspect_ratio, eye_centres):
            with pytest.raises(ValueError, match="ibug5"):
                measure(Landmarks(np.zeros((5, 2), np.float32), "ibug5"))


class TestLipGap:
    @staticmethod
    def _face(*, gap: float, yaw: float = 0.0, scale: float = 20.0) -> Landmarks:
        """The canonical face, seen from a yaw, with its inner lips ``gap`` centimetres apart."""
        indices, head = MEDIAPIPE478_INDICES, MEDIAPIPE478_HEAD
        mesh = np.zeros((478, 3))
        mesh[indices] = head
        mesh[[82, 13, 312]] = [(-0.5, 4.0, -5.5), (0.0, 4.0, -5.7), (0.5, 4.0, -5.5)]
        mesh[[87, 14, 317]] = mesh[[82, 13, 312]] + (0.0, gap, 0.0)
        angle = math.radians(yaw)
        turn = [[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]]
        seen = (scale * mesh @ np.array(turn).T + (300, 400, 0)).astype(np.float32)
        return Landmarks(seen[:, :2], "mediapipe478", depth=seen[:, 2])

    @given(gap=st.floats(0, 6), yaw=st.floats(-40, 40), scale=st.floats(5, 60))
    def test_is_the_same_at_any_pose_and_distance(self, gap: float, yaw: float, scale: float) -> None:
        assert lip_gap(self._face(gap=gap, yaw=yaw, scale=scale)) == pytest.approx(gap, abs=0.01)

    def test_needs_the_478_points_with_depth(self) -> None:
        face = self._face(gap=2.0)
        assert lip_gap(Landmarks(face.points, "mediapipe478")) is None
        assert lip_gap(Landmarks(face.points[:68], "ibug68")) is None

    def test_points_without_extent_or_value_give_none(self) -> None:
        still, nothing = np.zeros((478, 2), np.float32), np.zeros(478, np.float32)
        assert lip_gap(Landmarks(still, "mediapipe478", depth=nothing)) is None
        broken = self._face(gap=2.0)
        broken.points[13, 0] = np.nan
        assert lip_gap(broken) is None


def test_five_points_come_from_the_mesh() -> None:
    points = np.zeros((478, 2), np.float32)
    points[[33, 133, 362, 263, 1, 61, 291]] = [
        (10, 20), (20, 22), (40, 21), (50, 21), (30, 35), (20, 45), (40, 45)
    ]  # fmt: skip
    found = mesh_points(Landmarks(points, "mediapipe478"))
    assert found is not None
    assert found.tolist() == [[15, 21], [45, 21], [30, 35], [20, 45], [40, 45]]
    assert mesh_points(None) is None
    assert mesh_points(Landmarks(points[:68], "ibug68")) is None
    points[33] = np.nan
    assert mesh_points(Landmarks(points, "mediapipe478")) is None


def landmarks(scheme: str, count: int, places: dict[int, tuple[float, float]]) -> Landmarks:
    points = np.full((count, 2), 300.0, dtype=np.float32)
    for index, place in places.items():
        points[index] = place
    return Landmarks(points=points, scheme=scheme)


EYES_NOSE_MOUTH = {
    "ibug68": (68, (36, 39), (42, 45), 30, (48, 54), (62, 66)),
    "mediapipe478": (478, (33, 133), (362, 263), 4, (61, 291), (13, 14)),
}


@pytest.mark.parametrize("scheme", EYES_NOSE_MOUTH)
def test_eye_centres_lie_between_the_corners(scheme: str) -> None:
    count, left, right, nose, mouth, lips = EYES_NOSE_MOUTH[scheme]
    corners = dict(zip((*left, *right), [(230, 270), (270, 274), (340, 270), (390, 270)], strict=True))
    middle = [(308, 336), (262, 402), (355, 400), (308, 398), (310, 408)]
    rest = dict(zip((nose, *mouth, *lips), middle, strict=True))
    places: dict[int, tuple[float, float]] = {**corners, **rest}
    parts = face_parts(np.zeros((5, 2), np.float32), landmarks(scheme, count, places))
    assert parts is not None
    assert parts.five.tolist() == [[250, 272], [365, 270], [308, 336], [262, 402], [355, 400]]
    assert parts.mouth_centre.tolist() == [309, 403]
    assert parts.outline is not None


def test_insightface106_has_every_point_in_its_outline() -> None:
    parts = face_parts(FIVE_POINTS, landmarks("insightface106", 106, {0: (308, 490), 86: (308, 336)}))
    assert parts is not None
    assert parts.outline is not None
    assert len(parts.outline) == 106
    assert parts.five[2].tolist() == [308, 336]


def test_the_mesh_leaves_out_the_forehead() -> None:
    """Point 10 of MediaPipe's mesh is the top of the forehead, 152 the chin."""
    parts = face_parts(FIVE_POINTS, landmarks("mediapipe478", 478, {10: (308, 100), 152: (308, 490)}))
    assert parts is not None
    assert parts.outline is not None
    assert parts.outline[:, 1].min() == 300
    assert parts.outline[:, 1].max() == 490


@pytest.mark.parametrize(
    "dense",
    [
        None,
        Landmarks(np.zeros((4, 2), np.float32), "somebody4"),
        Landmarks(np.full((68, 2), np.nan, np.float32), "ibug68"),
    ],
)
def test_without_usable_landmarks_the_five_points_count(dense: Landmarks | None) -> None:
    parts = face_parts(FIVE_POINTS, dense)
    assert parts is not None
    assert parts.five.tolist() == FIVE_POINTS.tolist()
    assert parts.mouth_centre.tolist() == [308.5, 402]
    assert parts.outline is None


def test_five_points_that_are_not_numbers_are_no_face() -> None:
    assert face_parts(np.full((5, 2), np.inf, np.float32), None) is None


def _picture() -> GreyImage:
    """A smooth pattern in place of a face."""
    pattern = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, (480, 480)), (0, 0), 12)
    return np.asarray(np.clip(128 + 60 * pattern / pattern.std(), 0, 255), np.uint8)


def _face(*, scale: float, aside: float, down: float) -> DetectedFace:
    """A face whose points lie in the picture as they do in a chip, scaled and shifted."""
    points = (CHIP_POINTS * np.float32(scale) + np.array([aside, down])).astype(np.float32)
    return DetectedFace(Box(*map(float, (*points.min(axis=0), *points.max(axis=0)))), 1.0, points)


def test_a_face_of_a_chips_own_size_is_cut_out_unchanged() -> None:
    rows, columns = CHIP_SHAPE
    chip = cut_chip(_picture(), _face(scale=1, aside=100, down=120))
    assert np.array_equal(chip, _picture()[120 : 120 + rows, 100 : 100 + columns])


@pytest.mark.parametrize("scale", [0.5, 1.7, 3.0])
def test_a_face_of_any_size_gives_the_same_chip(scale: float) -> None:
    cut = cut_chip(_picture(), _face(scale=1, aside=20, down=30))
    scaled = np.asarray(cv2.resize(_picture(), None, fx=scale, fy=scale), np.uint8)
    # The middle of the first pixel stays the middle of a pixel.
    shift = (scale - 1) / 2
    again = cut_chip(scaled, _face(scale=scale, aside=20 * scale + shift, down=30 * scale + shift))
    assert np.abs(again.astype(int) - cut).mean() < 2


def test_beyond_the_border_the_outermost_pixels_are_repeated() -> None:
    chip = cut_chip(_picture(), _face(scale=1, aside=-30, down=0))
    assert chip.shape == CHIP_SHAPE
    assert np.array_equal(chip[:, :30], np.repeat(chip[:, 30:31], 30, axis=1))
