"""One attempt's capture with a challenge, or with a request at its end."""

from dataclasses import replace

import pytest

from attempt.placement import CapturePlan
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.challenge.script import ColourScript
from liveness.gestures import Gesture, GestureRequest
from liveness.guidance import GuidanceSettings, Oval
from tests.attempt.capturing import ScriptedChallenge, capture_of, examine_ahead, frame_at
from tests.server.live import PLAN


@pytest.mark.parametrize("challenged", [False, True])
def test_frames_are_examined_ahead_in_step_with_those_that_come(challenged: bool) -> None:
    # A challenge may go from a fifth to its end in one step: its own progress does not count.
    capture = capture_of(ScriptedChallenge() if challenged else None)
    begun, behind = [], []
    for index in range(PLAN.frames):
        capture.capture_frame(frame_at(index), arrival=0.0)
        examine_ahead(capture)
        begun.append(len(capture.examined) > 0)
        behind.append(PLAN.selected * (index + 1) / PLAN.frames - len(capture.examined))
    assert 0.25 * PLAN.frames < begun.index(True) < 0.5 * PLAN.frames
    assert max(behind[begun.index(True) :]) < 3
    left = PLAN.selected - len(capture.examined)
    assert left <= 1


def test_the_judged_frames_are_fixed_before_the_closing_step_ends() -> None:
    challenge = ScriptedChallenge()
    challenge.progress = 1.0
    capture = capture_of(challenge)
    states = []
    for index in range(PLAN.frames + 4):
        capture.capture_frame(frame_at(index), arrival=0.0)
        states.append((capture.settled, capture.complete))
        challenge.settled = True
    # Even if the challenge is settled, an attempt needs its frames.
    assert states.index((True, False)) >= PLAN.frames - 1
    challenge.over = True
    assert (capture.settled, capture.complete) == (True, True)


def test_a_challenge_is_reported_when_the_attempt_has_its_frames() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    for index in range(PLAN.frames + 2):
        capture.capture_frame(frame_at(index), arrival=0.0)
    given = [frame.captured for frame in challenge.frames]
    assert given == sorted(given)
    assert given.index(True) >= PLAN.frames - 1


def test_a_skipped_frame_still_records_the_displayed_step() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    capture.skip_frame(frame_at(0), arrival=4.0)
    assert not challenge.received, "nothing is settled before the first frame"
    capture.capture_frame(frame_at(0), arrival=5.0)
    late = frame_at(3)
    capture.skip_frame(late, arrival=6.0)
    assert challenge.received == [(late, frame_at(0).capture_time_us, 6.0)]
    assert len(capture.observations.frames) == 1


def test_a_closing_step_is_part_of_the_captures_time() -> None:
    challenge = ScriptedChallenge()
    plan = CapturePlan(frames=32, seconds=4.0)
    beside = replace(plan, apart_seconds=0.0, motion_seconds=0.0)
    assert plan.with_challenge(challenge) == beside
    challenge.closing_seconds = 0.5
    assert plan.with_challenge(challenge) == replace(beside, frames=28, seconds=3.5)
    challenge.closing_seconds = 9.0
    assert plan.with_challenge(challenge) == replace(beside, frames=1, seconds=0.0)


@pytest.mark.parametrize(("awaits", "given"), [(False, "LOOK_STRAIGHT"), (True, "TURN_HEAD_SLIGHTLY")])
def test_a_person_asked_to_turn_gets_no_look_straight_hint(awaits: bool, given: str) -> None:
    challenge = ScriptedChallenge()
    challenge.awaits_depth, challenge.asks = awaits, "TURN_HEAD_SLIGHTLY"
    capture = capture_of(challenge, GuidanceSettings(turned=0.0))
    feedback = [capture.capture_frame(frame_at(index), arrival=0.0) for index in range(10)]
    assert {message.code for message in feedback if message is not None} == {given}


def test_an_open_mouth_is_requested_once_the_challenge_is_settled() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge, plan=replace(PLAN, open_mouth=True))
    for index in range(PLAN.frames + 4):
        capture.capture_frame(frame_at(index), arrival=0.0)
    assert capture.gestures == (GestureRequest(Gesture.OPEN_MOUTH, asked_at=None),)
    taken = len(challenge.frames)
    challenge.settled = challenge.over = True
    late = frame_at(PLAN.frames + 4)
    capture.capture_frame(late, arrival=7.0)
    assert capture.gestures[0].asked_at is not None
    assert not capture.settled
    # The challenge judges no further frame, but hears which step is on display.
    assert len(challenge.frames) == taken
    assert challenge.received == [(late, frame_at(0).capture_time_us, 7.0)]


def test_no_gesture_is_requested_after_a_challenge_without_its_proof() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge, plan=replace(PLAN, open_mouth=True))
    for index in range(PLAN.frames + 4):
        capture.capture_frame(frame_at(index), arrival=0.0)
    challenge.settled = challenge.over = challenge.unproven = True
    capture.capture_frame(frame_at(PLAN.frames + 4), arrival=7.0)
    assert capture.gestures == (GestureRequest(Gesture.OPEN_MOUTH, asked_at=None),)
    assert capture.complete


def test_depth_is_measured_when_the_challenge_wants_it() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    for index in range(20):
        challenge.depth_due = index in {12, 15}
        capture.capture_frame(frame_at(index), arrival=0.0)
    measured = [index for index, frame in enumerate(challenge.frames) if frame.seen.depth is not None]
    assert measured == [12, 15]


def test_light_is_for_the_challenge_that_measures_it_and_is_not_kept() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    for index in range(PLAN.frames):
        challenge.measures_light = index >= 4
        capture.capture_frame(frame_at(index), arrival=0.0)
    lit = [frame.seen.light is not None for frame in challenge.frames]
    assert lit == [index >= 4 for index in range(PLAN.frames)]
    assert capture.best is not None
    kept = (capture.best, *capture.audit_frames(PLAN.selected))
    assert {seen.light for seen in kept} == {None}


def test_the_oval_moves_when_the_challenge_requests_it() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    capture.capture_frame(frame_at(0), arrival=0.0)
    assert capture.act(0.0, frame_index=0) == ()
    challenge.wants = (MoveOval(1, Oval(width=0.2, height=0.2), 0.5),)
    assert capture.act(1.0, frame_index=0) == challenge.wants
    given = [capture.capture_frame(frame_at(index), arrival=0.0) for index in range(1, 8)]
    assert "MOVE_BACK" in {feedback.code for feedback in given if feedback is not None}


def test_a_step_counts_from_when_it_was_sent() -> None:
    challenge = ScriptedChallenge()
    capture = capture_of(challenge)
    capture.capture_frame(frame_at(0), arrival=0.0)
    step = ColourScript(bytes).lead_in()
    challenge.wants = (MoveOval(1, Oval(width=0.2, height=0.2), 0.5), Reveal(step))
    for at, action in enumerate(capture.act(1.0, frame_index=0)):
        capture.note_sent(action, at=3.0 + at)
    assert challenge.reported == [4.0]
    capture.capture_frame(replace(frame_at(1), flash_step=step.number), arrival=4.25)
    assert capture.round_trip.seconds == pytest.approx(0.25)
