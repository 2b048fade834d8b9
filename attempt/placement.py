"""Judges the placement of the person: feedback, and the completed share of the capture."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from attempt.challenge import AttemptChallenge, Feedback
from liveness import FrameObservation, Guidance, GuidanceSettings, GuidanceState, HintCode, Oval, guide
from liveness.watch import APART_SECONDS

WRONG_ROTATION: Final = "WRONG_ROTATION"
"""Sent instead of ``NO_FACE`` if faces are found only in rotated frames."""

# Living persons blink. Frames with closed eyes, a turned head or a covered face still show how the face
# moves, so they count for the capture, although the person gets feedback about them. A cover that is measured
# by mistake must not keep a capture from its end; a cover of most frames is a reason of the verdict.
_COUNTS_FOR_CAPTURE: Final = frozenset(
    {
        HintCode.GOOD,
        HintCode.EYES_CLOSED,
        HintCode.LOOK_STRAIGHT,
        HintCode.HOLD_STILL,
        HintCode.SUNGLASSES,
        HintCode.EYES_NOT_VISIBLE,
        HintCode.FACE_MASK,
        HintCode.MOUTH_NOT_VISIBLE,
        HintCode.FACE_OBSTRUCTED,
    }
)
_REPEAT_FEEDBACK_SECONDS: Final = 1.0
_PROGRESS_STEP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePlan:
    """The amount of frames and time that an attempt needs.

    It is fixed. If the capture stopped as soon as a scan looked live, an attacker would get many chances.
    There is one early look, at a fixed point, which nobody learns of unless the scan is clear.

    Attributes:
        frames: The number of well-placed frames.
        seconds: The capture time that they must span, seconds.
        early_seconds: The capture time of the early look, seconds; the frames must have reached the same
            share. 0 without an early look; there is none if the capture is not longer.
        selected: The most frames that are examined.
        apart_seconds: The longest capture time between two measured frames, seconds, if frames come faster;
            see ``liveness.watch.FramePace``. The frames between them count for the transcript and are
            compared with the others to find repeated frames. 0 for a mode that needs every frame.
        motion_seconds: The longest time for which an attempt without a challenge waits for the motion of a
            person who kept still, seconds of capture time.
        open_mouth: Whether the person has to open the mouth on request.
        turn_head: Whether the person has to turn the head to a drawn side on request.
    """

    frames: int = 32
    seconds: float = 4.0
    early_seconds: float = 2.0
    selected: int = 8
    apart_seconds: float = APART_SECONDS
    motion_seconds: float = 4.0
    open_mouth: bool = False
    turn_head: bool = False

    @property
    def early_share(self) -> float | None:
        """The share of the plan from which on the early look is due; ``None`` without one.

        An attempt that asks the person for gestures has none.
        """
        if self.open_mouth or self.turn_head or not 0 < self.early_seconds < self.seconds:
            return None
        return self.early_seconds / self.seconds

    def with_challenge(self, challenge: AttemptChallenge) -> "CapturePlan":
        """Return the plan of an attempt with a challenge, which needs every frame and has no early look.

        A challenge itself asks for motion. The time of its closing step, in which no frame is measured,
        counts as captured.
        """
        seconds = max(0.0, self.seconds - challenge.closing_seconds)
        frames = max(1, round(self.frames * seconds / self.seconds))
        return replace(
            self, frames=frames, seconds=seconds, early_seconds=0.0, apart_seconds=0.0, motion_seconds=0.0
        )


class Placement:
    """Judges the placement of an attempt's frames and counts the good ones.

    Attributes:
        oval: Where the face should be now.
        first_good: Capture time of the first well-placed frame, seconds; ``None`` before it.
    """

    def __init__(self, *, plan: CapturePlan, oval: Oval, settings: GuidanceSettings) -> None:
        """Start without a frame.

        Args:
            plan: When the attempt has enough frames.
            oval: Where the face should be.
            settings: The thresholds of the hints.
        """
        self.oval = oval
        self._plan = plan
        self._settings = settings
        self._state = GuidanceState()
        self._hints: Counter[str] = Counter()
        self._placed = 0
        self._good = 0
        self.first_good: float | None = None
        self._last_good = 0.0
        self._well_placed = False

    @property
    def captured(self) -> bool:
        """Whether there are enough well-placed frames over enough time."""
        return self._good >= self._plan.frames and self._seconds >= self._plan.seconds

    @property
    def share(self) -> float:
        """The completed share of the plan, 0..1."""
        return min(1.0, self._good / self._plan.frames, self._seconds / self._plan.seconds)

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of the obstacles, the most frequent first."""
        return tuple(code for code, _ in self._hints.most_common())

    @property
    def obstacle(self) -> str | None:
        """The feedback code of more than half of the measured frames; ``None`` without one."""
        return next((code for code, count in self._hints.items() if 2 * count > self._placed), None)

    def place_frame(self, observation: FrameObservation, *, turned: bool) -> Guidance:
        """Take a measured frame and return its guidance.

        Args:
            turned: Whether faces are found only in rotated frames.
        """
        guidance = guide(observation, oval=self.oval, settings=self._settings, state=self._state)
        self._state = guidance.state
        self._placed += 1
        self._well_placed = guidance.frame_code in _COUNTS_FOR_CAPTURE
        if self._well_placed:
            self._good += 1
            if self.first_good is None:
                self.first_good = observation.capture_time
            self._last_good = observation.capture_time
        else:
            self._hints[feedback_code(guidance.frame_code, turned=turned)] += 1
        return guidance

    def count_skipped_frame(self) -> None:
        """Count a skipped frame. It counts as well placed if the last measured frame was."""
        self._good += self._well_placed

    @property
    def _seconds(self) -> float:
        return 0.0 if self.first_good is None else self._last_good - self.first_good


class FeedbackPacing:
    """Limits how often feedback is repeated in an attempt."""

    def __init__(self) -> None:
        self._last_sent: tuple[str, float, float] | None = None

    def due_feedback(self, feedback: Feedback, time: float) -> Feedback | None:
        """Return the feedback if it is new, or if the last one was sent some time ago; ``None`` otherwise.

        Args:
            time: Capture time of its frame, seconds.
        """
        if self._last_sent is not None:
            code, sent_at, progress = self._last_sent
            stale = time - sent_at >= _REPEAT_FEEDBACK_SECONDS
            if feedback.code == code and not stale and feedback.progress - progress < _PROGRESS_STEP:
                return None
        self._last_sent = (feedback.code, time, feedback.progress)
        return feedback


def feedback_code(guidance: HintCode, *, turned: bool) -> str:
    """Return the feedback code for a guidance code.

    Args:
        turned: Whether faces are found only in rotated frames.
    """
    if guidance is HintCode.NO_FACE and turned:
        return WRONG_ROTATION
    return guidance.value
