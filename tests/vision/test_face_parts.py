import numpy as np
import pytest

from tests.matcher.conformance.pictures import FIVE_POINTS
from vision.face import Landmarks
from vision.geometry import face_parts


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
