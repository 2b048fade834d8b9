"""The gestures that are requested, and scans that show a picture of the person."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from liveness.gestures import Gesture, GestureRequest, gesture_made, gesture_signal, head_is_at_rest
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.shown_picture import (
    PictureFinding,
    ReferenceFace,
    TrustedFace,
    find_moved_picture,
    find_trusted_image,
    with_picture,
)
from liveness.verdict import LivenessResult, Verdict, VerdictReason, not_assessed
from tests.liveness.builders import RATE, face_at, followed, observation, scan
from tests.liveness.warped_photo import bulge, warp_photo
from tests.packs import real_photo
from vision.face import BgrImage, Box, DetectedFace
from vision.geometry import FaceChip, cut_chip

# Whether a gesture was made after the request.

_ASKED = GestureRequest(Gesture.OPEN_MOUTH, asked_at=20 / RATE)
_SHUT, _OPEN = 0.1, 2.4


def _seen(*gaps: tuple[range, float | None], faces: int = 1) -> ScanObservations:
    """A scan of 60 frames with a shut mouth; the gaps replace those of some frames."""
    frames = [observation(index, mouth=_SHUT) for index in range(60)]
    for where, gap in gaps:
        for index in where:
            frames[index] = observation(index, mouth=gap, faces=faces)
    return followed(frames)


_PARTLY = (range(33, 35), 0.8)


def test_a_mouth_that_opens_after_the_request_counts() -> None:
    seen = _seen(_PARTLY, (range(35, 42), _OPEN))
    assert gesture_made(seen, _ASKED)
    signal = gesture_signal(seen, _ASKED)
    assert (signal.name, signal.passed, signal.weight) == ("mouth_opened", True, 0.0)
    assert gesture_made(_seen((range(35, 42), _OPEN)), _ASKED), "a slow camera misses the mouth half open"


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(_seen(), id="shut"),
        pytest.param(_seen((range(5, 15), _OPEN)), id="before the request"),
        pytest.param(_seen((range(10, 12), 0.8), (range(12, 60), _OPEN)), id="before, and held"),
        pytest.param(_seen(_PARTLY, (range(35, 36), _OPEN)), id="in a single frame"),
        pytest.param(_seen((range(35, 60), _SHUT + 1.15)), id="no farther than in talk"),
        pytest.param(_seen((range(60), _OPEN)), id="open all the time"),
        pytest.param(_seen((range(20, 60), None)), id="not measured after the request"),
        pytest.param(_seen((range(30), None), _PARTLY, (range(35, 42), _OPEN)), id="no rest known"),
        pytest.param(_seen(_PARTLY, (range(35, 42), _OPEN), faces=2), id="with another person beside"),
    ],
)
def test_all_else_does_not(seen: ScanObservations) -> None:
    assert not gesture_made(seen, _ASKED)
    assert gesture_signal(seen, _ASKED).passed is False


def test_an_attempt_that_ended_before_the_request_is_not_assessed() -> None:
    request = GestureRequest(Gesture.OPEN_MOUTH, asked_at=None)
    assert gesture_made(_seen((range(60), _OPEN)), request) is None
    assert not gesture_signal(_seen(), request).assessed


_SIDES = [(Gesture.TURN_LEFT, 1), (Gesture.TURN_RIGHT, -1)]


def _yaws(sign: int, *yaws: tuple[range, float | None]) -> ScanObservations:
    """A scan of 60 frames of a head at 3 degrees; in some frames, it turns by ``sign`` times the yaw."""
    frames = [observation(index, yaw=3.0) for index in range(60)]
    for where, yaw in yaws:
        for index in where:
            frames[index] = observation(index, yaw=None if yaw is None else 3.0 + sign * yaw)
    return followed(frames)


_ON_THE_WAY = (range(33, 35), 8.0)


@pytest.mark.parametrize(("side", "sign"), _SIDES)
def test_a_head_that_turns_to_the_requested_side_counts(side: Gesture, sign: int) -> None:
    request = GestureRequest(side, asked_at=20 / RATE)
    seen = _yaws(sign, _ON_THE_WAY, (range(35, 42), 18.0))
    assert gesture_made(seen, request) is True
    signal = gesture_signal(seen, request)
    assert (signal.name, signal.passed, signal.weight) == ("head_turned", True, 0.0)
    # A turn before the request, which is over, is not its rest.
    swung = _yaws(sign, (range(12), -25.0), _ON_THE_WAY, (range(35, 42), 18.0))
    assert gesture_made(swung, request) is True
    # The other way round afterwards changes nothing.
    assert (
        gesture_made(_yaws(sign, _ON_THE_WAY, (range(35, 42), 18.0), (range(45, 60), -18.0)), request) is True
    )


@pytest.mark.parametrize(("side", "sign"), _SIDES)
@pytest.mark.parametrize(
    ("yaws", "made"),
    [
        pytest.param([], None, id="ahead"),
        pytest.param([(range(5, 15), 18.0)], None, id="before the request"),
        pytest.param([(range(35, 42), 18.0)], True, id="from one frame to the next, as slow cameras see it"),
        pytest.param([_ON_THE_WAY, (range(35, 36), 18.0)], None, id="in a single frame"),
        pytest.param([(range(35, 60), 9.0)], None, id="no farther than people sway"),
        pytest.param([(range(20, 60), None)], None, id="not measured after the request"),
        pytest.param([(range(35, 36), -18.0)], None, id="one noisy frame to the other side"),
        pytest.param([(range(35, 42), -18.0)], False, id="to the other side"),
        pytest.param(
            [(range(30, 33), -18.0), (range(33, 45), 0.0), (range(45, 47), 8.0), (range(47, 60), 18.0)],
            False,
            id="to the other side first",
        ),
    ],
)
def test_what_counts_as_a_turn(
    side: Gesture, sign: int, yaws: list[tuple[range, float | None]], made: bool | None
) -> None:
    request = GestureRequest(side, asked_at=20 / RATE)
    seen = _yaws(sign, *yaws)
    assert gesture_made(seen, request) is made
    signal = gesture_signal(seen, request)
    assert signal.passed is (made is True)
    assert ("by 9 degrees" in signal.detail) is (yaws == [(range(35, 60), 9.0)])


@pytest.mark.parametrize(("side", "sign"), _SIDES)
def test_a_noisy_frame_before_a_turn_changes_nothing(side: Gesture, sign: int) -> None:
    """The head is held beside its usual yaw."""
    request = GestureRequest(side, asked_at=20 / RATE, since=8 / RATE)
    for beside in (5.0, -5.0):
        noisy, turned = (range(22, 23), beside + 6.0), (range(35, 42), beside + 14.0)
        assert gesture_made(_yaws(sign, (range(9, 60), beside), noisy, turned), request) is True


@pytest.mark.parametrize(("side", "sign"), _SIDES)
@pytest.mark.parametrize("before", [18.0, -18.0])
def test_coming_back_from_a_turn_before_the_request_is_no_turn(
    side: Gesture, sign: int, before: float
) -> None:
    request = GestureRequest(side, asked_at=20 / RATE, since=8 / RATE)
    held = (range(9, 14), before)
    back = [(range(index, index + 1), before * (26 - index) / 12) for index in range(14, 26)]
    assert gesture_made(_yaws(sign, held, *back), request) is None
    assert gesture_made(_yaws(sign, held, *back, _ON_THE_WAY, (range(35, 42), 18.0)), request) is True


@pytest.mark.parametrize("rate", [12.0, 20.0])
@pytest.mark.parametrize("period", [0.4, 0.6, 1.0])
@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5])
def test_a_film_that_swings_turns_to_one_side_at_most(rate: float, period: float, phase: float) -> None:
    frames = [
        observation(
            index,
            capture_time=index / rate,
            yaw=15.0 * math.sin(2 * math.pi * (index / rate / period + phase)),
        )
        for index in range(round(5 * rate))
    ]
    sides = [GestureRequest(side, asked_at=2.0, since=0.5) for side, _ in _SIDES]
    assert [gesture_made(followed(frames), side) for side in sides].count(True) <= 1


@pytest.mark.parametrize(
    ("yaws", "rests"),
    [
        pytest.param([], True, id="ahead"),
        pytest.param([(range(60), -30.0)], True, id="always turned"),
        pytest.param([(range(30, 60), -18.0)], False, id="turned, and held"),
        pytest.param([(range(30, 60), -5.0)], True, id="turned a little, and held"),
        pytest.param([(range(57, 60), 8.0)], False, id="turning"),
        pytest.param([(range(30, 45), 18.0)], True, id="turned back since"),
        pytest.param([(range(20), None)], True, id="not measured before"),
        pytest.param([(range(60), None)], False, id="not measured"),
        pytest.param([(range(47, 58), None)], False, id="measured in too few frames"),
        pytest.param([(range(52), None)], False, id="measured over too short a time"),
    ],
)
def test_a_head_rests_that_was_back_for_most_of_a_second(
    yaws: list[tuple[range, float | None]], rests: bool
) -> None:
    assert head_is_at_rest(_yaws(1, *yaws), since=20 / RATE) is rests


@pytest.mark.parametrize("rate", [4.5, 5.9, 6.0, 30.0])
def test_a_head_rests_at_every_rate_of_frames(rate: float) -> None:
    frames = [observation(index, capture_time=index / rate, yaw=3.0) for index in range(40)]
    assert head_is_at_rest(followed(frames), since=0.5)


@pytest.mark.parametrize(("cut", "made"), [(15, True), (25, False), (33, False), (45, True)])
def test_the_face_is_followed_until_the_gesture(cut: int, made: bool) -> None:
    """A film that takes the place of a mask at the request, between two frames."""
    frames = _seen(_PARTLY, (range(35, 42), _OPEN)).frames
    parts = [followed(part).motion[0] for part in (frames[:cut], frames[cut:])]
    request = GestureRequest(Gesture.OPEN_MOUTH, asked_at=30 / RATE, since=20 / RATE)
    assert gesture_made(scan(frames, parts), request) is made


@pytest.mark.parametrize(("x", "made"), [(240.0, True), (420.0, False)])
def test_a_head_that_turns_fast_may_lose_its_points_but_not_its_place(x: float, made: bool) -> None:
    frames = list(_yaws(1, (range(35, 42), 18.0)).frames)
    frames[35:42] = [replace(frame, face=face_at(x=x)) for frame in frames[35:42]]
    parts = [followed(part).motion[0] for part in (frames[:35], frames[35:])]
    request = GestureRequest(Gesture.TURN_LEFT, asked_at=30 / RATE, since=20 / RATE)
    assert gesture_made(scan(frames, parts), request) is made


def test_a_face_that_is_lost_ends_the_wait() -> None:
    frames = list(_seen().frames)
    frames[40] = observation(40, face=None, faces=0)
    assert gesture_made(followed(frames[:40]), _ASKED) is None
    assert gesture_made(followed(frames[:41]), _ASKED) is False
    assert gesture_signal(followed(frames), _ASKED).passed is False


# A scan that shows the trusted image itself, or one picture that is moved, is found; a person is not.

_SIGNAL = not_assessed(name="one_picture", label="", reason="")


@functools.cache
def _photo() -> tuple[BgrImage, DetectedFace]:
    photo = real_photo("astronaut")
    marks = photo.landmarks
    five = np.stack([*photo.eye_centres, marks[30], marks[48], marks[54]]).astype(np.float32)
    left, top = marks.min(axis=0).tolist()
    right, bottom = marks.max(axis=0).tolist()
    return photo.pixels, DetectedFace(Box(left, top, right, bottom), 1.0, five)


def _chip(picture: BgrImage) -> FaceChip:
    return cut_chip(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), _photo()[1])


@functools.cache
def _warped(*, softness: float = 0, strength: float = 0.03, noise: float = 2.0) -> tuple[FaceChip, ...]:
    picture, face = _photo()
    if softness:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), softness), np.uint8)
    x, y = face.box.centre
    place = (x, y, face.box.width)
    frames = warp_photo(
        picture,
        place,
        bulge(picture, place, strength=strength, seed=1),
        noise=noise,
        rate=2.0,
        seconds=5.0,
        seed=1,
    )
    return tuple(_chip(frame.pixels) for frame in frames)


def _redrawn(chip: FaceChip, seed: int, places: Sequence[tuple[slice, slice]]) -> FaceChip:
    rng = np.random.default_rng(seed)
    changed = chip.copy()
    for rows, columns in places:
        part = rng.normal(0, 1, changed[rows, columns].shape)
        drawn = changed[rows, columns] + 400 * cv2.GaussianBlur(part, (0, 0), 3)
        changed[rows, columns] = np.clip(drawn, 0, 255).astype(np.uint8)
    return changed


def _changed(chip: FaceChip, seed: int) -> FaceChip:
    """A chip on which skin and folds show something else, as a person's do."""
    return _redrawn(chip, seed, [(slice(None), slice(None))])


