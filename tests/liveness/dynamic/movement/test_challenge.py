import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from liveness.dynamic.challenge.actions import Complete, EndReason, Hint, HintCode, MoveOval, Wait
from liveness.dynamic.challenge.ovals import OvalScript, OvalStep
from liveness.dynamic.movement import challenge as challenge_module
from liveness.dynamic.movement.challenge import MovementChallenge, ShownOval
from liveness.dynamic.movement.judge import judge_movement
from liveness.dynamic.movement.perspective import ApproachTracker, PerspectiveFinding
from liveness.dynamic.policy import ChallengeFinding
from liveness.errors import ObservationError
from liveness.guidance import Oval
from liveness.observation import FrameObservation
from tests.liveness.builders import HEIGHT, WIDTH, face_at, observation, scan
from tests.liveness.dynamic.movement.perspectives import HEAD, NOTHING_FOLLOWED, SETTINGS
from tests.liveness.dynamic.random_source import seeded


def _in_oval(index: int, oval: Oval, *, size: float = 1.0, aside: float = 0.0) -> FrameObservation:
    wide = oval.width * WIDTH
    face = face_at(oval.centre_x * WIDTH + aside * wide, oval.centre_y * HEIGHT, size * wide)
    return observation(index, face=face)


def _start(*, blink: bool = False) -> tuple[MovementChallenge, MoveOval]:
    challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()), SETTINGS, blink=blink)
    first = challenge.next_action(now=0.0)
    assert isinstance(first, MoveOval)
    assert first.number == 1
    return challenge, first


def _hold(
    challenge: MovementChallenge, oval: Oval, start: float, *, index: int = 0, blinked: bool = False
) -> tuple[object, float]:
    """Fills ``oval`` from ``start`` on until the challenge continues; returns its action and time."""
    time = start
    for step in range(60):
        challenge.add_movement_frame(_in_oval(index + step, oval), blinked=blinked)
        action = challenge.next_action(now=time)
        if not isinstance(action, Wait):
            return action, time
        time += 1 / 15
    raise AssertionError("the oval was never held")


def _showing(
    monkeypatch: pytest.MonkeyPatch, *seen: PerspectiveFinding | None, face_pixels: float = 200.0
) -> None:
    """Makes successive approaches give these measurements, and then none, whatever the frames."""
    parallax = replace(NOTHING_FOLLOWED, face_pixels=face_pixels)
    findings = iter(seen)
    monkeypatch.setattr(ApproachTracker, "parallax", lambda _: parallax)
    monkeypatch.setattr(challenge_module, "measure_perspective", lambda *_: next(findings, None))


def _play(
    challenge: MovementChallenge, first: MoveOval, *, late: float = 0.0, blinked: bool = False
) -> tuple[int, Complete]:
    """Fills every oval; returns their number and the end of the challenge.

    Args:
        late: Seconds that the person takes for each oval before they fill it.
        blinked: Whether the person has blinked.
    """
    oval, time, index = first, 0.2, 0
    while True:
        action, time = _hold(challenge, oval.oval, time + late, index=index, blinked=blinked)
        index += 100
        if isinstance(action, Complete):
            return oval.number, action
        assert isinstance(action, MoveOval)
        assert action.number == oval.number + 1
        oval = action


def test_two_ovals_are_held_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, HEAD)
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
    assert _play(challenge, first) == (6, Complete(EndReason.PROVEN))
    result = judge_movement(challenge.record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.NOT_MEASURABLE
    assert [signal.name for signal in result.signals] == [
        "ovals_followed",
        "approach_relief",
        "approach_curvature",
        "perspective_depth",
        "surroundings_stay",
    ]
    assert [signal.assessed for signal in result.signals] == [True, False, False, False, False]


def test_not_following_is_reported_and_then_ends_the_challenge() -> None:
    challenge, first = _start()
    hints, time, index = [], 0.0, 0
    while True:
        challenge.add_movement_frame(_in_oval(index, first.oval, size=1.6))
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
    result = judge_movement(challenge.record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.ABSENT
    assert result.verified_bits == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"size": 0.6}, HintCode.MOVE_CLOSER),
        ({"size": 1.5}, HintCode.MOVE_BACK),
        ({"aside": 0.4}, HintCode.CENTER_FACE),
    ],
)
def test_the_hint_names_the_problem(changes: dict[str, float], code: HintCode) -> None:
    challenge, first = _start()
    challenge.next_action(now=2.0)
    challenge.add_movement_frame(_in_oval(0, first.oval, **changes))
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
        challenge.add_movement_frame(frame)
    assert challenge.next_action(now=2.1) == Hint(code)


