"""The place, turn and course of a face in its frames, and the hints about them."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.simulator.photo import builtin_image, builtin_photo_names
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ScanKind, SceneSettings
from liveness.continuity import Stretch, examined_share, stretches, unexamined_stretches
from liveness.errors import LivenessPolicyError
from liveness.extent import UprightFaces, face_extent
from liveness.guidance import Guidance, GuidanceSettings, GuidanceState, HintCode, Oval, guide
from liveness.observation import FrameObservation, ScanObservations
from liveness.observe import observe_followed, observe_frame, view_frame
from liveness.occlusion import Cover
from liveness.tracking import (
    MINIMUM_POINTS,
    apply_plane_motion,
    carry_face,
    fit_plane_motion,
    follow,
    plane_motion,
    region_change,
    start_tracking,
)
from liveness.watch import ScanCollector
from matcher.persons import SCAN_SUBJECT, persons_among
from tests.liveness.builders import (
    HEIGHT,
    RATE,
    WIDTH,
    as_head,
    face_at,
    observation,
    observations,
    scan,
    segment,
    texture,
)
from tests.packs import real_pack, real_photo, shared_pack
from tests.sampling import some_fast
from vision.face import BgrImage, DetectedFace, HeadPose
from vision.geometry import similarity_transform


def test_the_extent_of_a_built_face_is_recovered() -> None:
    extent = face_extent(face_at(200, 250, 180))
    assert extent.width == pytest.approx(180, rel=0.02)
    assert extent.x == pytest.approx(200)
    assert extent.y == pytest.approx(250, abs=3)
    assert extent.right - extent.left == pytest.approx(extent.width)
    assert extent.bottom - extent.top == pytest.approx(extent.height)


def test_a_turned_head_is_no_smaller() -> None:
    face = face_at()
    turned = face.five_points.copy()
    turned[:, 0] = 240 + (turned[:, 0] - 240) * 0.7
    narrow = DetectedFace(box=face.box, confidence=1, five_points=turned)
    assert face_extent(narrow).width == pytest.approx(face_extent(face).width, rel=0.02)


# Faces in upright images, and in images that are not upright although their frames state it.

LOOKS_APART = 8


class _Detector:
    """A detector with a set confidence for each rotation of an image; a marked corner shows the rotation."""

    def __init__(self, *sure: float) -> None:
        self.sure = sure
        self.calls = 0

    def __call__(self, pixels: BgrImage) -> Sequence[DetectedFace]:
        self.calls += 1
        corners = [pixels[0, 0], pixels[0, -1], pixels[-1, -1], pixels[-1, 0]]
        # ``np.rot90`` rotates counter-clockwise: after one turn the right corner is the left one.
        turns = next(turns for turns, corner in enumerate(_turned_corners(corners)) if corner.all())
        confidence = self.sure[turns]
        return (replace(face_at(), confidence=confidence),) if confidence else ()


def _turned_corners(corners: Sequence[BgrImage]) -> tuple[BgrImage, ...]:
    """The mark's corner after 0, 1, 2 and 3 quarter turns counter-clockwise."""
    left_top, right_top, right_bottom, left_bottom = corners
    return left_top, left_bottom, right_bottom, right_top


def _picture() -> BgrImage:
    pixels = np.zeros((8, 6, 3), np.uint8)
    pixels[0, 0] = 255
    return pixels


def test_an_upright_face_costs_one_comparison() -> None:
    detector = _Detector(0.9, 0.8, 0.5, 0.0)
    faces = UprightFaces(detector)
    for _ in range(20):
        (face,) = faces(_picture())
        assert face.confidence == 0.9
        assert not faces.turned
    assert detector.calls == 20 + 3


@pytest.mark.parametrize("here", [0.0, 0.7])
@pytest.mark.parametrize("way", [1, 2, 3])
def test_a_face_that_fits_a_rotated_frame_better_is_refused_and_one_odd_picture_turns_nothing(
    here: float, way: int
) -> None:
    sure = [here, 0.5, 0.5, 0.5]
    sure[way] = 0.9
    once = _Detector(*sure)
    faces = UprightFaces(once)
    assert not faces(_picture())
    assert not faces.turned
    for _ in range(20):
        assert not faces(_picture())
        assert faces.turned
    faces = UprightFaces(once)
    assert not faces(_picture())
    once.sure = (0.9, 0.5, 0.5, 0.5)
    assert faces(_picture())
    assert not faces.turned