def _drawn(chip: FaceChip, seed: int) -> FaceChip:
    """A chip whose eyes and mouth show something else, as software draws them into a photo."""
    eyes = [(slice(36, 50), slice(12, 40)), (slice(36, 50), slice(56, 84))]
    return _redrawn(chip, seed, [*eyes, (slice(86, 104), slice(28, 68))])


def _scan(chips: Sequence[FaceChip]) -> ScanObservations:
    frames = tuple(replace(observation(at), chip=chip) for at, chip in enumerate(chips))
    return ScanObservations(frames=frames, motion=())


def test_a_warped_picture_shows_nothing_new_and_another_picture_does() -> None:
    first, *others = _warped()
    reference = ReferenceFace(first)
    assert float(np.median([reference.change(chip).new for chip in others])) < 0.05
    assert max(reference.change(chip).bend for chip in others) > 0.01
    assert reference.change(_changed(first, 1)).new > 0.5


def test_one_picture_is_found_though_it_is_soft_and_noisy_or_eyes_and_mouth_are_drawn_into_it() -> None:
    warped = find_moved_picture(_scan(_warped()))
    assert (warped.possible, warped.signal.passed) == (True, False)
    assert find_moved_picture(_scan(_warped(softness=5, strength=0.012, noise=6.0))).possible
    drawn = _scan([_drawn(chip, at) for at, chip in enumerate(_warped())])
    assert find_moved_picture(drawn).possible
    assert find_trusted_image(drawn, TrustedFace(_chip(_photo()[0]), document=False)).possible


