"""The cues over time: motion, depth and the face itself."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lab.studies.scans import clip_windows, observe_scan
from liveness.express.cues import (
    CROP_FACE,
    WIDE_FACE,
    FrameCues,
    cut_crops,
    score_of_cue,
    shrink,
    summarise_cue,
)
from liveness.express.motion import left_over_ratio, measure_nose, motion_steps, typical_face_width
from liveness.express.settings import CueLine, ExpressSettings
from liveness.express.signals import (
    Blink,
    ExpressSignal,
    EyesOpen,
    FaceArea,
    HeadPoseSignal,
    MicroMotion,
    PassiveEvidence,
    PlanarMotion,
    PoseConsistency,
    Sharpness,
    Stillness,
    Surroundings,
    depth_odds,
    has_sign_of_life,
    life_signs,
    measure_depth,
)
from liveness.observation import MotionSegment, RegionChange, ScanObservations
from liveness.verdict import Signal, assessed, not_assessed
from matcher.persons import SCAN_SUBJECT
from tests.liveness.builders import (
    as_head,
    as_plane,
    face_at,
    observation,
    observations,
    rendered_scan,
    scan,
    segment,
)
from tests.liveness.express.portrait import FACE, cues_of, portrait, small
from tests.packs import shared_pack
from vision.face import HeadPose


def test_a_close_crop_holds_the_face_at_its_size_in_its_place() -> None:
    crops = cut_crops(portrait(), FACE)
    assert crops is not None
    crop = crops.close
    assert crop.extent.width == pytest.approx(CROP_FACE)
    assert crop.frame_width == pytest.approx(200.0)
    assert crop.inside == pytest.approx(1.0, abs=0.03)
    assert crop.luma.shape == crop.picture.shape[:2]
    eyes = crop.five_points[:2]
    assert float(np.linalg.norm(eyes[1] - eyes[0])) == pytest.approx(CROP_FACE / 2.15, rel=0.01)
    dark = [crop.picture[round(float(y)), round(float(x))].mean() for x, y in eyes]
    assert max(dark) < 60


def test_a_wide_crop_holds_the_room_at_the_faces_sides() -> None:
    crops = cut_crops(portrait(), FACE)
    assert crops is not None
    wide = crops.wide
    assert wide.extent.width == pytest.approx(WIDE_FACE)
    # The face is 200 of 480 pixels wide, in the middle.
    assert wide.luma.shape[1] == pytest.approx(480 / 200 * WIDE_FACE, abs=1)
    assert wide.extent.x == pytest.approx(240 / 200 * WIDE_FACE, abs=0.5)
    eyes = round(wide.extent.y - 0.18 * WIDE_FACE)
    assert wide.luma[eyes - 2 : eyes + 3].min() < 60


@pytest.mark.parametrize("scale", [0.45, 4.1])
def test_crops_are_the_same_whatever_the_cameras_pixels(scale: float) -> None:
    crops, other = cut_crops(portrait(), FACE), cut_crops(*small(portrait(), scale))
    assert crops is not None
    assert other is not None
    # Because pixels are whole, crops may begin slightly further out.
    for one, two in ((crops.close.extent, other.close.extent), (crops.wide.extent, other.wide.extent)):
        assert (two.x, two.y) == pytest.approx((one.x, one.y), abs=0.03 * one.width)
    here, there = (each.close.luma[each.close.face] for each in (crops, other))
    rows, columns = min(len(here), len(there)), min(here.shape[1], there.shape[1])
    apart = here[:rows, :columns].astype(float) - there[:rows, :columns]
    assert float(np.abs(apart).mean()) < 9


def test_parts_outside_the_frame_are_missing_from_the_crops() -> None:
    crops = cut_crops(portrait(), face_at(20.0, 300.0, 200.0))
    assert crops is not None
    assert crops.close.inside == pytest.approx(0.6, abs=0.03)
    assert crops.close.luma[crops.close.place(-1.0, -0.5, -0.5, 0.5)].shape[1] == 0
    assert crops.wide.extent.left < 0
    for x, y in ((-1.0, 300.0), (481.0, 300.0), (240.0, -1.0), (240.0, 641.0)):
        assert cut_crops(portrait(), face_at(x, y, 200.0)) is None


@pytest.mark.parametrize("scale", [0.05, 0.25, 0.8, 2.3])
def test_shrinking_keeps_brightness_and_gives_the_size_asked_for(scale: float) -> None:
    image = portrait()
    small_one = shrink(image, scale)
    assert small_one.shape[:2] == (round(640 * scale), round(480 * scale))
    assert float(small_one.mean()) == pytest.approx(float(image.mean()), abs=2.0)
    assert shrink(np.zeros((2, 300, 3), np.uint8), 0.01).shape == (1, 3, 3), "a pixel at least"


_VALUES = st.floats(-1e6, 1e6)


def test_the_median_of_the_frames_that_have_the_cue() -> None:
    cues = [*cues_of("moire", [1.0, 9.0, 2.0]), FrameCues(frame_index=3, values={})]
    found = summarise_cue(cues, "moire")
    assert found is not None
    assert (found.value, found.frames, found.counted) == (2.0, 3, "3 frames")
    assert summarise_cue(cues, "medium_border") is None


@given(value=_VALUES, line=_VALUES, live=_VALUES)
def test_a_score_is_a_half_on_the_line_and_more_on_the_live_side(
    value: float, line: float, live: float
) -> None:
    if abs(line - live) < 1e-3:
        return
    lines = CueLine(line=line, live=live)
    score = score_of_cue(value, lines)
    assert 0 <= score <= 1
    assert score_of_cue(line, lines) == pytest.approx(0.5)
    assert score_of_cue(live, lines) == pytest.approx(0.8)
    if (value - line) * (live - line) > 0:
        assert score >= 0.5
    else:
        assert score <= 0.5


HeadPath = Callable[[float, NDArray[np.float64]], NDArray[np.float64]]


def _still_path(_: float, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points


_SETTINGS = ExpressSettings()
_LIVELY = RegionChange(eyes=0.01, mouth=0.003, rest=0.002)


def _score(signal: ExpressSignal, seen: ScanObservations) -> float:
    found = signal.assess(PassiveEvidence(scan=seen))
    assert found.score is not None, found.detail
    assert found.passed is (found.score >= 0.5)
    return found.score


@pytest.mark.parametrize("size", [0.08, 0.15, 0.3])
def test_a_turning_head_is_no_plane(size: float) -> None:
    seen = scan(motion=[segment(as_head(size), seed=seed) for seed in range(3)])
    assert _score(PlanarMotion(), seen) > 0.8


@pytest.mark.parametrize("size", [0.03, 0.1, 0.4])
def test_a_sheet_is_a_plane_however_it_is_waved(size: float) -> None:
    seen = scan(motion=[segment(as_plane(size), seed=seed) for seed in range(3)])
    assert _score(PlanarMotion(), seen) < 0.2


def test_movement_is_no_sign_of_life_and_stillness_a_sign_against() -> None:
    for moves in (as_plane(0.2), as_head(0.06)):
        assert _score(Stillness(), scan(motion=[segment(moves)] * 2)) == 0.5
    assert _score(Stillness(), scan(motion=[segment(_still_path, noise=0.001)] * 2)) < 0.1


def test_noise_is_no_depth() -> None:
    still = scan(motion=[segment(_still_path, noise=0.001, seed=seed) for seed in range(3)])
    assert PlanarMotion().assess(PassiveEvidence(scan=still)).score is None
    moved = [segment(as_plane(0.05), noise=0.0015, face_width=80, seed=seed) for seed in range(3)]
    assert _score(PlanarMotion(), scan(motion=moved)) < 0.3
    assert measure_depth(scan(motion=[segment(_still_path)] * 3)) == measure_depth(scan()) == 0
    assert not has_sign_of_life(scan())


def test_a_background_that_goes_along_is_a_sheet() -> None:
    sheet = scan(motion=[segment(as_plane(0.1), background=as_plane(0.1))] * 2)
    assert _score(Surroundings(), sheet) < 0.1
    apart = scan(motion=[segment(as_plane(0.1))] * 2)
    assert _score(Surroundings(), apart) == 0.5


def test_eyes_that_change_by_themselves_are_alive() -> None:
    alive = scan(motion=[segment(as_plane(0.02), change=_LIVELY)] * 2)
    assert _score(MicroMotion(), alive) > 0.9
    picture = scan(motion=[segment(as_plane(0.02))] * 2)
    assert _score(MicroMotion(), picture) < 0.3


def test_a_turning_head_hides_its_eyes_and_is_not_blamed_for_it() -> None:
    found = MicroMotion().assess(PassiveEvidence(scan=scan(motion=[segment(as_head(0.3))] * 2)))
    assert found.score is None
    assert "depth" in found.detail


@pytest.mark.parametrize("signal", [PlanarMotion(), Surroundings(), MicroMotion(), Stillness()])
@pytest.mark.parametrize(
    "seen",
    [
        scan(frames=()),
        scan(),
        scan(motion=[segment(as_head(0.1), steps=5)]),
    ],
    ids=["no frame", "no motion", "too short"],
)
def test_too_little_is_not_assessed(signal: ExpressSignal, seen: ScanObservations) -> None:
    found = signal.assess(PassiveEvidence(scan=seen))
    assert (found.name, found.score, found.passed) == (signal.name, None, None)
    assert found.detail


@pytest.mark.parametrize("signal", [PlanarMotion(), Surroundings(), MicroMotion()])
def test_small_faces_are_not_assessed(signal: ExpressSignal) -> None:
    tiny = scan(motion=[segment(as_head(0.1), face_width=45)] * 2)
    assert signal.assess(PassiveEvidence(scan=tiny)).score is None


def test_steps_separate_shift_and_residual() -> None:
    steps = motion_steps(scan(motion=[segment(lambda phase, points: points + 0.1 * phase, noise=0)]))
    assert steps[-1].moved == pytest.approx(steps[-1].shifted, rel=1e-3)
    assert left_over_ratio(steps) < 1e-3
    assert typical_face_width(scan(motion=[segment(as_plane())])) == 140
    assert typical_face_width(scan()) == 0


def test_rendered_sheet_and_rendered_head() -> None:
    def sheet(time: float, x: object, y: object) -> tuple[object, object]:
        turn = 0.05 * np.sin(4 * time)
        across, down = np.asarray(x) - 240, np.asarray(y) - 300
        depth = 1 + 8e-4 * turn * 20 * across
        return 240 + (across + 12 * turn * down / 12) / depth, 300 + (down - turn * across) / depth

    def head(time: float, x: object, y: object) -> tuple[object, object]:
        across, down = (np.asarray(x) - 240) / 230, (np.asarray(y) - 300) / 230
        radius = across**2 + down**2
        relief = 0.35 * np.sqrt(np.clip(1 - radius / 0.5, 0, None)) + 0.14 * np.exp(-radius / 0.01)
        return np.asarray(x) - 230 * 0.1 * np.sin(4 * time) * relief, y

    assert _score(PlanarMotion(), rendered_scan(sheet, frames=20)) < 0.3
    assert _score(PlanarMotion(), rendered_scan(head, frames=20)) > 0.7
    still = rendered_scan(lambda _, x, y: (x, y), frames=20)
    assert PlanarMotion().assess(PassiveEvidence(scan=still)).score is None
    assert _score(Stillness(), still) < 0.1
    assert _score(MicroMotion(), still) < 0.4


_NOSE_TIP = 0.093
"""Its place in the builders' face: face widths below the middle of its extent."""


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
    return PoseConsistency().assess(PassiveEvidence(scan=seen))


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


