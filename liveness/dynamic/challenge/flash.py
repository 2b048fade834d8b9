"""Runs the screen-flash challenge: decides after each frame what the screen shows next.

This module *schedules*; ``liveness.dynamic.judge`` judges. The device's claims (the step that a frame shows,
and when it appeared) are used for scheduling only. A false claim can make the challenge slower, or shorter by
a step that is then not verified. It can never make a step appear before its time.

**A step is revealed** only when the previous one was held: frames arrived that claim to show it and were
captured a whole hold after it appeared, and the same time passed on the server's clock. If its measurement is
disturbed (a movement, a jump of the exposure, a lost face), the step is extended once. If that does not help,
another step is drawn in its place. A step that was not measured still counts as shown, because an attacker
who may omit steps may omit those that were guessed wrong (``bits_beyond_chance``).

**The challenge ends** when enough bits are verified, no answer is wrong, and no doubt is left that more steps
may settle. If enough bits are verified but an answer is wrong or a doubt is left, it ends when a full script
was answered. Without enough bits it continues until a full script was answered, and then as long as at most
one answer is wrong and the steps that the policy allows can still reach the required bits. The closing step
is held like every other, so that the screen does not change faster at the end. It ends when a frame shows
that it was held, or after a short wait for such a frame.

**Late answers.** An answer that is too old by the server's clock verifies nothing. The challenge continues
for as many steps as the policy allows, so that a device on a slow network can send smaller frames meanwhile
(``late``).

**Depth and a blink.** If depth or a blink is required and was not measured, the person is asked for it
(``AskedSigns``) as soon as the request cannot disturb the measurement of the light. The colour that
completes the proof stays on display until the sign is measured or the wait is over; frames from then on do
not count for the colours. If the face leaves meanwhile, the challenge ends, because another face could
return. If the colours are proven but their light is not that on a face, no sign can help: the challenge ends.
The colour also stays until the caller has the frames that it requires of every scan, so that no frame has to
be measured once the closing step is on display.

**Light.** If the meter reports that daylight drowns the screen's light, the person gets a hint. If no further
colour is verified in the next seconds, the fallback of the policy begins; without one, the flash ends without
a result. Only light leads to the fallback, and only if no measured colour differs from the one shown.

**Pauses.** If the face leaves the oval, the capture pauses: the device shows the reason and holds frames back
for a second. Then the challenge measures again, and shows nothing new before the face is back.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from liveness.dynamic.challenge.actions import (
    Action,
    AskedSigns,
    ChallengeClock,
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintPacing,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.proof import Answers, Light, Meter, Proof
from liveness.dynamic.challenge.script import ColourScript, ColourStep, RevealedStep
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample
from liveness.errors import LivenessPolicyError, ObservationError
from liveness.guidance import HintCode

_HELD_FRAMES: Final = 2
"""The number of frames after the hold from which on a step counts as held."""
_CLOSING_PATIENCE_SECONDS: Final = 0.5
"""The longest wait, after the closing step's time, for a frame that shows it held, seconds. It covers a slow
phone's display and camera, the network both ways and the time to the next frame."""


@dataclass(frozen=True, slots=True)
class DisplayClaim:
    """A device's claim about the step on display when it captured a frame.

    Attributes:
        step: The number of the step, 0 for none.
        since: The time at which it actually appeared, seconds on the capture's clock; ``None`` if no step is
            claimed.
        capture_time: The capture time of the frame, seconds on the same clock.
        arrival_time: The arrival time of the frame, seconds on the server's monotonic clock.
    """

    step: int
    since: float | None
    capture_time: float
    arrival_time: float


