import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.geometry import Relief, ReliefPose, Viewport

_VIEW = Viewport(width=240, height=320, margin=48, focal=270.0)
_PIVOT = (168.0, 260.0, -70.0)


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
    projected = np.dstack(relief.project(placement))
    back = cv2.remap(
        projected, seen.map_x / 4, seen.map_y / 4, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    x, y = np.meshgrid(np.arange(240) + 48, np.arange(320) + 48)
    # Away from the border, at which pixels from beyond the image appear.
    inner = (slice(50, -50), slice(50, -50))
    bound = 0.45 if placement.approach < 0.06 else 0.75
    assert np.abs(back[..., 0] - x)[inner].max() < bound
    assert np.abs(back[..., 1] - y)[inner].max() < bound


@settings(max_examples=40, deadline=None)
@given(placements)
def test_a_flat_picture_moves_as_a_plane(placement: ReliefPose) -> None:
    x, y = Relief(viewport=_VIEW, depth=None, pivot=(168.0, 300.0, 0.0)).project(placement)
    rows, columns = Relief.grid_shape(_VIEW)
    grid = np.stack(np.meshgrid(np.arange(columns) * 4.0, np.arange(rows) * 4.0), axis=-1).reshape(-1, 1, 2)
    there = np.dstack((x, y)).reshape(-1, 1, 2)
    plane, _ = cv2.findHomography(grid, there, 0)
    assert np.abs(cv2.perspectiveTransform(grid, plane) - there).max() < 0.05


def test_a_dome_does_not_move_as_a_plane() -> None:
    x, y = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT).project(ReliefPose(yaw=5))
    rows, columns = Relief.grid_shape(_VIEW)
    grid = np.stack(np.meshgrid(np.arange(columns) * 4.0, np.arange(rows) * 4.0), axis=-1).reshape(-1, 1, 2)
    there = np.dstack((x, y)).reshape(-1, 1, 2)
    plane, _ = cv2.findHomography(grid, there, 0)
    assert np.abs(cv2.perspectiveTransform(grid, plane) - there).max() > 1.0


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
    moved = relief.project(placement)[axis][row, column] - (column, row)[axis] * 4
    assert sign * moved > 3


def test_roll_is_clockwise_and_approach_enlarges() -> None:
    relief = Relief(viewport=_VIEW, depth=None, pivot=(168.0, 208.0, 0.0))
    right_of_pivot = (52, 60)
    assert relief.project(ReliefPose(roll=5))[1][right_of_pivot] > 52 * 4 + 3
    assert relief.project(ReliefPose(approach=0.05))[0][right_of_pivot] > 60 * 4 + 3


def test_a_rigid_sheet_leans_and_does_not_turn() -> None:
    rows, columns = Relief.grid_shape(_VIEW)
    stiff = np.zeros((rows, columns), np.float32)
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT, stiffness=stiff)
    rest = relief.project(ReliefPose())
    assert relief.project(ReliefPose(yaw=8, pitch=5))[0] == pytest.approx(rest[0], abs=1e-3)
    assert np.abs(relief.project(ReliefPose(roll=5))[0] - rest[0]).max() > 3


def test_panning_moves_the_whole_image() -> None:
    relief = Relief(viewport=_VIEW, depth=_dome(), pivot=_PIVOT)
    still, panned = relief.look_up(ReliefPose()), relief.look_up(ReliefPose(), pan=(3.0, -2.0))
    assert panned.map_x == pytest.approx(still.map_x - 3, abs=0.02)
    assert panned.map_y == pytest.approx(still.map_y + 2, abs=0.02)