@pytest.mark.parametrize(
    ("seen", "detail"),
    [
        (_scan(_mask(), yaw=2), "too little"),
        (_scan(as_plane(0.2), yaw=2), "too little"),
        (_scan(_still_path, yaw=12, noise=0.0005), "too little"),
        (_scan(_head(), yaw=12, face_width=45), "too small"),
    ],
    ids=["mask without a turn", "sheet without a turn", "noise of a still face", "a small face"],
)
def test_too_little_turn_shows_no_nose(seen: ScanObservations, detail: str) -> None:
    found = _assess(seen)
    assert found.score is None
    assert detail in found.detail


_TORN = segment(_head()).left_over.copy()
_TORN[:, :60] = np.nan


@pytest.mark.parametrize(
    "motion",
    [(), (segment(_head(), steps=3),), (replace(segment(_head()), left_over=_TORN),)],
    ids=["no motion", "too short", "points lost"],
)
def test_too_little_is_not_assessed_for_depth(motion: Sequence[MotionSegment]) -> None:
    seen = scan(motion=motion)
    assert measure_nose(seen) is None
    assert _assess(seen).score is None


def test_a_frame_in_which_all_points_are_lost_is_left_out() -> None:
    whole = segment(_head())
    left_over, positions = whole.left_over.copy(), whole.positions.copy()
    left_over[-1], positions[-1] = np.nan, np.nan
    found = measure_nose(scan(motion=[replace(whole, positions=positions, left_over=left_over)]))
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