@dataclass(slots=True)
class StepOnDisplay:
    """One step from its reveal to the next.

    Attributes:
        at: When it was sent, seconds on the server's clock; when it was drawn, until ``Display.note_sent``.
        earliest: The capture time of the last frame that had arrived by then, seconds on the device's clock.
            The step cannot have appeared before.
        held: The number of frames that show that the step was held; ``count_claim`` counts them.
        held_at: The arrival time of the frame that completed the required number of these, seconds on the
            server's clock; ``None`` before.
        away: Whether the face was away, or the capture paused, while the step was on display.
    """

    step: ColourStep
    at: float
    earliest: float
    held: int = 0
    held_at: float | None = None
    away: bool = False

    @property
    def lasts(self) -> float:
        """The duration of the step, seconds: transition and hold."""
        return self.step.transition_seconds + self.step.hold_seconds

    @property
    def nearly_held(self) -> bool:
        """Whether the step will have been held with one more frame."""
        return self.held >= _HELD_FRAMES - 1

    @property
    def closed_at(self) -> float:
        """When a closing step ends, seconds on the server's clock, according to the frames so far.

        It ends as soon as one frame shows that it was held, because it is not measured. Frames may fail to
        arrive, so the wait is limited.
        """
        least = self.at + self.lasts
        return least if self.held else least + _CLOSING_PATIENCE_SECONDS

    def count_claim(self, claim: DisplayClaim, *, at: float) -> None:
        """Add the next frame's claim, which arrived at ``at`` on the server's clock."""
        if claim.arrival_time <= self.at:
            # It had arrived when the step was sent, and waited to be processed.
            self.earliest = max(self.earliest, claim.capture_time)
        if not self.holds(claim):
            return
        self.held += 1
        if self.held == _HELD_FRAMES:
            self.held_at = at

    def holds(self, claim: DisplayClaim) -> bool:
        """Return whether a frame claims to show the step a whole hold after it appeared."""
        if claim.step != self.step.number or claim.since is None:
            return False
        # The step cannot have appeared before the frames that arrived before it was sent.
        return claim.capture_time >= max(claim.since, self.earliest) + self.lasts


class Display:
    """The server's knowledge of the device's screen: the step on display, and all earlier steps."""

    def __init__(self) -> None:
        self.current: StepOnDisplay | None = None
        """The step on display; ``None`` before the first."""
        self._history: list[RevealedStep] = []
        self._latest_capture = -math.inf
        self.passed = 0
        """The number of coloured steps that were shown for their whole duration."""

    @property
    def revealed(self) -> tuple[RevealedStep, ...]:
        """All steps so far, in order."""
        return tuple(self._history)

    @property
    def closing(self) -> bool:
        """Whether the closing step is on display."""
        return self.current is not None and self.current.step.last

    def show(self, step: ColourStep, *, now: float) -> None:
        """Record a step that was drawn at ``now``, seconds on the server's monotonic clock."""
        self.current = StepOnDisplay(step, at=now, earliest=self._latest_capture)
        self._history.append(RevealedStep(step, now))

    def note_sent(self, at: float) -> None:
        """Record when the step drawn last was sent, which is not before it was drawn.

        Raises:
            ObservationError: No step was drawn.
        """
        if self.current is None:
            raise ObservationError("no step was drawn, so none can have been sent")
        self.current.at = max(self.current.at, at)
        self._history[-1] = RevealedStep(self.current.step, self.current.at)

    def display_claim(self, claim: DisplayClaim, *, at: float) -> None:
        """Add the next frame's claim, which arrived at ``at`` on the server's clock."""
        if self.current is not None:
            self.current.count_claim(claim, at=at)
        self._latest_capture = max(self._latest_capture, claim.capture_time)

    def let_pass(self) -> None:
        """Record that the step on display was shown for its whole duration."""
        self.passed = sum(one.step.bits > 0 for one in self._history)


_AWAY: Final = frozenset(
    {
        HintCode.NO_FACE,
        HintCode.MULTIPLE_FACES,
        HintCode.MOVE_BACK,
        HintCode.FACE_CUT_OFF,
        HintCode.MOVE_CLOSER,
        HintCode.CENTER_FACE,
    }
)
"""The guidance for a face that is not in place."""

