import numpy as np
from skimage import data

from research.embedded_study.wear import worn


def test_a_worn_photo_is_small_dim_and_repeatable() -> None:
    photo = np.ascontiguousarray(data.astronaut()[..., ::-1])
    poor = worn(photo, face_width=128.0, seed=3)
    assert poor.shape == (256, 256, 3)
    assert 0.2 < poor.mean() / photo.mean() < 0.4
    np.testing.assert_array_equal(poor, worn(photo, face_width=128.0, seed=3))
    assert not np.array_equal(poor, worn(photo, face_width=128.0, seed=4))


def test_a_small_face_is_not_enlarged() -> None:
    photo = np.full((60, 50, 3), 200, np.uint8)
    assert worn(photo, face_width=20.0, seed=1).shape == photo.shape