def test_pictures_that_turn_upright_are_taken_again_before_long() -> None:
    detector = _Detector(0.7, 0.9, 0.0, 0.0)
    faces = UprightFaces(detector)
    for _ in range(3):
        faces(_picture())
    assert faces.turned
    detector.sure = (0.9, 0.7, 0.0, 0.0)
    looks = 1
    while not faces(_picture()):
        looks += 1
    assert looks <= LOOKS_APART + 1
    assert not faces.turned


def test_a_frame_without_a_face_is_no_rotated_face() -> None:
    detector = _Detector(0.0, 0.0, 0.0, 0.55)
    faces = UprightFaces(detector)
    for _ in range(3 * LOOKS_APART):
        assert not faces(_picture())
        assert not faces.turned
    # One comparison for some images, not one for each.
    assert detector.calls <= 3 * LOOKS_APART + 3 * 4


def test_a_new_face_is_compared_at_once() -> None:
    detector = _Detector(0.0, 0.0, 0.0, 0.0)
    faces = UprightFaces(detector)
    faces(_picture())
    detector.sure = (0.7, 0.0, 0.9, 0.0)
    assert not faces(_picture())
    assert not faces(_picture())
    assert faces.turned


@pytest.mark.parametrize(
    ("degrees", "taken"), [(0, True), (45, True), (-50, True), (75, False), (180, False)]
)
def test_a_head_that_lies_on_its_side_is_not_taken_even_where_others_stood_upright(
    degrees: float, taken: bool
) -> None:
    turned = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    face = face_at()
    centre = face.five_points.mean(axis=0)
    points = ((face.five_points - centre) @ rotation.T + centre).astype(np.float32)
    found = [face]
    faces = UprightFaces(lambda _: found)
    assert faces(_picture())
    found[0] = replace(face, five_points=points)
    assert bool(faces(_picture())) is taken
    assert faces.turned is not taken


@pytest.mark.parametrize("family", ["embedded", "insightface", "open"])
@pytest.mark.parametrize("name", some_fast(builtin_photo_names(), step=5))
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_turned_photos_of_real_people_are_found_out(assets: Path, family: str, name: str, turns: int) -> None:
    find = _finder(family if family == "embedded" else f"{family}:{assets / 'models'}")
    pixels = np.ascontiguousarray(np.rot90(builtin_image(name)[::2, ::2], turns))
    faces = UprightFaces(find)
    found = [bool(faces(pixels)) for _ in range(2)]
    assert found == [turns == 0] * 2
    assert faces.turned is (turns != 0)


@functools.cache
def _finder(spec: str) -> Callable[[BgrImage], Sequence[DetectedFace]]:
    """A detector that remembers: a photo that is turned four times gives the same four pictures each time."""
    detector = shared_pack(spec).detector
    known: dict[bytes, Sequence[DetectedFace]] = {}

    def find(pixels: BgrImage) -> Sequence[DetectedFace]:
        size = (pixels.shape[1], pixels.shape[0])
        key = f"{size}".encode() + pixels.tobytes()
        if key not in known:
            known[key] = persons_among(detector.detect(pixels), size=size, rule=SCAN_SUBJECT)
        return known[key]

    return find


_OVAL = Oval()


def _code(**changes: object) -> HintCode:
    frame = observation(0, **changes)
    return guide(frame, oval=_OVAL, settings=GuidanceSettings(), state=GuidanceState()).frame_code


