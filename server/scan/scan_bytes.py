"""The byte budget of a scan, which all of its attempts share."""

from dataclasses import dataclass
from typing import Final

from server.scan.messages import AdjustmentMessage, CaptureBudget
from server.scan.plans import FEWER_A_SECOND, LEANEST

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
        """Counts a frame."""
        self.used += size
        self.own += size
        self.frames += 1

    def scarce(self, *, seconds: float, attempts: int, budget: CaptureBudget) -> bool:
        """Returns whether frames at the usual rate would use up the bytes before the last attempt.

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
        """Returns whether the remaining bytes suffice for another good attempt at the reduced frame rate.

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
        """Returns the bytes that an attempt may use without taking those of later attempts.

        Args:
            attempts: The number of attempts that are still allowed, the one that begins included.
            budget: The scan's limits.
        """
        left = max(0.0, budget.max_scan_bytes - self.used)
        return left * _PREFERENCE / (max(1, attempts) - 1 + _PREFERENCE)


class AttemptShare:
    """Plans one attempt's share of the scan's bytes, so that later attempts keep theirs.

    First the device is requested to send fewer frames, which costs no accuracy (``plans.FEWER_A_SECOND``).
    Smaller frames are requested as late as they still suffice, because most attempts end earlier.
    """

    def __init__(self, share: float, *, longest: float, smallest: int, fewer: bool) -> None:
        """Starts an attempt.

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
        """Counts a frame."""
        self._left -= size
        self._bytes += size
        self._frames += 1

    def request(self, elapsed: float) -> AdjustmentMessage | None:
        """Returns the request that is due ``elapsed`` seconds after the first frame; ``None`` without one."""
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
