"""What an attempt asks of the device and the person beyond frames: the contract of flash and movement."""

from dataclasses import dataclass
from typing import Final, Protocol

from attempt.actions import Action
from attempt.analyst import SeenFrame
from attempt.frame import Frame
from liveness.guidance import GuidanceCode

__all__ = ["LEAST_WAIT_SECONDS", "MOST_ACTIONS", "AttemptChallenge", "ChallengeFrame"]

MOST_ACTIONS: Final = 8
"""In one go; no controller ever wants as many, and a fault in one must not hold up its caller."""
LEAST_WAIT_SECONDS: Final = 0.02
"""Before a controller that was just asked is asked again."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChallengeFrame:
    """A measured frame as a challenge is shown it.

    Attributes:
        seen: The frame, and what was measured on it.
        capture_time: When the device captured it, seconds since ``origin_us``.
        origin_us: When the device captured the attempt's first frame, microseconds of its clock.
        arrival: When it arrived, seconds of the server's monotonic clock.
        guidance: What the person is told after it; ``None`` where nothing is told.
        blinked: Whether a blink was seen up to it.
        captured: Whether the attempt has the frames that every attempt wants.
    """

    seen: SeenFrame
    capture_time: float
    origin_us: int
    arrival: float
    guidance: GuidanceCode | None
    blinked: bool
    captured: bool


class AttemptChallenge(Protocol):
    """One attempt's challenge: it is shown every measured frame and says what to do.

    It belongs to one attempt and keeps nothing of what it has not told yet: what comes is drawn when it is
    due, so that neither memory, log nor database holds the future.
    """

    @property
    def over(self) -> bool:
        """Whether it has what it wants, or gave up; it then needs no more frames."""
        ...

    @property
    def gave_up(self) -> bool:
        """Whether it is over without what it wants, so that more frames would not help."""
        ...

    @property
    def settled(self) -> bool:
        """Whether no further frame takes part in what is judged; it may still have something to show."""
        ...

    @property
    def closing_seconds(self) -> float:
        """How long it goes on after it is settled, at least; 0 where it then is over."""
        ...

    @property
    def progress(self) -> float:
        """How much of it is done, 0..1; never falls."""
        ...

    def hint(self, now: float) -> str | None:
        """The feedback code that it asks for at ``now``, monotonic seconds; ``None`` for none."""
        ...

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes that stood in its way at any time, most important first."""
        ...

    @property
    def measures_light(self) -> bool:
        """Whether it takes frames with their light (``SeenFrame.light``)."""
        ...

    @property
    def awaits_blink(self) -> bool:
        """Whether the person was asked for a blink that was not seen yet."""
        ...

    @property
    def awaits_depth(self) -> bool:
        """Whether motion is waited for that shows a head's depth."""
        ...

    @property
    def depth_due(self) -> bool:
        """Whether the next frame has to say how surely motion shows a head's depth."""
        ...

    def take(self, frame: ChallengeFrame) -> None:
        """Works a measured frame in.

        Raises:
            FrameUnusable: Its image does not decode.
        """
        ...

    def skip(self, frame: Frame, *, origin_us: int, arrival: float) -> None:
        """Works in what a frame says that comes once it is settled, and is not looked at.

        Args:
            frame: The frame.
            origin_us: When the device captured the attempt's first frame, microseconds of its clock.
            arrival: When it arrived, seconds of the server's monotonic clock.
        """
        ...

    def due(self, now: float) -> float | None:
        """When ``act`` may have more to say without a further frame, monotonic seconds; or ``None``."""
        ...

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """What to say now.

        Args:
            now: Seconds of the clock that measured arrivals.
            frame_index: The frame that hints are about.
        """
        ...