def _run(frames: list[FrameObservation]) -> list[Guidance]:
    state, given = GuidanceState(), []
    for frame in frames:
        given.append(guide(frame, oval=_OVAL, settings=GuidanceSettings(), state=state))
        state = given[-1].state
    return given


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, HintCode.GOOD),
        ({"face": None, "faces": 0}, HintCode.NO_FACE),
        ({"faces": 2}, HintCode.MULTIPLE_FACES),
        ({"luminance": 30.0}, HintCode.TOO_DARK),
        ({"dark_fraction": 0.7}, HintCode.TOO_DARK),
        ({"luminance": 235.0}, HintCode.TOO_BRIGHT),
        ({"saturated_fraction": 0.5}, HintCode.TOO_BRIGHT),
        ({"samples": np.full((64, 64), 80, np.uint8)}, HintCode.TOO_BRIGHT),
        ({"samples": np.full((64, 64), 70, np.uint8)}, HintCode.GOOD),
        ({"luminance": 60.0, "samples": np.tile(np.asarray([0, 255], np.uint8), (64, 32))}, HintCode.GOOD),
        (
            {"luminance": 50.0, "samples": np.tile(np.asarray([0, 255], np.uint8), (64, 32))},
            HintCode.TOO_BRIGHT,
        ),
        ({"face": face_at(width=400)}, HintCode.MOVE_BACK),
        ({"face": face_at(x=60)}, HintCode.FACE_CUT_OFF),
        ({"face": face_at(width=120)}, HintCode.MOVE_CLOSER),
        ({"face": face_at(x=240 + 80)}, HintCode.CENTER_FACE),
        ({"sharpness": 8.0}, HintCode.BLURRED),
        ({"pose": HeadPose(-32, 0, 0)}, HintCode.LOOK_STRAIGHT),
        ({"pose": HeadPose(0, 30, 0)}, HintCode.LOOK_STRAIGHT),
        ({"eyes": (0.07, 0.09)}, HintCode.EYES_CLOSED),
        ({"eyes": None}, HintCode.GOOD),
        # In order of priority.
        ({"luminance": 20.0, "face": face_at(width=100), "sharpness": 3.0}, HintCode.TOO_DARK),
        ({"face": face_at(width=100), "sharpness": 3.0}, HintCode.MOVE_CLOSER),
        ({"sharpness": 3.0, "eyes": (0.05, 0.05)}, HintCode.BLURRED),
    ],
)
def test_every_condition_has_its_code(changes: dict[str, object], code: HintCode) -> None:
    assert _code(**changes) is code


@pytest.mark.parametrize(("width", "height"), [(480, 640), (480, 480), (640, 480), (1280, 720)])
def test_a_face_fills_an_upright_oval_in_every_frame(width: int, height: int) -> None:
    oval = _OVAL.placed(width=width, height=height)
    assert 0.7 < oval.width / oval.height < 0.76
    assert oval.x == width / 2
    codes = [
        _code(width=width, height=height, face=face_at(oval.x, oval.y, size * oval.width))
        for size in (0.61, 0.63, 1.0, 1.14, 1.16)
    ]
    far, *well_placed, near = codes
    assert (far, near) == (HintCode.MOVE_CLOSER, HintCode.MOVE_BACK)
    assert set(well_placed) == {HintCode.GOOD}


@pytest.mark.parametrize(("width", "height"), [(480, 640), (480, 854), (1080, 1920)])
def test_the_oval_takes_its_shares_of_a_whole_portrait_frame(width: int, height: int) -> None:
    oval = Oval(0.6, 0.4, 0.5, 0.7).placed(width=width, height=height)
    assert (oval.x, oval.y, oval.width, oval.height) == (0.6 * width, 0.4 * height, 0.5 * width, 0.7 * height)


def test_a_code_is_reported_only_when_it_lasts() -> None:
    frames = [
        observation(index, eyes=(0.05, 0.05) if index in {10, 11} else (0.3, 0.3)) for index in range(20)
    ]
    given = [guidance.code for guidance in _run(frames)]
    assert given == [None, None] + [HintCode.GOOD] * 18


def test_a_face_on_the_line_does_not_flicker() -> None:
    line = GuidanceSettings().smallest * _OVAL.width * 480
    rng = np.random.default_rng(0)
    widths = [120.0] * 5 + list(line + rng.normal(0, 3, 60)) + [230.0] * 10
    given = [
        guidance.code
        for guidance in _run([observation(i, face=face_at(width=w)) for i, w in enumerate(widths)])
    ]
    changes = sum(earlier is not later for earlier, later in pairwise(given[3:]))
    assert changes == 1
    assert given[-1] is HintCode.GOOD


def test_natural_sway_is_still_enough_and_waving_is_not() -> None:
    def swaying(size: float, rate: float) -> list[FrameObservation]:
        # Detectors place the same face a pixel off from frame to frame.
        rng = np.random.default_rng(1)
        shift = size * 230 * np.sin(2 * np.pi * rate * np.arange(45) / RATE) + rng.normal(0, 1, 45)
        return [observation(index, face=face_at(x=240 + moved)) for index, moved in enumerate(shift)]

    assert {guidance.frame_code for guidance in _run(swaying(0.03, 0.5))} == {HintCode.GOOD}
    waved = [guidance.code for guidance in _run(swaying(0.2, 1.5))]
    assert HintCode.HOLD_STILL in waved


