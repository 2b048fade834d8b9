import numpy as np
import pytest

from liveness.dynamic.sample import LINEAR_LIGHT


def test_light_of_known_values() -> None:
    # 0.5 encoded is 21.4 % of the light; up to 10 of 255 the curve is a line.
    assert LINEAR_LIGHT[[0, 255]].tolist() == [0.0, 1.0]
    assert np.interp(127.5, np.arange(256), LINEAR_LIGHT) == pytest.approx(0.2140, abs=2e-4)
    assert LINEAR_LIGHT[10] == pytest.approx(10 / 255 / 12.92)


def test_light_rises_and_cannot_be_changed() -> None:
    assert (np.diff(LINEAR_LIGHT) > 0).all()
    with pytest.raises(ValueError, match="read-only"):
        LINEAR_LIGHT[0] = 1.0
