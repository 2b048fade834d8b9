"""Scans of two persons: the person in each frame."""

import cv2
import numpy as np
import pytest

from research.scan_match.clips import SentFrame
from research.scan_match.constancy_study import Change, FindPoints, most_turned, splice
from vision.face import Points

_COUNT, _RATE = 40, 10.0
_FACE: Points = np.array([[40, 40], [60, 40], [50, 52], [43, 62], [57, 62]], np.float32)


def _scan(
    brightness: int, *, count: int = _COUNT, size: tuple[int, int] = (100, 100)
) -> tuple[SentFrame, ...]:
    picture = np.full((*size, 3), brightness, np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", picture)[1])
    return tuple(SentFrame(index / _RATE, jpeg) for index in range(count))


def _brightness(frame: SentFrame) -> float:
    return float(frame.pixels().mean())


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        (Change.LAST_HALF, 0.3, range(20, 40)),
        (Change.LAST_SECOND, 0.3, range(30, 40)),
        (Change.HALF_A_SECOND, 0.0, range(5)),
        (Change.HALF_A_SECOND, 1.0, range(35, 40)),
        (Change.A_SECOND, 0.5, range(15, 25)),
        (Change.FLICKER, 0.0, range(0, 40, 3)),
        (Change.FLICKER, 0.99, range(2, 40, 3)),
        (Change.MORPH, 0.5, range(15, 40)),
    ],
)
def test_the_place_of_the_other_person_is_recorded(change: Change, place: float, expected: range) -> None:
    ours, theirs = _scan(40), _scan(200)
    spliced = splice(ours, theirs, change=change, place=place, points=lambda _: _FACE)
    assert spliced.of_other == frozenset(expected)
    assert [frame.time for frame in spliced.frames] == [frame.time for frame in ours]
    for index, frame in enumerate(spliced.frames):
        if index not in expected:
            assert frame is ours[index]
        elif change is not Change.MORPH:
            assert _brightness(frame) == pytest.approx(200, abs=2)


def _pointing(frames: dict[int, float]) -> FindPoints:
    """Finds a face whose nose lies aside in some frames, by the brightness of the frame."""

    def found(frame: SentFrame) -> Points:
        aside = np.zeros_like(_FACE)
        aside[2, 0] = frames.get(round(_brightness(frame)), 0.0)
        return _FACE + aside

    return found


def test_the_other_person_begins_at_the_most_turned_frame_and_turns_to_the_same_side() -> None:
    def scan(levels: range) -> tuple[SentFrame, ...]:
        return tuple(
            SentFrame(nth / _RATE, bytes(cv2.imencode(".png", np.full((100, 100, 3), level, np.uint8))[1]))
            for nth, level in enumerate(levels)
        )

    ours, theirs = scan(range(40, 80)), scan(range(140, 180))
    points = _pointing({56: 8.0, 60: 4.0, 165: 6.0})
    assert most_turned(ours, points)[0] == 16
    assert most_turned(theirs, points)[0] == 25
    spliced = splice(ours, theirs, change=Change.IN_A_TURN, place=0.0, points=points)
    assert spliced.of_other == frozenset(range(16, 40))
    assert _brightness(spliced.frames[16]) == pytest.approx(165, abs=2)
    assert _brightness(spliced.frames[20]) == pytest.approx(169, abs=2)


def test_a_morph_goes_from_the_one_to_the_other_and_stays() -> None:
    spliced = splice(_scan(40), _scan(200), change=Change.MORPH, place=0.0, points=lambda _: _FACE)
    levels = [_brightness(spliced.frames[index]) for index in sorted(spliced.of_other)]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx(40, abs=2)
    assert levels[5] == pytest.approx(120, abs=4)
    assert levels[10:] == pytest.approx([200] * len(levels[10:]), abs=2)


def test_the_other_face_lies_where_the_first_one_is() -> None:
    ours = _scan(40)
    picture = np.full((200, 300, 3), 90, np.uint8)
    there: Points = _FACE * 2 + np.array([100, 20], np.float32)
    for x, y in there:
        cv2.circle(picture, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    theirs = tuple(SentFrame(0.1 * at, bytes(cv2.imencode(".jpg", picture)[1])) for at in range(_COUNT))
    ours_ids = {id(frame) for frame in ours}
    spliced = splice(
        ours,
        theirs,
        change=Change.LAST_HALF,
        place=0.0,
        points=lambda frame: _FACE if id(frame) in ours_ids else there,
    )
    shown = spliced.frames[-1].pixels()
    assert shown.shape == (100, 100, 3)
    for x, y in _FACE.astype(int):
        assert shown[y, x].mean() > 200
    assert shown[10, 10].mean() == pytest.approx(90, abs=3)


def test_a_scan_without_a_face_is_laid_over_whole() -> None:
    spliced = splice(
        _scan(40), _scan(200, size=(50, 80)), change=Change.LAST_HALF, place=0.0, points=lambda _: None
    )
    assert spliced.frames[-1].pixels().shape == (100, 100, 3)


def test_a_short_scan_of_the_other_is_repeated() -> None:
    spliced = splice(
        _scan(40), _scan(200, count=3), change=Change.LAST_HALF, place=0.0, points=lambda _: _FACE
    )
    assert len(spliced.frames) == _COUNT
