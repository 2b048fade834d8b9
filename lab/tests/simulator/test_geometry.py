"""The shapes of heads and what the camera sees of them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.simulator import Photo
from lab.simulator.geometry import (
    FloatMap,
    Relief,
    ReliefPose,
    Viewport,
    ellipsoid_depth,
    fit_head,
    generic_landmarks,
    head_depth,
    mesh_depth,
    sculpted_depth,
)


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


def test_the_map_of_a_mesh_has_its_heights_and_falls_back_beside_the_face(astronaut: Photo) -> None:
    height, width = astronaut.pixels.shape[:2]
    fit = fit_head(astronaut.landmarks)
    eyes = astronaut.eye_distance
    rng = np.random.default_rng(1)
    across, down = rng.uniform(-0.9, 0.9, (2, 468)) * eyes
    bulge = 0.3 * eyes - (across**2 + down**2) / (2 * eyes)
    mesh = np.column_stack([fit.centre[0] + across, fit.centre[1] + 0.5 * eyes + down, bulge])
    depth = mesh_depth(mesh, fit, size=(width, height), step=4)
    assert depth.shape == (-(-height // 4), -(-width // 4))
    columns, rows = np.round(mesh[:, :2].T / 4).astype(int)
    assert np.abs(depth[rows, columns] - bulge).max() < 0.05 * eyes
    assert depth[0, 0] < -0.8 * eyes


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


_VIEW = Viewport(width=240, height=320, margin=48, focal=270.0)
_PIVOT = (168.0, 260.0, -70.0)


def _projected(relief: Relief, placement: ReliefPose) -> tuple[FloatMap, FloatMap]:
    """Where each sample of the grid is seen, in canvas coordinates."""
    return relief.on_picture(relief.positions(placement), placement)


def _dome() -> np.typing.NDArray[np.float32]:
    rows, columns = Relief.grid_shape(_VIEW)
    x, y = np.meshgrid(np.arange(columns) * 4.0 - 168, np.arange(rows) * 4.0 - 208)
    return np.asarray(45 * np.exp(-(x**2 + y**2) / (2 * 45**2)), dtype=np.float32)


placements = st.builds(
    ReliefPose,
    yaw=st.floats(-9, 9),
    pitch=st.floats(-7, 7),
    roll=st.floats(-5, 5),
    shift_x=st.floats(-15, 15),
    shift_y=st.floats(-15, 15),
    approach=st.floats(-0.06, 0.25),
)


def test_at_rest_every_pixel_shows_itself() -> None:
    seen = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT).look_up(ReliefPose())
    x, y = np.meshgrid(np.arange(240) + 48, np.arange(320) + 48)
    assert seen.map_x == pytest.approx(x, abs=1e-2)
    assert seen.map_y == pytest.approx(y, abs=1e-2)
    assert seen.lens == _VIEW.focal


@settings(max_examples=40, deadline=None)
@given(placements)
def test_the_inverse_undoes_the_projection(placement: ReliefPose) -> None:
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT)
    seen = relief.look_up(placement)
    projected = np.dstack(_projected(relief, placement))
    back = cv2.remap(
        projected, seen.map_x / 4, seen.map_y / 4, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = np.meshgrid(np.arange(240) + 48, np.arange(320) + 48)
    # Away from the border, at which pixels from beyond the image appear.
    inner = (slice(50, -50), slice(50, -50))
    bound = 0.45 if placement.approach < 0.06 else 0.75
    assert np.abs(back[..., 0] - x)[inner].max() < bound
    assert np.abs(back[..., 1] - y)[inner].max() < bound


def _off_its_plane(relief: Relief, placement: ReliefPose) -> float:
    """The most by which a place is not where the best plane would be."""
    rows, columns = Relief.grid_shape(_VIEW)
    grid = np.stack(np.meshgrid(np.arange(columns) * 4.0, np.arange(rows) * 4.0), axis=-1).reshape(-1, 1, 2)
    there = np.dstack(_projected(relief, placement)).reshape(-1, 1, 2)
    plane, _ = cv2.findHomography(grid, there, 0)
    return float(np.abs(cv2.perspectiveTransform(grid, plane) - there).max())


@settings(max_examples=40, deadline=None)
@given(placements)
def test_a_flat_picture_moves_as_a_plane(placement: ReliefPose) -> None:
    assert _off_its_plane(Relief(viewport=_VIEW, depth=None, pivot=(168.0, 300.0, 0.0)), placement) < 0.05


def test_a_dome_does_not_move_as_a_plane() -> None:
    assert _off_its_plane(Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT), ReliefPose(yaw=5)) > 1.0


@pytest.mark.parametrize(
    ("placement", "axis", "sign"),
    [
        (ReliefPose(yaw=5), 0, 1),
        (ReliefPose(yaw=-5), 0, -1),
        (ReliefPose(pitch=5), 1, -1),
        (ReliefPose(shift_x=4), 0, 1),
        (ReliefPose(shift_y=-4), 1, -1),
    ],
)
def test_signs_are_those_of_head_pose(placement: ReliefPose, axis: int, sign: int) -> None:
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=(168.0, 208.0, -70.0))
    row, column = 52, 42  # the dome's top
    moved = _projected(relief, placement)[axis][row, column] - (column, row)[axis] * 4
    assert sign * moved > 3


def test_roll_is_clockwise_and_approach_enlarges() -> None:
    relief = Relief(viewport=_VIEW, depth=None, pivot=(168.0, 208.0, 0.0))
    right_of_pivot = (52, 60)
    assert _projected(relief, ReliefPose(roll=5))[1][right_of_pivot] > 52 * 4 + 3
    assert _projected(relief, ReliefPose(approach=0.05))[0][right_of_pivot] > 60 * 4 + 3


def test_a_rigid_sheet_leans_and_does_not_turn() -> None:
    rows, columns = Relief.grid_shape(_VIEW)
    stiff = np.zeros((rows, columns), np.float32)
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT, stiffness=stiff)
    rest = _projected(relief, ReliefPose())
    assert _projected(relief, ReliefPose(yaw=8, pitch=5))[0] == pytest.approx(rest[0], abs=1e-3)
    assert np.abs(_projected(relief, ReliefPose(roll=5))[0] - rest[0]).max() > 3


def test_panning_moves_the_whole_image() -> None:
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT)
    still, panned = relief.look_up(ReliefPose()), relief.look_up(ReliefPose(), pan=(3.0, -2.0))
    assert panned.map_x == pytest.approx(still.map_x - 3, abs=0.02)
    assert panned.map_y == pytest.approx(still.map_y + 2, abs=0.02)


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
