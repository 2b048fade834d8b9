"""The byte budget of a scan, which all of its attempts share."""

from dataclasses import dataclass
from typing import Final

from server.scan.messages import CaptureBudget
from server.scan.plans import FEWER_A_SECOND

__all__ = ["ScanBytes"]

_USUAL_A_SECOND: Final = 20.0
_POOR_OVER_GOOD: Final = 2.0
"""The length of an attempt that ends without a decision, in lengths of a good attempt."""


@dataclass(slots=True)
class ScanBytes:
    """Counts the bytes that a stream's frames use, over its attempts.

    Attributes:
        used: Bytes of images in the whole scan, earlier streams included.
        frames: Frames of this stream.
        own: Bytes of this stream's images.
    """

    used: int = 0
    frames: int = 0
    own: int = 0

    def add(self, size: int) -> None:
        """Counts a frame.

        Args:
            size: Bytes of its image.
        """
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
        wanted = attempts * _POOR_OVER_GOOD * seconds * _USUAL_A_SECOND * self._mean
        return wanted > budget.max_scan_bytes - self.used

    def suffice(self, *, seconds: float, budget: CaptureBudget) -> bool:
        """Returns whether the remaining bytes suffice for another good attempt at the reduced frame rate.

        Args:
            seconds: How long a good attempt takes.
            budget: The scan's limits.
        """
        least = max(1.0, seconds * FEWER_A_SECOND * self._mean)
        return least <= budget.max_scan_bytes - self.used

    @property
    def _mean(self) -> float:
        return self.own / self.frames if self.frames else 0.0
