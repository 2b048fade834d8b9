"""Runs the screen-flash challenge: decides, frame by frame, what the screen shows next.

It *schedules*; ``liveness.dynamic.judge`` decides. The device's claims (which step a frame shows, and since
when) are believed for scheduling alone: a lie can make the challenge slower, or shorter by a step that is
then not verified. Never can it make a step appear before its time.

**A step is revealed** only once the one before was held: frames arrived that claim to show it and were
captured a whole hold after it appeared, and the server's own clock says the same. If what was measured of it
is disturbed (a movement, a leap of the exposure, a lost face) the step is extended, once; if that does not
help, another is drawn in its place. A step that was not measured still counts as shown, because whoever may
leave out steps may leave out those that were guessed wrong (``bits_beyond_chance``).

**It ends** as soon as enough is verified, nothing contradicts, and nothing is in doubt that more steps may
tell; where one answer contradicts, or a doubt stays, not before a full script was answered. Without enough it
goes on for as long as the steps that the policy allows can still reach the floor; where two answers
contradict, until a full script was answered. The closing step is held like every other, so that the screen
changes no faster at the end: a frame says so, or it is waited for in vain.

**Depth and a blink.** Where a head's depth is needed, or the policy takes a blink, and it was not seen, the
person is asked for it (``challenge.asked``): as early as what they do takes nothing from what the light
proves. The colour that proves enough stays until it is seen or the person was waited for long enough, and
frames that come then add nothing. It has to be the same face, so one that leaves ends it all.
The colour also stays until whoever runs the scan has the frames that it wants of every scan, so that nothing
is looked at any more once the closing step is on display.

**Light.** Where the meter says that daylight drowns the screen's, the person is told; if that does not help
the policy's fallback begins, or the flash goes on and ends without a result. Nothing but light leads to the
fallback, and not even light does where a colour was measured that is not the one shown.

**Pauses.** A face that leaves the oval pauses the capture: the device shows why and holds frames back for a
second. Then the challenge looks again, and shows nothing new before the face is back.
"""

from enum import Enum, auto
from typing import Final

from liveness.dynamic.challenge.actions import (
    Action,
    Complete,
    EndReason,
    FallBack,
    Hint,
    HintCode,
    Pause,
    Resume,
    Reveal,
    Wait,
)
from liveness.dynamic.challenge.answers import Answers
from liveness.dynamic.challenge.asked import AskedSigns
from liveness.dynamic.challenge.clock import ChallengeClock
from liveness.dynamic.challenge.hint_pacing import HintPacing
from liveness.dynamic.challenge.interface import Meter
from liveness.dynamic.challenge.on_display import Display, DisplayClaim
from liveness.dynamic.challenge.presence import LightWatch, Pauses, Presence
from liveness.dynamic.challenge.proof import Proof
from liveness.dynamic.challenge.script import ColourScript
from liveness.dynamic.challenge.steps import ColourStep, RevealedStep
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample
from liveness.errors import LivenessPolicyError, ObservationError
from liveness.guidance import GuidanceCode

__all__ = ["FlashChallenge"]

_READY_FRAMES: Final = 3
"""Frames in a row with the face in its place before the first colour, and after a pause before the next."""
_EXTENSION_SECONDS: Final = 0.6
"""How much longer a disturbed step is shown: time to hold still, or for an exposure loop to settle."""
_AWAY_SECONDS: Final = 0.7
"""How long the face may be away before the capture pauses."""
_UNSEEN_SECONDS: Final = 3.0
"""How long after a pause no frame may come: until a slow line has carried the word there and a frame back."""
_LOST: Final = frozenset({HintCode.NO_FACE, HintCode.MULTIPLE_FACES})
"""Ways to be away after which it may be another face. A head that turns may well leave the middle."""


class _Phase(Enum):
    READYING = auto()
    SHOWING = auto()
    PAUSED = auto()
    ENDING = auto()
    ENDED = auto()


