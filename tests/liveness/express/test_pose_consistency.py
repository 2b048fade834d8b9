from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.express.pose_consistency import PoseConsistency, measure_nose
from liveness.express.settings import ExpressSettings
from liveness.observation import MotionSegment, ScanObservations
from liveness.signal import Signal
from tests.liveness.builders import as_plane, observation, scan, segment
from vision.face import HeadPose

_SETTINGS = ExpressSettings()
_NOSE_TIP = 0.093
"""Its place in the builders' face: face widths below the middle of its extent."""

Path = Callable[[float, NDArray[np.float64]], NDArray[np.float64]]


def _head(size: float = 0.15) -> Path:
    """A head that turns with its neck behind it: an ellipsoid with a nose."""

    def relief(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        skull = 0.45 * np.sqrt(np.clip(1 - (x / 0.55) ** 2 - (y / 0.75) ** 2, 0, None))
        ridge = np.clip(1 + (y - _NOSE_TIP) / 0.2, 0, 1) * (y <= _NOSE_TIP + 0.03)
        return np.asarray(skull + 0.16 * ridge * np.exp(-((x / 0.07) ** 2) / 2))

    return _turning(relief, size)


def _mask(size: float = 0.15) -> Path:
    """Paper around a head: a cylinder."""
    return _turning(lambda x, y: np.sqrt(np.clip(0.6**2 - x**2, 0, None)) + 0 * y, size)


def _turning(
    relief: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]], size: float
) -> Path:
    def path(phase: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = size * np.sin(2 * np.pi * phase)
        depth = 0.4 + relief(points[:, 0], points[:, 1])
        moved: NDArray[np.float64] = points + np.stack([angle * depth, 0.3 * angle * depth], axis=1)
        return moved

    return path


def _scan(path: Path, *, yaw: float, seed: int = 0, **changes: float) -> ScanObservations:
    """Three segments along ``path``, of frames with a pose that swings by ``yaw`` degrees to either side."""
    frames = [
        observation(index, pose=HeadPose(yaw=yaw * float(np.sin(index)), pitch=0, roll=0))
        for index in range(45)
    ]
    motion = [segment(path, seed=seed + at, **changes) for at in range(3)]  # type: ignore[arg-type]
    return scan(frames, motion)


def _assess(seen: ScanObservations) -> Signal:
    return PoseConsistency().assess(seen, _SETTINGS)


def test_a_turning_head_shows_its_nose() -> None:
    found = _assess(_scan(_head(), yaw=12))
    assert found.score is not None
    assert found.score > 0.8
    assert "nose stood out" in found.detail


def test_a_nose_shows_before_the_pose_does() -> None:
    assert _assess(_scan(_head(0.06), yaw=2)).passed is True


@pytest.mark.parametrize("path", [_mask(), _mask(0.3), as_plane(0.2)], ids=["mask", "swinging mask", "sheet"])
def test_paper_that_turns_shows_none(path: Path) -> None:
    found = [_assess(_scan(path, yaw=12, seed=seed)) for seed in range(0, 24, 3)]
    # The remainder of paper is noise, with a correlation to a nose that is sometimes above the line by
    # chance.
    assert sum(signal.passed is False for signal in found) >= 5
    assert all(signal.score is not None and signal.score < 0.85 for signal in found)


@pytest.mark.parametrize("path", [_mask(), as_plane(0.2)], ids=["mask", "sheet"])
def test_a_face_without_turn_is_not_assessed(path: Path) -> None:
    found = _assess(_scan(path, yaw=2))
    assert found.score is None
    assert "too little" in found.detail


def test_noise_of_a_still_face_is_no_depth() -> None:
    found = _assess(_scan(lambda _, points: points, yaw=12, noise=0.0005))
    assert found.score is None
    assert "too little" in found.detail


def test_small_faces_are_not_assessed() -> None:
    assert "too small" in _assess(_scan(_head(), yaw=12, face_width=45)).detail


def _without_points(motion: MotionSegment) -> MotionSegment:
    lost = motion.left_over.copy()
    lost[:, :60] = np.nan
    return MotionSegment(
        frames=motion.frames,
        times=motion.times,
        positions=motion.positions,
        left_over=lost,
        on_face=motion.on_face,
        face_width=motion.face_width,
        tracking_error=motion.tracking_error,
        changes=motion.changes,
    )


@pytest.mark.parametrize(
    "motion",
    [(), (segment(_head(), steps=3),), (_without_points(segment(_head())),)],
    ids=["no motion", "too short", "points lost"],
)
def test_too_little_is_not_assessed(motion: Sequence[MotionSegment]) -> None:
    seen = scan(motion=motion)
    assert measure_nose(seen) is None
    assert _assess(seen).score is None


def test_a_frame_in_which_all_points_are_lost_is_left_out() -> None:
    whole = segment(_head())
    left_over, positions = whole.left_over.copy(), whole.positions.copy()
    left_over[-1], positions[-1] = np.nan, np.nan
    torn = MotionSegment(
        frames=whole.frames,
        times=whole.times,
        positions=positions,
        left_over=left_over,
        on_face=whole.on_face,
        face_width=whole.face_width,
        tracking_error=whole.tracking_error,
        changes=whole.changes,
    )
    found = measure_nose(scan(motion=[torn]))
    assert found is not None
    assert found.evidence > _SETTINGS.nose_evidence
