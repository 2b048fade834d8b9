"""Eyes are measured when their pixels differ from before, and otherwise keep their measurement."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.eye_watch import EyeRatios, EyeWatch
from liveness.observation import GreyView
from tests.liveness.builders import HEIGHT, WIDTH, face_at, texture
from vision.face import DetectedFace

_OPEN: EyeRatios = (0.30, 0.31)
_SHUT: EyeRatios = (0.08, 0.09)
_APART = 0.125
_FACE = face_at()


def _frame(*, left: int = 0, right: int = 0, noise: float = 2.0, seed: int = 0) -> GreyView:
    """A face with eyes of one of several patterns; pattern 0 is open eyes."""
    rng = np.random.default_rng(seed)
    grey = texture()[:HEIGHT, :WIDTH, 0].astype(np.float64)
    for eye, pattern in ((0, left), (1, right)):
        if pattern:
            x, y = _FACE.five_points[eye].astype(int)
            other = texture(seed=100 + pattern)[:60, :90, 0]
            grey[y - 30 : y + 30, x - 45 : x + 45] = other
    values: NDArray[np.uint8] = np.clip(grey + rng.normal(0, noise, grey.shape), 0, 255).astype(np.uint8)
    return values


def _run(
    watch: EyeWatch, frames: Sequence[tuple[GreyView, EyeRatios | None]], *, look_every: int = 3
) -> tuple[list[EyeRatios | None], list[int]]:
    """The eyes of each frame, and the measured ones; landmarks would give the second value of each."""
    known: list[EyeRatios | None] = []
    measured: list[int] = []
    for index, (grey, eyes) in enumerate(frames):
        sight = watch.compare(grey, _FACE, index * _APART, detected=index % look_every == 0)
        if sight.worth_measuring:
            measured.append(index)
            known.append(watch.add_measured(sight, eyes))
        else:
            known.append(watch.add_unmeasured(sight))
    return known, measured


@pytest.mark.parametrize(
    ("noise", "expected"), [(2.0, [0, 18]), (14.0, [0, 12, 24])], ids=["just the same", "nearly the same"]
)
def test_eyes_that_stay_open_are_measured_at_looks_now_and_then(noise: float, expected: list[int]) -> None:
    frames = [(_frame(noise=noise, seed=index), _OPEN) for index in range(32)]
    known, measured = _run(EyeWatch(), frames)
    assert known == [_OPEN] * 32
    # Every 2 seconds or every 1.2, at detections.
    assert measured == expected


def test_eyes_after_a_blink_are_derived_without_a_measurement() -> None:
    shut = {17, 18}
    frames = [
        (_frame(left=1, right=1, seed=index), _SHUT) if index in shut else (_frame(seed=index), _OPEN)
        for index in range(32)
    ]
    known, measured = _run(EyeWatch(), frames)
    assert known == [_SHUT if index in shut else _OPEN for index in range(32)]
    assert 17 in measured
    assert len(measured) <= 8


def _asked(frames: Sequence[tuple[GreyView, EyeRatios]]) -> tuple[EyeWatch, list[EyeRatios | None]]:
    """All are measured, as after a request for a blink; 20 a second."""
    watch = EyeWatch()
    known: list[EyeRatios | None] = []
    for index, (grey, eyes) in enumerate(frames):
        sight = watch.compare(grey, _FACE, index * 0.05, detected=False, expected=True)
        assert sight.worth_measuring
        known.append(watch.add_measured(sight, eyes))
    return watch, known


@pytest.mark.parametrize("look", [0, 1], ids=["they look open", "they look otherwise"])
def test_eyes_count_as_shut_only_if_their_appearance_changed(look: int) -> None:
    """Landmark noise alone is no blink; with changed pixels it is."""
    low = {20, 21, 22}
    frames = [
        (_frame(left=look, right=look, seed=index), _SHUT) if index in low else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    watch, known = _asked(frames)
    assert watch.blinked == bool(look)
    assert [index for index, eyes in enumerate(known) if eyes == _SHUT] == (sorted(low) if look else [])


_HALF: EyeRatios = (0.18, 0.19)


def _turned(share: float) -> DetectedFace:
    """The face with its nose shifted sideways, in distances between the eyes."""
    points = _FACE.five_points.copy()
    points[2] += share * (points[1] - points[0])
    return replace(_FACE, five_points=points)


@pytest.mark.parametrize(
    ("aside", "low", "blinked"),
    [(0.0, _HALF, True), (0.06, _HALF, True), (0.2, _HALF, False), (-0.2, _HALF, False), (0.2, _SHUT, True)],
    ids=["straight", "hardly turned", "turned", "turned the other way", "turned, and shut"],
)
def test_where_the_head_is_turned_only_eyes_that_fall_far_are_shut(
    aside: float, low: EyeRatios, blinked: bool
) -> None:
    """A turn changes both the landmarks of open eyes and their pixels."""
    watch, known = EyeWatch(), []
    for index in range(40):
        falls = index in {20, 21, 22}
        grey = _frame(left=int(falls), right=int(falls), seed=index)
        face = _turned(aside) if index >= 18 else _FACE
        sight = watch.compare(grey, face, index * 0.05, detected=False, expected=True)
        known.append(watch.add_measured(sight, low if falls else _OPEN))
    assert watch.blinked is blinked
    assert known.count(low) == (3 if blinked else 0)


def test_a_head_that_stays_turned_is_held_so() -> None:
    watch = EyeWatch()
    for index in range(60):
        falls = index in {50, 51, 52}
        grey = _frame(left=int(falls), right=int(falls), seed=index)
        face = _turned(0.2) if index >= 10 else _FACE
        watch.add_measured(
            watch.compare(grey, face, index * 0.05, detected=False, expected=True), _HALF if falls else _OPEN
        )
    assert watch.blinked


def test_landmarks_without_any_eye_show_no_blink() -> None:
    watch, _ = _asked(
        [(_frame(left=index % 5, right=index % 5, seed=index), (0.0, 0.0)) for index in range(20)]
    )
    assert not watch.blinked


def test_where_a_blink_is_expected_every_frame_is_measured_however_alike() -> None:
    watch = EyeWatch()
    looks_the_same = [
        watch.compare(_frame(seed=index), _FACE, index * _APART, detected=index == 0, expected=index > 4)
        for index in range(20)
        if index != 3 or watch.add_measured(watch.compare(_frame(), _FACE, 0.3, detected=True), _OPEN)
    ]
    assert [sight.worth_measuring for sight in looks_the_same[5:]] == [True] * 15
    assert not looks_the_same[4].worth_measuring


def test_one_eye_that_looks_as_before_is_no_blink() -> None:
    frames = [(_frame(left=1 if index == 17 else 0, seed=index), _OPEN) for index in range(32)]
    _, measured = _run(EyeWatch(), frames)
    assert 17 not in measured


def test_eyes_kept_shut_stay_shut() -> None:
    frames = [
        (_frame(left=1, right=1, seed=index), _SHUT) if index >= 13 else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    known, measured = _run(EyeWatch(), frames)
    assert known[13:] == [_SHUT] * 27
    assert len(measured) < 12


def test_one_open_eye_is_not_shut() -> None:
    shut = [(_frame(left=1, right=1, seed=index), _SHUT) for index in range(10)]
    watch = EyeWatch()
    _run(watch, [(_frame(seed=50), _OPEN), *shut])
    winking = watch.compare(_frame(left=1, right=0, seed=60), _FACE, 2.0, detected=False)
    assert winking.eyes == _OPEN


@pytest.mark.parametrize("seconds", [2, 6])
def test_restless_eyes_cost_no_more_than_the_budget(seconds: int) -> None:
    frames = [
        (_frame(left=1 + index % 23, right=1 + index % 23, seed=index), _OPEN)
        for index in range(round(seconds / _APART))
    ]
    known, measured = _run(EyeWatch(), frames)
    regular = seconds / 1.2 + 1
    assert len(measured) <= regular + 4 + 1.5 * seconds + 1
    # Eyes that were not measured and differ from all before are unknown.
    assert None in known


def test_after_a_blink_only_the_regular_measurements_go_on() -> None:
    quiet = [(_frame(seed=index), _OPEN) for index in range(12)]
    blink = [(_frame(left=1, right=1, seed=90), _SHUT)]
    restless = [(_frame(left=2 + index, right=2 + index, seed=index), _OPEN) for index in range(12)]
    _, measured = _run(EyeWatch(), [*quiet, *blink, *quiet[:2], *restless])
    assert 12 in measured
    assert [index for index in measured if index >= 15] == [24]


def test_no_landmarks_leave_the_eyes_unknown() -> None:
    known, _ = _run(EyeWatch(), [(_frame(seed=index), None) for index in range(12)])
    assert known == [None] * 12


def test_a_flat_picture_and_a_face_beyond_the_frame_are_no_failure() -> None:
    watch = EyeWatch()
    flat = np.full((HEIGHT, WIDTH), 90, np.uint8)
    for index, face in enumerate((_FACE, face_at(-400, -400), face_at(5, 5, 3))):
        sight = watch.compare(flat, face, float(index), detected=True)
        assert watch.add_measured(sight, _OPEN) == _OPEN
    assert watch.compare(flat, _FACE, 3.1, detected=False).eyes is None


def test_an_eye_behind_glare_looks_like_nothing_else() -> None:
    def glaring(seed: int) -> GreyView:
        grey = _frame(seed=seed)
        x, y = _FACE.five_points[0].astype(int)
        # As large as the compared area: only the margin around it has texture.
        grey[y - 27 : y + 28, x - 41 : x + 42] = 255
        return grey

    watch = EyeWatch()
    assert watch.compare(glaring(0), _FACE, 0.0, detected=True).worth_measuring
    watch.add_measured(watch.compare(glaring(0), _FACE, 0.0, detected=True), _OPEN)
    assert watch.compare(_frame(left=1, right=1, seed=1), _FACE, _APART, detected=False).eyes is None


def _eyes_after_a_fall(*, before: int, low: int, after: int) -> tuple[EyeWatch, list[EyeRatios | None]]:
    """Eyes that measure as shut in two of 24 frames, with the patterns before, then, and after."""
    frames = [(_frame(left=before, right=before, seed=index), _OPEN) for index in range(12)]
    frames += [(_frame(left=low, right=low, seed=index), _HALF) for index in (12, 13)]
    frames += [(_frame(left=after, right=after, seed=index), _OPEN) for index in range(14, 24)]
    return _asked(frames)


@pytest.mark.parametrize(
    ("patterns", "blinked"),
    [((0, 1, 1), False), ((0, 0, 1), False), ((0, 1, 0), True), ((0, 1, 2), True)],
    ids=["leap before", "leap after", "blink", "blink between two looks"],
)
def test_shut_eyes_differ_from_the_open_ones_before_and_after(
    patterns: tuple[int, int, int], blinked: bool
) -> None:
    """With a detection, the patches leap, and the landmarks of a rigid mask may fall for a moment."""
    before, low, after = patterns
    watch, _ = _eyes_after_a_fall(before=before, low=low, after=after)
    assert watch.blinked is blinked


def test_eyes_that_turn_out_open_are_corrected_once() -> None:
    watch, known = _eyes_after_a_fall(before=0, low=1, after=1)
    assert known[12:14] == [_HALF, _HALF]
    assert list(watch.corrections().items()) == [(12 * 0.05, _OPEN), (13 * 0.05, _OPEN)]
    assert watch.corrections() == {}


def test_a_frame_of_a_blink_that_measures_as_open_by_its_looks_corrects_nothing() -> None:
    """Only measured open eyes do: a half-shut frame may look open, and the shut ones may look like it."""
    shut = {20: 1, 21: 0, 22: 1}
    frames = [
        (_frame(left=shut.get(index, 0), right=shut.get(index, 0), seed=index), _SHUT)
        if index in shut
        else (_frame(seed=index), _OPEN)
        for index in range(40)
    ]
    watch, known = _asked(frames)
    assert watch.blinked
    assert known[20:23] == [_SHUT, _OPEN, _SHUT]


def test_measurements_reused_from_shut_eyes_are_corrected_with_them() -> None:
    watch = EyeWatch()
    watch.add_measured(watch.compare(_frame(), _FACE, 0.0, detected=True), _OPEN)
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=1), _FACE, 0.1, detected=True), _HALF)
    reused = watch.compare(_frame(left=1, right=1, seed=2), _FACE, 0.2, detected=False)
    assert watch.add_unmeasured(reused) == _HALF
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=3), _FACE, 0.3, detected=True), _OPEN)
    assert watch.corrections() == {0.1: _OPEN, 0.2: _OPEN}


def test_a_fall_longer_than_a_blink_corrects_nothing() -> None:
    """Frames that reuse ratios just below open ones would else raise the level of open eyes."""
    watch = EyeWatch()
    watch.add_measured(watch.compare(_frame(), _FACE, 0.0, detected=True), _OPEN)
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=1), _FACE, 0.1, detected=True), _HALF)
    for index in range(2, 9):
        watch.add_unmeasured(
            watch.compare(_frame(left=1, right=1, seed=index), _FACE, index / 10, detected=False)
        )
    watch.add_measured(watch.compare(_frame(left=1, right=1, seed=9), _FACE, 0.9, detected=True), _OPEN)
    assert watch.corrections() == {}


def test_one_eye_that_looks_as_when_it_opens_is_still_a_blink() -> None:
    """Real lids open slowly, so that one eye may hardly change between its last shut and first open frame."""
    frames = [(_frame(seed=index), _OPEN) for index in range(12)]
    frames += [(_frame(left=1, right=1, seed=index), _HALF) for index in (12, 13)]
    frames += [(_frame(left=1, right=0, seed=index), _OPEN) for index in range(14, 24)]
    watch, _ = _asked(frames)
    assert watch.blinked
    assert watch.corrections() == {}