def test_a_face_that_changes_while_it_moves_is_no_picture() -> None:
    found = find_moved_picture(_scan([_changed(chip, at) for at, chip in enumerate(_warped())]))
    assert not found.possible
    assert not found.certain
    assert found.signal.passed is True


def test_a_face_that_neither_moves_nor_changes_is_never_certain_to_be_a_picture() -> None:
    found = find_moved_picture(_scan([_warped()[0]] * 8))
    assert found.possible
    assert not found.certain


def test_too_few_faces_are_not_compared() -> None:
    few = _scan(_warped()[:3])
    trusted = TrustedFace(_warped()[0], document=True)
    unknown = find_trusted_image(_scan(_warped()), None)
    for found in (find_moved_picture(few), find_trusted_image(few, trusted), unknown):
        assert not found.signal.assessed
        assert not found.possible


@pytest.mark.parametrize("mirrored", [False, True], ids=["as it is", "mirrored"])
def test_the_trusted_image_is_a_doubt_and_certain_only_of_a_document(mirrored: bool) -> None:
    chip = _chip(_photo()[0])
    if mirrored:
        chip = np.ascontiguousarray(chip[:, ::-1])
    shown = _scan(_warped())
    selfie = find_trusted_image(shown, TrustedFace(chip, document=False))
    assert (selfie.possible, selfie.certain) == (True, False)
    document = find_trusted_image(shown, TrustedFace(chip, document=True))
    assert (document.possible, document.certain) == (True, True)
    other = find_trusted_image(shown, TrustedFace(_changed(chip, 9), document=True))
    assert (other.possible, other.certain) == (False, False)


