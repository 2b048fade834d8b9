"""The frames and bytes of a scan: what is refused, and what is asked of a device so that they last."""

from dataclasses import dataclass
from typing import Final

from server.base.errors import Reason, Refusal
from server.domain.terms import Plan
from server.scan.messages import AdjustmentMessage, CaptureBudget, FrameMessage

_SMALLEST_FRAME = 8 * 1024
_SMALLEST_FRAMES = {Plan.MOVEMENT: 24 * 1024}
"""Movement is measured in frames of one size, whose shorter side has 480 pixels or more. A device can
lower only the JPEG quality of these."""
_SMALLER_SIDE = 480
FEWER_A_SECOND: Final = 12.0
"""The frame rate that is requested if an attempt should need few bytes.

An approach is measured as well at ten frames per second as at twenty. At twenty, a scan with a flash and two
further attempts of 13 seconds would exceed its bytes. A flash passes as often at 12 frames per second as at
20: 33 and 34 of 38 simulated scans in the dark and indoors, and 10 and 8 of 19 in an office.
"""

LEANEST: Final = 1 / 3
"""The size of the frames that are requested, as a share of that before. A third of a frame of 46 kB is one of
240 x 320, on which the flash was measured."""


def fewer_bytes(plan: Plan, *, max_frame_bytes: int) -> AdjustmentMessage:
    """Return the request for a slow connection: smaller frames, with an eighth of the bytes.

    The size stays the same for movement, which is measured in frames of one size.
    """
    return AdjustmentMessage(
        max_frames_per_second=0.0,
        max_side=0 if plan is Plan.MOVEMENT else _SMALLER_SIDE,
        max_frame_bytes=max_frame_bytes // 8,
    )


def leaner_frames(plan: Plan, *, mean: float) -> AdjustmentMessage:
    """Return the request for answers that come too late: fewer frames, of a third of their size.

    Args:
        mean: The mean size of its frames so far, bytes.
    """
    return AdjustmentMessage(
        max_frames_per_second=FEWER_A_SECOND,
        max_side=0,
        max_frame_bytes=max(smallest_frame(plan), int(LEANEST * mean)),
    )


def smallest_frame(plan: Plan) -> int:
    """Return the least frame size, bytes, that may be requested to make the scan's bytes last."""
    return _SMALLEST_FRAMES.get(plan, _SMALLEST_FRAME)


def fewer_frames(plan: Plan, *, scarce: bool) -> AdjustmentMessage | None:
    """Return the request to reduce the frame rate at the start of an attempt; ``None`` if it is not needed.

    Args:
        scarce: Whether the scan's bytes would not last for the attempts that are still allowed.
    """
    if plan is not Plan.MOVEMENT and not scarce:
        return None
    return AdjustmentMessage(max_frames_per_second=FEWER_A_SECOND, max_side=0, max_frame_bytes=0)


def require_within_budget(
    frame: FrameMessage, *, before: int, bytes_before: int, budget: CaptureBudget
) -> None:
    """Refuse a frame that is too large or exceeds the number of frames or bytes.

    Args:
        before: The number of frames that the attempt already has.
        bytes_before: The bytes of images that the scan already has.

    Raises:
        Refusal: The frame is too large (FRAME_TOO_LARGE), or exceeds the attempt's frames or the scan's bytes
            (SCAN_BUDGET_EXCEEDED).
    """
    size = len(frame.image)
    if size > budget.max_frame_bytes:
        raise Refusal(
            Reason.FRAME_TOO_LARGE,
            f"frame {frame.index} has {size} bytes; at most {budget.max_frame_bytes} are allowed",
            details={"frameIndex": frame.index, "frameBytes": size, "maxFrameBytes": budget.max_frame_bytes},
        )
    if before >= budget.max_frames_per_attempt:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the attempt has its {budget.max_frames_per_attempt} frames already",
            details={"maxFramesPerAttempt": budget.max_frames_per_attempt},
        )
    total = bytes_before + size
    if total > budget.max_scan_bytes:
        raise Refusal(
            Reason.SCAN_BUDGET_EXCEEDED,
            f"the scan has {total} bytes of frames; at most {budget.max_scan_bytes} are allowed",
            details={"scanBytes": total, "maxScanBytes": budget.max_scan_bytes},
        )


_USUAL_A_SECOND: Final = 20.0
_POOR_OVER_GOOD: Final = 2.0
"""The length of an attempt that ends without a decision, in lengths of a good attempt."""
_MEASURED_SECONDS: Final = 1.0
"""The time over which the pace is measured before a request, seconds."""
_PREFERENCE: Final = 1.5
"""The share of an attempt over that of each later one, because most people need no other."""
_SPARE: Final = 0.9
"""The part of the remaining bytes that is planned. The rest is for frames that are already on their way."""


