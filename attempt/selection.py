"""Keeps the frames of an attempt that are examined, may be identified later, or are decoded at its end."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from attempt.analyst import ExaminedFrame, SeenFrame
from attempt.frame import Frame
from attempt.stills import may_compare
from liveness import FrameObservation, FrameSelector, ScanObservations, frame_quality, unexamined_stretches

__all__ = ["SAMPLE_SIZE", "FrameSample", "KeptFrames"]

SAMPLE_SIZE = 4
"""The number of frames drawn; decoding them takes 3 to 8 ms of CPU time per attempt."""

_DRAW_BYTES = 8


class FrameSample:
    """Draws frames with equal chances, however many arrive, and keeps only those (reservoir sampling).

    Frames are drawn after they arrive, with randomness that the device cannot know.
    """

    def __init__(self, *, random: Callable[[int], bytes], size: int = SAMPLE_SIZE) -> None:
        """Starts empty.

        Args:
            random: Returns the given number of unpredictable bytes.
            size: The number of frames to draw.
        """
        self._random = random
        self._size = size
        self._offered = 0
        self._drawn: list[Frame] = []

    @property
    def drawn(self) -> tuple[Frame, ...]:
        """The sample of the frames offered so far."""
        return tuple(self._drawn)

    def offer(self, frame: Frame) -> None:
        """Takes a frame that is not measured."""
        self._offered += 1
        if len(self._drawn) < self._size:
            self._drawn.append(frame)
            return
        place = int.from_bytes(self._random(_DRAW_BYTES), "big") % self._offered
        if place < self._size:
            self._drawn[place] = frame


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