def _result(verdict: Verdict, reason: VerdictReason) -> LivenessResult:
    score = {Verdict.LIVE: 95.0, Verdict.SPOOF: 5.0, Verdict.INCONCLUSIVE: 50.0}[verdict]
    return LivenessResult(
        verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=(reason,)
    )


def _found(*, certain: bool = False) -> PictureFinding:
    return PictureFinding(_SIGNAL, VerdictReason.ONE_PICTURE_MOVED, possible=True, certain=certain)


def test_a_possible_picture_turns_live_into_a_doubt() -> None:
    live = _result(Verdict.LIVE, VerdictReason.LOOKS_ALIVE)
    doubted = with_picture(live, _found(), doubts=True)
    assert doubted.verdict is Verdict.INCONCLUSIVE
    assert doubted.reasons == (VerdictReason.ONE_PICTURE_MOVED,)
    assert doubted.signals == (_SIGNAL,)
    resolved = with_picture(live, _found(), doubts=False)
    assert (resolved.verdict, resolved.reasons) == (Verdict.LIVE, live.reasons)


def test_a_possible_picture_never_makes_a_spoof() -> None:
    weak = _result(Verdict.INCONCLUSIVE, VerdictReason.TOO_SHORT)
    found = with_picture(weak, _found(), doubts=True)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reasons == (VerdictReason.TOO_SHORT, VerdictReason.ONE_PICTURE_MOVED)


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.INCONCLUSIVE, Verdict.SPOOF])
def test_a_certain_picture_is_a_spoof(verdict: Verdict) -> None:
    found = with_picture(_result(verdict, VerdictReason.TOO_SHORT), _found(certain=True), doubts=False)
    assert found.verdict is Verdict.SPOOF
    assert found.reasons[0] is VerdictReason.ONE_PICTURE_MOVED
