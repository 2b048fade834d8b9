"""What an attempt asks for: the colours, the ovals, and the last requests."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from attempt.analyst import FrameAnalyst, SeenFrame
from attempt.challenge import Action, ChallengeFrame, Feedback, PauseCapture
from attempt.flash_run import FlashRun
from attempt.frame import Frame, FrameLimits
from attempt.last_requests import GestureWait, LastRequests, MotionWait, draw_gestures
from attempt.movement_run import MovementRun
from liveness import Gesture, GestureRequest
from liveness.dynamic.challenge import FlashChallenge, MoveOval, Reveal
from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.challenge.proof import Light, Meter
from liveness.dynamic.challenge.script import ColourScript
from liveness.dynamic.movement import MovementChallenge
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import HintCode, Oval
from liveness.observation import ScanObservations
from matcher.persons import SCAN_SUBJECT
from tests.attempt.capturing import frame_of
from tests.liveness.builders import HEIGHT, RATE, WIDTH, face_at, followed, observation, scan
from tests.liveness.dynamic.flash_device import ScriptedMeter, seeded
from tests.liveness.dynamic.perspectives import SETTINGS
from tests.server.live import pictures
from tests.server.models_once import remembering_pack

# The flash of an attempt: the steps and their times, and the claims that a frame may make.

_RATE = 15.0


class _Phone:
    """Sends frames at a rate, in virtual time, and shows every step at once."""

    def __init__(self, meter: Meter, policy: DynamicPolicy, first: int = 1) -> None:
        analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
        self.run = FlashRun(
            FlashChallenge(
                script=ColourScript(secrets.token_bytes, first_number=first),
                meter=meter,
                policy=policy,
                depth_line=3.5,
            ),
            first_step=first,
        )
        picture = pictures()[0]
        self._picture = picture
        message = self._frame_of(0, 0.0)
        watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
        self._seen = analyst.measure_frame(message, 0.0, watcher=watcher, with_light=True)
        self.sent: list[Action] = []
        self._index = count()
        self.now = 100.0
        self.step, self.since = 0, 0.0

    def _frame_of(self, index: int, time: float, step: int = 0, since: float = 0.0) -> Frame:
        return Frame(
            image=self._picture.jpeg,
            index=index,
            capture_time_us=1_000_000 + round(time * 1e6),
            rotation_degrees=0,
            mirrored=False,
            width=self._picture.width,
            height=self._picture.height,
            flash_step=step,
            flash_step_since_us=round(since * 1e6) + 1_000_000 if step else 0,
        )

    def frame(
        self, *, claim: int | None = None, guidance: HintCode = HintCode.GOOD, silent: bool = False
    ) -> tuple[Action, ...]:
        time = self.now - 100.0
        message = self._frame_of(next(self._index), time, self.step if claim is None else claim, self.since)
        if self.run.settled:
            self.run.note_claim(message, origin_us=1_000_000, arrival=self.now)
        elif not silent:
            self.run.measure_answer(
                ChallengeFrame(
                    seen=replace(self._seen, frame=message),
                    capture_time=time,
                    origin_us=1_000_000,
                    arrival=self.now,
                    guidance=guidance,
                    blinked=False,
                    captured=True,
                    round_trip=0.0,
                )
            )
        said = self.run.act(self.now, frame_index=0)
        self.sent += said
        for action in said:
            if isinstance(action, Reveal):
                self.step, self.since = action.step.number, time
        self.now += 1 / _RATE
        return said

    def play(self, *, longest: float = 25.0) -> None:
        while not self.run.over and self.now < 100 + longest:
            self.frame()


def test_a_face_that_answers_ends_it_with_the_closing_step() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy(), first=5)
    phone.play()
    steps = [message.step for message in phone.sent if isinstance(message, Reveal)]
    assert [step.number for step in steps] == list(range(5, 5 + len(steps)))
    assert [step.last for step in steps] == [False] * (len(steps) - 1) + [True]
    assert phone.run.over
    assert not phone.run.fell_back
    assert phone.run.progress == 1.0
    assert phone.run.next_step == 5 + len(steps)
    evidence = phone.run.evidence
    assert [revealed.step for revealed in evidence.steps] == steps
    assert len(evidence.samples) > 20
    assert {sample.step for sample in evidence.samples} >= {5, 6, 7}
    # Relative to the attempt's first frame, as the capture times are.
    assert all(
        0 <= sample.capture_time - sample.step_since < 20
        for sample in evidence.samples
        if sample.step_since is not None
    )


def test_a_claim_of_an_earlier_attempt_is_no_claim() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy(), first=9)
    phone.frame(claim=8)
    assert phone.run.evidence.samples[-1].step == 0
    assert phone.run.evidence.samples[-1].step_since is None


@pytest.mark.parametrize("falls", [True, False])
def test_bright_light_is_reported_and_ends_it(falls: bool) -> None:
    meter = ScriptedMeter(answer=lambda _: None, measured_light=lambda _: Light.TOO_BRIGHT)
    phone = _Phone(meter, DynamicPolicy(falls_back=falls))
    phone.play()
    codes = [message.code for message in phone.sent if isinstance(message, Feedback)]
    assert set(codes) == {HintCode.TOO_BRIGHT}
    assert phone.run.hints == ("TOO_BRIGHT",)
    assert phone.run.over
    assert phone.run.fell_back is falls


def test_a_silent_person_is_not_asked_again_at_once() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy())
    assert phone.run.due(phone.now) is None
    phone.frame()
    due = phone.run.due(phone.now)
    assert due is not None
    assert due > phone.now
    phone.play()
    assert phone.run.due(phone.now) is None


def test_a_face_that_leaves_pauses_the_capture() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy())
    while not phone.sent:
        phone.frame()
    pauses: list[PauseCapture] = []
    for _ in range(40):
        said = phone.frame(guidance=HintCode.CENTER_FACE, silent=bool(pauses) and pauses[-1].paused)
        pauses += [message for message in said if isinstance(message, PauseCapture)]
    assert [pause.paused for pause in pauses[:2]] == [True, False]
    assert pauses[0].reason == "CENTER_FACE"


# The movement challenge of an attempt: the ovals that are sent, and its end.


class _Person:
    """A person who fills each oval as soon as it comes, or stays in place."""

    def __init__(self, *, follows: bool) -> None:
        challenge = MovementChallenge(OvalScript(seeded(4), rest=Oval()), SETTINGS)
        analyst = FrameAnalyst(pack=remembering_pack(), limits=FrameLimits())
        self.run = MovementRun(challenge, analyst=analyst)
        self.follows = follows
        self.place = Oval()
        self.sent: list[Action] = []
        self.now = 50.0

    def play(self, *, longest: float = 30.0) -> None:
        index = 0
        while not self.run.over and self.now < 50 + longest:
            self._frame(index)
            said = self.run.act(self.now, frame_index=index)
            self.sent += said
            for message in said:
                if isinstance(message, MoveOval) and self.follows:
                    self.place = message.oval
            index += 1
            self.now += 1 / _RATE

    def _frame(self, index: int) -> None:
        place, picture = self.place, pictures()[0]
        face = face_at(place.centre_x * WIDTH, place.centre_y * HEIGHT, place.width * WIDTH)
        seen = SeenFrame(
            frame=frame_of(index, image=picture.jpeg, width=picture.width, height=picture.height),
            pixels=None,
            observation=observation(index, face=face),
        )
        self.run.measure_answer(
            ChallengeFrame(
                seen=seen,
                capture_time=self.now - 50,
                origin_us=0,
                arrival=self.now,
                guidance=None,
                blinked=False,
                captured=True,
                round_trip=0.0,
            )
        )

    @property
    def ovals(self) -> list[MoveOval]:
        return [message for message in self.sent if isinstance(message, MoveOval)]


def test_ovals_come_one_at_a_time_and_are_followed() -> None:
    # These frames show no depth, so the challenge repeats the approach until the time is over.
    person = _Person(follows=True)
    assert person.run.due(person.now) is None
    person.play()
    assert [change.number for change in person.ovals] == [1, 2, 3, 4, 5, 6]
    for far, near in zip(person.ovals[::2], person.ovals[1::2], strict=True):
        assert far.oval.width < Oval().width < near.oval.width
    assert person.run.over
    assert not person.run.gave_up
    assert person.run.progress == 1.0
    assert person.run.hints == ()
    assert person.run.record.followed
    assert person.run.due(person.now) is None


def test_a_person_that_does_not_follow_ends_the_run() -> None:
    person = _Person(follows=False)
    person.play()
    assert [change.number for change in person.ovals] == [1]
    codes = {message.code for message in person.sent if isinstance(message, Feedback)}
    assert codes == {"MOVE_BACK"}
    assert person.run.gave_up
    assert person.run.hints == ("ACTION_NOT_PERFORMED", "MOVE_BACK")


def test_between_frames_it_is_asked_again_but_not_at_once() -> None:
    person = _Person(follows=True)
    person.play(longest=0.1)
    due = person.run.due(person.now)
    assert due is not None
    assert due > person.now


def _bytes(values: Iterator[int]) -> bytes:
    return bytes([next(values) % 256])


def test_every_side_and_order_is_drawn_as_often() -> None:
    values = iter(range(256))
    drawn = Counter(
        draw_gestures(open_mouth=True, turn_head=True, random=lambda _: _bytes(values)) for _ in range(256)
    )
    mouth, sides = Gesture.OPEN_MOUTH, (Gesture.TURN_LEFT, Gesture.TURN_RIGHT)
    assert drawn == dict.fromkeys(
        [*((mouth, side) for side in sides), *((side, mouth) for side in sides)], 64
    )


def test_only_what_is_demanded_is_drawn() -> None:
    values = count()
    assert draw_gestures(open_mouth=False, turn_head=False, random=lambda _: _bytes(values)) == ()
    assert draw_gestures(open_mouth=True, turn_head=False, random=lambda _: _bytes(values)) == (
        Gesture.OPEN_MOUTH,
    )
    assert next(values) == 0, "nothing was drawn"
    assert draw_gestures(open_mouth=False, turn_head=True, random=lambda _: _bytes(values)) == (
        Gesture.TURN_LEFT,
    )


def _requests(delay: int = 0) -> LastRequests:
    return LastRequests(
        motion_seconds=0.0,
        gestures=(Gesture.TURN_RIGHT, Gesture.OPEN_MOUTH),
        random=lambda number: bytes([delay] * number),
    )


def _play(requests: LastRequests, *, opens: bool = True, turns: bool = True) -> list[str | None]:
    """A person who makes each gesture half a second after its request; returns the hints, frame by frame."""
    hints: list[str | None] = []
    frames = []
    for index in range(300):
        asked = [request.asked_at for request in requests.gestures]
        since = [0.0 if at is None else index / RATE - at - 0.5 for at in asked]
        frames.append(
            observation(
                index,
                yaw=-min(20.0, max(0.0, 60 * since[0])) * (turns and since[0] < 1.0),
                mouth=0.1 + min(2.0, max(0.0, 6 * since[1])) * opens,
            )
        )
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 20)
        hints.append(requests.instead_of(HintCode.GOOD))
        if requests.over:
            break
    return hints


@pytest.mark.parametrize(("delay", "frames"), [(0, 0), (255, 22)])
def test_gestures_are_requested_one_after_the_other_each_after_a_drawn_delay(delay: int, frames: int) -> None:
    requests = _requests(delay)
    hints = _play(requests)
    turn, mouth = hints.index("TURN_RIGHT"), hints.index("OPEN_MOUTH")
    assert turn == 20 + frames + (delay > 0)
    last = max(index for index, hint in enumerate(hints) if hint == "TURN_RIGHT")
    assert mouth - last - 2 == pytest.approx(frames, abs=1)
    assert requests.over
    assert len(hints) < 150
    assert not _asks_gesture(requests)


def _asks_gesture(requests: LastRequests) -> bool:
    return requests.instead_of(HintCode.MOVE_CLOSER) is not None


def _swing(index: int) -> float:
    return 15.0 if index // 5 % 2 else -15.0


def _turned_for_depth(index: int) -> float:
    return 0.0 if index < 25 else -15.0


@pytest.mark.parametrize("moved", [_swing, _turned_for_depth])
def test_a_head_that_was_turned_is_asked_once_it_is_back_at_rest(moved: Callable[[int], float]) -> None:
    requests, frames, asked = _requests(), [], None
    for index in range(120):
        frames.append(observation(index, yaw=0.0 if index >= 45 else moved(index)))
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 30)
        if _asks_gesture(requests):
            asked = index
            break
        assert requests.measures_gesture is (index >= 30)
    assert asked == pytest.approx(45 + 0.8 * RATE, abs=1.5)


def test_a_head_that_is_never_at_rest_is_asked_all_the_same() -> None:
    requests, frames = _requests(), []
    for index in range(120):
        frames.append(observation(index, yaw=15.0 * (-1) ** (index // 5)))
        requests.check_requests(followed(frames), index / RATE, arrival=index / RATE, settled=index >= 20)
        if _asks_gesture(requests):
            break
    assert index == pytest.approx(20 + 3.0 * RATE, abs=1.5)


def test_once_a_gesture_is_missing_no_other_is_requested() -> None:
    requests = _requests()
    hints = _play(requests, turns=False)
    assert requests.over
    assert set(hints) == {None, "TURN_RIGHT"}
    turn, mouth = requests.gestures
    assert turn.asked_at is not None
    assert mouth.asked_at is None
    assert len(hints) == pytest.approx(20 + 5 * RATE, abs=2)


def test_a_request_replaces_all_other_guidance() -> None:
    requests = _requests()
    for index in range(25):
        shown = followed([observation(at, yaw=0.0) for at in range(index + 1)])
        requests.check_requests(shown, index / RATE, arrival=index / RATE, settled=True)
    assert _asks_gesture(requests)
    assert {requests.instead_of(code) for code in HintCode} == {"TURN_RIGHT"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The answers of the measurement, which are taken from the front; the last one stays."""
    answers: list[bool] = []

    def has_sign_of_life(seen: ScanObservations) -> bool:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr("attempt.last_requests.has_sign_of_life", has_sign_of_life)
    return answers


