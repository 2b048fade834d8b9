"""One attempt of a client: credit, pauses, limits and the order of its frames."""

from dataclasses import dataclass, field
from typing import Final

from facegate.v1 import scan_pb2

from cli.conformance.rules import Rule, Violation
from server.scan.messages import FrameMessage
from vision.errors import ImageError
from vision.image import DecodeLimits, validate_jpeg

__all__ = ["GRACE_SECONDS", "AttemptBook", "CaptureClock"]

GRACE_SECONDS: Final = 0.7
"""How long after a message of the server frames may come that the client sent before it."""
_MOST_AHEAD_SECONDS: Final = 1.0
_MOST_AGE_SECONDS: Final = 1.0
_EARLY_SHARE: Final = 0.25
_ROUNDING_US: Final = 1_000.0
_CHANNELS: Final = 3
_BITS: Final = 8


@dataclass(slots=True)
class CaptureClock:
    """The capture clock of a stream against the server's.

    Attributes:
        began: When the first AttemptStart was sent, seconds of the loop's clock; ``None`` before.
    """

    began: float | None = None
    _first_us: int = 0
    _last_us: int = 0
    _offset: float = float("inf")

    def accept(self, frame: FrameMessage, arrival: float) -> float:
        """Tests the capture time of a frame.

        Returns:
            The time of capture, seconds of the loop's clock; an estimate that is never too early.

        Raises:
            Violation: The clock does not rise, runs ahead, or the frame waited on the device.
        """
        if self._last_us and frame.capture_time_us <= self._last_us:
            raise Violation(
                Rule.FRAME_TIME,
                f"frame {frame.index} was captured at {frame.capture_time_us} us, the one before it at "
                f"{self._last_us} us",
            )
        if not self._last_us:
            self._first_us = frame.capture_time_us
        self._last_us = frame.capture_time_us
        captured = (frame.capture_time_us - self._first_us) / 1e6
        ahead = captured - (arrival - (arrival if self.began is None else self.began))
        if ahead > _MOST_AHEAD_SECONDS:
            raise Violation(
                Rule.FRAME_TIME,
                f"the capture clock is {ahead:.1f} s ahead of real time at frame {frame.index}; "
                "send frames no sooner than a camera takes them",
            )
        self._offset = min(self._offset, arrival - frame.capture_time_us / 1e6)
        at = frame.capture_time_us / 1e6 + self._offset
        if arrival - at > _MOST_AGE_SECONDS:
            raise Violation(
                Rule.FRAME_TIME,
                f"frame {frame.index} arrived {arrival - at:.1f} s later after its capture than the quickest "
                "one; never queue frames: drop an image that cannot be sent at once",
            )
        return at


@dataclass(frozen=True, slots=True)
class _Limit:
    since: float
    rate: float
    side: int
    bytes: int


