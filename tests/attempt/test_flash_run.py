"""The flash of an attempt: the steps and their times, and the claims that a frame may make."""

import secrets
from dataclasses import replace
from itertools import count

import pytest

from attempt.analyst import FrameAnalyst
from attempt.challenge import Action, ChallengeFrame, Feedback, PauseCapture
from attempt.flash_run import FlashRun
from attempt.frame import Frame, FrameLimits
from liveness.dynamic.challenge import FlashChallenge, Reveal
from liveness.dynamic.challenge.actions import HintCode
from liveness.dynamic.challenge.proof import Light, Meter
from liveness.dynamic.challenge.script import SHORTEST_HOLD_SECONDS, ColourScript
from liveness.dynamic.policy import DynamicPolicy
from liveness.guidance import GuidanceCode
from matcher.persons import SCAN_SUBJECT
from tests.liveness.dynamic.flash_device import ScriptedMeter
from tests.server.live import pictures
from tests.server.models_once import remembering_pack

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
        self.captured = True

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

    def frame(self, *, claim: int | None = None) -> tuple[Action, ...]:
        time = self.now - 100.0
        step = self.step if claim is None else claim
        if self.run.settled:
            message = self._frame_of(next(self._index), time, step, self.since)
            self.run.note_claim(message, origin_us=1_000_000, arrival=self.now)
            return self._said(time)
        self.run.measure_answer(
            ChallengeFrame(
                seen=replace(self._seen, frame=self._frame_of(next(self._index), time, step, self.since)),
                capture_time=time,
                origin_us=1_000_000,
                arrival=self.now,
                guidance=GuidanceCode.OK,
                blinked=False,
                captured=self.captured,
                round_trip=0.0,
            )
        )
        return self._said(time)

    def _said(self, time: float) -> tuple[Action, ...]:
        said = self.run.act(self.now, frame_index=0)
        self.sent += said
        for message in said:
            if isinstance(message, Reveal):
                self.step, self.since = message.step.number, time
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


def test_nothing_is_revealed_before_frames_show_the_step_before() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy())
    while not phone.sent:
        phone.frame()
    for _ in range(60):
        assert not any(isinstance(said, Reveal) for said in phone.frame(claim=0))


def test_its_end_comes_as_soon_as_the_closing_step_was_held() -> None:
    phone = _Phone(ScriptedMeter(), DynamicPolicy())
    while not phone.run.settled:
        phone.frame()
    closed = phone.now
    phone.play()
    assert phone.run.over
    # The frame that held the closing step, and the rate's interval at most.
    assert SHORTEST_HOLD_SECONDS <= phone.now - closed < SHORTEST_HOLD_SECONDS + 3 / _RATE


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
    index = 1000
    pauses: list[PauseCapture] = []
    for _ in range(40):
        if not (pauses and pauses[-1].paused):
            time = phone.now - 100
            phone.run.measure_answer(
                ChallengeFrame(
                    seen=replace(phone._seen, frame=phone._frame_of(index, time, phone.step, phone.since)),
                    capture_time=time,
                    origin_us=1_000_000,
                    arrival=phone.now,
                    guidance=GuidanceCode.CENTER_FACE,
                    blinked=False,
                    captured=True,
                    round_trip=0.0,
                )
            )
            index += 1
        said = phone.run.act(phone.now, frame_index=index)
        pauses += [message for message in said if isinstance(message, PauseCapture)]
        phone.now += 1 / _RATE
    assert [pause.paused for pause in pauses[:2]] == [True, False]
    assert pauses[0].reason == "CENTER_FACE"
