import numpy as np
import pytest

from simulator import Photo
from simulator.face_parts import Expression


def test_each_part_of_the_face_moves_its_own_way(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    expression = Expression(astronaut.landmarks, grid=(x, y))
    places = np.round(astronaut.landmarks).astype(int)

    def at(field: tuple[np.typing.NDArray[np.float32], ...], index: int) -> tuple[float, float]:
        column, row = places[index]
        return float(field[0][row, column]), float(field[1][row, column])

    smile = expression.field(mouth=3.0, jaw=0.0, brows=0.0)
    assert at(smile, 48)[0] < -1.5
    assert at(smile, 54)[0] > 1.5
    assert at(smile, 48)[1] < 0
    assert at(smile, 27) == pytest.approx((0, 0), abs=0.3)
    jaw = expression.field(mouth=0.0, jaw=3.0, brows=0.0)
    assert at(jaw, 57)[1] > 2
    assert at(jaw, 36) == pytest.approx((0, 0), abs=0.1)
    brows = expression.field(mouth=0.0, jaw=0.0, brows=3.0)
    assert at(brows, 19)[1] < -2
    assert at(brows, 24)[1] < -2
    assert at(brows, 57) == pytest.approx((0, 0), abs=0.1)
