from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity as reference

from formats.image_format import ImageFormat
from formats.image_header import detect_format
from matcher.conformance.detail import UNBLOCKED, mean_luma_step
from research.portrait_measures.faces import portrait_at
from research.portrait_measures.measures import (
    as_jpeg,
    as_jpeg2000,
    in_first_half,
    ladder_of,
    mean_errors,
    structural_similarity,
)
from tests.matcher.conformance.pictures import drawn_face, portrait_of


@pytest.mark.parametrize("quality", [90, 30, 5])
def test_the_similarity_is_that_of_scikit_image(quality: int) -> None:
    one = cv2.cvtColor(drawn_face(), cv2.COLOR_BGR2GRAY).astype(np.uint8)
    other = cv2.imdecode(
        cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )
    expected = reference(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert structural_similarity(one, np.asarray(other, dtype=np.uint8)) == pytest.approx(expected, abs=1e-6)
    assert structural_similarity(one, one) == pytest.approx(1)


def test_a_jpeg_2000_has_the_bits_that_were_asked_for() -> None:
    file = as_jpeg2000(drawn_face(), 0.5)
    assert detect_format(file) in {ImageFormat.JP2, ImageFormat.J2K}
    assert 8 * len(file) / (616 * 616) == pytest.approx(0.5, rel=0.05)


def test_a_jpeg_has_the_tables_of_its_quality() -> None:
    assert mean_luma_step(as_jpeg(drawn_face(), 50)) == pytest.approx(45.3, abs=0.1)


def test_the_halves_are_fixed_and_both_there() -> None:
    halves = [in_first_half(f"person {at}") for at in range(100)]
    assert halves == [in_first_half(f"person {at}") for at in range(100)]
    assert 30 < sum(halves) < 70


def test_a_ladder_and_its_own_tables() -> None:
    portrait = portrait_at(portrait_of(drawn_face()), eyes=100)
    ladder = ladder_of(portrait)
    assert (np.diff(ladder.jpeg[:, 0]) > 0).all()
    assert ladder.jpeg[0, 1] > 0.99 > ladder.jpeg[5, 1] > ladder.jpeg[-1, 1]
    assert ladder.jpeg2000[-1, 1] > ladder.jpeg2000[5, 1] > ladder.jpeg2000[0, 1]
    assert ladder.unblocked.max() < UNBLOCKED
    jpeg, jpeg2000 = mean_errors([ladder], ladder)
    np.testing.assert_allclose(jpeg[0, :, 0], 0, atol=1e-9)
    np.testing.assert_allclose(jpeg2000, 0, atol=1e-9)
    shifted = replace(
        ladder, jpeg=ladder.jpeg + np.array([0, 0.01, 0]), jpeg2000=ladder.jpeg2000 + np.array([0, 0.02])
    )
    jpeg, jpeg2000 = mean_errors([shifted], ladder)
    np.testing.assert_allclose(jpeg[0, :, 0], 0.01, atol=1e-9)
    np.testing.assert_allclose(jpeg2000, 0.02, atol=1e-9)
