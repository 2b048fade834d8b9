import cv2
import numpy as np

from simulator import Photo
from simulator.person import person_mask, spread_inside_colours


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


def test_the_mask_is_the_same_each_time(astronaut: Photo) -> None:
    first = person_mask(astronaut.pixels, astronaut.landmarks)
    assert np.array_equal(first, person_mask(astronaut.pixels, astronaut.landmarks))


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
