"""One attempt's capture over real frames: hints, selected and examined frames, its challenge and its end."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.capture import AttemptCapture, RoundTrip
from attempt.frame import FrameLimits, FrameUnusable
from attempt.judgement import _ADVICE
from attempt.placement import CapturePlan, Placement
from attempt.selection import FrameExaminer, FrameReservoir, KeptFrames
from liveness.doubt import _COVERED_BY
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.challenge.script import ColourScript
from liveness.gestures import Gesture, GestureRequest
from liveness.guidance import GuidanceSettings, HintCode, Oval
from liveness.observation import ScanObservations
from liveness.occlusion import Cover
from liveness.selection import CUE_FRAMES
from matcher.persons import SCAN_SUBJECT
from matcher.template import TemplateSample
from tests.attempt.capturing import (
    CountingNetwork,
    ScriptedChallenge,
    capture_of,
    examine_ahead,
    frame_at,
    frame_of,
    undecodable,
)
from tests.liveness.builders import observation
from tests.server.live import PLAN, pictures
from tests.server.models_once import remembering_pack
from vision.face import HeadPose
from vision.image import encode_jpeg
from vision.packs import Template

# One attempt's capture over real frames: hints, selected and examined frames, and its end.


@pytest.fixture
def capture() -> AttemptCapture:
    return capture_of()


def test_a_good_capture_is_complete_after_enough_frames_over_enough_time(
    capture: AttemptCapture,
) -> None:
    progress = [0.0]
    given = []
    taken = 0
    while not capture.complete:
        feedback = capture.capture_frame(frame_at(taken), arrival=0.0)
        taken += 1
        if feedback is not None:
            given.append(feedback)
        progress.append(capture.progress)
    assert taken >= PLAN.frames
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert {feedback.code for feedback in given} == {"GOOD"}
    # There are fewer messages than frames, and the progress bar still moves.
    assert len(given) < taken
    assert [feedback.progress for feedback in given] == sorted(feedback.progress for feedback in given)

    assert not capture.examined
    capture.examine_rest()
    assert len(capture.examined) == PLAN.selected
    assert len(capture.observations.frames) == taken
    best = capture.best
    assert best is not None
    assert best.frame.image in {picture.jpeg for picture in pictures()}
    for limit in (0, 1, 2, 4):
        audit = capture.audit_frames(limit)
        assert len(audit) == limit
        assert best.frame.index not in {seen.frame.index for seen in audit}


def test_an_open_mouth_is_requested_when_nothing_else_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bool] = [False]
    monkeypatch.setattr("attempt.last_requests.gesture_made", lambda *_: opened[0] or None)
    capture = capture_of(plan=replace(PLAN, open_mouth=True))
    codes, asked = [], []
    for index in range(PLAN.frames + 6):
        opened[0] = index >= PLAN.frames + 4
        feedback = capture.capture_frame(frame_at(index), arrival=0.0)
        codes.append(None if feedback is None else feedback.code)
        (request,) = capture.gestures
        asked.append(request.asked_at is not None)
        assert capture.complete is (index >= PLAN.frames + 4)
    assert asked.index(True) >= PLAN.frames - 1
    assert codes.index("OPEN_MOUTH") == asked.index(True)
    # Faces with an open mouth are not compared with the portrait.
    assert max(capture.selected) <= asked.index(True)


_EARLY = CapturePlan(frames=18, seconds=2.4, early_seconds=1.2, selected=8, motion_seconds=0.0)


def _until_look(capture: AttemptCapture) -> int:
    """Give frames until the early look is due; return the number of them."""
    taken = 0
    while not capture.look_due:
        capture.capture_frame(frame_at(taken), arrival=0.0)
        taken += 1
    return taken


def test_an_early_look_is_due_once_at_its_share_of_frames_and_seconds() -> None:
    capture = capture_of(plan=_EARLY)
    taken = _until_look(capture)
    assert taken >= _EARLY.frames / 2
    assert capture.observations.duration >= _EARLY.early_seconds
    capture.note_look(clear=False)
    while not capture.complete:
        assert not capture.look_due
        capture.capture_frame(frame_at(taken), arrival=0.0)
        taken += 1
    assert taken >= _EARLY.frames
    assert capture.observations.duration >= _EARLY.seconds


def test_a_clear_look_ends_the_capture() -> None:
    capture = capture_of(plan=_EARLY)
    _until_look(capture)
    capture.note_look(clear=True)
    assert capture.complete
    assert capture.settled
    assert not capture.look_due
    assert capture.progress == 1.0


@pytest.mark.parametrize("asked", [{"open_mouth": True}, {"turn_head": True}, {"early_seconds": 0.0}])
def test_an_attempt_that_asks_for_gestures_has_no_early_look(asked: dict[str, Any]) -> None:
    assert replace(_EARLY, **asked).early_share is None
    assert _EARLY.with_challenge(ScriptedChallenge()).early_share is None
    assert PLAN.early_share is None, "the whole plan is shorter"


def test_more_frames_are_scored_until_the_early_look() -> None:
    plan = replace(_EARLY, frames=30, seconds=4.0, early_seconds=1.6)
    looking = capture_of(plan=plan, network=CountingNetwork())
    whole = capture_of(plan=replace(plan, early_seconds=0.0), network=CountingNetwork())
    for index in range(_until_look(looking)):
        whole.capture_frame(frame_at(index), arrival=0.0)
    assert len(looking.pad_scores) >= 1.5 * len(whole.pad_scores)


def test_the_detector_does_not_run_on_every_frame(capture: AttemptCapture) -> None:
    for index in range(len(pictures())):
        capture.capture_frame(frame_at(index), arrival=0.0)
    frames = capture.observations.frames
    assert len(frames) == len(pictures())
    looked = [frame for frame in frames if not frame.followed]
    assert PLAN.selected <= len(looked) <= 0.7 * len(frames)
    assert {frame.faces for frame in frames} == {1}
    # The pack has landmarks, so eyes are known on most followed frames too, mostly without measuring them.
    assert sum(frame.eyes is not None for frame in frames) >= 0.8 * len(frames)
    # Only frames with a detection are selected.
    capture.examine_rest()
    assert {examined.frame_index for examined in capture.examined} <= {frame.index for frame in looked}


def test_networks_score_frames_spread_by_time_and_not_those_that_are_selected() -> None:
    network = CountingNetwork()
    capture = capture_of(network=network)
    for index in range(len(pictures())):
        capture.capture_frame(frame_at(index), arrival=0.0)
    frames = {frame.index: frame for frame in capture.observations.frames}
    scored = [frames[score.frame_index] for score in capture.pad_scores]
    assert len(scored) <= 11
    assert all(frame.faces == 1 and not frame.followed for frame in scored)
    times = [frame.capture_time for frame in scored]
    detected = [frame.capture_time for frame in frames.values() if not frame.followed]
    assert times[0] == detected[0]
    assert np.diff(times).min() >= PLAN.seconds / 10
    # No detected frame is left out that comes late enough after the last scored one.
    for time in set(detected) - set(times):
        assert time - max(before for before in times if before < time) < max(PLAN.seconds, time) / 10
    before = capture.pad_scores
    capture.examine_rest()
    assert capture.pad_scores == before
    assert network.asked == len(before)
    assert {frame.index for frame in scored} != {one.frame_index for one in capture.examined}


def test_frames_that_come_faster_than_needed_are_not_measured(capture: AttemptCapture) -> None:
    start, unreadable = 1_000_000, undecodable(pictures()[5].jpeg)
    capture.capture_frame(replace(frame_at(0), capture_time_us=start), arrival=0.0)
    for early in range(1, 3):
        # In the first second they are also sampled, to be compared with later ones.
        too_soon = replace(frame_at(early), capture_time_us=start + early * 33_000)
        assert capture.capture_frame(too_soon, arrival=0.0) is None
    with pytest.raises(FrameUnusable):
        capture.capture_frame(
            replace(frame_at(3), capture_time_us=start + 90_000, image=unreadable), arrival=0.0
        )
    assert [passed.samples is not None for passed in capture.observations.passed] == [True, True]
    capture.capture_frame(replace(frame_at(4), capture_time_us=start + 1_200_000), arrival=0.0)
    progress = capture.progress
    # After that they are not even decoded; their bytes are known.
    capture.capture_frame(
        replace(frame_at(5), capture_time_us=start + 1_233_000, image=unreadable), arrival=0.0
    )
    capture.capture_frame(replace(frame_at(6), capture_time_us=start + 1_333_000), arrival=0.0)
    scan = capture.observations
    assert [frame.index for frame in scan.frames] == [0, 4, 6]
    assert [passed.index for passed in scan.passed] == [1, 2, 5]
    assert scan.passed[-1].samples is None
    assert scan.passed[-1].fingerprint not in {None, scan.passed[0].fingerprint}
    assert all(frame.fingerprint is not None for frame in scan.frames)
    assert capture.frames_examined == 5
    with pytest.raises(FrameUnusable):
        capture.verify_sample()
    # They have the placement of the measured frame before them.
    assert capture.progress > progress


def test_a_mode_that_needs_every_frame_gets_it() -> None:
    capture = capture_of(plan=replace(PLAN, apart_seconds=0.0))
    for index in range(4):
        capture.capture_frame(replace(frame_at(index), capture_time_us=1 + index * 33_000), arrival=0.0)
    assert len(capture.observations.frames) == 4


def test_a_frame_that_may_be_replaced_is_not_examined_early(capture: AttemptCapture) -> None:
    for index in range(PLAN.frames - 1):
        capture.capture_frame(frame_at(index), arrival=0.0)
    assert not capture.complete
    for _ in range(PLAN.selected):
        examine_ahead(capture)
    assert len(capture.examined) == PLAN.selected - 1
    best = capture.best
    assert best is not None
    assert best.frame.index in {examined.frame_index for examined in capture.examined}
    capture.examine_rest()
    assert len(capture.examined) == PLAN.selected
    assert sum(examined.cues is not None for examined in capture.examined) == CUE_FRAMES


def test_decoded_frames_are_passed_on_with_their_coded_bytes(capture: AttemptCapture) -> None:
    shown: list[tuple[int, tuple[int, ...]]] = []
    turned = replace(frame_at(0), mirrored=True)
    capture.capture_frame(
        turned, arrival=0.0, coded=lambda frame, pixels: shown.append((frame.index, pixels.shape))
    )
    assert [(index, shape[:2]) for index, shape in shown] == [(0, (turned.height, turned.width))]


def test_an_empty_room_is_reported_and_never_complete(capture: AttemptCapture) -> None:
    empty = encode_jpeg(np.full((480, 360, 3), 128, np.uint8), quality=60)
    given = []
    for index in range(10):
        feedback = capture.capture_frame(frame_of(index, image=empty), arrival=0.0)
        if feedback is not None:
            given.append(feedback.code)
    assert set(given) == {"NO_FACE"}
    assert capture.hints == ("NO_FACE",)
    assert capture.progress == 0.0
    assert capture.best is None
    assert capture.audit_frames(4) == ()
    capture.examine_rest()
    assert capture.examined == ()


def test_frames_without_time_between_them_are_not_enough(capture: AttemptCapture) -> None:
    for index in range(PLAN.frames + 4):
        hurried = replace(frame_at(index), capture_time_us=1 + index * 1000)
        capture.capture_frame(hurried, arrival=0.0)
    assert not capture.complete


def test_an_image_that_cannot_be_used_is_refused(capture: AttemptCapture) -> None:
    with pytest.raises(FrameUnusable) as caught:
        capture.capture_frame(replace(frame_at(0), image=b"no picture"), arrival=0.0)
    assert caught.value.details["frame_index"] == 0


def test_a_frame_that_waited_at_the_server_answers_no_later_message() -> None:
    trip = RoundTrip()
    trip.note_request(1.0)
    trip.note_frame(0.9, step=0)
    trip.note_frame(0.95, step=0)
    assert trip.seconds == 0
    trip.note_frame(1.3, step=0)
    assert trip.seconds == pytest.approx(0.3)


def test_naming_a_step_late_does_not_lengthen_it() -> None:
    trip = RoundTrip()
    trip.note_request(0.0)
    trip.note_frame(0.05, step=0)
    trip.note_step(1, 1.0)
    trip.note_frame(1.9, step=1)
    assert trip.seconds == pytest.approx(0.05)


def test_the_first_frame_after_new_credit_waited_for_it() -> None:
    trip = RoundTrip()
    trip.note_request(1.0)
    trip.note_frame(1.2, step=0)
    waited = [trip.waited]
    trip.note_request(2.5, waiting_since=2.0)
    # The first had arrived before the credit was sent.
    for arrival in (2.4, 2.7, 2.75):
        trip.note_frame(arrival, step=0)
        waited.append(trip.waited)
    assert waited == [None, None, (2.0, 2.5), None]


@dataclass(frozen=True)
class _Exchange:
    """What happens next: the server sends a message, or a step; frames and network need these times."""

    step: bool
    network: float
    camera: float


@given(
    exchanges=st.lists(
        st.builds(_Exchange, step=st.booleans(), network=st.floats(0.01, 2.0), camera=st.floats(0.0, 1.0)),
        min_size=1,
        max_size=30,
    ),
    crowd=st.integers(0, 4),
)
def test_it_is_never_less_than_the_network_needs(exchanges: list[_Exchange], crowd: int) -> None:
    """Frames under way, which name the step before, may arrive at any time before the answer to a step."""
    trip, now, step = RoundTrip(), 100.0, 0
    for one in exchanges:
        answered = now + one.network + one.camera
        if one.step:
            trip.note_step(step + 1, now)
            for other in range(crowd):
                trip.note_frame(now + other / 5 * (answered - now), step=step)
            step += 1
        else:
            trip.note_request(now)
        trip.note_frame(answered, step=step)
        now = answered + 0.1
    taken = [one.network + one.camera for one in exchanges]
    assert trip.seconds == pytest.approx(min(taken))
    assert trip.seconds >= min(one.network for one in exchanges) - 1e-6


# One attempt's capture with a challenge, or with a request at its end.


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
    beside = replace(plan, early_seconds=0.0, apart_seconds=0.0, motion_seconds=0.0)
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


# The feedback and the count of a capture whose frames show a covered face.

_COVERS = [cover for cover in Cover if cover is not Cover.NOTHING]


@pytest.mark.parametrize("cover", _COVERS)
def test_a_covered_face_is_reported_and_its_frames_count(cover: Cover) -> None:
    placement = Placement(plan=CapturePlan(frames=8, seconds=0.2), oval=Oval(), settings=GuidanceSettings())
    codes = [placement.place_frame(observation(i, cover=cover), turned=False).code for i in range(12)]
    assert placement.captured
    assert placement.hints == ()
    assert codes[-1] not in (None, HintCode.GOOD)


@pytest.mark.parametrize("cover", _COVERS)
def test_the_hint_of_a_scan_and_the_advice_after_it_are_one_code(cover: Cover) -> None:
    reason = _COVERED_BY[cover]
    assert _ADVICE[reason] == HintCode(reason.value).value


_FRONTAL, _PROFILE = HeadPose(yaw=2.0, pitch=0.0, roll=0.0), HeadPose(yaw=50.0, pitch=0.0, roll=0.0)
_TEMPLATE = Template(np.array([1.0, 0.0], np.float32), "form")


def _identified(poses: Sequence[HeadPose], *, examined: Sequence[ExaminedFrame] = ()) -> list[int]:
    """Return which frames would be identified of a face that is lost after every frame."""
    kept = KeptFrames(count=1)
    frames = tuple(observation(index, pose=pose) for index, pose in enumerate(poses))
    for frame in frames:
        kept.keep_frame(SeenFrame(frame=frame_of(frame.index), pixels=None, observation=frame))
    scan = ScanObservations(frames=frames, motion=())
    return [observed.index for _, observed in kept.unidentified(scan, examined=examined)]


def test_a_face_that_was_lost_is_identified_by_frontal_frames_only() -> None:
    assert _identified([_FRONTAL, _PROFILE, _FRONTAL]) == [0, 2]


def test_a_frame_is_not_identified_twice() -> None:
    sample = TemplateSample(_TEMPLATE, 0.5)
    # The pose of frame 1 was estimated; its landmarks showed that the head is turned after all.
    averted = TemplateSample(_TEMPLATE, 0.5, comparable=False)
    examined = [ExaminedFrame(0, sample), ExaminedFrame(1, averted)]
    assert _identified([_FRONTAL, _FRONTAL, _FRONTAL], examined=examined) == [2]


def test_every_frame_has_the_same_chance_to_be_drawn() -> None:
    draws = random.Random(7)
    drawn: Counter[int] = Counter()
    for _ in range(3000):
        sample = FrameReservoir(random=draws.randbytes)
        for index in range(20):
            sample.draw_frame(frame_of(index))
            assert len({frame.index for frame in sample.drawn}) == min(4, index + 1)
        drawn.update(frame.index for frame in sample.drawn)
    assert set(drawn) == set(range(20))
    # 600 each, with a standard deviation of 22.
    assert all(abs(count - 600) < 110 for count in drawn.values())


class _Setting:
    def __init__(self, frames: int = 5) -> None:
        analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
        self.kept: dict[int, SeenFrame] = {}
        for index in range(frames):
            watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
            time = pictures()[index].time_us / 1e6
            self.kept[index] = analyst.measure_frame(frame_at(index), time, watcher=watcher)
        self.examiner = FrameExaminer(analyst=analyst, kept=self.kept)

    def ahead(self, wanted: list[int]) -> int | None:
        """Do the next examination; return the number of its frame."""
        examination = self.examiner.next(wanted)
        if examination is None:
            return None
        self.examiner.keep_examined([examination()])
        return examination.index

    def pending(self, selected: list[int], *, begun: int | None = None) -> list[int]:
        examinations = self.examiner.pending(selected, begun=begun)
        self.examiner.keep_examined(examination() for examination in examinations)
        return [examination.index for examination in examinations]

    @property
    def known(self) -> list[int]:
        return [examined.frame_index for examined in self.examiner.examined]


def test_the_wanted_come_first_and_none_twice() -> None:
    setting = _Setting()
    assert [setting.ahead(wanted) for wanted in ([3, 1], [3, 1], [3, 1], [1, 0])] == [3, 1, None, 0]
    assert setting.known == [0, 1, 3]
    assert setting.pending([0, 2, 4], begun=4) == [2], "nor is one that was begun"


def test_a_frame_that_was_replaced_meanwhile_counts_no_more() -> None:
    setting = _Setting()
    assert [setting.ahead([1]), setting.ahead([2])] == [1, 2]
    del setting.kept[1]
    assert setting.pending([0, 2]) == [0]
    assert setting.known == [0, 2]


def test_so_many_frames_have_cues_and_no_replaced_one_takes_a_place() -> None:
    setting = _Setting()
    setting.ahead([0])
    del setting.kept[0]
    setting.pending([1, 2, 3, 4])
    assert sum(examined.cues is not None for examined in setting.examiner.examined) == CUE_FRAMES


def test_only_a_frame_with_a_detection_can_be_examined() -> None:
    setting = _Setting()
    object.__setattr__(setting.kept[2], "pixels", None)
    with pytest.raises(ValueError, match="only a frame with a face"):
        setting.ahead([2])


def test_no_more_than_eight_frames_are_identified() -> None:
    setting = _Setting(frames=11)
    looks = [(seen.frame, seen.observation) for seen in setting.kept.values()]
    witnesses = [identify() for identify in setting.examiner.identifications(looks)]
    assert [examined.frame_index for examined in witnesses] == list(range(8))
    assert all(examined.cues is None for examined in witnesses)
    assert not setting.known