def test_no_turn_is_requested_of_a_person_that_moved(measured: list[bool]) -> None:
    """Nor of anyone if the plan has no time for it."""
    measured.append(True)
    for wait in (MotionWait(seconds=4.0), MotionWait(seconds=0.0)):
        wait.check_motion(scan(), 5.0)
        assert wait.over
        assert not wait.asking


def test_a_turn_is_requested_until_the_head_turns(measured: list[bool]) -> None:
    measured.extend([False, False, True])
    wait = MotionWait(seconds=4.0)
    wait.check_motion(scan(), 5.0)
    assert wait.asking
    wait.check_motion(scan(), 5.5)
    assert wait.asking
    wait.check_motion(scan(), 6.0)
    assert wait.over
    assert not wait.asking


def test_the_wait_ends_without_motion(measured: list[bool]) -> None:
    measured.append(False)
    wait = MotionWait(seconds=4.0)
    for time in (5.0, 6.0, 8.9):
        wait.check_motion(scan(), time)
        assert wait.asking
    wait.check_motion(scan(), 9.0)
    assert wait.over


def test_the_motion_is_measured_a_few_times_a_second(measured: list[bool]) -> None:
    measured.extend([False, True])
    wait = MotionWait(seconds=4.0)
    wait.check_motion(scan(), 5.0)
    wait.check_motion(scan(), 5.1)
    assert wait.asking
    assert measured == [True]


