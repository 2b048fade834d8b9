import weakref
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from liveness.dynamic import movement_judge
from liveness.dynamic.actions import Complete, EndReason, Hint, HintCode, MoveOval, Wait
from liveness.dynamic.approach import Parallax
from liveness.dynamic.finding import Finding
from liveness.dynamic.movement import MovementChallenge
from liveness.dynamic.movement_judge import judge_movement
from liveness.dynamic.ovals import OvalScript, OvalStep
from liveness.dynamic.perspective import PerspectiveFinding
from liveness.errors import ObservationError
from liveness.guidance import Oval
from liveness.observation import FrameObservation
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, scan
from tests.liveness.dynamic.random_source import seeded


def _in_oval(index: int, oval: Oval, *, size: float = 1.0, aside: float = 0.0) -> FrameObservation:
    wide = oval.width * WIDTH
    face = face_at(oval.centre_x * WIDTH + aside * wide, oval.centre_y * HEIGHT, size * wide)
    return observation(index, face=face)


def _start() -> tuple[MovementChallenge, MoveOval]:
    challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()))
    first = challenge.next_action(now=0.0)
    assert isinstance(first, MoveOval)
    assert first.number == 1
    return challenge, first


def _hold(challenge: MovementChallenge, oval: Oval, start: float, *, index: int = 0) -> tuple[object, float]:
    """Fills ``oval`` from ``start`` on until the challenge goes on; its action and when."""
    time = start
    for step in range(60):
        challenge.add(_in_oval(index + step, oval))
        action = challenge.next_action(now=time)
        if not isinstance(action, Wait):
            return action, time
        time += 1 / 15
    raise AssertionError("the oval was never held")


def test_two_ovals_are_held_one_after_the_other() -> None:
    challenge, first = _start()
    assert isinstance(challenge.next_action(now=0.1), Wait)
    action, time = _hold(challenge, first.oval, 0.2)
    assert time >= first.transition_seconds + 0.3, "the oval has to be in its place, and held"
    assert isinstance(action, MoveOval)
    assert action.oval.width > first.oval.width
    assert challenge.progress == 0.5
    end, _ = _hold(challenge, action.oval, time, index=100)
    assert end == Complete(EndReason.PROVEN)
    assert challenge.next_action(now=99) == end
    record = challenge.record
    assert record.followed
    assert record.shown == 2
    assert record.verified_bits == pytest.approx(4.17 + 2, abs=0.01)
    assert all(len(held.frames) >= 4 for held in record.held)


def test_without_texture_the_depth_is_not_measurable() -> None:
    challenge, first = _start()
    action, time = _hold(challenge, first.oval, 0.2)
    assert isinstance(action, MoveOval)
    _hold(challenge, action.oval, time, index=100)
    result = judge_movement(challenge.record, scan())
    assert result.finding is Finding.NOT_MEASURABLE
    assert [signal.name for signal in result.signals] == [
        "ovals_followed",
        "approach_relief",
        "approach_curvature",
        "perspective_depth",
        "surroundings_stay",
    ]
    assert [signal.assessed for signal in result.signals] == [True, False, False, False, False]


def test_who_does_not_follow_is_told_and_then_it_ends() -> None:
    challenge, first = _start()
    hints, time, index = [], 0.0, 0
    while True:
        challenge.add(_in_oval(index, first.oval, size=1.6))
        action = challenge.next_action(now=time)
        if isinstance(action, Hint):
            hints.append(action.code)
        if isinstance(action, Complete):
            break
        time, index = time + 1 / 15, index + 1
    assert action == Complete(EndReason.NOT_FOLLOWED)
    assert set(hints) == {HintCode.MOVE_BACK}
    assert 3 <= len(hints) <= 6
    assert time < 8
    result = judge_movement(challenge.record, scan())
    assert result.finding is Finding.ABSENT
    assert result.verified_bits == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": 0.6}, HintCode.MOVE_CLOSER),
        ({"size": 1.5}, HintCode.MOVE_BACK),
        ({"aside": 0.4}, HintCode.CENTER_FACE),
    ],
)
def test_the_hint_says_what_is_wrong(changes: dict[str, float], code: HintCode) -> None:
    challenge, first = _start()
    challenge.next_action(now=2.0)
    challenge.add(_in_oval(0, first.oval, **changes))
    assert challenge.next_action(now=2.1) == Hint(code)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"face": None, "faces": 0}, HintCode.NO_FACE), ({"faces": 2}, HintCode.MULTIPLE_FACES)],
)
def test_no_face_and_two_faces_fill_no_oval(changes: dict[str, object], code: HintCode) -> None:
    challenge, first = _start()
    challenge.next_action(now=2.0)
    for index in range(20):
        frame = replace(_in_oval(index, first.oval), **changes)  # type: ignore[arg-type]
        challenge.add(frame)
    assert challenge.next_action(now=2.1) == Hint(code)