class FlashChallenge:
    """One flash challenge. Not safe to call from several threads at once.

    Who runs the scan calls ``add`` for every frame (``see`` is enough once it is ``settled``) and, after each
    and when a ``Wait`` is over, ``next_action`` until it answers ``Wait`` or an end. Every action that is
    answered counts as done.
    """

    def __init__(
        self,
        *,
        script: ColourScript,
        meter: Meter,
        policy: DynamicPolicy,
        depth_line: float,
    ) -> None:
        """Starts with nothing on display.

        Args:
            script: Draws the steps; nothing of it was shown.
            meter: Measures them.
            policy: Limits.
            depth_line: Log odds from which motion shows a head's depth: ``JudgeSettings.depth_odds``.

        Raises:
            LivenessPolicyError: The steps that the policy allows cannot reach the bits that it asks for.
        """
        if Answers().reach(policy.maximum_steps) < policy.minimum_bits:
            raise LivenessPolicyError(
                f"{policy.maximum_steps} steps cannot verify {policy.minimum_bits} bits; "
                "allow more, or ask for less"
            )
        self._script = script
        self._policy = policy
        self._clock = ChallengeClock()
        self._display = Display()
        self._proof = Proof(meter, minimum_bits=policy.minimum_bits)
        self._presence = Presence()
        self._pauses = Pauses()
        self._light = LightWatch(policy)
        self._asked = AskedSigns(policy, depth_line=depth_line)
        self._hints = HintPacing()
        self._phase = _Phase.READYING
        self._end: Complete | FallBack | None = None

    @property
    def revealed(self) -> tuple[RevealedStep, ...]:
        """Every step sent so far, in order: lead-in, coloured steps, closing step."""
        return self._display.revealed

    @property
    def ended(self) -> Complete | FallBack | None:
        """How it ended; ``None`` while it runs."""
        return self._end if self._phase is _Phase.ENDED else None

    @property
    def settled(self) -> bool:
        """Whether everything was seen that will be judged: the closing step is on display, or it is over."""
        return self._display.closing or self.ended is not None

    @property
    def samples(self) -> tuple[FlashSample, ...]:
        """The frames that say what the light proves, in order: those that came before it was proven."""
        return self._proof.samples

    @property
    def awaits_blink(self) -> bool:
        """Whether the person was asked for a blink that was not seen yet."""
        return self._asked.awaits_blink and self._end is None

    @property
    def awaits_depth(self) -> bool:
        """Whether motion has to show a head's depth. It is measured to the end: more frames may show less."""
        return self._asked.awaits_depth and self._end is None

    @property
    def depth_due(self) -> bool:
        """Whether depth has to be measured with the next frame."""
        shown = self._display.current
        decides = not self._proof.complete and shown is not None and shown.nearly_held
        return self._end is None and self._asked.depth_due(self._clock.now, decides=decides)

    @property
    def proven_bits(self) -> float:
        """Bits that the colours prove so far, net of chance."""
        return self._answers().proven_bits

    @property
    def progress(self) -> float:
        """0..1: colours shown over those of a whole script; never falls, 1 at the end. No score is in it."""
        return min(1.0, self._display.passed / self._script.settings.steps) if self.ended is None else 1.0

    def add(
        self,
        sample: FlashSample,
        guidance: GuidanceCode | None = None,
        *,
        blinked: bool = False,
        depth: float | None = None,
        captured: bool = True,
    ) -> None:
        """Take the next frame, in order of arrival.

        Args:
            sample: What was measured of it.
            guidance: What ``liveness.guidance.guide`` tells after it, which says whether the face is in its
                place; ``None`` where nothing is told: then any face counts as in place.
            blinked: Whether a blink was seen in the frames so far.
            depth: Log odds of a head's depth by their motion; ``None`` where that was not measured with it.
            captured: Whether there are as many frames with this one as are wanted of every scan.
        """
        at = self._clock.not_before(sample.arrival_time)
        self._asked.see(blinked=blinked, depth=depth, at=at)
        self._proof.add(sample, captured=captured)
        self._presence.see(face=sample.face is not None, guidance=guidance, at=at)
        self.see(DisplayClaim(sample.step, sample.step_since, sample.capture_time, sample.arrival_time))

    def see(self, claim: DisplayClaim) -> None:
        """Take what a frame says was on display: all that matters of one that comes once it is settled."""
        self._display.see(claim, at=self._clock.not_before(claim.arrival_time))

    def next_action(self, *, now: float) -> Action:
        """What to do at ``now``, seconds of the server's monotonic clock.

        A clock that goes back stands still until it is where it was.

        Raises:
            ObservationError: ``now`` is no finite number.
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
        self._presence.look_again(self._clock.now)
        return Resume()

    def _showing(self) -> Action:
        shown, now = self._display.current, self._clock.now
        if shown is None:
            raise ObservationError("a challenge shows nothing")
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
        if (about_light := self._look_at_light()) is not None:
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
            raise ObservationError("a challenge ended without an end")
        return self._end

    def _go_on(self) -> Action:
        """The step on display is done with: another, or the end."""
        self._proof.refresh()
        self._display.let_pass()
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
            shape_shows=self._proof.shape_shows(),
        )
        return self._reveal(step)

    def _proved(self) -> Action:
        """The colours are proven: what else has to be seen is waited for, one sign after the other."""
        now = self._clock.now
        away_since, lost = self._presence.away_since, self._presence.code in _LOST
        if away_since is not None and lost and now >= away_since + _AWAY_SECONDS:
            return self._finish(Complete(EndReason.FACE_AWAY))
        missing = self._asked.missing(now, shape_shows=self._proof.shape_shows())
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
        self._proof.revealed(step, self._clock.now)
        return Reveal(step)

    def _pause(self) -> Action:
        if not self._pauses.begin(self._clock.now):
            return self._finish(Complete(EndReason.FACE_AWAY))
        self._phase = _Phase.PAUSED
        return Pause(self._presence.code)

    def _look_at_light(self) -> Action | None:
        """What the light asks for; ``None`` while it does not matter."""
        asks = self._light.see(self._proof.light(), coloured=self._script.coloured, now=self._clock.now)
        if asks is None or isinstance(asks, HintCode):
            return self._hint(asks)
        if isinstance(asks, FallBack) and self._answers().wrong:
            # Light that lets a wrong colour be measured is no excuse: the script goes on to its end.
            return None
        return self._finish(asks)

    def _hint(self, code: HintCode | None) -> Hint | None:
        return None if code is None else self._hints.tell(code, now=self._clock.now)

    def _answers(self) -> Answers:
        return self._proof.answers(self._display.revealed)
