"""Draws a random sample of an attempt's unmeasured frames, which is decoded at the attempt's end."""

from collections.abc import Callable

from attempt.frame import Frame

__all__ = ["SAMPLE_SIZE", "FrameSample"]

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
