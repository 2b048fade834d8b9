"""Keeps the frames of an attempt that are selected for examination, or that may be identified later."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from attempt.analyst import SeenFrame
from attempt.frame import Frame
from liveness import FrameObservation, FrameSelector, ScanObservations, frame_quality, unexamined_stretches

__all__ = ["KeptFrames"]


class KeptFrames:
    """Offers an attempt's frames to the selector and keeps those it selects.

    Attributes:
        frames: The selected frames by index.
    """

    def __init__(self, *, count: int) -> None:
        """Starts empty; at most ``count`` frames are selected."""
        self._selector = FrameSelector(count=count)
        self.frames: dict[int, SeenFrame] = {}
        # Encoded: a decoded frame takes twenty times the memory, and few of these are needed.
        self._detected: dict[int, tuple[Frame, FrameObservation]] = {}

    @property
    def selected(self) -> tuple[int, ...]:
        """Indices of the selected frames, in order."""
        return self._selector.selected

    @property
    def likeliest_to_stay(self) -> tuple[int, ...]:
        """See ``FrameSelector``."""
        return self._selector.likeliest_to_stay

    @property
    def best(self) -> SeenFrame | None:
        """The evidence frame; ``None`` before any usable frame."""
        index = self._selector.best
        return None if index is None else self.frames.get(index)

    def audit_frames(self, limit: int) -> tuple[SeenFrame, ...]:
        """Returns up to ``limit`` further kept frames, spread over the attempt."""
        best = self._selector.best
        others = [self.frames[index] for index in sorted(self.frames) if index != best]
        if len(others) <= limit:
            return tuple(others)
        step = len(others) / limit if limit else 0.0
        return tuple(others[int(place * step)] for place in range(limit))

    def offer(self, seen: SeenFrame, *, selectable: bool = True) -> None:
        """Takes a measured frame, and keeps it without its light if it is selected.

        Args:
            seen: The frame.
            selectable: Whether it may be selected. Otherwise it can only be identified later.
        """
        observation = seen.observation
        if observation.face is not None and observation.faces == 1 and not observation.followed:
            self._detected[observation.index] = (seen.frame, observation)
        if not selectable:
            return
        offer = self._selector.offer(observation)
        if offer.keep:
            self.frames[observation.index] = replace(seen, light=None)
        if offer.replaced is not None:
            self.frames.pop(offer.replaced, None)

    def unexamined(
        self, scan: ScanObservations, *, examined: Collection[int]
    ) -> Iterator[tuple[Frame, FrameObservation]]:
        """Yields the best frame of each stretch of the scan without an examined frame, longest stretch first.

        Args:
            scan: The attempt's measurements.
            examined: Indices of the examined frames.
        """
        for stretch in unexamined_stretches(scan, examined=examined):
            if stretch.detected:
                yield max(
                    (self._detected[index] for index in stretch.detected),
                    key=lambda one: frame_quality(one[1]),
                )