@dataclass(slots=True)
class AttemptBook:
    """The messages of one attempt: those sent to the client, and the frames that came back.

    Attributes:
        start: The AttemptStart.
        budget: The budget of the Challenge.
        clock: The capture clock of the stream.
        frames: The number of frames that arrived.
        times: When each of them arrived.
        sizes: The bytes of each of them.
        dropped: The sum of ``dropped_before``.
        least_side: The shortest side of any of them, pixels.
        scan_bytes: The bytes of frames of the whole scan.
    """

    start: scan_pb2.AttemptStart
    budget: scan_pb2.CaptureBudget
    clock: CaptureClock
    scan_bytes: int
    frames: int = 0
    times: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    dropped: int = 0
    least_side: int = 1_000_000
    _granted: list[tuple[float, int, int]] = field(default_factory=list)
    _limits: list[_Limit] = field(default_factory=list)
    _pauses: list[list[float]] = field(default_factory=list)
    _due_us: float = 0.0
    _rate: float = 0.0

    def grant(self, credit: scan_pb2.Credit, at: float) -> None:
        """Notes credit that is sent."""
        self._granted.append((at, credit.frames, credit.bytes))

    def adjust(self, adjustment: scan_pb2.CaptureAdjustment, at: float) -> None:
        """Notes an adjustment that is sent."""
        self._limits.append(
            _Limit(at, adjustment.max_frames_per_second, adjustment.max_side, adjustment.max_frame_bytes)
        )

    def pause(self, paused: bool, at: float) -> None:
        """Notes the beginning or the end of a pause that is sent."""
        if paused:
            self._pauses.append([at, float("inf")])
        elif self._pauses:
            self._pauses[-1][1] = at

    def accept(self, frame: FrameMessage, arrival: float) -> float:
        """Tests a frame whose MAC is right, and counts it.

        Returns:
            The time of capture, seconds of the loop's clock; an estimate that is never too early.

        Raises:
            Violation: A rule is broken.
        """
        size = len(frame.image)
        self._verify_budget(frame, size)
        self._verify_credit(frame, size, arrival)
        self._verify_image(frame)
        captured = self.clock.accept(frame, arrival)
        self._verify_pause(frame, arrival, captured)
        self._verify_adjustment(frame, size, arrival)
        self._verify_rate(frame, arrival)
        self.frames += 1
        self.times.append(arrival)
        self.sizes.append(size)
        self.scan_bytes += size
        self.least_side = min(self.least_side, frame.width, frame.height)
        self.dropped += frame.dropped_before
        return captured

    def _verify_budget(self, frame: FrameMessage, size: int) -> None:
        if size > self.budget.max_frame_bytes:
            raise Violation(
                Rule.FRAME_SIZE,
                f"frame {frame.index} has {size} bytes; the budget allows {self.budget.max_frame_bytes}",
            )
        if self.frames >= self.budget.max_frames_per_attempt:
            raise Violation(
                Rule.BUDGET, f"the attempt has more than {self.budget.max_frames_per_attempt} frames"
            )
        if self.scan_bytes + size > self.budget.max_scan_bytes:
            raise Violation(
                Rule.BUDGET, f"the scan has more than {self.budget.max_scan_bytes} bytes of frames"
            )

    def _verify_credit(self, frame: FrameMessage, size: int, arrival: float) -> None:
        frames = sum(grant[1] for grant in self._granted if grant[0] <= arrival)
        room = sum(grant[2] for grant in self._granted if grant[0] <= arrival)
        if self.frames >= frames:
            raise Violation(
                Rule.CREDIT,
                f"frame {frame.index} arrived, and AttemptStart and Credit together allow {frames} frames",
            )
        if sum(self.sizes) + size > room:
            raise Violation(
                Rule.CREDIT,
                f"with frame {frame.index} the attempt has {sum(self.sizes) + size} bytes of images, and "
                f"AttemptStart and Credit together allow {room}",
            )

    def _verify_image(self, frame: FrameMessage) -> None:
        side = max(self.budget.max_frame_pixels, 1)
        limits = DecodeLimits(
            max_bytes=self.budget.max_frame_bytes, max_pixels=self.budget.max_frame_pixels, max_side=side
        )
        try:
            header = validate_jpeg(frame.image, limits=limits)
        except ImageError as error:
            raise Violation(Rule.FRAME_IMAGE, f"frame {frame.index}: {error}") from error
        if (header.width, header.height) != (frame.width, frame.height):
            raise Violation(
                Rule.FRAME_IMAGE,
                f"the header of frame {frame.index} states {frame.width} x {frame.height} pixels; its image "
                f"has {header.width} x {header.height}",
            )
        if (header.channels, header.bits_per_channel) != (_CHANNELS, _BITS):
            raise Violation(
                Rule.FRAME_IMAGE,
                f"frame {frame.index} has {header.channels} channels of {header.bits_per_channel} bits; "
                "expected 3 of 8",
            )
        if min(header.width, header.height) < self.budget.min_frame_side:
            raise Violation(
                Rule.FRAME_IMAGE,
                f"the shorter side of frame {frame.index} has fewer than {self.budget.min_frame_side} pixels",
            )

    def _verify_pause(self, frame: FrameMessage, arrival: float, captured: float) -> None:
        for since, until in self._pauses:
            if since + GRACE_SECONDS < arrival < until:
                raise Violation(
                    Rule.PAUSE, f"frame {frame.index} arrived {arrival - since:.1f} s after CapturePause"
                )
            if since + GRACE_SECONDS < captured < until:
                raise Violation(
                    Rule.PAUSE, f"frame {frame.index} was captured in a pause and sent after it; discard it"
                )

    def _known(self, arrival: float) -> list[_Limit]:
        return [limit for limit in self._limits if limit.since + GRACE_SECONDS <= arrival]

    def _verify_adjustment(self, frame: FrameMessage, size: int, arrival: float) -> None:
        known = self._known(arrival)
        side = min((limit.side for limit in known if limit.side), default=0)
        most = min((limit.bytes for limit in known if limit.bytes), default=0)
        if side and max(frame.width, frame.height) > side:
            raise Violation(
                Rule.ADJUSTMENT,
                f"frame {frame.index} has {frame.width} x {frame.height} pixels; the longest side was "
                f"adjusted to {side}",
            )
        if most and size > most:
            raise Violation(
                Rule.ADJUSTMENT, f"frame {frame.index} has {size} bytes; they were adjusted to {most}"
            )

    def _verify_rate(self, frame: FrameMessage, arrival: float) -> None:
        adjusted = [limit.rate for limit in self._known(arrival) if limit.rate]
        rate = min([*adjusted, self.budget.max_frames_per_second])
        if rate != self._rate:
            self._rate, self._due_us = rate, 0.0
        interval = 1e6 / rate
        time_us = frame.capture_time_us
        if time_us < self._due_us - interval * _EARLY_SHARE - _ROUNDING_US:
            raise Violation(
                Rule.ADJUSTMENT if adjusted else Rule.RATE,
                f"frame {frame.index} was captured too early for {rate:g} frames a second: leave it out, as "
                "`Thinning` describes",
            )
        self._due_us = max(self._due_us, time_us - interval) + interval
