"""What flash and movement have in common as the challenge of an attempt; its actions and its hints."""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from attempt.analyst import SeenFrame
from attempt.frame import Frame
from liveness import HintCode
from liveness.dynamic.challenge import MoveOval, Reveal


@dataclass(frozen=True, slots=True)
class Feedback:
    """A hint to the person: code name, progress 0..1, index of the frame."""

    code: str
    progress: float
    frame_index: int


@dataclass(frozen=True, slots=True)
class PauseCapture:
    """Pauses the capture, with a feedback code that states the reason, or resumes it."""

    paused: bool
    reason: str


Action: TypeAlias = Feedback | Reveal | MoveOval | PauseCapture


_STANDS_SECONDS = 2.5
"""The time for which a hint is current, seconds: a little more than a controller's interval of repeats."""


class ChallengeHints:
    """The hints of one attempt. A hint stays current for a while, so that it does not alternate with GOOD."""

    def __init__(self) -> None:
        self._standing: tuple[str, float] | None = None
        self._all: dict[str, None] = {}

    @property
    def all(self) -> tuple[str, ...]:
        """Every feedback code, the latest first."""
        return tuple(reversed(self._all))

    def note(self, code: str, now: float) -> None:
        """Add a hint that is sent at ``now``, monotonic seconds."""
        self._standing = (code, now)
        # The latest is last, even if it was sent before.
        self._all.pop(code, None)
        self._all[code] = None

    def standing(self, now: float) -> str | None:
        """Return the current hint at ``now``, monotonic seconds; ``None`` without one."""
        if self._standing is None or now - self._standing[1] > _STANDS_SECONDS:
            return None
        return self._standing[0]


MOST_ACTIONS: Final = 8
"""The most actions that one call of ``act`` returns. No controller wants as many; the limit keeps a faulty
controller from blocking its caller."""
LEAST_WAIT_SECONDS: Final = 0.02
"""The least time between two calls of a controller, seconds."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ChallengeFrame:
    """A measured frame, as passed to a challenge.

    Attributes:
        capture_time: Its capture time, seconds since ``origin_us``.
        origin_us: Capture time of the attempt's first frame, microseconds on the device's clock.
        arrival: Its arrival time, seconds on the server's monotonic clock.
        guidance: The guidance to the person after this frame; ``None`` if there is none.
        blinked: Whether a blink was measured up to this frame.
        captured: Whether the attempt has the frames that every attempt needs.
        round_trip: The stream's round trip (``RoundTrip.seconds``), seconds.
        waited: When it waited for credit (``RoundTrip.waited``).
    """

    seen: SeenFrame
    capture_time: float
    origin_us: int
    arrival: float
    guidance: HintCode | None
    blinked: bool
    captured: bool
    round_trip: float
    waited: tuple[float, float] | None = None


class AttemptChallenge(Protocol):
    """The challenge of one attempt: it takes every measured frame and returns actions.

    It draws each step only when the step is due, so steps that were not sent yet are nowhere in memory, log
    or database. What has a body here fits a challenge whose answers are neither timed nor made of light.
    """

    @property
    def over(self) -> bool:
        """Whether it succeeded or gave up, and needs no more frames."""
        ...

    @property
    def gave_up(self) -> bool:
        """Whether it ended without success, so that more frames would not help."""
        ...

    @property
    def unproven(self) -> bool:
        """Whether it ended without its proof, or a sign that it waited for: gestures would not help then."""
        ...

    @property
    def settled(self) -> bool:
        """Whether no further frame will be judged; it may still have something to show."""
        return self.over

    @property
    def closing_seconds(self) -> float:
        """How long it lasts at least after it is settled, seconds; 0 if it ends at the same time."""
        return 0.0

    @property
    def progress(self) -> float:
        """Its completed share, 0..1; it never falls."""
        ...

    def hint(self, now: float) -> str | None:
        """Return the feedback code of the current request, at ``now`` in monotonic seconds, or ``None``."""
        ...

    @property
    def hints(self) -> tuple[str, ...]:
        """Feedback codes of all obstacles so far, the most important first."""
        ...

    @property
    def measures_light(self) -> bool:
        """Whether it needs the light of frames (``SeenFrame.light``)."""
        return False

    @property
    def awaits_blink(self) -> bool:
        """Whether the person was asked to blink and no blink was measured yet."""
        ...

    @property
    def awaits_depth(self) -> bool:
        """Whether it waits for motion that shows a head's depth."""
        return False

    @property
    def late(self) -> bool:
        """Whether its answers come too late to be verified, which smaller frames may change."""
        return False

    @property
    def depth_due(self) -> bool:
        """Whether the next frame has to be measured for the depth of a head."""
        return False

    def measure_answer(self, frame: ChallengeFrame) -> None:
        """Take a measured frame.

        Raises:
            FrameUnusable: Its image does not decode.
        """
        ...

    def note_claim(self, frame: Frame, *, origin_us: int, arrival: float) -> None:
        """Take a frame that arrives after it is settled, and is not measured.

        Args:
            origin_us: Capture time of the attempt's first frame, microseconds on the device's clock.
            arrival: Its arrival time, seconds on the server's monotonic clock.
        """
        return

    def note_sent(self, at: float) -> None:
        """Note when a step of the flash that ``act`` returned was sent; see ``AttemptCapture.note_sent``."""
        return

    def due(self, now: float) -> float | None:
        """Return when ``act`` may have actions without a further frame, monotonic seconds; or ``None``."""
        ...

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        """Return the actions that are due.

        Args:
            now: The time, seconds on the clock of the arrivals.
            frame_index: The frame that hints refer to.
        """
        ...


class ControlledChallenge(AttemptChallenge):
    """A challenge whose controller says when it acts next."""

    def __init__(self) -> None:
        self._hints = ChallengeHints()
        self._wait_until: float | None = None

    def hint(self, now: float) -> str | None:
        """Return the current hint; ``None`` once the challenge is over."""
        return None if self.over else self._hints.standing(now)

    def due(self, now: float) -> float | None:
        """Return the time of the next call of ``act``, monotonic seconds, later than ``now``.

        ``None`` before the challenge first waits, and once it is over.
        """
        if self.over or self._wait_until is None:
            return None
        return max(self._wait_until, now + LEAST_WAIT_SECONDS)