_LIGHT_HINTS: Final[Mapping[Light, HintCode]] = MappingProxyType(
    {
        Light.TOO_BRIGHT: HintCode.TOO_BRIGHT,
        Light.WEAK: HintCode.RAISE_SCREEN_BRIGHTNESS,
        Light.TOO_DARK_TO_SEE_FACE: HintCode.TOO_DARK,
    }
)
_PAUSE_SECONDS: Final = 1.0
_MOST_PAUSES: Final = 5
_DROWNED: Final = frozenset({Light.TOO_BRIGHT, Light.WEAK})
_FEWEST_STEPS: Final = 2
"""The number of coloured steps before the light counts as drowned. In the dark, a camera's exposure is too
long for the first step, and the face is saturated until the exposure has adapted."""


class Presence:
    """Whether the face is in place, frame by frame. Times are seconds on the server's monotonic clock."""

    def __init__(self) -> None:
        self.frames_in_place = 0
        """The number of consecutive latest frames with the face in place."""
        self.away_since: float | None = None
        """The time since which the face has been away; ``None`` while it is in place."""
        self.unseen_since: float | None = None
        """The time of the last ``reset``, if no frame has arrived since; ``None`` otherwise."""
        self.code = HintCode.NO_FACE
        """The hint that brings the face back."""

    def record_placement(self, *, face: bool, guidance: HintCode | None, at: float) -> None:
        """Add a frame.

        Args:
            face: Whether the frame shows a face.
            guidance: The code of the guidance after the frame; ``None`` if there is none.
            at: The arrival time of the frame.
        """
        self.unseen_since = None
        code = guidance if face else HintCode.NO_FACE
        if code is None or code not in _AWAY:
            self.frames_in_place += 1
            self.away_since = None
            return
        self.frames_in_place = 0
        self.code = code
        if self.away_since is None:
            self.away_since = at

    def reset(self, at: float) -> None:
        """Reset the state: the face is neither in place nor away until the next frame arrives."""
        self.frames_in_place = 0
        self.away_since = None
        self.unseen_since = at


class Pauses:
    """The pauses of one capture, whose number is limited."""

    def __init__(self) -> None:
        self._count = 0
        self.until = 0.0
        """The end of the latest pause, seconds on the server's monotonic clock."""

    def begin(self, now: float) -> bool:
        """Begin a pause; return False if the capture has used up its pauses."""
        if self._count >= _MOST_PAUSES:
            return False
        self._count += 1
        self.until = now + _PAUSE_SECONDS
        return True


class LightWatch:
    """Measures for how long poor light has prevented a measurement, and decides what follows from it."""

    def __init__(self, policy: DynamicPolicy) -> None:
        self._policy = policy
        self._drowned_since: float | None = None
        self._verified = 0

    def follow_light(
        self, light: Light, *, coloured: int, verified: int, now: float
    ) -> HintCode | FallBack | Complete | None:
        """Return what follows from the light: a hint, the fallback, the end of the challenge, or ``None``.

        Args:
            light: The light, as the meter reports it.
            coloured: The number of coloured steps shown so far.
            verified: The number of those with a right answer. Patience begins anew when it rises: a change
                of the light alone may be chance.
            now: The time on the server's monotonic clock, seconds.
        """
        if verified > self._verified:
            self._drowned_since = None
        if light is Light.OK:
            return None
        code = _LIGHT_HINTS[light]
        if light not in _DROWNED:
            return code
        if coloured < _FEWEST_STEPS:
            return None
        if self._drowned_since is None:
            self._drowned_since, self._verified = now, verified
        if now - self._drowned_since < self._policy.light_patience_seconds:
            return code
        return FallBack(code) if self._policy.falls_back else Complete(EndReason.LIGHT)


_READY_FRAMES: Final = 3
"""Consecutive frames with the face in place that are needed before the first colour, and after a pause."""
_EXTENSION_SECONDS: Final = 0.6
"""The extension of a disturbed step, seconds: time to hold still, or for an exposure loop to settle."""
_AWAY_SECONDS: Final = 0.7
"""The time that the face may be away before the capture pauses, seconds."""
_UNSEEN_SECONDS: Final = 3.0
"""The longest time without a frame after a pause, seconds: a slow network must carry a message to the device
and a frame back."""
_LOST: Final = frozenset({HintCode.NO_FACE, HintCode.MULTIPLE_FACES})
"""The states of absence after which the face may be another one. A head that turns may only leave the
middle."""