def test_a_capture_clock_that_creeps_fills_no_memory() -> None:
    """A device that claims a microsecond between frames never holds the oval, and its pictures are let go."""
    challenge, first = _start()
    challenge.next_action(now=2.0)
    view = np.zeros((HEIGHT, WIDTH), np.uint8)
    alive: list[weakref.ref[NDArray[np.uint8]]] = []
    action: object = None
    for index in range(400):
        frame = _in_oval(index, first.oval)
        frame = replace(frame, capture_time=1.0 + index * 1e-6, view=view.copy(), view_scale=1.0)
        assert frame.view is not None
        alive.append(weakref.ref(frame.view))
        challenge.add(frame)
        del frame
        assert sum(one() is not None for one in alive[-20:]) <= 1
        action = challenge.next_action(now=2.0 + index / 60)
        if isinstance(action, Complete):
            break
    assert action == Complete(EndReason.NOT_FOLLOWED)
    assert sum(one() is not None for one in alive) <= 1


def test_a_face_that_passes_by_has_not_held_it() -> None:
    challenge, first = _start()
    challenge.next_action(now=2.0)
    for index in range(40):
        challenge.add(_in_oval(index, first.oval, aside=0.0 if index % 4 else 0.5))
        assert not isinstance(challenge.next_action(now=2.0 + index / 15), MoveOval)


def test_whoever_fills_another_oval_better_has_not_followed_this_one() -> None:
    script = OvalScript(seeded(4), rest=Oval())
    step: OvalStep = script.draw()
    challenge, first = _start()
    assert first.oval == step.oval
    challenge.next_action(now=2.0)
    for index in range(40):
        challenge.add(_in_oval(index, step.others[index % len(step.others)]))
        assert not isinstance(challenge.next_action(now=2.0 + index / 15), MoveOval)


def test_it_ends_by_itself_without_frames() -> None:
    challenge, _ = _start()
    action: object = None
    for tick in range(100):
        action = challenge.next_action(now=tick / 5)
        if isinstance(action, Complete):
            break
    assert action == Complete(EndReason.NOT_FOLLOWED)


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ObservationError):
        _start()[0].next_action(now=float("nan"))


_HEAD = PerspectiveFinding(
    depth=1.1,
    error=0.1,
    clarity=3.0,
    expected=1.0,
    curved=0.45,
    curved_clarity=6.0,
    growth=1.7,
    frames=40,
    points=70,
)
_FLAT = replace(_HEAD, clarity=0.6, expected=1.8, depth=0.1, curved=0.7, curved_clarity=2.5)
_SHEET = replace(_HEAD, clarity=2.0, curved=0.12, curved_clarity=1.6)
_FILM = replace(_HEAD, depth=-0.1)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (_HEAD, Finding.RIGHT),
        (_FLAT, Finding.WRONG),
        (_SHEET, Finding.WRONG),
        (_FILM, Finding.WRONG),
        (replace(_FLAT, growth=1.3), Finding.NOT_MEASURABLE),
        (replace(_FLAT, expected=0.9), Finding.NOT_MEASURABLE),
        (replace(_FLAT, clarity=1.1), Finding.NOT_MEASURABLE),
        (replace(_HEAD, curved_clarity=2.0), Finding.NOT_MEASURABLE),
        (replace(_HEAD, curved=0.25), Finding.NOT_MEASURABLE),
        (replace(_HEAD, depth=0.6), Finding.NOT_MEASURABLE),
        (replace(_HEAD, error=0.4), Finding.NOT_MEASURABLE),
        (None, Finding.NOT_MEASURABLE),
    ],
    ids=[
        "head",
        "flat",
        "bent sheet",
        "film of a head",
        "hardly grew",
        "a still head would not show either",
        "a little relief",
        "curved by chance",
        "hardly curved",
        "little perspective",
        "unsure perspective",
        "nothing",
    ],
)
def test_the_finding_follows_what_was_seen(
    seen: PerspectiveFinding | None, expected: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge, first = _start()
    action, time = _hold(challenge, first.oval, 0.2)
    assert isinstance(action, MoveOval)
    _hold(challenge, action.oval, time, index=100)
    parallax = Parallax(
        face=face_at(),
        frame_width=WIDTH,
        frame_height=HEIGHT,
        face_pixels=200.0,
        places=np.zeros((0, 2)),
        closeups=(),
    )
    record = replace(challenge.record, parallax=parallax)
    monkeypatch.setattr(movement_judge, "measure_perspective", lambda _: seen)
    result = judge_movement(record, scan())
    assert result.finding is expected
    assert result.verified_bits == record.verified_bits
    passed = [signal.passed for signal in result.signals[1:4]]
    assert (passed == [True, True, True]) == (expected is Finding.RIGHT)
