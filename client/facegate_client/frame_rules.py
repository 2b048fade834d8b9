"""Keeps one attempt's frames within the limits on number, rate and size."""

import asyncio
from dataclasses import replace

from facegate.v1 import scan_pb2

from facegate_client.encoding import CaptureLimits, EncodedImage, encode_image
from facegate_client.frame_source import CapturedImage

__all__ = ["FrameRules"]

_EARLY_SHARE = 0.25


class FrameRules:
    """Reduces the rate of images, encodes them, and tests them against the budget."""

    def __init__(self, limits: CaptureLimits, *, quality: int, budget: scan_pb2.CaptureBudget) -> None:
        """Begins a new attempt.

        Args:
            limits: The limits of frames at its start.
            quality: JPEG quality to begin with.
            budget: The server's budget for frames and bytes.
        """
        self._limits = limits
        self._quality = quality
        self._budget = budget
        self._next_due_us = 0.0

    def adjust(self, adjustment: scan_pb2.CaptureAdjustment) -> None:
        """Applies the server's request for smaller or fewer frames."""
        self._limits = self._limits.lowered(
            max_side=adjustment.max_side,
            max_bytes=adjustment.max_frame_bytes,
            max_frames_per_second=adjustment.max_frames_per_second,
        )

    def too_early(self, capture_time_us: int) -> bool:
        """Returns whether an image comes too soon after the previous one for the limit on the rate.

        Such an image is treated as if it had never been captured. Any other image counts towards the rate,
        so call this once for each image.

        Args:
            capture_time_us: The image's capture time, microseconds.
        """
        rate = self._limits.max_frames_per_second
        if rate <= 0:
            return False
        interval = 1_000_000 / rate
        if capture_time_us < self._next_due_us - interval * _EARLY_SHARE:
            return True
        self._next_due_us = max(self._next_due_us, capture_time_us - interval) + interval
        return False

    async def encode(self, image: CapturedImage) -> EncodedImage | None:
        """Encodes an image on another thread; returns ``None`` if it cannot be made small enough.

        Once an image had to be scaled down for its bytes, so are those after it: a size that goes up and down
        looks like two cameras.

        Raises:
            SourceError: The image cannot be decoded or encoded.
        """
        encoded = await asyncio.to_thread(
            encode_image,
            image.image,
            limits=self._limits,
            quality=self._quality,
            rotation=image.rotation,
        )
        if encoded is not None:
            self._limits = replace(self._limits, shrunk=encoded.shrunk)
        return encoded

    def has_room(self, size: int, *, frames: int, scan_bytes: int) -> bool:
        """Returns whether the budget has room for a frame; a budget of 0 is no limit.

        Args:
            size: Its encoded size, bytes.
            frames: The number of frames of the attempt before it.
            scan_bytes: The encoded bytes of the scan before it.
        """
        most_frames, most_bytes = self._budget.max_frames_per_attempt, self._budget.max_scan_bytes
        return not (
            (most_frames and frames >= most_frames) or (most_bytes and scan_bytes + size > most_bytes)
        )