class _Phase(Enum):
    READYING = auto()
    SHOWING = auto()
    PAUSED = auto()
    ENDING = auto()
    ENDED = auto()


class FlashChallenge:
    """One flash challenge. Not safe to call from several threads at once.

    The caller calls ``add_flash_frame`` for every frame (``record_claim`` suffices once ``settled`` is
    true). After each frame, and when a ``Wait`` is over, it calls ``next_action`` until this returns ``Wait``
    or an end. The caller must perform every returned action. It calls ``note_sent`` for a ``Reveal`` before
    the next frame.
    """

    def __init__(
        self,
        *,
        script: ColourScript,
        meter: Meter,
        policy: DynamicPolicy,
        depth_line: float,
    ) -> None:
        """Start with nothing on display.

        Args:
            script: Draws the steps; none was shown yet.
            meter: Measures the steps.
            policy: The limits of the challenge.
            depth_line: The log odds from which motion shows a head's depth: ``JudgeSettings.depth_odds``.

        Raises:
            LivenessPolicyError: The steps that the policy allows cannot reach the bits that it requires.
        """
        if Answers().reach(policy.maximum_steps) < policy.minimum_bits:
            raise LivenessPolicyError(
                f"{policy.maximum_steps} steps cannot verify {policy.minimum_bits} bits; "
                "raise maximum_steps or lower minimum_bits"
            )
        self._script = script
        self._policy = policy
        self._clock = ChallengeClock()
        self._display = Display()
        self._meter = meter
        self._proof = Proof(meter, minimum_bits=policy.minimum_bits)
        self._presence = Presence()
        self._pauses = Pauses()
        self._light = LightWatch(policy)
        self._asked = AskedSigns(policy, depth_line=depth_line)
        self._hints = HintPacing()
        self._phase = _Phase.READYING
        self.late = False
        """Whether the latest right answer came too late to be verified, when the last step was over."""
        self._end: Complete | FallBack | None = None

    @property
    def revealed(self) -> tuple[RevealedStep, ...]:
        """All steps sent so far, in order: lead-in, coloured steps, closing step."""
        return self._display.revealed

    @property
    def ended(self) -> Complete | FallBack | None:
        """The end of the challenge; ``None`` while it runs."""
        return self._end if self._phase is _Phase.ENDED else None

    @property
    def settled(self) -> bool:
        """Whether no further frame is judged: the closing step is on display, or the challenge is over."""
        return self._display.closing or self.ended is not None

    @property
    def samples(self) -> tuple[FlashSample, ...]:
        """The frames that count for the colours, in order: those before the colours were proven."""
        return self._proof.samples

    @property
    def awaits_blink(self) -> bool:
        """Whether the challenge runs, expects a blink, and has measured none yet."""
        return self._asked.awaits_blink and self._end is None

    @property
    def awaits_depth(self) -> bool:
        """Whether motion must show the depth of a head.

        Stays true after depth was measured, because later frames may weaken it; false after the end.
        """
        return self._asked.awaits_depth and self._end is None

    @property
    def unproven(self) -> bool:
        """Whether the challenge ended without its proof, or without depth or a blink that it waited for."""
        if self._end is None:
            return False
        return self._end != Complete(EndReason.PROVEN) or self._asked.pending

    @property
    def depth_due(self) -> bool:
        """Whether depth must be measured with the next frame."""
        shown = self._display.current
        decides = not self._proof.complete and shown is not None and shown.nearly_held
        return self._end is None and self._asked.depth_due(self._clock.now, decides=decides)

    @property
    def proven_bits(self) -> float:
        """The bits that the colours prove so far, net of chance."""
        return self._answers().proven_bits

    @property
    def progress(self) -> float:
        """The share of a full script that was shown, 0..1; never falls, 1 at the end. Reveals no score."""
        return min(1.0, self._display.passed / self._script.settings.steps) if self.ended is None else 1.0

    def add_flash_frame(
        self,
        sample: FlashSample,
        guidance: HintCode | None = None,
        *,
        blinked: bool = False,
        depth: float | None = None,
        captured: bool = True,
    ) -> None:
        """Add the next frame, in order of arrival.

        Args:
            sample: The measurement of the frame's light.
            guidance: The hint of ``liveness.guidance.guide`` after the frame, which shows whether the face is
                in place; ``None`` if there is no hint, and then any face counts as in place.
            blinked: Whether the frames so far show a blink.
            depth: The log odds of a head's depth from their motion; ``None`` if not measured with this frame.
            captured: Whether the scan now has the number of frames that every scan requires.
        """
        at = self._clock.not_before(sample.arrival_time)
        self._asked.record_signs(blinked=blinked, depth=depth, at=at)
        self._proof.prove_frame(sample, captured=captured)
        self._presence.record_placement(face=sample.face is not None, guidance=guidance, at=at)
        self.record_claim(
            DisplayClaim(sample.step, sample.step_since, sample.capture_time, sample.arrival_time)
        )

    def record_claim(self, claim: DisplayClaim) -> None:
        """Add only a frame's claim about the display. This suffices once ``settled`` is true."""
        self._display.display_claim(claim, at=self._clock.not_before(claim.arrival_time))

    def note_sent(self, at: float) -> None:
        """Record when the step drawn last was sent: when the server handed it to the transport.

        Its hold and the age of its answer count from then, not from when it was drawn, because the server
        may be busy in between. Until this call, they count from the drawing.

        Args:
            at: The time, seconds on the server's monotonic clock; a time before the drawing counts as that.

        Raises:
            ObservationError: No step was drawn.
        """
        self._display.note_sent(at)
        self._meter.note_sent(at)

    def next_action(self, *, now: float) -> Action:
        """Return the action to perform at ``now``, seconds on the server's monotonic clock.

        A time before the latest one counts as the latest one.

        Raises:
            ObservationError: ``now`` is not a finite number.
        """
        self._clock.advance(now)
        if self._phase not in {_Phase.ENDING, _Phase.ENDED} and self._clock.now >= self._deadline:
            late = EndReason.NOT_READY if self._phase is _Phase.READYING else EndReason.TIMED_OUT
            return self._finish(Complete(late))
        match self._phase:
            case _Phase.READYING:
                return self._readying()
            case _Phase.SHOWING:
                return self._showing()
            case _Phase.PAUSED:
                return self._paused()
            case _Phase.ENDING | _Phase.ENDED:
                return self._ending()

    @property
    def _deadline(self) -> float:
        return self._clock.began + self._policy.maximum_seconds

    def _readying(self) -> Action:
        if self._presence.frames_in_place < _READY_FRAMES:
            return Wait(self._deadline)
        self._phase = _Phase.SHOWING
        self._clock.begin_anew()
        return self._reveal(self._script.lead_in())

    def _paused(self) -> Action:
        if self._clock.now < self._pauses.until:
            return Wait(min(self._pauses.until, self._deadline))
        self._phase = _Phase.SHOWING
        self._presence.reset(self._clock.now)
        return Resume()

    def _showing(self) -> Action:
        shown, now = self._display.current, self._clock.now
        if shown is None:
            raise ObservationError("the challenge runs, but no step is on display")
        if self._proof.complete:
            return self._proved()
        presence = self._presence
        for since, patience in (
            (presence.unseen_since, _UNSEEN_SECONDS),
            (presence.away_since, _AWAY_SECONDS),
        ):
            if since is not None:
                shown.away = True
                late = since + patience
                return Wait(min(late, self._deadline)) if now < late else self._pause()
        if (about_light := self._light_action()) is not None:
            return about_light
        free = shown.at + shown.lasts
        if (hint := self._hint(self._asked.ahead(free - now))) is not None:
            return hint
        if shown.held_at is None or now < free:
            return Wait(self._deadline if shown.held_at is None else free)
        if not self._proof.measured(shown.step):
            extended = shown.held_at + _EXTENSION_SECONDS
            if now < extended:
                still = HintCode.HOLD_STILL if self._proof.moved(shown.step) else None
                return self._hint(still) or Wait(min(extended, self._deadline))
        if presence.frames_in_place < _READY_FRAMES and shown.away:
            return Wait(self._deadline)
        return self._go_on()

    def _ending(self) -> Action:
        shown, now = self._display.current, self._clock.now
        if shown is not None:
            if now < (free := shown.closed_at if shown.step.last else shown.at + shown.lasts):
                return Wait(free)
            if not shown.step.last:
                return self._reveal(self._script.close())
        self._phase = _Phase.ENDED
        if self._end is None:
            raise ObservationError("the challenge ended without a reason")
        return self._end

    def _go_on(self) -> Action:
        """Complete the step on display; return the next one, or an end."""
        self._meter.refresh()
        self._display.let_pass()
        self.late = self._proof.late()
        answers, least = self._answers(), self._policy.minimum_bits
        more = self._policy.maximum_steps - answers.shown
        full = answers.answered >= self._script.settings.steps
        if self._proof.conclude(answers, last=full or more <= 0, now=self._clock.now):
            return self._proved()
        if more <= 0 or (full and answers.hopeless(more, bits=least)):
            return self._finish(Complete(EndReason.EXHAUSTED))
        step = self._script.draw()
        self._asked.prepare(
            share=answers.proven_bits / least,
            last=answers.proven_with(step.colour_bits) >= least,
            shape_shows=self._meter.shape_shows(),
        )
        return self._reveal(step)

    def _proved(self) -> Action:
        """After the colours are proven: waits for the missing signs, one after the other, and then ends."""
        if not self._proof.right:
            return self._finish(Complete(EndReason.EXHAUSTED))
        now = self._clock.now
        away_since, lost = self._presence.away_since, self._presence.code in _LOST
        if away_since is not None and lost and now >= away_since + _AWAY_SECONDS:
            return self._finish(Complete(EndReason.FACE_AWAY))
        missing = self._asked.missing(now, shape_shows=self._meter.shape_shows())
        if missing is not None:
            return self._hint(missing.asks) or Wait(min(missing.until, self._deadline))
        if (late := self._proof.waits_until(now)) is not None:
            return Wait(min(late, self._deadline))
        return self._finish(Complete(EndReason.PROVEN))

    def _finish(self, end: Complete | FallBack) -> Action:
        self._end = end
        self._phase = _Phase.ENDING
        return self._ending()

    def _reveal(self, step: ColourStep) -> Reveal:
        self._display.show(step, now=self._clock.now)
        self._meter.note_drawn(step, self._clock.now)
        return Reveal(step)

    def _pause(self) -> Action:
        if not self._pauses.begin(self._clock.now):
            return self._finish(Complete(EndReason.FACE_AWAY))
        self._phase = _Phase.PAUSED
        return Pause(self._presence.code)

    def _light_action(self) -> Action | None:
        """Return the action that the light requires; ``None`` if it requires none."""
        asks = self._light.follow_light(
            self._meter.light(),
            coloured=self._script.coloured,
            verified=len(self._answers().verified),
            now=self._clock.now,
        )
        if asks is None or isinstance(asks, HintCode):
            return self._hint(asks)
        if isinstance(asks, FallBack) and self._answers().wrong:
            # A wrong colour was measured, so the light does not prevent measurement, and the script
            # continues.
            return None
        return self._finish(asks)

    def _hint(self, code: HintCode | None) -> Hint | None:
        return None if code is None else self._hints.paced(code, now=self._clock.now)

    def _answers(self) -> Answers:
        return self._proof.answers(self._display.revealed)
