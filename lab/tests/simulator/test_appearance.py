"""The appearance of a simulated person."""

import cv2
import numpy as np
import pytest

from lab.simulator import Photo
from lab.simulator.backdrop import paint_room
from lab.simulator.face_parts import Expression, Eyelids, Mouth, MouthPlace
from lab.simulator.person import person_mask, spread_inside_colours
from lab.tests.simulator.measures import landmarks_of
from vision.face import BgrImage, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs.pack import Pack


def test_the_face_is_inside_and_the_corners_are_not(astronaut: Photo) -> None:
    mask = person_mask(astronaut.pixels, astronaut.landmarks)
    assert mask.shape == astronaut.pixels.shape[:2]
    assert mask.min() >= 0
    assert mask.max() <= 1
    face = np.zeros_like(mask, np.uint8)
    cv2.fillConvexPoly(face, cv2.convexHull(np.round(astronaut.landmarks).astype(np.int32)), 1)
    assert mask[face == 1].mean() > 0.99
    assert mask[:40, :40].max() == 0
    assert mask[:40, -40:].max() == 0


def test_no_colour_of_the_background_is_left_around_the_person() -> None:
    image = np.full((240, 240, 3), (0, 255, 0), np.uint8)
    cv2.circle(image, (120, 120), 60, (60, 90, 200), -1)
    mask = np.zeros((240, 240), np.float32)
    cv2.circle(mask, (120, 120), 58, 1.0, -1)
    spread = spread_inside_colours(image, mask)
    ring = np.zeros((240, 240), np.uint8)
    cv2.circle(ring, (120, 120), 70, 1, 12)
    assert np.abs(spread[ring == 1].astype(int) - (60, 90, 200)).max() <= 3
    assert np.array_equal(spread[110:130, 110:130], image[110:130, 110:130])


def test_each_part_of_the_face_moves_its_own_way(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    expression = Expression(astronaut.landmarks, grid=(x, y))
    places = np.round(astronaut.landmarks).astype(int)

    def at(field: tuple[np.typing.NDArray[np.float32], ...], index: int) -> tuple[float, float]:
        column, row = places[index]
        return float(field[0][row, column]), float(field[1][row, column])

    smile = expression.field(mouth=3.0, jaw=0.0, brows=0.0)
    assert at(smile, 48)[0] < -1.5
    assert at(smile, 54)[0] > 1.5
    assert at(smile, 48)[1] < 0
    assert at(smile, 27) == pytest.approx((0, 0), abs=0.3)
    jaw = expression.field(mouth=0.0, jaw=3.0, brows=0.0)
    assert at(jaw, 57)[1] > 2
    assert at(jaw, 36) == pytest.approx((0, 0), abs=0.1)
    brows = expression.field(mouth=0.0, jaw=0.0, brows=3.0)
    assert at(brows, 19)[1] < -2
    assert at(brows, 24)[1] < -2
    assert at(brows, 57) == pytest.approx((0, 0), abs=0.1)


def _opening(pack: Pack, image: np.typing.NDArray[np.uint8]) -> float:
    found = Landmarks(points=landmarks_of(pack, image), scheme="ibug68")
    return float(np.mean(eye_aspect_ratio(found)))


def test_a_landmarker_sees_the_eyes_close(astronaut: Photo, embedded: Pack) -> None:
    picture = astronaut.pixels.copy()
    lids = Eyelids(picture, astronaut.landmarks)
    openings = []
    for closure in (0.0, 0.5, 1.0):
        lids.draw(picture, closure=closure, gaze=(0.0, 0.0))
        openings.append(_opening(embedded, picture))
    assert openings[0] > openings[1] > openings[2]
    assert openings[2] < 0.5 * openings[0]


def test_closing_and_opening_again_leaves_no_trace(astronaut: Photo) -> None:
    picture = astronaut.pixels.copy()
    lids = Eyelids(picture, astronaut.landmarks)
    lids.draw(picture, closure=1.0, gaze=(1.0, 0.5))
    assert not np.array_equal(picture, astronaut.pixels)
    lids.draw(picture, closure=0.0, gaze=(0.0, 0.0))
    assert np.array_equal(picture, astronaut.pixels)


def test_only_the_eyes_are_painted_and_a_fourth_channel_never(astronaut: Photo) -> None:
    cover = np.full(astronaut.pixels.shape[:2], 255, np.uint8)
    picture = np.dstack([astronaut.pixels, cover])
    Eyelids(picture, astronaut.landmarks).draw(picture, closure=1.0, gaze=(0.0, 0.0))
    assert np.array_equal(picture[..., 3], cover)
    changed = np.argwhere((picture[..., :3] != astronaut.pixels).any(axis=2))
    eyes = astronaut.landmarks[36:48]
    reach = 0.4 * astronaut.eye_distance
    assert (changed.min(axis=0)[::-1] > eyes.min(axis=0) - reach).all()
    assert (changed.max(axis=0)[::-1] < eyes.max(axis=0) + reach).all()


def test_a_closed_lid_has_the_colour_of_skin(astronaut: Photo) -> None:
    picture = astronaut.pixels.copy()
    Eyelids(picture, astronaut.landmarks).draw(picture, closure=1.0, gaze=(0.0, 0.0))
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2LAB).astype(np.float64)
    pupil_x, pupil_y = np.round(astronaut.landmarks[36:42].mean(axis=0)).astype(int)
    cheek_y = pupil_y + round(0.4 * astronaut.eye_distance)
    lid = lab[pupil_y - 4 : pupil_y, pupil_x - 6 : pupil_x + 6].mean(axis=(0, 1))
    cheek = lab[cheek_y - 4 : cheek_y + 4, pupil_x - 6 : pupil_x + 6].mean(axis=(0, 1))
    assert np.linalg.norm((lid - cheek)[1:]) < 12
    assert lid[0] > 0.65 * cheek[0]