def test_a_capture_clock_that_creeps_fills_no_memory() -> None:
    """A device that claims a microsecond between frames never holds the oval, and its frames are released."""
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
        challenge.add_movement_frame(frame)
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
        challenge.add_movement_frame(_in_oval(index, first.oval, aside=0.0 if index % 4 else 0.5))
        assert not isinstance(challenge.next_action(now=2.0 + index / 15), MoveOval)


def test_filling_another_oval_better_is_not_following() -> None:
    script = OvalScript(seeded(4), rest=Oval())
    step: OvalStep = script.draw()
    challenge, first = _start()
    assert first.oval == step.oval
    challenge.next_action(now=2.0)
    for index in range(40):
        challenge.add_movement_frame(_in_oval(index, step.others[index % len(step.others)]))
        assert not isinstance(challenge.next_action(now=2.0 + index / 15), MoveOval)


def test_the_challenge_ends_by_itself_without_frames() -> None:
    challenge, _ = _start()
    action: object = None
    for tick in range(100):
        action = challenge.next_action(now=tick / 5)
        if isinstance(action, Complete):
            break
    assert action == Complete(EndReason.NOT_FOLLOWED)


def test_an_invalid_time_is_refused() -> None:
    with pytest.raises(ObservationError):
        _start()[0].next_action(now=float("nan"))


_UNSURE = replace(HEAD, error=0.4)


def test_an_approach_that_leaves_it_unsure_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, _UNSURE, _UNSURE)
    challenge, first = _start()
    assert _play(challenge, first) == (4, Complete(EndReason.PROVEN))
    record = challenge.record
    assert record.followed
    assert (record.shown, record.measured) == (4, (_UNSURE, _UNSURE))
    assert record.verified_bits == pytest.approx(2 * (4.17 + 2), abs=0.02)
    assert judge_movement(record, scan(), SETTINGS).finding is ChallengeFinding.RIGHT


def test_after_three_approaches_it_stays_unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, *[replace(HEAD, depth=0.6, error=0.3)] * 3)
    challenge, first = _start()
    assert _play(challenge, first) == (6, Complete(EndReason.PROVEN))
    assert judge_movement(challenge.record, scan(), SETTINGS).finding is ChallengeFinding.NOT_MEASURABLE


def test_a_picture_is_not_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, replace(HEAD, depth=-0.1))
    challenge, first = _start()
    assert _play(challenge, first) == (2, Complete(EndReason.PROVEN))
    assert judge_movement(challenge.record, scan(), SETTINGS).finding is ChallengeFinding.WRONG


def test_a_head_after_a_picture_does_not_make_up_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    film = replace(HEAD, depth=0.05, error=0.2)
    _showing(monkeypatch, film, HEAD)
    challenge, first = _start()
    shown, _ = _play(challenge, first)
    assert shown > 2, "the film is not sure to be one"
    assert judge_movement(challenge.record, scan(), SETTINGS).finding is not ChallengeFinding.RIGHT


def _ask_to_blink(monkeypatch: pytest.MonkeyPatch) -> tuple[MovementChallenge, MoveOval, float]:
    """Returns a challenge whose ovals a head has filled without a blink, the last oval, and the time."""
    _showing(monkeypatch, HEAD)
    challenge, far = _start(blink=True)
    near, time = _hold(challenge, far.oval, 0.2)
    assert isinstance(near, MoveOval)
    awaited = [challenge.awaits_blink]
    action, time = _hold(challenge, near.oval, time, index=100)
    awaited.append(challenge.awaits_blink)
    assert action == Hint(HintCode.BLINK)
    assert awaited == [False, True]
    return challenge, near, time


def test_a_head_without_the_required_blink_is_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    assert isinstance(challenge.next_action(now=time + 0.1), Wait)
    challenge.add_movement_frame(_in_oval(200, near.oval), blinked=True)
    assert challenge.next_action(now=time + 0.2) == Complete(EndReason.PROVEN)
    assert not challenge.unproven
    assert challenge.record.followed


def test_the_wait_for_a_blink_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    actions: list[object] = []
    while not isinstance(action := challenge.next_action(now=time + len(actions) / 15), Complete):
        actions.append(action)
        challenge.add_movement_frame(_in_oval(200 + len(actions), near.oval))
    assert action == Complete(EndReason.PROVEN)
    assert challenge.unproven
    assert 2 <= actions.count(Hint(HintCode.BLINK)) <= 3
    assert len(actions) / 15 == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("faces", [0, 2])
