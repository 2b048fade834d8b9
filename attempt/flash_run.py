"""The screen flash of one attempt: passes frames to its controller, and returns the controller's actions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from attempt.analyst import SeenFrame
from attempt.challenge import (
    MOST_ACTIONS,
    Action,
    ChallengeFrame,
    ControlledChallenge,
    Feedback,
    PauseCapture,
)
from attempt.frame import Frame
from liveness import FlashEvidence
from liveness.dynamic import DynamicPolicy, FlashMeter, FlashModel, FlashSample
from liveness.dynamic.challenge import (
    SHORTEST_HOLD_SECONDS,
    ColourScript,
    Complete,
    DisplayClaim,
    EndReason,
    FallBack,
    FlashChallenge,
    Hint,
    Pause,
    Resume,
    Reveal,
    ScriptSettings,
    Wait,
)
from liveness.dynamic.measurement import sample_light
from vision.face import Box, DetectedFace


def flash_sample(
    seen: SeenFrame,
    *,
    capture_time: float,
    arrival: float,
    step: int,
    step_since: float | None,
    round_trip: float,
    waited: tuple[float, float] | None,
) -> FlashSample:
    """Return the measurements of the screen's light in a frame.

    Args:
        seen: The frame, measured with ``with_light``.
        capture_time: Its capture time, seconds on the device's clock.
        arrival: Its arrival time, seconds on the server's monotonic clock.
        step: The step that the device claims was on display; 0 for none.
        step_since: When that step appeared, as the device claims, seconds on the device's clock.
        round_trip: The stream's round trip, seconds.
        waited: When the frame waited for credit (``RoundTrip.waited``).
    """
    observation, frame, pixels = seen.observation, seen.frame, seen.light
    if pixels is None:
        raise ValueError("the frame has no light to sample; measure it with with_light=True")
    # Two faces have two reflections, and it is unknown which is that of the larger one.
    face = observation.face if observation.faces == 1 else None
    sample = sample_light(
        pixels,
        index=frame.index,
        capture_time=capture_time,
        arrival_time=arrival,
        face=None if face is None else _scaled(face, pixels.shape[1] / observation.width),
        followed=observation.followed,
        step=step,
        step_since=step_since,
        exposure=frame.exposure,
    )
    return replace(sample, round_trip=round_trip, waited=waited)


def _scaled(face: DetectedFace, scale: float) -> DetectedFace:
    """Scale a face to an image of another size. Pixel centres lie at whole coordinates."""
    box = face.box
    left, top, right, bottom = (
        (edge + 0.5) * scale - 0.5 for edge in (box.left, box.top, box.right, box.bottom)
    )
    points = ((face.five_points + 0.5) * scale - 0.5).astype(np.float32)
    return DetectedFace(box=Box(left, top, right, bottom), confidence=face.confidence, five_points=points)


_SHOWN = frozenset({EndReason.PROVEN, EndReason.EXHAUSTED})
"""Ends of a challenge that showed everything it had to show."""


class FlashRun(ControlledChallenge):
    """Colours of the screen, whose light on the face is measured."""

    def __init__(self, challenge: FlashChallenge, *, first_step: int = 1) -> None:
        """Take a controller that has shown nothing yet.

        Args:
            first_step: The number of the attempt's first step.
        """
        super().__init__()
        self._challenge = challenge
        self._first_step = first_step
        self._latest_step = first_step - 1
        self._progress = 0.0

    @classmethod
    def drawn(
        cls,
        random: Callable[[int], bytes],
        *,
        model: FlashModel,
        limits: DynamicPolicy,
        script: ScriptSettings | None = None,
        first_step: int = 1,
    ) -> "FlashRun":
        """Create a flash whose colours are drawn when they are due.

        Args:
            random: Returns the given number of unpredictable bytes.
            model: The flash's lines.
            script: The settings from which its steps are drawn.
            first_step: The number of the attempt's first step.
        """
        settings = ScriptSettings() if script is None else script
        challenge = FlashChallenge(
            script=ColourScript(random, settings, first_number=first_step),
            meter=FlashMeter(model),
            policy=limits,
            depth_line=model.judge.depth_odds,
        )
        return cls(challenge, first_step=first_step)

    @property
    def ended(self) -> Complete | FallBack | None:
        """How the flash ended; ``None`` before its end."""
        return self._challenge.ended

    @property
    def over(self) -> bool:
        """Whether the flash has ended."""
        return self._challenge.ended is not None

    @property
    def settled(self) -> bool:
        """See ``FlashChallenge.settled``."""
        return self._challenge.settled

    @property
    def closing_seconds(self) -> float:
        """How long the closing step is shown, seconds: as long as any step."""
        return SHORTEST_HOLD_SECONDS

    @property
    def gave_up(self) -> bool:
        """Whether light, time or a missing face prevented its success."""
        match self._challenge.ended:
            case FallBack():
                return True
            case Complete(reason):
                return reason not in _SHOWN
            case None:
                return False

    @property
    def unproven(self) -> bool:
        """See ``FlashChallenge.unproven``."""
        return self._challenge.unproven

    @property
    def fell_back(self) -> bool:
        """Whether the light does not allow the flash and the policy names a fallback."""
        return isinstance(self._challenge.ended, FallBack)

    @property
    def progress(self) -> float:
        """The share of the script's colours that were shown, 0..1; 1 at the end. It reveals no score."""
        self._progress = 1.0 if self.over else max(self._progress, self._challenge.progress)
        return self._progress

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of the obstacles, the latest first."""
        return self._hints.all

    @property
    def measures_light(self) -> bool:
        """Always: it measures the light of the screen on the face."""
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
    def late(self) -> bool:
        """See ``FlashChallenge.late``."""
        return self._challenge.late

    @property
    def depth_due(self) -> bool:
        """See ``FlashChallenge.depth_due``."""
        return self._challenge.depth_due

    @property
    def evidence(self) -> FlashEvidence:
        """The colours sent so far, and the measurements of their light on the face, which are judged."""
        return FlashEvidence(steps=self._challenge.revealed, samples=self._challenge.samples)

    @property
    def coloured(self) -> bool:
        """Whether a colour was revealed. The lead-in is grey."""
        return any(revealed.step.bits > 0 for revealed in self._challenge.revealed)

    @property
    def next_step(self) -> int:
        """The number of the first step of a later attempt."""
        return self._latest_step + 1

    def measure_answer(self, frame: ChallengeFrame) -> None:
        """Measure the light of a frame and pass it to the controller."""
        if self.over:
            return
        step, since = self._claim(frame.seen.frame, frame.origin_us)
        sample = flash_sample(
            frame.seen,
            capture_time=frame.capture_time,
            arrival=frame.arrival,
            step=step,
            step_since=since,
            round_trip=frame.round_trip,
            waited=frame.waited,
        )
        self._challenge.add_flash_frame(
            sample,
            frame.guidance,
            blinked=frame.blinked,
            depth=frame.seen.depth,
            captured=frame.captured,
        )

    def note_claim(self, frame: Frame, *, origin_us: int, arrival: float) -> None:
        """Pass the step that a frame claims to the controller, until the closing step has been held."""
        step, since = self._claim(frame, origin_us)
        captured = (frame.capture_time_us - origin_us) / 1e6
        self._challenge.record_claim(DisplayClaim(step, since, capture_time=captured, arrival_time=arrival))

    def note_sent(self, at: float) -> None:
        """See ``FlashChallenge.note_sent``."""
        self._challenge.note_sent(at)

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """Return the controller's actions. Until the flash is settled, each call measures the steps."""
        due_actions: list[Action] = []
        for _ in range(MOST_ACTIONS):
            match self._challenge.next_action(now=now):
                case Reveal(step) as reveal:
                    self._latest_step = step.number
                    due_actions.append(reveal)
                case Hint(code):
                    self._hints.note(code.value, now)
                    due_actions.append(
                        Feedback(code=code.value, progress=self.progress, frame_index=frame_index)
                    )
                case Pause(code):
                    self._hints.note(code.value, now)
                    due_actions.append(PauseCapture(paused=True, reason=code.value))
                case Resume():
                    due_actions.append(PauseCapture(paused=False, reason="GOOD"))
                case FallBack(code):
                    self._hints.note(code.value, now)
                    break
                case Complete():
                    break
                case Wait(until):
                    self._wait_until = until
                    break
        return tuple(due_actions)

    def _claim(self, frame: Frame, origin_us: int) -> tuple[int, float | None]:
        """Return the step that the frame claims, and since when, seconds since the attempt's first frame."""
        if frame.flash_step < self._first_step or not frame.flash_step_since_us:
            return 0, None
        return frame.flash_step, (frame.flash_step_since_us - origin_us) / 1e6
