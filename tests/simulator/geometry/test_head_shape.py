import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Photo
from simulator.geometry import fit_head, generic_landmarks


def test_the_nose_is_nearest_and_the_ears_are_farthest(astronaut: Photo) -> None:
    depths = fit_head(astronaut.landmarks).depths / astronaut.eye_distance
    assert int(np.argmax(depths)) == 30
    assert 0.3 < depths[30] < 0.8
    assert depths[[0, 16]].max() < -0.8


def test_a_frontal_face_is_found_frontal(astronaut: Photo) -> None:
    fit = fit_head(astronaut.landmarks)
    assert fit.rotation == pytest.approx(np.eye(3), abs=0.25)
    assert fit.rotation @ fit.rotation.T == pytest.approx(np.eye(3), abs=1e-9)
    assert fit.pixels_per_millimetre * 63 == pytest.approx(astronaut.eye_distance, rel=0.12)


@settings(deadline=None)
@given(st.floats(0.3, 5), st.floats(-500, 500), st.floats(-40, 40))
def test_scale_place_and_lean_are_recovered(scale: float, shift: float, lean: float) -> None:
    upright = fit_head(_generic())
    angle = np.deg2rad(lean)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = fit_head((scale * _generic() @ turn.T + shift).astype(np.float32))
    assert moved.pixels_per_millimetre == pytest.approx(scale * upright.pixels_per_millimetre, rel=1e-3)
    assert moved.depths == pytest.approx(scale * upright.depths, abs=0.02 * scale * 70)


def _generic() -> np.typing.NDArray[np.float32]:
    """A frontal face: the generic head in an orthographic camera."""
    return generic_landmarks()[:, :2].astype(np.float32)
