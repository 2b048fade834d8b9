import numpy as np
import pytest

from simulator import Emission, PhoneSettings
from simulator.light.sources import AreaLight

_PHONE = PhoneSettings(width_mm=65.0, height_mm=140.0, below_camera_mm=0.0)


def _light(emission: Emission, bands: int = 5) -> AreaLight:
    return AreaLight(phone=_PHONE, bands=bands, emission=emission)


def _in_front(
    light: AreaLight, distance: float, x: float = 0.0, y: float = 70.0
) -> np.typing.NDArray[np.float32]:
    """All bands together at one place, shape (3,)."""
    place = (np.full((1, 1), value, np.float32) for value in (x, y, -distance))
    return np.asarray(light.vectors(*place)[:, :, 0, 0].sum(axis=0), dtype=np.float32)


@pytest.mark.parametrize("emission", list(Emission))
def test_twice_the_distance_is_a_quarter_of_the_light(emission: Emission) -> None:
    light = _light(emission)
    near, far = _in_front(light, 1500.0)[2], _in_front(light, 3000.0)[2]
    assert near / far == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize("emission", list(Emission))
def test_a_white_screen_gives_a_face_tens_of_lux(emission: Emission) -> None:
    lux = 400 * float(_in_front(_light(emission), 300.0)[2])
    assert lux == pytest.approx(400 * 0.065 * 0.14 / 0.09, rel=0.1)
    assert 30 < lux < 60


def test_both_ways_of_adding_up_agree() -> None:
    points, area = _light(Emission.POINTS), _light(Emission.AREA)
    for distance in (250.0, 400.0):
        for x, y in ((0.0, 0.0), (80.0, -60.0), (-60.0, 150.0)):
            assert _in_front(points, distance, x, y) == pytest.approx(
                _in_front(area, distance, x, y), rel=0.03, abs=1e-4
            )


@pytest.mark.parametrize("emission", list(Emission))
def test_light_comes_from_where_the_screen_is(emission: Emission) -> None:
    right_of_it = _in_front(_light(emission), 300.0, x=200.0)
    above_it = _in_front(_light(emission), 300.0, y=-200.0)
    assert right_of_it[0] < 0 < right_of_it[2]
    assert above_it[1] > 0


def test_upper_bands_light_the_upper_part_more() -> None:
    few = _light(Emission.AREA).vectors(
        np.zeros((1, 2), np.float32),
        np.array([[-60.0, 200.0]], np.float32),
        np.full((1, 2), -250.0, np.float32),
    )
    top, bottom = few[0, 2, 0], few[-1, 2, 0]
    assert top[0] > bottom[0]
    assert bottom[1] > top[1]


def test_a_directed_screen_is_darker_from_aside() -> None:
    points, directed = _light(Emission.POINTS), _light(Emission.DIRECTED)
    shares = []
    for degrees in (0.0, 30.0, 51.0):
        angle = np.deg2rad(degrees)
        place = 3000.0 * float(np.cos(angle)), 3000.0 * float(np.sin(angle))
        shares.append(float(_in_front(directed, *place)[2] / _in_front(points, *place)[2]))
    assert shares == pytest.approx([1.0, np.cos(np.deg2rad(30.0)) ** 1.5, 0.5], abs=0.02)