_OPEN = 0.30


def _face_score(openness: list[float | None]) -> float | None:
    frames = [
        observation(index, eyes=None if value is None else (value, value + 0.01))
        for index, value in enumerate(openness)
    ]
    return Blink().assess(PassiveEvidence(scan=scan(frames))).score


def _with_dip(*values: float) -> list[float | None]:
    return [*[_OPEN] * 15, *values, *[_OPEN] * 15]


@pytest.mark.parametrize("dip", [(0.15,), (0.22, 0.1, 0.2), (0.2, 0.1, 0.1, 0.12, 0.24)])
def test_a_dip_that_comes_back_is_a_blink(dip: tuple[float, ...]) -> None:
    score = _face_score(_with_dip(*dip))
    assert score is not None
    assert score > 0.9


@pytest.mark.parametrize(
    "openness",
    [
        [_OPEN] * 40,
        _with_dip(0.25),
        _with_dip(*[0.1] * 12),
        [_OPEN] * 30 + [0.1] * 5,
        [0.1] * 5 + [_OPEN] * 30,
        [0.1] * 30,
        [None] * 30,
        [_OPEN] * 5,
        [0.3, 0.21] * 15,
        [0.3, 0.3, 0.2, 0.2] * 10,
        [0.3, 0.3, 0.3, 0.3, 0.3, 0.15] * 8,
    ],
    ids=[
        *("none", "shallow", "long", "no end", "no begin", "shut", "no landmarks", "few", "jitter"),
        *("jitter of values that stay", "jitter now and then"),
    ],
)
def test_all_else_proves_nothing(openness: list[float | None]) -> None:
    assert _face_score(openness) is None


