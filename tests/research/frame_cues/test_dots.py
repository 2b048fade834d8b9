import numpy as np
import pytest

from research.frame_cues.dots import photographed, printed

_GREY = np.full((96, 128, 3), 140, np.uint8)


def test_a_print_keeps_tones_and_is_made_of_dots() -> None:
    rng = np.random.default_rng(0)
    print_ = printed(_GREY, pitch=6.0, roll=0.0, rng=rng)
    plain = photographed(_GREY, rng=rng)
    assert print_.shape == _GREY.shape
    assert float(plain.mean()) == pytest.approx(140, abs=1)
    assert float(print_.mean()) == pytest.approx(140, abs=25)
    assert float(print_.std()) > 4 * float(plain.std())


def test_white_paper_has_no_dots() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    print_ = printed(white, pitch=6.0, roll=0.0, rng=np.random.default_rng(0))
    assert float(print_.mean()) > 250


def test_dots_finer_than_the_pixels_do_not_show() -> None:
    rng = np.random.default_rng(0)
    fine = printed(_GREY, pitch=1.0, roll=0.0, rng=rng)
    coarse = printed(_GREY, pitch=6.0, roll=0.0, rng=rng)
    assert float(fine.std()) < 0.3 * float(coarse.std())
