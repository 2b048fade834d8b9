from collections import Counter

import numpy as np

from research.dynamic.cases import CALIBRATION_RENDERERS, HELD_OUT_RENDERERS


def test_held_out_renderers_share_no_model_with_tuned_ones() -> None:
    for which in ("emissions", "diffuses", "geometries"):
        assert not set(getattr(CALIBRATION_RENDERERS, which)) & set(getattr(HELD_OUT_RENDERERS, which))


def test_every_combination_is_drawn_about_as_often() -> None:
    rng = np.random.default_rng(1)
    drawn = Counter(CALIBRATION_RENDERERS.draw(rng) for _ in range(800))
    assert set(drawn) == CALIBRATION_RENDERERS.names
    assert len(drawn) == 8
    assert min(drawn.values()) > 60
    assert HELD_OUT_RENDERERS.draw(rng) == "directed/coated/sculpted"