@pytest.mark.parametrize(
    ("open_eyes", "low", "blinks"),
    [((0.08, 0.08), (0.03, 0.03), False), ((0.3, 0.3), (0.1, 0.3), False), ((0.3, 0.3), (0.1, 0.1), True)],
    ids=["shut eyes", "a wink", "a blink"],
)
def test_neither_shut_eyes_nor_one_eye_blink(
    open_eyes: tuple[float, float], low: tuple[float, float], blinks: bool
) -> None:
    """Blinks are counted."""
    frames = [observation(at, eyes=low if at in {15, 16, 35, 36} else open_eyes) for at in range(50)]
    found = Blink().assess(PassiveEvidence(scan=scan(frames)))
    assert found.passed is (True if blinks else None)
    assert found.detail.startswith("2 blinks") is blinks


@pytest.mark.parametrize("level", [0.11, 0.2])
def test_narrow_eyes_blink(level: float) -> None:
    """A scan of narrow eyes, or of one, as of a person who squints."""
    for wide in (level, _OPEN):
        dip = [observation(at, eyes=(level, wide)) for at in range(15)]
        dip += [observation(at, eyes=(0.4 * level, 0.4 * wide)) for at in (15, 16)]
        dip += [observation(at, eyes=(level, wide)) for at in range(17, 32)]
        assert Blink().assess(PassiveEvidence(scan=scan(dip))).passed


@pytest.mark.parametrize(
    ("signal", "good", "bad"),
    [
        (Sharpness(), {"sharpness": 200.0}, {"sharpness": 8.0}),
        (HeadPoseSignal(), {"pose": HeadPose(3, -4, 0)}, {"pose": HeadPose(-40, 0, 0)}),
        (HeadPoseSignal(), {"pose": HeadPose(0, 0, 20)}, {"pose": HeadPose(0, 35, 0)}),
        (EyesOpen(), {"eyes": (0.3, 0.3)}, {"eyes": (0.05, 0.06)}),
        (FaceArea(), {"face": face_at(width=230)}, {"face": face_at(width=50)}),
        (FaceArea(), {"face": face_at(width=160)}, {"face": face_at(width=600)}),
    ],
)
def test_good_passes_and_bad_does_not(
    signal: ExpressSignal, good: dict[str, object], bad: dict[str, object]
) -> None:
    better, worse = (
        signal.assess(PassiveEvidence(scan=scan(observations(20, **change)))) for change in (good, bad)
    )
    assert (better.passed, worse.passed) == (True, False)
    assert better.score is not None
    assert worse.score is not None
    assert better.score > 0.7
    assert worse.score < 0.45


@pytest.mark.parametrize("signal", [Sharpness(), HeadPoseSignal(), EyesOpen(), FaceArea()])
def test_without_a_face_there_is_nothing_to_assess(signal: ExpressSignal) -> None:
    blank = scan(observations(20, face=None, faces=0, sharpness=None, pose=None, eyes=None, luminance=None))
    found = signal.assess(PassiveEvidence(scan=blank))
    assert (found.name, found.label, found.score) == (signal.name, signal.label, None)
    assert signal.assess(PassiveEvidence(scan=scan(()))).score is None
