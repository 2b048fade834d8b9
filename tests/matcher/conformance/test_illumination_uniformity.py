from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matcher.conformance.illumination_uniformity import IlluminationUniformity
from tests.matcher.conformance.ofiq import expected_scores
from tests.matcher.conformance.pictures import (
    drawn_face,
    measured,
    plain,
    portrait_of,
    score,
    with_face,
    with_histogram,
)

MEASURE = IlluminationUniformity()


def test_one_light_for_both_cheeks() -> None:
    assert measured(MEASURE, portrait_of(plain())) == pytest.approx(1)
    assert score(MEASURE, portrait_of(plain())) == 100


def test_a_half_shaded_face_scores_low() -> None:
    image = plain()
    image[:, :308] //= 2
    assert measured(MEASURE, portrait_of(image)) == 0
    assert score(MEASURE, portrait_of(image)) == 0


def test_the_more_the_light_falls_off_the_lower() -> None:
    face = drawn_face()
    ladder = []
    for fall in (0.0, 0.1, 0.2, 0.4, 0.7):
        light = np.linspace(1, 1 - fall, face.shape[1])[None, :, None]
        ladder.append(measured(MEASURE, portrait_of((face * light).astype(np.uint8))))
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[0] > 0.8
    assert ladder[-1] < 0.1


def test_scores_as_ofiq_does(assets: Path) -> None:
    aligned = with_histogram({0: 1.0}).aligned
    assert aligned is not None
    for shared, points in expected_scores(assets, "IlluminationUniformity"):
        cheeks = np.full((2, 300, 300, 3), 200, dtype=np.uint8)
        cheeks[1].reshape(-1, 3)[round(shared * 90_000) :] = 90
        portrait = with_face(replace(aligned, cheeks=cheeks))
        assert measured(MEASURE, portrait) == pytest.approx(shared, abs=6e-6)
        assert score(MEASURE, portrait) == points
