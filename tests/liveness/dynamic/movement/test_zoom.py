import numpy as np
import pytest

from liveness.dynamic.movement.zoom import measure_zoom
from tests.liveness.builders import scan, segment


@pytest.mark.parametrize(("around", "share"), [(1.0, 0.0), (1.3, 1.0), (1.14, 0.5)])
def test_the_share_of_the_face_s_growth(around: float, share: float) -> None:
    part = segment(
        lambda phase, points: points * (1 + 0.3 * phase),
        background=lambda phase, points: points * (1 + (around - 1) * phase),
    )
    found = measure_zoom(scan(motion=[part, part]))
    assert found is not None
    assert found.share == pytest.approx(share, abs=0.02)
    assert found.growth == pytest.approx(1.3**2, rel=0.02)


def test_a_face_that_does_not_come_closer_is_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.05 * phase))
    back = segment(lambda phase, points: points * (1 - 0.3 * phase))
    assert measure_zoom(scan(motion=[part, back])) is None
    assert measure_zoom(scan()) is None


def test_lost_surroundings_are_not_measured() -> None:
    part = segment(lambda phase, points: points * (1 + 0.3 * phase))
    part.positions[1:, 70:] = np.nan
    assert measure_zoom(scan(motion=[part])) is None
