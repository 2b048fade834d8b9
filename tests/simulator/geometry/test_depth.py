import numpy as np

from simulator import Photo
from simulator.geometry import fit_head, head_depth


def test_the_map_follows_the_head(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    fit = fit_head(astronaut.landmarks)
    depth = head_depth(astronaut.landmarks, fit, size=(width, height), step=4)
    assert depth.shape == (-(-height // 4), -(-width // 4))
    assert np.isfinite(depth).all()
    columns, rows = np.round(astronaut.landmarks.T / 4).astype(int)
    at_landmarks = depth[rows, columns]
    # Smoothing blunts the tip of the nose; the shape has to stay.
    assert np.corrcoef(at_landmarks, fit.depths)[0, 1] > 0.97
    top = np.unravel_index(int(np.argmax(depth)), depth.shape)
    assert np.hypot(top[0] - rows[30], top[1] - columns[30]) * 4 < 0.25 * astronaut.eye_distance
    assert depth[0, 0] < -0.8 * astronaut.eye_distance


def test_the_map_is_smooth_enough_to_warp_without_tearing(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    fit = fit_head(astronaut.landmarks)
    depth = head_depth(astronaut.landmarks, fit, size=(width, height), step=4)
    # A turn by 10 degrees moves a place by sin(10) of its depth: below a slope of 4 nothing folds.
    slope = np.abs(np.diff(depth, axis=1)).max() / 4
    assert slope * np.sin(np.deg2rad(10)) < 0.7