_SINCE = 12 / RATE
_ASKED = GestureRequest(Gesture.OPEN_MOUTH, asked_at=19 / RATE, since=_SINCE)


def _seen(upto: int, opened_from: int) -> list[float]:
    """Shut, then partly open in two frames, and then open."""
    opened = [0.1, 0.6, 1.1, 2.4]
    return [opened[min(3, max(0, index - opened_from + 3))] for index in range(upto)]


def _gesture_wait_play(
    wait: GestureWait, *, opened_from: int, first: int = 20, frames: int = 400, stalls: float = 0.0
) -> int:
    """Give frames to the wait until it is over; return how many."""
    gaps = _seen(frames, opened_from)
    for index in range(first, frames):
        shown = followed([observation(at, mouth=gap) for at, gap in enumerate(gaps[: index + 1])])
        arrival = 50 + index / RATE + (stalls if index > first else 0.0)
        wait.check_gesture(shown, index / RATE, arrival=arrival, since=_SINCE)
        if wait.made is not None:
            return index
        assert wait.asking
    return frames


def test_the_wait_ends_when_the_gesture_is_made() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH)
    assert (wait.made, wait.asking) == (None, False)
    assert wait.request == GestureRequest(Gesture.OPEN_MOUTH, asked_at=None)
    assert _gesture_wait_play(wait, opened_from=35) == 36
    assert wait.request == _ASKED
    assert (wait.made, wait.asking) == (True, False)


def test_the_wait_ends_after_its_time() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH)
    assert _gesture_wait_play(wait, opened_from=1000) == 19 + 5 * RATE
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_by_the_servers_clock_if_the_device_stops_its_own() -> None:
    wait = GestureWait(Gesture.OPEN_MOUTH)
    assert _gesture_wait_play(wait, opened_from=30, stalls=8.0) == 21
    assert (wait.made, wait.request) == (False, _ASKED)


def test_the_wait_ends_when_the_head_turns_to_the_other_side() -> None:
    wait = GestureWait(Gesture.TURN_LEFT)
    for index in range(20, 60):
        yaw = [0.0] * min(index + 1, 30) + [-20.0] * max(0, index - 29)
        shown = followed([observation(at, yaw=one) for at, one in enumerate(yaw)])
        wait.check_gesture(shown, index / RATE, arrival=50.0, since=_SINCE)
        if wait.made is not None:
            break
    assert (wait.made, index) == (False, 31)
