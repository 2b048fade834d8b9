from itertools import pairwise

import numpy as np
import pytest

from liveness.errors import LivenessPolicyError
from liveness.guidance import Guidance, GuidanceCode, GuidanceSettings, GuidanceState, Oval, guide
from liveness.observation import FrameObservation
from liveness.occlusion import Cover
from tests.liveness.builders import RATE, face_at, observation
from vision.face import HeadPose

_OVAL = Oval()


def _code(**changes: object) -> GuidanceCode:
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
        ({}, GuidanceCode.OK),
        ({"face": None, "faces": 0}, GuidanceCode.NO_FACE),
        ({"faces": 2}, GuidanceCode.MULTIPLE_FACES),
        ({"luminance": 30.0}, GuidanceCode.TOO_DARK),
        ({"dark_fraction": 0.7}, GuidanceCode.TOO_DARK),
        ({"luminance": 235.0}, GuidanceCode.TOO_BRIGHT),
        ({"saturated_fraction": 0.5}, GuidanceCode.TOO_BRIGHT),
        ({"samples": np.full((64, 64), 80, np.uint8)}, GuidanceCode.TOO_BRIGHT),
        ({"samples": np.full((64, 64), 70, np.uint8)}, GuidanceCode.OK),
        ({"luminance": 60.0, "samples": np.tile(np.asarray([0, 255], np.uint8), (64, 32))}, GuidanceCode.OK),
        (
            {"luminance": 50.0, "samples": np.tile(np.asarray([0, 255], np.uint8), (64, 32))},
            GuidanceCode.TOO_BRIGHT,
        ),
        ({"face": face_at(width=400)}, GuidanceCode.MOVE_BACK),
        ({"face": face_at(x=60)}, GuidanceCode.FACE_CUT_OFF),
        ({"face": face_at(width=120)}, GuidanceCode.MOVE_CLOSER),
        ({"face": face_at(x=240 + 80)}, GuidanceCode.CENTER_FACE),
        ({"sharpness": 8.0}, GuidanceCode.BLURRED),
        ({"pose": HeadPose(-32, 0, 0)}, GuidanceCode.LOOK_STRAIGHT),
        ({"pose": HeadPose(0, 30, 0)}, GuidanceCode.LOOK_STRAIGHT),
        ({"eyes": (0.07, 0.09)}, GuidanceCode.EYES_CLOSED),
        ({"eyes": None}, GuidanceCode.OK),
    ],
)
def test_every_condition_has_its_code(changes: dict[str, object], code: GuidanceCode) -> None:
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
    assert (far, near) == (GuidanceCode.MOVE_CLOSER, GuidanceCode.MOVE_BACK)
    assert set(well_placed) == {GuidanceCode.OK}


@pytest.mark.parametrize(("width", "height"), [(480, 640), (480, 854), (1080, 1920)])
def test_the_oval_takes_its_shares_of_a_whole_portrait_frame(width: int, height: int) -> None:
    oval = Oval(0.6, 0.4, 0.5, 0.7).placed(width=width, height=height)
    assert (oval.x, oval.y, oval.width, oval.height) == (0.6 * width, 0.4 * height, 0.5 * width, 0.7 * height)


def test_the_first_in_order_of_priority_is_reported() -> None:
    assert _code(luminance=20.0, face=face_at(width=100), sharpness=3.0) is GuidanceCode.TOO_DARK
    assert _code(face=face_at(width=100), sharpness=3.0) is GuidanceCode.MOVE_CLOSER
    assert _code(sharpness=3.0, eyes=(0.05, 0.05)) is GuidanceCode.BLURRED


def test_a_code_is_reported_only_when_it_lasts() -> None:
    frames = [
        observation(index, eyes=(0.05, 0.05) if index in {10, 11} else (0.3, 0.3)) for index in range(20)
    ]
    given = [guidance.code for guidance in _run(frames)]
    assert given == [None, None] + [GuidanceCode.OK] * 18


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
    assert given[-1] is GuidanceCode.OK


def test_natural_sway_is_still_enough_and_waving_is_not() -> None:
    def swaying(size: float, rate: float) -> list[FrameObservation]:
        # Detectors place the same face a pixel off from frame to frame.
        rng = np.random.default_rng(1)
        shift = size * 230 * np.sin(2 * np.pi * rate * np.arange(45) / RATE) + rng.normal(0, 1, 45)
        return [observation(index, face=face_at(x=240 + moved)) for index, moved in enumerate(shift)]

    assert {guidance.frame_code for guidance in _run(swaying(0.03, 0.5))} == {GuidanceCode.OK}
    waved = [guidance.code for guidance in _run(swaying(0.2, 1.5))]
    assert GuidanceCode.HOLD_STILL in waved


def test_a_stopped_clock_gives_no_speed() -> None:
    first = guide(observation(0), oval=_OVAL, settings=GuidanceSettings(), state=GuidanceState())
    again = guide(
        observation(0, face=face_at(x=270)), oval=_OVAL, settings=GuidanceSettings(), state=first.state
    )
    assert again.frame_code is GuidanceCode.OK


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
    assert codes == [GuidanceCode.OK] * 3 + [GuidanceCode.FACE_MASK] * 4 + [GuidanceCode.OK]
    given = _run([observation(i, cover=each) for i, each in enumerate(covers)])[6]
    assert given.code is GuidanceCode.FACE_MASK


@pytest.mark.parametrize(
    ("cover", "code"),
    [
        (Cover.SUNGLASSES, GuidanceCode.SUNGLASSES),
        (Cover.EYES, GuidanceCode.EYES_NOT_VISIBLE),
        (Cover.MASK, GuidanceCode.FACE_MASK),
        (Cover.MOUTH, GuidanceCode.MOUTH_NOT_VISIBLE),
        (Cover.FACE, GuidanceCode.FACE_OBSTRUCTED),
    ],
)
def test_every_cover_has_its_code_before_shut_eyes(cover: Cover, code: GuidanceCode) -> None:
    frames = [observation(i, cover=cover, eyes=(0.05, 0.05)) for i in range(2)]
    assert [one.frame_code for one in _run(frames)] == [GuidanceCode.EYES_CLOSED, code]


def test_a_lost_face_ends_a_cover() -> None:
    frames = [observation(i, cover=Cover.MASK) for i in range(3)]
    frames += [observation(3, face=None, faces=0), observation(4)]
    assert [one.frame_code for one in _run(frames)][3:] == [GuidanceCode.NO_FACE, GuidanceCode.OK]
