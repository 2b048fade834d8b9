import cv2
import numpy as np
import pytest

from simulator import Photo
from simulator.face_parts import Eyelids
from tests.simulator.measures import landmarks_of
from vision.face import Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs.pack import Pack


def _opening(pack: Pack, image: np.typing.NDArray[np.uint8]) -> float:
    found = Landmarks(points=landmarks_of(pack, image), scheme="ibug68")
    return float(np.mean(eye_aspect_ratio(found)))


def test_open_eyes_that_face_the_camera_are_unchanged(astronaut: Photo) -> None:
    picture = astronaut.pixels.copy()
    Eyelids(picture, astronaut.landmarks).draw(picture, closure=0.0, gaze=(0.0, 0.0))
    assert np.array_equal(picture, astronaut.pixels)


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
