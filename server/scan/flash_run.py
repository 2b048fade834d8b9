"""The screen flash of one attempt: frames to its controller, the controller's wishes to messages."""

from dataclasses import dataclass

from liveness.dynamic.challenge import (
    SHORTEST_HOLD_SECONDS,
    Complete,
    DisplayClaim,
    EndReason,
    FallBack,
    FlashChallenge,
    Hint,
    Pause,
    Resume,
    Reveal,
    RevealedStep,
    Wait,
)
from liveness.dynamic.sample import FlashSample
from server.scan.analyst import FrameAnalyst
from server.scan.challenge import ChallengeFrame
from server.scan.challenge_hints import ChallengeHints
from server.scan.messages import FeedbackMessage, FlashStepMessage, FrameMessage, Outbound, PauseMessage
from server.scan.worker_pool import WorkerPool

__all__ = ["FlashEvidence", "FlashRun"]

_MOST_ACTIONS = 8
"""In one go; the controller never wants as many, and a fault in it must not hold up the event loop."""
_LEAST_WAIT_SECONDS = 0.02
_SHOWN = frozenset({EndReason.PROVEN, EndReason.EXHAUSTED})
"""Ends of a challenge that showed all that it wanted to show."""


@dataclass(frozen=True, slots=True, eq=False)
class FlashEvidence:
    """What a flash attempt leaves for the judge.

    Attributes:
        steps: What was revealed and when, in order.
        samples: What the frames that count show of the screen's light, in order.
    """

    steps: tuple[RevealedStep, ...]
    samples: tuple[FlashSample, ...]


class FlashRun:
    """Implements ``server.scan.challenge.AttemptChallenge``."""

    def __init__(
        self, challenge: FlashChallenge, *, analyst: FrameAnalyst, pool: WorkerPool, first_step: int
    ) -> None:
        """Takes the controller, which has shown nothing yet.

        Args:
            challenge: The controller.
            analyst: Measures the frames.
            pool: Where it does, and where the controller thinks; one call at a time, in the order of frames.
            first_step: Number of the attempt's first step.
        """
        self._challenge = challenge
        self._analyst = analyst
        self._pool = pool
        self._first_step = first_step
        self._latest_step = first_step - 1
        self._hints = ChallengeHints()
        self._wait_until: float | None = None
        self._progress = 0.0

    @property
    def over(self) -> bool:
        """Whether all was shown that is to be shown."""
        return self._challenge.ended is not None

    @property
    def settled(self) -> bool:
        """See ``FlashChallenge.settled``."""
        return self._challenge.settled

    @property
    def closing_seconds(self) -> float:
        """The closing step is held like every other."""
        return SHORTEST_HOLD_SECONDS

    @property
    def gave_up(self) -> bool:
        """Whether light, time or an absent face kept it from what it wants."""
        match self._challenge.ended:
            case FallBack():
                return True
            case Complete(reason):
                return reason not in _SHOWN
            case None:
                return False

    @property
    def fell_back(self) -> bool:
        """Whether the light does not allow it and the policy names something else."""
        return isinstance(self._challenge.ended, FallBack)

    @property
    def progress(self) -> float:
        """Colours shown over those of a whole script, 0..1; 1 once it is over. The device learns no score."""
        self._progress = 1.0 if self.over else max(self._progress, self._challenge.progress)
        return self._progress

    @property
    def hints(self) -> tuple[str, ...]:
        """What stood in its way, the latest first."""
        return self._hints.all

    @property
    def measures_light(self) -> bool:
        """The screen's, on the face."""
        return True

    @property
    def awaits_blink(self) -> bool:
        """See ``FlashChallenge.awaits_blink``."""
        return self._challenge.awaits_blink

    @property
    def awaits_depth(self) -> bool:
        """See ``FlashChallenge.awaits_depth``."""
        return self._challenge.awaits_depth

    @property
    def depth_due(self) -> bool:
        """See ``FlashChallenge.depth_due``."""
        return self._challenge.depth_due

    @property
    def evidence(self) -> FlashEvidence:
        """What there is for the judge."""
        return FlashEvidence(steps=self._challenge.revealed, samples=self._challenge.samples)

    @property
    def coloured(self) -> bool:
        """Whether a colour was revealed; the lead-in is grey."""
        return any(revealed.step.bits > 0 for revealed in self._challenge.revealed)

    @property
    def next_step(self) -> int:
        """The number from which a later attempt's steps go on."""
        return self._latest_step + 1

    async def take(self, frame: ChallengeFrame) -> None:
        """Measures a frame's light and hands it to the controller.

        Raises:
            Refusal: Its image cannot be used (FRAME_IMAGE_INVALID).
        """
        if not self.over:
            await self._pool.run(self._measure, frame)

    def glance(self, message: FrameMessage, *, origin_us: int, arrival: float) -> None:
        """Tells the controller what the frame says was on display: the closing step, until it was held."""
        step, since = self._claim(message, origin_us)
        captured = (message.capture_time_us - origin_us) / 1e6
        self._challenge.see(DisplayClaim(step, since, capture_time=captured, arrival_time=arrival))

    def hint(self, now: float) -> str | None:
        """What stands in its way; ``None`` once it is over."""
        return None if self.over else self._hints.standing(now)

    def due(self, now: float) -> float | None:
        """When the controller is to be asked again; never at once, as it was asked just now."""
        if self.over or self._wait_until is None:
            return None
        return max(self._wait_until, now + _LEAST_WAIT_SECONDS)

    async def messages(self, now: float, *, frame_index: int) -> tuple[Outbound, ...]:
        """What the controller wants sent. It reads the steps for that, which is work for the pool.

        Not once it is settled: the end of its closing step does not wait behind other scans' frames.
        """
        if self._challenge.settled:
            return self._said(now, frame_index)
        return await self._pool.run(self._said, now, frame_index)

    def _said(self, now: float, frame_index: int) -> tuple[Outbound, ...]:
        said: list[Outbound] = []
        for _ in range(_MOST_ACTIONS):
            match self._challenge.next_action(now=now):
                case Reveal(step):
                    self._latest_step = step.number
                    said.append(FlashStepMessage(step))
                case Hint(code):
                    self._hints.note(code.value, now)
                    said.append(
                        FeedbackMessage(code=code.value, progress=self.progress, frame_index=frame_index)
                    )
                case Pause(code):
                    self._hints.note(code.value, now)
                    said.append(PauseMessage(paused=True, reason=code.value))
                case Resume():
                    said.append(PauseMessage(paused=False, reason="GOOD"))
                case FallBack(code):
                    self._hints.note(code.value, now)
                    break
                case Complete():
                    break
                case Wait(until):
                    self._wait_until = until
                    break
        return tuple(said)

    def _measure(self, frame: ChallengeFrame) -> None:
        step, since = self._claim(frame.message, frame.origin_us)
        sample = self._analyst.flash_sample(
            frame.seen,
            capture_time=frame.capture_time,
            arrival=frame.arrival,
            step=step,
            step_since=since,
        )
        self._challenge.add(
            sample,
            frame.guidance,
            blinked=frame.blinked,
            depth=frame.seen.depth,
            captured=frame.captured,
        )

    def _claim(self, message: FrameMessage, origin_us: int) -> tuple[int, float | None]:
        """The step that the frame claims, and since when, seconds since the attempt's first frame."""
        if message.flash_step < self._first_step or not message.flash_step_since_us:
            return 0, None
        return message.flash_step, (message.flash_step_since_us - origin_us) / 1e6
