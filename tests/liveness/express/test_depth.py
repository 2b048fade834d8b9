import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.scans import clip_windows, observe_scan
from liveness.express.motion import (
    PoseConsistency,
    depth_odds,
    has_sign_of_life,
    life_signs,
    measure_depth,
    measure_nose,
)
from liveness.express.settings import ExpressSettings
from liveness.observation import MotionSegment, ScanObservations
from liveness.verdict import Signal, assessed, not_assessed
from matcher.persons import SCAN_SUBJECT
from tests.liveness.builders import as_head, as_plane, observation, scan, segment
from tests.packs import shared_pack
from vision.face import HeadPose

_SETTINGS = ExpressSettings()
_NOSE_TIP = 0.093
"""Its place in the builders' face: face widths below the middle of its extent."""

HeadPath = Callable[[float, NDArray[np.float64]], NDArray[np.float64]]


def _head(size: float = 0.15) -> HeadPath:
    """A head that turns with its neck behind it: an ellipsoid with a nose."""

    def relief(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        skull = 0.45 * np.sqrt(np.clip(1 - (x / 0.55) ** 2 - (y / 0.75) ** 2, 0, None))
        ridge = np.clip(1 + (y - _NOSE_TIP) / 0.2, 0, 1) * (y <= _NOSE_TIP + 0.03)
        return np.asarray(skull + 0.16 * ridge * np.exp(-((x / 0.07) ** 2) / 2))

    return _turning(relief, size)


def _mask(size: float = 0.15) -> HeadPath:
    """Paper around a head: a cylinder."""
    return _turning(lambda x, y: np.sqrt(np.clip(0.6**2 - x**2, 0, None)) + 0 * y, size)


def _turning(
    relief: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]], size: float
) -> HeadPath:
    def path(phase: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = size * np.sin(2 * np.pi * phase)
        depth = 0.4 + relief(points[:, 0], points[:, 1])
        moved: NDArray[np.float64] = points + np.stack([angle * depth, 0.3 * angle * depth], axis=1)
        return moved

    return path


def _scan(path: HeadPath, *, yaw: float, seed: int = 0, **changes: float) -> ScanObservations:
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
def test_paper_that_turns_shows_none(path: HeadPath) -> None:
    found = [_assess(_scan(path, yaw=12, seed=seed)) for seed in range(0, 24, 3)]
    # The remainder of paper is noise, with a correlation to a nose that is sometimes above the line by
    # chance.
    assert sum(signal.passed is False for signal in found) >= 5
    assert all(signal.score is not None and signal.score < 0.85 for signal in found)


@pytest.mark.parametrize("path", [_mask(), as_plane(0.2)], ids=["mask", "sheet"])
def test_a_face_without_turn_is_not_assessed(path: HeadPath) -> None:
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


def _signal(name: str, score: float | None) -> Signal:
    if score is None:
        return not_assessed(name=name, label=name, reason="Too still.")
    return assessed(name=name, label=name, score=score, detail="")


@pytest.mark.parametrize(
    ("planar", "nose", "odds"),
    [
        (None, None, 0.0),
        (0.8, None, math.log(4)),
        (0.8, 0.9, math.log(4) + math.log(9)),
        (0.8, 0.2, 0.0),
        # A single signal has at most this effect, however certain it is.
        (1.0, None, math.log(99)),
        (0.0, None, -math.log(99)),
    ],
)
def test_both_signals_of_depth_add_up(planar: float | None, nose: float | None, odds: float) -> None:
    signals = (_signal("planar_motion", planar), _signal("pose_consistency", nose), _signal("blink", 0.99))
    assert depth_odds(signals) == pytest.approx(odds)


def test_a_head_shows_depth_and_a_sheet_does_not() -> None:
    head = measure_depth(scan(motion=[segment(as_head(0.15), seed=seed) for seed in range(3)]))
    sheet = measure_depth(scan(motion=[segment(as_plane(0.15), seed=seed) for seed in range(3)]))
    assert head > 1.3
    assert sheet < -1.3


def test_a_still_head_shows_no_depth() -> None:
    assert measure_depth(scan(motion=[segment(lambda _, points: points)] * 3)) == 0
    assert measure_depth(scan()) == 0


def test_only_assessed_signals_of_motion_are_signs() -> None:
    planar = assessed(name="planar_motion", label="", score=0.9, detail="")
    still = assessed(name="micro_motion", label="", score=0.1, detail="")
    others = (
        assessed(name="blink", label="", score=0.95, detail=""),
        assessed(name="pad_network", label="", score=1.0, detail=""),
        not_assessed(name="planar_motion", label="", reason="the face is too small"),
    )
    assert life_signs((planar, still, *others)) == (planar, still)
    assert life_signs(others) == ()


def test_a_scan_without_motion_has_none() -> None:
    assert not has_sign_of_life(scan())


@pytest.mark.parametrize(
    ("clip", "moves"),
    [
        ("video/live/KwaiVGI__assets__examples__driving__d3.mp4", True),
        ("video_more/live/rohintangirala__videos__face.mp4", False),
    ],
)
def test_a_moving_person_has_a_life_sign_and_a_still_one_has_none(
    clip: str, moves: bool, assets: Path
) -> None:
    pack = shared_pack(f"open:{assets / 'models'}")
    window = next(clip_windows(assets / "data" / clip))
    assert has_sign_of_life(observe_scan(window, pack, subject=SCAN_SUBJECT)) is moves
