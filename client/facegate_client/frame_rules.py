"""What the frames of one attempt may be: how many, how often, how large."""

import asyncio

from facegate.v1 import scan_pb2

from facegate_client.encoding import CaptureLimits, EncodedImage, encode_image
from facegate_client.frame_source import CapturedImage

__all__ = ["FrameRules"]

_EARLY_SHARE = 0.25


class FrameRules:
    """Thins images out, encodes them, and says when the budget is used up."""

    def __init__(self, limits: CaptureLimits, *, quality: int, budget: scan_pb2.CaptureBudget) -> None:
        """Begins a new attempt.

        Args:
            limits: What frames may be at its start.
            quality: JPEG quality to begin with.
            budget: What the server takes in all.
        """
        self._limits = limits
        self._quality = quality
        self._budget = budget
        self._next_due_us = 0.0

    def adjust(self, adjustment: scan_pb2.CaptureAdjustment) -> None:
        """The server wants smaller or fewer frames."""
        self._limits = self._limits.lowered(
            max_side=adjustment.max_side,
            max_bytes=adjustment.max_frame_bytes,
            max_frames_per_second=adjustment.max_frames_per_second,
        )

    def too_early(self, capture_time_us: int) -> bool:
        """Thins the images out to the highest useful rate; these count as never captured."""
        rate = self._limits.max_frames_per_second
        if rate <= 0:
            return False
        interval = 1_000_000 / rate
        if capture_time_us < self._next_due_us - interval * _EARLY_SHARE:
            return True
        self._next_due_us = max(self._next_due_us, capture_time_us - interval) + interval
        return False

    async def encode(self, image: CapturedImage) -> EncodedImage | None:
        """Encodes an image on another thread; None where it cannot be made small enough.

        Raises:
            SourceError: It cannot be decoded or encoded.
        """
        return await asyncio.to_thread(encode_image, image.image, limits=self._limits, quality=self._quality)

    def has_room(self, size: int, *, frames: int, scan_bytes: int) -> bool:
        """Whether the budget has room for a frame.

        Args:
            size: Its encoded bytes.
            frames: Frames of the attempt before it.
            scan_bytes: Encoded bytes of the scan before it.
        """
        most_frames, most_bytes = self._budget.max_frames_per_attempt, self._budget.max_scan_bytes
        return not (
            (most_frames and frames >= most_frames) or (most_bytes and scan_bytes + size > most_bytes)
        )
