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

import math
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
from liveness.dynamic.challenge.answers import Answers, count_answers
from liveness.dynamic.challenge.asked import AskedSigns
from liveness.dynamic.challenge.hint_pacing import HintPacing
from liveness.dynamic.challenge.interface import Disturbance, Meter, StepReading
from liveness.dynamic.challenge.on_display import DisplayClaim, StepOnDisplay
from liveness.dynamic.challenge.presence import LightWatch, Presence
from liveness.dynamic.challenge.script import ColourScript
from liveness.dynamic.challenge.steps import ColourStep, RevealedStep
from liveness.dynamic.policy import DynamicPolicy
from liveness.dynamic.sample import FlashSample
from liveness.errors import ObservationError, PolicyError
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
_MOST_CAPTURE_SECONDS: Final = 2.0
"""How long the colours, once proven, wait for the frames that every scan takes."""
_PAUSE_SECONDS: Final = 1.0
_MOST_PAUSES: Final = 5


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
            PolicyError: The steps that the policy allows cannot reach the bits that it asks for.
        """
        if Answers().reach(policy.maximum_steps) < policy.minimum_bits:
            raise PolicyError(
                f"{policy.maximum_steps} steps cannot verify {policy.minimum_bits} bits; "
                "allow more, or ask for less"
            )
        self._script = script
        self._meter = meter
        self._policy = policy
        self._phase = _Phase.READYING
        self._now = -math.inf
        self._began: float | None = None
        self._shown: StepOnDisplay | None = None
        self._history: list[RevealedStep] = []
        self._latest_capture = -math.inf
        self._presence = Presence()
        self._light = LightWatch(policy)
        self._pauses = 0
        self._pause_until = 0.0
        self._hints = HintPacing()
        self._samples: list[FlashSample] = []
        self._proven_at: float | None = None
        self._captured = True
        self._asked = AskedSigns(policy, depth_line=depth_line)
        self._progress = 0.0
        self._end: Complete | FallBack | None = None

    @property
    def revealed(self) -> tuple[RevealedStep, ...]:
        """Every step sent so far, in order: lead-in, coloured steps, closing step."""
        return tuple(self._history)

    @property
    def ended(self) -> Complete | FallBack | None:
        """How it ended; ``None`` while it runs."""
        return self._end if self._phase is _Phase.ENDED else None

    @property
    def settled(self) -> bool:
        """Whether everything was seen that will be judged: the closing step is on display, or it is over."""
        closing = self._shown is not None and self._shown.step.last
        return closing or self.ended is not None

    @property
    def samples(self) -> tuple[FlashSample, ...]:
        """The frames that say what the light proves, in order: those that came before it was proven."""
        return tuple(self._samples)

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
        decides = self._proven_at is None and self._shown is not None and self._shown.nearly_held
        return self._end is None and self._asked.depth_due(self._now, decides=decides)

    @property
    def proven_bits(self) -> float:
        """Bits that the colours prove so far, net of chance."""
        return self._answers().proven_bits

    @property
    def progress(self) -> float:
        """0..1: colours shown over those of a whole script; never falls, 1 at the end. No score is in it."""
        return self._progress if self.ended is None else 1.0

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
        at = max(self._now, sample.arrival_time)
        self._captured = captured
        self._asked.see(blinked=blinked, depth=depth, at=at)
        if self._proven_at is None:
            self._samples.append(sample)
            self._meter.add(sample)
        self._presence.see(face=sample.face is not None, guidance=guidance, at=at)
        self.see(DisplayClaim(sample.step, sample.step_since, sample.capture_time, sample.arrival_time))

    def see(self, claim: DisplayClaim) -> None:
        """Take what a frame says was on display: all that matters of one that comes once it is settled."""
        if self._shown is not None:
            self._shown.see(claim, at=max(self._now, claim.arrival_time))
        self._latest_capture = max(self._latest_capture, claim.capture_time)

    def next_action(self, *, now: float) -> Action:
        """What to do at ``now``, seconds of the server's monotonic clock.

        A clock that goes back stands still until it is where it was.

        Raises:
            ObservationError: ``now`` is no finite number.
        """
        if not math.isfinite(now):
            raise ObservationError("the time of a challenge must be a finite number")
        self._now = max(self._now, now)
        if self._began is None:
            self._began = self._now
        if self._phase not in {_Phase.ENDING, _Phase.ENDED} and self._now >= self._deadline:
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
        return (self._now if self._began is None else self._began) + self._policy.maximum_seconds

    def _readying(self) -> Action:
        if self._presence.frames_in_place < _READY_FRAMES:
            return Wait(self._deadline)
        self._phase = _Phase.SHOWING
        self._began = self._now
        return self._reveal(self._script.lead_in())

    def _paused(self) -> Action:
        if self._now < self._pause_until:
            return Wait(min(self._pause_until, self._deadline))
        self._phase = _Phase.SHOWING
        self._presence.look_again(self._now)
        return Resume()

    def _showing(self) -> Action:
        shown = self._shown
        if shown is None:
            raise ObservationError("a challenge shows nothing")
        if self._proven_at is not None:
            return self._proved(self._proven_at)
        presence = self._presence
        for since, patience in (
            (presence.unseen_since, _UNSEEN_SECONDS),
            (presence.away_since, _AWAY_SECONDS),
        ):
            if since is not None:
                shown.away = True
                late = since + patience
                return Wait(min(late, self._deadline)) if self._now < late else self._pause()
        if (about_light := self._look_at_light()) is not None:
            return about_light
        if (hint := self._hint(self._asked.ahead(shown.at + shown.lasts - self._now))) is not None:
            return hint
        if shown.held_at is None or self._now < shown.at + shown.lasts:
            return Wait(self._deadline if shown.held_at is None else shown.at + shown.lasts)
        if not self._measured(shown):
            extended = shown.held_at + _EXTENSION_SECONDS
            if self._now < extended:
                return self._hint_of(shown) or Wait(min(extended, self._deadline))
        if self._presence.frames_in_place < _READY_FRAMES and shown.away:
            return Wait(self._deadline)
        return self._go_on()

    def _ending(self) -> Action:
        shown = self._shown
        if shown is not None:
            if self._now < (free := shown.closed_at if shown.step.last else shown.at + shown.lasts):
                return Wait(free)
            if not shown.step.last:
                return self._reveal(self._script.close())
        self._phase = _Phase.ENDED
        if self._end is None:
            raise ObservationError("a challenge ended without an end")
        return self._end

    def _go_on(self) -> Action:
        """The step on display is done with: another, or the end."""
        self._meter.refresh()
        answers = self._answers()
        self._progress = max(self._progress, min(1.0, answers.shown / self._script.settings.steps))
        enough = (
            answers.proven_bits >= self._policy.minimum_bits
            and self._meter.verified_bits() >= self._policy.minimum_bits
            and self._meter.lag() is not None
        )
        more = self._policy.maximum_steps - answers.shown
        full = answers.told >= self._script.settings.steps
        last = full or more <= 0
        if enough and (last or (answers.wrong == 0 and not self._meter.doubtful())):
            self._proven_at = self._now
            return self._proved(self._now)
        if more <= 0 or (full and answers.hopeless(more, bits=self._policy.minimum_bits)):
            return self._finish(Complete(EndReason.EXHAUSTED))
        step = self._script.draw()
        self._asked.prepare(
            share=answers.proven_bits / self._policy.minimum_bits,
            last=answers.proven_with(step.colour_bits) >= self._policy.minimum_bits,
            shape_shows=self._meter.shape_shows(),
        )
        return self._reveal(step)

    def _proved(self, since: float) -> Action:
        """The colours are proven: what else has to be seen is waited for, one sign after the other."""
        away_since, lost = self._presence.away_since, self._presence.code in _LOST
        if away_since is not None and lost and self._now >= away_since + _AWAY_SECONDS:
            return self._finish(Complete(EndReason.FACE_AWAY))
        missing = self._asked.missing(self._now, shape_shows=self._meter.shape_shows())
        if missing is not None:
            return self._hint(missing.asks) or Wait(min(missing.until, self._deadline))
        if not self._captured and self._now < (late := since + _MOST_CAPTURE_SECONDS):
            return Wait(min(late, self._deadline))
        return self._finish(Complete(EndReason.PROVEN))

    def _finish(self, end: Complete | FallBack) -> Action:
        self._end = end
        self._phase = _Phase.ENDING
        return self._ending()

    def _reveal(self, step: ColourStep) -> Reveal:
        self._shown = StepOnDisplay(step, at=self._now, earliest=self._latest_capture)
        self._history.append(RevealedStep(step, self._now))
        self._meter.revealed(step, self._now)
        return Reveal(step)

    def _pause(self) -> Action:
        if self._pauses >= _MOST_PAUSES:
            return self._finish(Complete(EndReason.FACE_AWAY))
        self._pauses += 1
        self._phase = _Phase.PAUSED
        self._pause_until = self._now + _PAUSE_SECONDS
        return Pause(self._presence.code)

    def _look_at_light(self) -> Action | None:
        """What the light asks for; ``None`` while it does not matter."""
        asks = self._light.see(self._meter.light(), coloured=self._script.coloured, now=self._now)
        if asks is None or isinstance(asks, HintCode):
            return self._hint(asks)
        if isinstance(asks, FallBack) and self._answers().wrong:
            # Light that lets a wrong colour be measured is no excuse: the script goes on to its end.
            return None
        return self._finish(asks)

    def _hint(self, code: HintCode | None) -> Hint | None:
        return None if code is None else self._hints.tell(code, now=self._now)

    def _hint_of(self, shown: StepOnDisplay) -> Hint | None:
        reading = self._reading(shown.step)
        if reading is not None and Disturbance.MOVED in reading.disturbed:
            return self._hint(HintCode.HOLD_STILL)
        return None

    def _reading(self, step: ColourStep) -> StepReading | None:
        return next((reading for reading in self._meter.readings() if reading.step == step.number), None)

    def _measured(self, shown: StepOnDisplay) -> bool:
        """Whether more frames of this step would tell nothing new."""
        reading = self._reading(shown.step)
        if reading is None or not reading.settled or reading.disturbed:
            return False
        return reading.agrees is not None or shown.step.bits == 0

    def _answers(self) -> Answers:
        return count_answers((revealed.step for revealed in self._history), self._meter.readings())