@pytest.mark.parametrize("direction", [1, -1])
def test_gaze_moves_the_iris(astronaut: Photo, direction: int) -> None:
    picture = astronaut.pixels.copy()
    Eyelids(picture, astronaut.landmarks).draw(picture, closure=0.0, gaze=(3.0 * direction, 0.0))
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.round(astronaut.landmarks[eye].mean(axis=0)).astype(int)
        iris = picture[y - 3 : y + 4, x - 9 : x + 10].astype(int)
        apart = {
            shift: np.abs(iris - astronaut.pixels[y - 3 : y + 4, x - 9 - shift : x + 10 - shift]).mean()
            for shift in range(-4, 5)
        }
        assert min(apart, key=lambda shift: apart[shift]) in (2 * direction, 3 * direction)


_GAP = 24.0


def _inside(image: BgrImage) -> np.typing.NDArray[np.bool_]:
    return np.asarray((image[..., :3] == (25, 20, 45)).all(axis=2))


def _mouth(photo: Photo, *, chin_moves: bool = True) -> Mouth:
    return Mouth(MouthPlace.of_68(photo.landmarks), chin_moves=chin_moves)


def test_a_shut_mouth_leaves_the_image_unchanged(astronaut: Photo) -> None:
    assert _mouth(astronaut).opened(astronaut.pixels, 0.0) is astronaut.pixels


@pytest.mark.parametrize("chin_moves", [True, False])
def test_the_gap_opens_below_the_upper_teeth(astronaut: Photo, chin_moves: bool) -> None:
    before = astronaut.pixels.copy()
    shown = _mouth(astronaut, chin_moves=chin_moves).opened(astronaut.pixels, _GAP)
    assert (astronaut.pixels == before).all(), "the image itself is not changed"
    x, lip = np.round(astronaut.landmarks[66]).astype(int)
    rows = np.flatnonzero(_inside(shown)[:, x])
    assert len(rows) == pytest.approx(_GAP, abs=2)
    assert rows[0] == pytest.approx(lip, abs=2)
    above = int(astronaut.landmarks[48:, 1].min())
    assert (shown[:above] == before[:above]).all()
    assert (shown[: rows[0] - 3, x] == before[: rows[0] - 3, x]).all()
    columns = np.flatnonzero(_inside(shown).any(axis=0))
    corners = astronaut.landmarks[[48, 54], 0]
    assert corners[0] - 1 <= columns[0] < columns[-1] <= corners[1] + 1
    # The lower lip comes along.
    assert np.abs(shown[rows[-1] + 2, x].astype(int) - before[lip + 2, x]).max() < 40


