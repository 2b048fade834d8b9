"""The stronger recapture and the phones' pipeline: same shapes, another image, repeatable."""

import numpy as np

from research.pad_network.stronger import phone_processed, recaptured
from tests.research.pad_network.builders import BOX, noise_image


def test_a_recapture_changes_the_picture_and_can_be_repeated() -> None:
    image = noise_image()
    for seed in range(40):
        made = recaptured(image, BOX, random=np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (image.shape, image.dtype)
        assert np.abs(made.astype(int) - image).mean() > 1
        np.testing.assert_array_equal(made, recaptured(image, BOX, random=np.random.default_rng(seed)))


def test_a_phone_keeps_what_the_picture_shows() -> None:
    image = noise_image()
    for seed in range(20):
        made = phone_processed(image, random=np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (image.shape, image.dtype)
        assert np.corrcoef(made.ravel(), image.ravel())[0, 1] > 0.8
