"""Points of heads and planes, projected exactly as a lens does, with the errors of tracking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveness.dynamic.approach import Closeup, Parallax
from liveness.dynamic.perspective import measure_perspective
from liveness.extent import face_extent
from liveness.plane import apply_plane_motion, fit_plane_motion
from tests.liveness.builders import face_at

_WIDTH, _HEIGHT = 480, 640
_NOISE = 0.0012
_FACE = face_at(240.0, 300.0, 170.0)


def _head(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A head of its own making, not the model's: a paraboloid with a pointed nose, face widths."""
    x, y = points.T
    nose = 0.17 * np.exp(-((x / 0.11) ** 2)) * np.clip(1 - np.abs(y - 0.02) / 0.28, 0, 1)
    depth: NDArray[np.float64] = -0.75 * x**2 - 0.42 * y**2 + nose
    return depth


def _plane(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.3 * points[:, 0] - 0.2 * points[:, 1]


def _approach(
    depth: NDArray[np.float64],
    points: NDArray[np.float64],
    *,
    growths: NDArray[np.float64],
    seed: int = 0,
    turn: float = 0.0,
    lens: float = 1.05,
    noise: float = _NOISE,
    lost: float = 0.1,
) -> Parallax:
    """What tracking would see of points at ``depth`` while the camera comes closer and the head turns."""
    rng = np.random.default_rng(seed)
    extent = face_extent(_FACE)
    away = lens * _WIDTH / extent.width
    places = np.array([extent.x, extent.y]) + points * extent.width
    # Where the points are in space, so that the far view shows them at ``places``.
    axis = (places - (_WIDTH / 2, _HEIGHT / 2)) / extent.width
    space = np.column_stack([axis * (away - depth)[:, None] / away, depth])
    closeups = []
    for index, growth in enumerate(growths):
        angle = turn * np.sin(2.1 * index)
        x = space[:, 0] * np.cos(angle) + space[:, 2] * np.sin(angle)
        z = space[:, 2] * np.cos(angle) - space[:, 0] * np.sin(angle)
        seen = np.column_stack([x, space[:, 1]]) * (away / (away / growth - z))[:, None]
        seen = seen / growth + rng.normal(0, noise, seen.shape)
        first, second = axis.astype(np.float32), seen.astype(np.float32)
        motion = fit_plane_motion(first, second)
        assert motion is not None
        left_over = (second - apply_plane_motion(motion, first)).astype(np.float64)
        left_over[rng.random(len(points)) < lost] = np.nan
        closeups.append(Closeup(frame=index + 1, growth=float(growth), left_over=left_over))
    return Parallax(
        face=_FACE,
        frame_width=_WIDTH,
        frame_height=_HEIGHT,
        places=places,
        closeups=tuple(closeups),
    )


def _points(count: int = 60, seed: int = 1) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    return np.column_stack([0.4 * radius * np.cos(angle), 0.58 * radius * np.sin(angle)])


_GROWTHS = np.linspace(1.1, 1.8, 20)


@pytest.mark.parametrize("lens", [0.85, 1.05, 1.25])
@pytest.mark.parametrize("turn", [0.0, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_a_head_has_a_head_s_depth_whatever_lens_and_sway(seed: int, turn: float, lens: float) -> None:
    points = _points(seed=seed)
    found = measure_perspective(
        _approach(_head(points), points, growths=_GROWTHS, seed=seed, turn=turn, lens=lens)
    )
    assert found is not None
    assert 0.6 < found.depth < 2.2
    assert found.depth - found.error > 0.45


@pytest.mark.parametrize("turn", [0.0, 0.15])
@pytest.mark.parametrize("seed", range(4))
def test_a_plane_has_none_however_it_is_tilted_and_turned(seed: int, turn: float) -> None:
    points = _points(seed=seed)
    found = measure_perspective(_approach(_plane(points), points, growths=_GROWTHS, seed=seed, turn=turn))
    assert found is not None
    assert abs(found.depth) < 3 * found.error + 0.02
    assert found.depth + found.error < 0.45


def test_half_the_depth_measures_half() -> None:
    points = _points(seed=5)
    found = [
        measure_perspective(_approach(share * _head(points), points, growths=_GROWTHS, noise=1e-5))
        for share in (1.0, 0.5)
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].depth == pytest.approx(found[0].depth / 2, rel=0.15)


def test_the_error_is_what_repeated_measurements_scatter_by() -> None:
    points = _points(seed=6)
    found = [
        measure_perspective(_approach(_plane(points), points, growths=_GROWTHS[-4:], seed=seed, lost=0.0))
        for seed in range(40)
    ]
    depths = [finding.depth for finding in found if finding is not None]
    errors = [finding.error for finding in found if finding is not None]
    assert len(depths) == 40
    assert np.std(depths) == pytest.approx(np.mean(errors), rel=0.4)


def test_a_few_points_that_slide_bend_nothing() -> None:
    points = _points(seed=7)
    parallax = _approach(_plane(points), points, growths=_GROWTHS)
    for closeup in parallax.closeups:
        closeup.left_over[:4] += 0.02 * points[:4]
    found = measure_perspective(parallax)
    assert found is not None
    assert found.depth + found.error < 0.45


@pytest.mark.parametrize(
    "parallax",
    [
        _approach(_head(_points()), _points(), growths=np.linspace(1.0, 1.2, 20)),
        _approach(_head(_points()), _points(), growths=np.array([1.5, 1.6])),
        _approach(_head(_points(18)), _points(18), growths=_GROWTHS),
        _approach(_head(_points()), _points(), growths=_GROWTHS, lost=0.6),
    ],
    ids=["no growth", "two frames", "few points", "mostly lost"],
)
def test_too_little_to_go_by_is_no_finding(parallax: Parallax) -> None:
    assert measure_perspective(parallax) is None


@settings(max_examples=60, deadline=None)
@given(
    points=st.integers(0, 40),
    growths=st.lists(st.floats(0.5, 3.0), max_size=8),
    size=st.floats(0, 10),
    seed=st.integers(0, 99),
)
def test_whatever_was_followed_no_number_is_made_up(
    points: int, growths: list[float], size: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    left_over = rng.normal(0, size, (points, 2))
    left_over[rng.random(points) < 0.3] = np.nan
    parallax = Parallax(
        face=_FACE,
        frame_width=_WIDTH,
        frame_height=_HEIGHT,
        places=rng.uniform(0, 1, (points, 2)) * rng.choice([0.0, 1.0, 300.0]) + (240.0, 300.0),
        closeups=tuple(
            Closeup(frame=index, growth=g, left_over=left_over) for index, g in enumerate(growths)
        ),
    )
    found = measure_perspective(parallax)
    assert found is None or (np.isfinite(found.depth) and np.isfinite(found.error) and found.error >= 0)