def test_a_stopped_clock_gives_no_speed() -> None:
    first = guide(observation(0), oval=_OVAL, settings=GuidanceSettings(), state=GuidanceState())
    again = guide(
        observation(0, face=face_at(x=270)), oval=_OVAL, settings=GuidanceSettings(), state=first.state
    )
    assert again.frame_code is HintCode.GOOD


@pytest.mark.parametrize("wrong", [{"width": 0.0}, {"centre_x": 0.1}, {"centre_y": 0.9}])
def test_an_oval_beyond_the_frame_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError):
        Oval(**wrong)


@pytest.mark.parametrize("wrong", [{"frames_to_hint": 0}, {"smallest": 2.0}, {"darkest": 230.0}])
def test_settings_in_the_wrong_order_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(LivenessPolicyError):
        GuidanceSettings(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_a_cover_is_a_hint_once_two_measured_frames_show_it() -> None:
    covers: list[Cover | None] = [Cover.MASK, None, None, Cover.MASK, None, None, None, Cover.NOTHING]
    codes = [one.frame_code for one in _run([observation(i, cover=each) for i, each in enumerate(covers)])]
    assert codes == [HintCode.GOOD] * 3 + [HintCode.FACE_MASK] * 4 + [HintCode.GOOD]
    given = _run([observation(i, cover=each) for i, each in enumerate(covers)])[6]
    assert given.code is HintCode.FACE_MASK


@pytest.mark.parametrize(
    ("cover", "code"),
    [
        (Cover.SUNGLASSES, HintCode.SUNGLASSES),
        (Cover.EYES, HintCode.EYES_NOT_VISIBLE),
        (Cover.MASK, HintCode.FACE_MASK),
        (Cover.MOUTH, HintCode.MOUTH_NOT_VISIBLE),
        (Cover.FACE, HintCode.FACE_OBSTRUCTED),
    ],
)
def test_every_cover_has_its_code_before_shut_eyes(cover: Cover, code: HintCode) -> None:
    frames = [observation(i, cover=cover, eyes=(0.05, 0.05)) for i in range(2)]
    assert [one.frame_code for one in _run(frames)] == [HintCode.EYES_CLOSED, code]


def test_a_lost_face_ends_a_cover() -> None:
    frames = [observation(i, cover=Cover.MASK) for i in range(3)]
    frames += [observation(3, face=None, faces=0), observation(4)]
    assert [one.frame_code for one in _run(frames)][3:] == [HintCode.NO_FACE, HintCode.GOOD]


def _points(count: int = 60, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(0, 100, (count, 2)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_any_mild_homography_is_found_again(values: list[float]) -> None:
    scale = np.array([[0.1, 0.1, 20], [0.1, 0.1, 20], [5e-4, 5e-4, 0]])
    true = np.eye(3) + scale * np.append(values, 0).reshape(3, 3)
    first = _points()
    second = apply_plane_motion(true, first)
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first) - second).max() < 0.01


def test_lost_points_do_not_bend_it() -> None:
    first = _points()
    second = first + 5
    second[:6] += 30
    found = fit_plane_motion(first, second)
    assert found is not None
    assert np.abs(apply_plane_motion(found, first[6:]) - second[6:]).max() < 0.5


@pytest.mark.parametrize(
    "first", [_points(MINIMUM_POINTS - 1), np.zeros((30, 2), np.float32), np.zeros((0, 2), np.float32)]
)
def test_points_that_determine_no_plane_give_none(
    first: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    assert fit_plane_motion(first, first) is None


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_a_face_goes_where_its_plane_goes(scale: float) -> None:
    face = face_at(240, 300, 200)
    # 12 view pixels to the right and 6 up, and a tenth nearer, about the view's corner.
    motion = np.array([[1.1, 0, 12], [0, 1.1, -6], [0, 0, 1]])
    carried = carry_face(face, motion, scale)
    assert carried is not None
    assert carried.five_points == pytest.approx(face.five_points * 1.1 + np.array([12, -6]) / scale, abs=0.01)
    assert carried.five_points.dtype == np.float32
    assert carried.box.width == pytest.approx(1.1 * face.box.width, rel=1e-4)
    assert carried.box.height == pytest.approx(1.1 * face.box.height, rel=1e-4)
    expected = np.array(face.box.centre) * 1.1 + np.array([12, -6]) / scale
    assert carried.box.centre == pytest.approx(tuple(expected), abs=0.05)
    assert carried.confidence == face.confidence


@pytest.mark.parametrize("growth", [0.7, 1.4, np.nan, np.inf])
def test_a_face_that_cannot_have_gone_there_is_not_carried(growth: float) -> None:
    assert carry_face(face_at(), np.diag([growth, growth, 1.0]), 0.6) is None


_SCALE = 0.6


def _view(image: BgrImage) -> "np.ndarray[tuple[int, int], np.dtype[np.uint8]]":
    view = observe_frame(image, index=0, capture_time=0, faces=[]).view
    assert view is not None
    return view


_FIRST = texture()[:HEIGHT, :WIDTH].copy()


def test_points_lie_on_the_face_and_away_from_it() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    assert start.face_width == pytest.approx(230 * _SCALE, rel=0.02)
    away = np.abs(start.points - start.centre) / start.face_width
    assert start.on_face.sum() >= 40
    assert (away[start.on_face, 0] < 0.45).all()
    assert (np.linalg.norm(away[~start.on_face], axis=1) > 0.7).all()


@pytest.mark.parametrize("face", [face_at(width=30), face_at(x=-500), face_at(y=2000)])
def test_a_face_too_small_or_elsewhere_gives_nothing(face: DetectedFace) -> None:
    assert start_tracking(_view(_FIRST), face, _SCALE) is None
    assert start_tracking(_view(np.full_like(_FIRST, 80)), face_at(), _SCALE) is None, "a blank view"


def test_points_that_vanish_are_lost() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    other = texture(seed=99)[:HEIGHT, :WIDTH].copy()
    found, error = follow(start, _view(other), start.points)
    lost = np.isnan(found[:, 0])
    assert lost.mean() > 0.7
    assert np.array_equal(lost, np.isnan(error))


def test_only_the_changed_part_is_detected() -> None:
    start = start_tracking(_view(_FIRST), face_at(), _SCALE)
    assert start is not None
    winking = _FIRST.copy()
    x, y = face_at().five_points[0].astype(int)
    winking[y - 12 : y + 12, x - 25 : x + 25] = 110
    shifted = np.roll(winking, 4, axis=1)
    view = _view(shifted)
    found, _ = follow(start, view, start.points)
    motion = plane_motion(start, found)
    assert motion is not None
    change = region_change(start, view, motion)
    assert change.eyes > 3 * change.rest
    assert change.mouth < 2 * change.rest


# Stretches in which one face was followed, and the events that break them.


def _followed(
    count: int = 10, *, shares: dict[int, float] | None = None, **places: float
) -> ScanObservations:
    """A scan of one segment; at the named steps only that share of the face's points is found."""
    motion = segment(as_head(0.05), steps=count)
    positions = motion.positions.copy()
    points = np.flatnonzero(motion.on_face)
    for step, share in (shares or {}).items():
        positions[step, points[round(share * len(points)) :]] = np.nan
    frames = [replace(frame, followed=frame.index % 4 != 0) for frame in observations(count)]
    return scan(frames, [replace(motion, positions=positions)])


def test_a_face_that_was_followed_all_along_is_one_stretch() -> None:
    (stretch,) = stretches(_followed())
    assert stretch == Stretch(frames=tuple(range(10)), detected=(0, 4, 8))


def test_without_motion_no_frame_represents_another() -> None:
    found = stretches(scan(observations(5)))
    assert found == tuple(Stretch((index,), (index,)) for index in range(5))


def test_torn_points_end_a_stretch() -> None:
    found = stretches(_followed(shares={5: 0.4}))
    assert [stretch.frames for stretch in found] == [(0, 1, 2, 3, 4), (5, 6, 7, 8, 9)]
    assert [stretch.detected for stretch in stretches(_followed(shares={5: 0.6}))] == [(0, 4, 8)]


def test_points_that_are_lost_little_by_little_as_a_head_turns_end_no_stretch() -> None:
    lost = {step: 0.9**step for step in range(10)}
    assert lost[9] < 0.4
    assert [stretch.frames for stretch in stretches(_followed(shares=lost))] == [tuple(range(10))]


def test_a_few_points_show_no_face_to_be_the_same() -> None:
    lost = {step: 0.7**step for step in range(10)}
    assert [stretch.frames for stretch in stretches(_followed(shares=lost))][-1] == (9,)


@pytest.mark.parametrize("change", [{"face": None, "faces": 0}, {"faces": 2}, {"width": 2 * WIDTH}])
def test_a_frame_without_exactly_one_face_or_of_another_size_ends_a_stretch(
    change: dict[str, object],
) -> None:
    whole = _followed()
    frames = [replace(frame, **change) if frame.index == 3 else frame for frame in whole.frames]  # type: ignore[arg-type]
    found = stretches(replace(whole, frames=tuple(frames)))
    unchanged = [stretch.frames for stretch in found if stretch.frames != (3,)]
    assert unchanged == [(0, 1, 2), (4, 5, 6, 7, 8, 9)]


def test_a_face_found_elsewhere_than_where_the_points_went_ends_a_stretch() -> None:
    whole = _followed()
    aside = [replace(f, face=face_at(x=400.0)) if f.index >= 4 else f for f in whole.frames]
    found = stretches(replace(whole, frames=tuple(aside)))
    assert found[0].frames == (0, 1, 2, 3)
    assert all(4 not in stretch.frames or stretch.frames[0] == 4 for stretch in found)


def test_a_stretch_goes_on_from_one_segment_to_the_next() -> None:
    first, second = segment(as_head(0.05), steps=6), segment(as_head(0.05), steps=5)
    second = replace(second, frames=second.frames + 5, times=second.times + first.times[5])
    (stretch,) = stretches(scan(observations(10), [first, second]))
    assert stretch.frames == tuple(range(10))


def test_unexamined_stretches_come_longest_first() -> None:
    whole = _followed(shares={2: 0.1, 7: 0.1})
    assert [s.frames for s in stretches(whole)] == [(0, 1), (2,), (3, 4, 5, 6), (7,), (8, 9)]
    unseen = unexamined_stretches(whole, examined={0})
    assert [s.frames for s in unseen] == [(3, 4, 5, 6), (8, 9), (2,), (7,)]
    assert examined_share(whole, examined={0}) == pytest.approx(0.2)
    assert examined_share(whole, examined={0, 4}) == pytest.approx(0.6)
    assert examined_share(_followed(), examined={1}) == 0.0, "a followed frame represents no stretch"


def test_a_scan_without_faces_is_not_spoken_for() -> None:
    nobody = scan(observations(4, face=None, faces=0))
    assert stretches(nobody) == ()
    assert examined_share(nobody, examined={0}) == 0.0


def _pictures(person: str, count: int) -> list[BgrImage]:
    settings = SceneSettings(
        kind=ScanKind.GENUINE, seed=3, seconds=count / 15.0, frames_per_second=15.0, width=360, height=480
    )
    return [frame.pixels for frame in simulate_scan(real_photo(person), settings)]


def _observed(pictures: list[BgrImage]) -> ScanObservations:
    """As in a server: the detector runs on some frames."""
    collector = ScanCollector()
    for index, picture in enumerate(pictures):
        seen, time = view_frame(picture), index / 15.0
        followed = collector.follow(seen, time)
        if followed is None:
            faces = real_pack().detector.detect(picture)
            collector.collect_frame(
                observe_frame(picture, index=index, capture_time=time, faces=faces, seen=seen)
            )
        else:
            collector.collect_frame(
                observe_followed(
                    seen, index=index, capture_time=time, face=followed.face, detected=followed.detected
                )
            )
    return collector.observations()


@pytest.fixture(scope="module")
def two_persons() -> tuple[list[BgrImage], list[BgrImage]]:
    """Scans of two persons, with the second face at the place of the first."""
    ours, theirs = _pictures("astronaut", 16), _pictures("red-shirt", 16)
    here, there = (real_pack().detector.detect(pictures[8])[0].five_points for pictures in (ours, theirs))
    move = similarity_transform(there, here)
    laid = [
        np.asarray(cv2.warpAffine(picture, move, (360, 480), borderMode=cv2.BORDER_REFLECT), np.uint8)
        for picture in theirs
    ]
    return ours, laid


def test_a_real_face_is_followed_over_more_than_one_segment(
    two_persons: tuple[list[BgrImage], list[BgrImage]],
) -> None:
    ours, _ = two_persons
    found = stretches(_observed(ours))
    assert len(found) == 1
    assert len(found[0].frames) == 16
    assert 2 <= len(found[0].detected) < 16


@pytest.mark.parametrize("cut", [3, 8])
def test_another_face_in_the_same_place_never_belongs_to_the_stretch(
    two_persons: tuple[list[BgrImage], list[BgrImage]], cut: int
) -> None:
    ours, theirs = two_persons
    found = stretches(_observed([*ours[:cut], *theirs[cut : cut + 1], *ours[cut + 1 :]]))
    (alone,) = [stretch for stretch in found if cut in stretch.frames]
    assert alone == Stretch(frames=(cut,), detected=(cut,))
