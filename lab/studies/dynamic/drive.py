"""Runs one flash scan in virtual time: a simulated phone, its person, a network, and an attempt."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from attempt import (
    Action,
    AttemptCapture,
    AttemptEvidence,
    CapturePlan,
    Feedback,
    FlashRun,
    Frame,
    FrameAnalyst,
    FrameLimits,
    PauseCapture,
    Reveal,
)
from lab.simulator import (
    AppGuide,
    FlashScanSettings,
    Photo,
    ScreenLight,
    Side,
    SimulatedFrame,
    simulate_flash_scan,
)
from lab.studies.dynamic.virtual_time import frame_of, turns
from liveness import Gesture, GuidanceSettings, HintCode, Oval
from liveness.dynamic import DynamicPolicy, FlashModel, FlashSample
from liveness.dynamic.challenge import ColourStep, FallBack, RevealedStep
from matcher import SCAN_SUBJECT
from vision.packs import Pack

CLOCKS_APART: Final = 5000.0
"""The server's clock at the device's 0, seconds, so that the two clocks differ."""
_SCALES: Final = {HintCode.MOVE_CLOSER: 1.12, HintCode.MOVE_BACK: 1 / 1.12}
"""Factor on the width of the face in the frame after each guidance."""
_MOVE_AGAIN: Final = 1.5
"""Time before a person moves again, seconds."""
_NARROWEST, USUAL_WIDTH, _WIDEST = 0.4, 0.52, 0.7


@dataclass(slots=True)
class VirtualPhone:
    """A simulated device and the person who holds it.

    The device receives each message ``one_way`` after the server sent it, and shows the colour of a step
    then. The person follows the guidance to come closer or to go back, as far as an arm reaches, and blinks,
    turns the head or opens the mouth on request.

    Attributes:
        frames: The frames of the camera, in order.
        one_way: The time from the server to the device, seconds.
        face_width: The face's width as a share of the frame's.
        claimed_late: How much later than true the device claims that colours appeared, seconds; 0 if it
            states the truth.
        moved_at: When the person last moved, seconds on the server's clock.
        numbers: The numbers of the steps, in the order in which they were shown.
        paused_from: When the device paused, seconds on its own clock; ``None`` before the first pause.
        paused_until: When it went on, on the same clock; ``None`` while it pauses.
    """

    light: ScreenLight
    frames: Iterator[SimulatedFrame]
    one_way: float
    person: AppGuide
    face_width: float
    claimed_late: float
    moved_at: float = -math.inf
    numbers: list[int] = field(default_factory=list)
    paused_from: float | None = None
    paused_until: float | None = None

    def show(self, step: ColourStep, now: float) -> None:
        """Show a step when the message arrives."""
        colour = step.colour.red, step.colour.green, step.colour.blue
        self.light.show(colour, at=self._heard(now), scroll_seconds=step.transition_seconds)
        self.numbers.append(step.number)

    def guide(self, code: HintCode | None, now: float) -> None:
        """Guide the person to come closer or to go back."""
        change = _SCALES.get(code) if code is not None else None
        if change is not None and now >= self.moved_at + _MOVE_AGAIN:
            self.moved_at = now
            self.face_width = min(_WIDEST, max(_NARROWEST, self.face_width * change))
            self.person.prompt_distance(self.face_width, at=self._heard(now))

    def hint(self, code: str, now: float) -> None:
        """Show the person a hint of the challenge, or the request for a gesture."""
        match code:
            case HintCode.BLINK:
                self.person.blink(at=self._heard(now))
            case HintCode.TURN_HEAD_SLIGHTLY:
                self.person.turn(at=self._heard(now))
            case Gesture.OPEN_MOUTH:
                self.person.open_mouth(at=self._heard(now))
            case Gesture.TURN_LEFT:
                self.person.turn_aside(Side.LEFT, at=self._heard(now))
            case Gesture.TURN_RIGHT:
                self.person.turn_aside(Side.RIGHT, at=self._heard(now))
            case _:
                pass

    def pause(self, now: float) -> None:
        """Send no more frames."""
        self.paused_from, self.paused_until = self._heard(now), None

    def resume(self, now: float) -> None:
        """Send frames again."""
        self.paused_until = self._heard(now)

    def sends(self, time: float) -> bool:
        """Whether a frame captured at ``time`` is sent."""
        if self.paused_from is None or time < self.paused_from:
            return True
        return self.paused_until is not None and time >= self.paused_until

    def claims(self, time: float) -> tuple[int, float | None]:
        """Return the step that the device claims to show at ``time``, and since when; 0 for no step."""
        shown, since = self.light.appeared(time - self.claimed_late)
        return (self.numbers[shown - 1], since + self.claimed_late) if shown else (0, None)

    def _heard(self, now: float) -> float:
        return now - CLOCKS_APART + self.one_way


_MOVES = frozenset({"MOVE_CLOSER", "MOVE_BACK"})
_GESTURES = frozenset(Gesture)


@dataclass(frozen=True, slots=True)
class Link:
    """The network between phone and server, and the server's time.

    Attributes:
        round_trip: Round trip time, seconds.
        jitter: Standard deviation of a frame's transfer time, seconds.
        processing: Time that the server needs for a frame before it answers, seconds.
    """

    round_trip: float = 0.05
    jitter: float = 0.004
    processing: float = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class ScanTrace:
    """The input of the judge from a scan, and the course of the scan.

    Attributes:
        samples: The light of the frames that count.
        frames: Number of frames that were sent.
        faces: Number of measured frames up to the closing step that showed one face.
        evidence: What the attempt shows, without its challenge; no witnesses before the scan's end.
        hints: Hints of the challenge to the person, each once, in order.
        end: Why it ended: an ``EndReason``, ``FALL_BACK`` or ``UNFINISHED``.
        seconds: From the first well-placed frame to the end; ``None`` if there never was one.
        guidance: The most frequent guidance to the person.
    """

    samples: tuple[FlashSample, ...]
    frames: int
    faces: int
    revealed: tuple[RevealedStep, ...]
    evidence: AttemptEvidence
    hints: tuple[str, ...]
    end: str
    seconds: float | None
    pauses: int
    guidance: str


def drive_scan(
    photo: Photo,
    settings: FlashScanSettings,
    *,
    pack: Pack,
    policy: DynamicPolicy,
    model: FlashModel,
    link: Link,
    rng: np.random.Generator,
    claimed_late: float = 0.0,
    plan: CapturePlan | None = None,
    watch: Callable[[ScanTrace], None] | None = None,
) -> ScanTrace:
    """Run one scan to its end.

    Args:
        pack: Its models measure the frames, as in a server.
        rng: Draws the colours and the network's jitter.
        claimed_late: How much later than true the device claims that colours appeared, seconds.
        plan: The frames and gestures that the attempt needs; those of a server if ``None``.
        watch: Called after every frame with the trace of the scan so far.
    """
    light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
    phone = VirtualPhone(
        light=light,
        frames=simulate_flash_scan(photo, settings, light, guide),
        one_way=link.round_trip / 2,
        person=guide,
        face_width=settings.face_width or USUAL_WIDTH,
        claimed_late=claimed_late,
    )
    run = FlashRun.drawn(rng.bytes, model=model, limits=policy)
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=CapturePlan() if plan is None else plan,
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=rng.bytes,
        subject=SCAN_SUBJECT,
        challenge=run,
    )
    # AttemptStart, which the first frame answers.
    capture.round_trip.note_request(CLOCKS_APART - link.round_trip / 2)
    record = _Record(capture, run, phone)
    for turn in turns(capture, _sent(phone, link, rng), processing=link.processing, hear=record.hear):
        record.took(turn.frame, turn.arrival, turn.feedback)
        if watch is not None and not run.over:
            watch(record.trace())
        if record.over:
            break
    capture.examine_rest()
    return record.trace()


def _sent(phone: VirtualPhone, link: Link, rng: np.random.Generator) -> Iterator[tuple[Frame | None, float]]:
    index = 0
    for frame in phone.frames:
        time = frame.capture_time
        arrival = CLOCKS_APART + time + link.round_trip / 2 + abs(float(rng.normal(0.0, link.jitter)))
        if not phone.sends(time):
            yield None, arrival
            continue
        step, since = phone.claims(time)
        yield frame_of(frame, index, step=step, step_since=since), arrival
        index += 1


@dataclass(slots=True)
class _Record:
    """Records the course of the scan, and relays the actions to the phone."""

    capture: AttemptCapture
    run: FlashRun
    phone: VirtualPhone
    hints: dict[str, None] = field(default_factory=dict)
    feedback_counts: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    pauses: int = 0
    first: float | None = None
    ended_at: float | None = None

    @property
    def over(self) -> bool:
        """Whether the flash is over, and nothing is missing after it."""
        return self.run.over and (not self.capture.gestures or self.capture.complete)

    def hear(self, action: Action, now: float) -> None:
        match action:
            case Reveal(step):
                self.phone.show(step, now)
            case Feedback(code=code):
                self.hints[code] = None
                self.phone.hint(code, now)
            case PauseCapture(paused=True, reason=code):
                self.hints[code] = None
                self.pauses += 1
                self.phone.pause(now)
            case PauseCapture():
                self.phone.resume(now)
            case _:
                pass

    def took(self, frame: Frame | None, arrival: float, feedback: Feedback | None) -> None:
        self.frames += frame is not None
        if self.first is None:
            self.first = arrival
        if feedback is not None:
            self.feedback_counts[feedback.code] += 1
            if feedback.code in _MOVES:
                self.phone.guide(HintCode(feedback.code), arrival)
            elif feedback.code in _GESTURES:
                self.hear(feedback, arrival)
        if self.over and self.ended_at is None:
            self.ended_at = arrival
            if isinstance(self.run.ended, FallBack):
                self.hints[self.run.ended.code.value] = None

    def trace(self) -> ScanTrace:
        capture, flash, took = self.capture, self.run.evidence, None
        if self.ended_at is not None and self.first is not None and capture.placed_after is not None:
            took = self.ended_at - self.first - capture.placed_after
        return ScanTrace(
            samples=flash.samples,
            frames=self.frames,
            faces=sum(one.face is not None and one.faces == 1 for one in capture.observations.frames),
            revealed=flash.steps,
            evidence=capture.evidence,
            hints=tuple(self.hints),
            end=_end(self.run),
            seconds=took,
            pauses=self.pauses,
            guidance=max(self.feedback_counts, key=lambda code: self.feedback_counts[code], default=""),
        )


def _end(run: FlashRun) -> str:
    match run.ended:
        case None:
            return "UNFINISHED"
        case FallBack():
            return "FALL_BACK"
        case end:
            return end.reason.value