def test_a_face_that_is_lost_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, faces: int) -> None:
    challenge, near, time = _ask_to_blink(monkeypatch)
    challenge.add_movement_frame(replace(_in_oval(200, near.oval), faces=faces))
    challenge.add_movement_frame(_in_oval(201, near.oval))
    assert challenge.next_action(now=time + 0.2) == Complete(EndReason.PROVEN)
    assert challenge.unproven


def test_who_blinked_before_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, HEAD)
    challenge, first = _start(blink=True)
    challenge.add_movement_frame(_in_oval(0, first.oval), blinked=True)
    assert _play(challenge, first, blinked=True) == (2, Complete(EndReason.PROVEN))
    assert not challenge.unproven


def test_a_picture_is_not_asked_to_blink(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, replace(HEAD, depth=-0.1))
    challenge, first = _start(blink=True)
    assert _play(challenge, first) == (2, Complete(EndReason.PROVEN))


def test_pictures_that_are_too_small_are_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, None, face_pixels=100.0)
    challenge, first = _start()
    assert _play(challenge, first) == (2, Complete(EndReason.PROVEN))


def test_no_new_approach_starts_near_the_end_of_the_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _showing(monkeypatch, _UNSURE)
    challenge, first = _start()
    assert _play(challenge, first, late=5.2) == (2, Complete(EndReason.PROVEN))


def test_an_approach_that_was_cut_short_counts_with_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    _showing(monkeypatch, _UNSURE, None)
    challenge, first = _start()
    oval, time = first, 0.2
    for index in range(3):
        action, time = _hold(challenge, oval.oval, time, index=100 * index)
        assert isinstance(action, MoveOval)
        oval = action
    record = challenge.record
    assert record.unfinished is not None
    assert not record.followed
    assert record.seen(SETTINGS.perspective) == _UNSURE
    result = judge_movement(record, scan(), SETTINGS)
    assert result.finding is ChallengeFinding.ABSENT
    assert "3 of 4 ovals" in result.detail


@given(
    seen=st.lists(
        st.sampled_from([None, HEAD, _UNSURE, replace(HEAD, depth=0.0, error=0.3)]), min_size=3, max_size=3
    )
)
@settings(max_examples=20, deadline=None)
def test_progress_never_falls(seen: list[PerspectiveFinding | None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        _showing(patch, *seen)
        challenge, first = _start()
        progress, oval, time = [0.0], first, 0.2
        for index in range(6):
            action, time = _hold(challenge, oval.oval, time, index=100 * index)
            progress.append(challenge.progress)
            if isinstance(action, Complete):
                break
            assert isinstance(action, MoveOval)
            assert challenge.progress < 1
            oval = action
    assert progress == sorted(progress)
    assert progress[-1] == 1


_STEP = OvalScript(seeded(4), rest=Oval()).draw()


def _frame(index: int, *, size: float = 1.0, aside: float = 0.0, faces: int = 1) -> FrameObservation:
    oval = _STEP.oval
    wide = oval.width * WIDTH
    face = face_at(oval.centre_x * WIDTH + aside * wide, oval.centre_y * HEIGHT, size * wide)
    return observation(index, face=face, faces=faces, capture_time=index / 10)


def test_an_oval_is_held_after_four_frames_and_its_time() -> None:
    shown = ShownOval(_STEP, moved_at=2.0)
    assert shown.arrives == 2.0 + _STEP.transition_seconds
    held = []
    for index in range(5):
        shown.follow_oval(_frame(index))
        held.append(shown.held)
    assert held == [False, False, False, False, True]
    assert [frame.index for frame in shown.run] == [0, 1, 2, 3, 4]
    assert shown.hint is None
    assert all(frame.view is None for frame in shown.run[:-1])
    shown.discard()
    assert (shown.run, shown.held) == ((), False)


@pytest.mark.parametrize(
    ("frame", "hint"),
    [
        (_frame(5, size=0.7), HintCode.MOVE_CLOSER),
        (_frame(5, size=1.4), HintCode.MOVE_BACK),
        (_frame(5, aside=0.3), HintCode.CENTER_FACE),
        (_frame(5, faces=2), HintCode.MULTIPLE_FACES),
        (observation(5, face=None), HintCode.NO_FACE),
    ],
)
def test_leaving_the_oval_ends_the_run_with_a_hint(frame: FrameObservation, hint: HintCode) -> None:
    shown = ShownOval(_STEP, moved_at=0.0)
    for index in range(4):
        shown.follow_oval(_frame(index))
    shown.follow_oval(frame)
    assert (shown.run, shown.hint) == ((), hint)
