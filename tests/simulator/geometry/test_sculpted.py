import numpy as np

from simulator import Photo
from simulator.geometry import ellipsoid_depth, fit_head, generic_landmarks, sculpted_depth

_STEP = 4


def _at(depth: np.typing.NDArray[np.float32], x: float, y: float) -> float:
    return float(depth[round(y / _STEP), round(x / _STEP)])


def test_the_sculpted_head_has_the_features_of_a_face(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    fit = fit_head(astronaut.landmarks)
    depth = sculpted_depth(astronaut.landmarks, fit, size=(width, height), step=_STEP)
    scale = fit.pixels_per_millimetre

    def high(aside: float, below: float) -> float:
        """Millimetres towards the camera."""
        return _at(depth, fit.centre[0] + aside * scale, fit.centre[1] + below * scale) / scale

    nose = high(0, 32)
    assert nose == max(high(aside, below) for aside in range(-60, 61, 4) for below in range(-60, 101, 4))
    for eye in (-31, 31):
        assert high(eye, 2) < min(high(eye, -16), high(eye, 26)), "a socket between brow and cheekbone"
    assert high(0, 80) < min(high(0, 64), high(0, 94)), "a hollow between lips and chin"
    assert high(-50, 20) < nose - 20
    assert depth.min() / scale >= -82.001


def test_the_sculpted_head_is_near_the_landmarks_and_no_ellipsoid(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    fit = fit_head(astronaut.landmarks)
    scale = fit.pixels_per_millimetre
    sources = [
        source(astronaut.landmarks, fit, size=(width, height), step=_STEP) / scale
        for source in (sculpted_depth, ellipsoid_depth)
    ]
    assert np.abs(sources[0] - sources[1]).max() > 5
    inner = generic_landmarks()[17:]
    for depth in sources:
        seen = [_at(depth, fit.centre[0] + x * scale, fit.centre[1] + y * scale) for x, y, _ in inner]
        assert np.corrcoef(seen, inner[:, 2])[0, 1] > 0.7