@dataclass(slots=True)
class ScanBytes:
    """Counts the bytes that a stream's frames use, over its attempts.

    Attributes:
        used: Bytes of images in the whole scan, earlier streams included.
        own: Bytes of this stream's images.
    """

    used: int = 0
    frames: int = 0
    own: int = 0

    def add(self, size: int) -> None:
        """Count a frame."""
        self.used += size
        self.own += size
        self.frames += 1

    def scarce(self, *, seconds: float, attempts: int, budget: CaptureBudget) -> bool:
        """Return whether frames at the usual rate would use up the bytes before the last attempt.

        Args:
            seconds: How long a good attempt takes.
            attempts: The number of attempts that are still allowed, the one that begins included.
            budget: The scan's limits.

        Returns:
            False while this stream has no frames, because their size is unknown.
        """
        wanted = attempts * _POOR_OVER_GOOD * seconds * _USUAL_A_SECOND * self.mean
        return wanted > budget.max_scan_bytes - self.used

    def suffice(self, *, seconds: float, budget: CaptureBudget) -> bool:
        """Return whether the remaining bytes suffice for another good attempt at the reduced frame rate.

        Args:
            seconds: How long a good attempt takes.
            budget: The scan's limits.
        """
        least = max(1.0, seconds * FEWER_A_SECOND * self.mean)
        return least <= budget.max_scan_bytes - self.used

    @property
    def mean(self) -> float:
        """The mean size of this stream's frames, bytes; 0 without frames."""
        return self.own / self.frames if self.frames else 0.0

    def share(self, *, attempts: int, budget: CaptureBudget) -> float:
        """Return the bytes that an attempt may use without taking those of later attempts.

        Args:
            attempts: The number of attempts that are still allowed, the one that begins included.
            budget: The scan's limits.
        """
        left = max(0.0, budget.max_scan_bytes - self.used)
        return left * _PREFERENCE / (max(1, attempts) - 1 + _PREFERENCE)


class AttemptShare:
    """Plans one attempt's share of the scan's bytes, so that later attempts keep theirs.

    First the device is requested to send fewer frames, which costs no accuracy (``FEWER_A_SECOND``).
    Smaller frames are requested as late as they still suffice, because most attempts end earlier.
    """

    def __init__(self, share: float, *, longest: float, smallest: int, fewer: bool) -> None:
        """Start an attempt.

        Args:
            share: The bytes that the attempt may use.
            longest: The longest course of the attempt, seconds.
            smallest: The smallest size of a frame that may be requested, bytes.
            fewer: Whether fewer frames were requested at its start.
        """
        self._left = share
        self._longest = longest
        self._smallest = smallest
        self._fewer = fewer
        self._frames = 0
        self._bytes = 0
        self._since = 0.0

    def add(self, size: int) -> None:
        """Count a frame."""
        self._left -= size
        self._bytes += size
        self._frames += 1

    def request(self, elapsed: float) -> AdjustmentMessage | None:
        """Return the request that is due ``elapsed`` seconds after the first frame; ``None`` without one."""
        measured, rest = elapsed - self._since, self._longest - elapsed
        if measured < _MEASURED_SECONDS or rest <= 0 or not self._frames:
            return None
        needed = self._bytes / measured * rest
        if needed <= self._left:
            return None
        rate, size, mean = 0.0, 0, self._bytes / self._frames
        often = (self._frames - 1) / measured
        if not self._fewer and often > FEWER_A_SECOND:
            self._fewer, rate = True, FEWER_A_SECOND
            needed *= FEWER_A_SECOND / often
        # Less only if it would not suffice.
        leanest = max(LEANEST, self._smallest / mean)
        if leanest < 1 and leanest * needed >= _SPARE * self._left:
            share = min(leanest, _SPARE * max(0.0, self._left) / needed)
            size = max(self._smallest, int(share * mean))
        if not (rate or size):
            return None
        self._frames = self._bytes = 0
        self._since = elapsed
        return AdjustmentMessage(max_frames_per_second=rate, max_side=0, max_frame_bytes=size)


class AttemptBudget:
    """Counts one attempt's frames, and decides when its device is asked to send less.

    Attributes:
        first: The request at the start of the attempt; ``None`` without one.
    """

    def __init__(
        self, plan: Plan, *, scan: ScanBytes, limits: CaptureBudget, attempts: int, seconds: float
    ) -> None:
        """Plan an attempt.

        Args:
            scan: The bytes that the scan has used so far.
            attempts: The number of attempts that are still allowed, this one included.
            seconds: How long it takes if it is good.
        """
        self._plan = plan
        self._scan = scan
        self._limits = limits
        self._asked_slow = self._asked_late = False
        self.first = fewer_frames(plan, scarce=scan.scarce(seconds=seconds, attempts=attempts, budget=limits))
        self._share = AttemptShare(
            scan.share(attempts=attempts, budget=limits),
            longest=limits.max_attempt_seconds,
            smallest=smallest_frame(plan),
            fewer=self.first is not None,
        )

    def add(self, size: int) -> None:
        """Count a frame of ``size`` bytes."""
        self._scan.add(size)
        self._share.add(size)

    def request(self, elapsed: float, *, slow: bool, late: bool) -> AdjustmentMessage | None:
        """Return the request that is due; ``None`` without one.

        Args:
            elapsed: The seconds from the first to the last frame.
            slow: Whether the network is too slow for the frames; it is asked for once.
            late: Whether the answers to the challenge come too late; it is asked for once.
        """
        if slow and not self._asked_slow:
            self._asked_slow = True
            return fewer_bytes(self._plan, max_frame_bytes=self._limits.max_frame_bytes)
        if late and not self._asked_late:
            self._asked_late = True
            return leaner_frames(self._plan, mean=self._scan.mean)
        return self._share.request(elapsed)
