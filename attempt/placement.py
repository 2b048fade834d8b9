"""How well a person is placed: what to tell them, and how much of what an attempt wants has come."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from attempt.actions import Feedback
from attempt.challenge import AttemptChallenge
from liveness.guidance import Guidance, GuidanceCode, GuidanceSettings, GuidanceState, Oval, guide
from liveness.observation import FrameObservation
from liveness.pace import APART_SECONDS

__all__ = ["FEEDBACK_CODES", "WRONG_ROTATION", "CapturePlan", "Placement", "ToldFeedback"]

FEEDBACK_CODES: Final[dict[GuidanceCode, str]] = {
    GuidanceCode.NO_FACE: "NO_FACE",
    GuidanceCode.MULTIPLE_FACES: "MULTIPLE_FACES",
    GuidanceCode.TOO_DARK: "TOO_DARK",
    GuidanceCode.TOO_BRIGHT: "TOO_BRIGHT",
    GuidanceCode.FACE_CUT_OFF: "FACE_CUT_OFF",
    GuidanceCode.MOVE_CLOSER: "MOVE_CLOSER",
    GuidanceCode.MOVE_BACK: "MOVE_BACK",
    GuidanceCode.CENTER_FACE: "CENTER_FACE",
    GuidanceCode.HOLD_STILL: "HOLD_STILL",
    GuidanceCode.BLURRED: "BLURRED",
    GuidanceCode.LOOK_STRAIGHT: "LOOK_STRAIGHT",
    GuidanceCode.EYES_CLOSED: "EYES_CLOSED",
    GuidanceCode.OK: "GOOD",
}
"""The feedback code for each guidance code."""

WRONG_ROTATION: Final = "WRONG_ROTATION"
"""Told in place of ``NO_FACE`` where faces are found only in turned pictures."""

# A blink is what a live person does: frames with closed eyes or a turned head still show how the face
# moves, so they count for the capture even while the person gets feedback about them.
_COUNTS_FOR_CAPTURE: Final = frozenset(
    {GuidanceCode.OK, GuidanceCode.EYES_CLOSED, GuidanceCode.LOOK_STRAIGHT, GuidanceCode.HOLD_STILL}
)
_REPEAT_FEEDBACK_SECONDS: Final = 1.0
_PROGRESS_STEP: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePlan:
    """When an attempt has enough.

    A fixed amount rather than "as soon as it looks live": looking often and stopping at the first good
    moment would give an attacker many draws.

    Attributes:
        frames: Well-placed frames that are wanted.
        seconds: Capture time that they must span.
        selected: Frames that the expensive models look at, at most.
        apart_seconds: Longest capture time between two frames that are measured, where they come faster; see
            ``liveness.pace.FramePace``. Frames that come faster count for the transcript, and are compared
            with the others so that none comes twice. 0 for a mode that needs every frame.
    """

    frames: int = 32
    seconds: float = 4.0
    selected: int = 8
    apart_seconds: float = APART_SECONDS

    def beside(self, challenge: AttemptChallenge) -> "CapturePlan":
        """The plan of an attempt with a challenge, which needs every frame.

        The time in which it shows its end, and no frame is looked at, counts as captured.
        """
        seconds = max(0.0, self.seconds - challenge.closing_seconds)
        frames = max(1, round(self.frames * seconds / self.seconds))
        return replace(self, frames=frames, seconds=seconds, apart_seconds=0.0)


class Placement:
    """Judges the placement of an attempt's frames and counts the good ones.

    Attributes:
        oval: Where the face should be now.
        first_good: When the first well-placed frame was captured, seconds; ``None`` before it.
    """

    def __init__(self, *, plan: CapturePlan, oval: Oval, settings: GuidanceSettings) -> None:
        """Starts without a frame.

        Args:
            plan: When there is enough.
            oval: Where the face should be.
            settings: Thresholds of the hints.
        """
        self.oval = oval
        self._plan = plan
        self._settings = settings
        self._state = GuidanceState()
        self._hints: Counter[str] = Counter()
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
        """How much there is of what is wanted, 0..1."""
        return min(1.0, self._good / self._plan.frames, self._seconds / self._plan.seconds)

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of what stood in the way, the most frequent first."""
        return tuple(code for code, _ in self._hints.most_common())

    def take(self, observation: FrameObservation, *, turned: bool) -> Guidance:
        """Works a measured frame in.

        Args:
            observation: What was measured.
            turned: Whether faces are found in turned pictures only.
        """
        guidance = guide(observation, oval=self.oval, settings=self._settings, state=self._state)
        self._state = guidance.state
        self._well_placed = guidance.frame_code in _COUNTS_FOR_CAPTURE
        if self._well_placed:
            self._good += 1
            if self.first_good is None:
                self.first_good = observation.capture_time
            self._last_good = observation.capture_time
        else:
            self._hints[feedback_code(guidance.frame_code, turned=turned)] += 1
        return guidance

    def skip(self) -> None:
        """Counts a frame that is not measured: it is as well placed as the measured one before it."""
        self._good += self._well_placed

    @property
    def _seconds(self) -> float:
        return 0.0 if self.first_good is None else self._last_good - self.first_good


class ToldFeedback:
    """Keeps an attempt's feedback from being told over and over."""

    def __init__(self) -> None:
        """No feedback has been sent yet."""
        self._told: tuple[str, float, float] | None = None

    def news(self, feedback: Feedback, time: float) -> Feedback | None:
        """The feedback if it is new, or if the last one was sent a while ago; else ``None``.

        Args:
            feedback: What holds now.
            time: When the device captured the frame that it is about, seconds.
        """
        if self._told is not None:
            code, told, progress = self._told
            stale = time - told >= _REPEAT_FEEDBACK_SECONDS
            if feedback.code == code and not stale and feedback.progress - progress < _PROGRESS_STEP:
                return None
        self._told = (feedback.code, time, feedback.progress)
        return feedback


def feedback_code(guidance: GuidanceCode, *, turned: bool) -> str:
    """The feedback code for what guidance found.

    Args:
        guidance: What the frame shows.
        turned: Whether faces are found in turned pictures only.
    """
    if guidance is GuidanceCode.NO_FACE and turned:
        return WRONG_ROTATION
    return FEEDBACK_CODES[guidance]
