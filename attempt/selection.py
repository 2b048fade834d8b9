"""Keeps the frames of an attempt that are selected for examination, or that may be identified later."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from attempt.analyst import ExaminedFrame, SeenFrame
from attempt.frame import Frame
from attempt.stills import may_compare
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

    def unidentified(
        self, scan: ScanObservations, *, examined: Iterable[ExaminedFrame]
    ) -> Iterator[tuple[Frame, FrameObservation]]:
        """Yields the best frame of each stretch without an identified frame, longest stretch first.

        A stretch without a frame within the range of the calibration has none.

        Args:
            scan: The attempt's measurements.
            examined: The examined frames.
        """
        tried = {one.frame_index: one.sample.comparable for one in examined}
        identified = [index for index, comparable in tried.items() if comparable]
        for stretch in unexamined_stretches(scan, examined=identified):
            others = [self._detected[index] for index in stretch.detected if index not in tried]
            candidates = [one for one in others if may_compare(one[1])]
            if candidates:
                yield max(candidates, key=lambda one: frame_quality(one[1]))