def test_the_chin_moves_with_the_jaw_and_that_of_a_mask_does_not(astronaut: Photo) -> None:
    x, chin = np.round(astronaut.landmarks[8]).astype(int)
    with_jaw, lips = (
        _mouth(astronaut, chin_moves=moves).opened(astronaut.pixels, _GAP) for moves in (True, False)
    )
    moved = with_jaw[chin - 8 + round(_GAP) : chin - 2 + round(_GAP), x].astype(int)
    assert np.abs(moved - astronaut.pixels[chin - 8 : chin - 2, x]).max() < 25
    assert (lips[chin - 2 :] == astronaut.pixels[chin - 2 :]).all()


def test_lips_in_a_hole_open_no_wider_than_the_hole_allows(astronaut: Photo) -> None:
    to_chin = astronaut.landmarks[8, 1] - astronaut.landmarks[66, 1]
    shown = _mouth(astronaut, chin_moves=False).opened(astronaut.pixels, 10 * to_chin)
    x = round(float(astronaut.landmarks[66, 0]))
    assert int(_inside(shown)[:, x].sum()) == pytest.approx(0.85 * to_chin * 2 / 3, abs=2)


def test_the_coverage_moves_with_the_chin(astronaut: Photo) -> None:
    chin = round(float(astronaut.landmarks[8, 1]))
    cover = np.zeros(astronaut.pixels.shape[:2], np.uint8)
    cover[: chin + 1] = 255
    shown = _mouth(astronaut).opened(np.dstack([astronaut.pixels, cover]), _GAP)
    covered = shown[..., 3] > 127
    x = round(float(astronaut.landmarks[8, 0]))
    assert covered[:, x].sum() - (chin + 1) == pytest.approx(_GAP, abs=1)
    assert covered[_inside(shown)].all(), "the room does not show through the mouth"


def test_the_shape_of_the_chin_moves_as_its_pixels_do(astronaut: Photo) -> None:
    tall, wide = (side // 4 for side in astronaut.pixels.shape[:2])
    heights = np.repeat(4 * np.arange(tall, dtype=np.float32)[:, None], wide, axis=1)
    mouth = _mouth(astronaut)
    assert mouth.lowered(heights, 0.0, step=4) is heights
    lowered = mouth.lowered(heights, _GAP, step=4)
    x, y = astronaut.landmarks[8]
    assert lowered[round((y + _GAP) / 4), round(x / 4)] == pytest.approx(y, abs=5)
    above = int(astronaut.landmarks[33, 1] / 4)
    assert (lowered[:above] == heights[:above]).all()


def test_a_mouth_beside_the_image_changes_nothing(astronaut: Photo) -> None:
    beside = Mouth(MouthPlace.of_68(astronaut.landmarks + np.array([5000, 0], np.float32)))
    assert (beside.opened(astronaut.pixels, _GAP) == astronaut.pixels).all()


def test_a_seed_gives_one_room_and_another_seed_another() -> None:
    first = paint_room(np.random.default_rng(1), width=300, height=400)
    assert first.shape == (400, 300, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, paint_room(np.random.default_rng(1), width=300, height=400))
    assert not np.array_equal(first, paint_room(np.random.default_rng(2), width=300, height=400))


def test_no_face_is_seen_in_an_empty_room(embedded: Pack) -> None:
    for seed in range(4):
        room = paint_room(np.random.default_rng(seed), width=480, height=640)
        assert embedded.detector.detect(room) == ()
