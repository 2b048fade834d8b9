"""Runs the PAD networks on frames that are spread over an attempt by time alone."""

from typing import Final

from attempt.analyst import FrameAnalyst, SeenFrame
from liveness.express import PadScore

__all__ = ["PadFrames"]

_WANTED: Final = 10
"""Scored frames of an attempt of the planned length; about as many as the detector runs on. A longer attempt
has a few more, with growing gaps."""


class PadFrames:
    """Scores about ten frames of an attempt, spread evenly over its time.

    Not safe for several threads at once.

    The quality of a frame does not matter: an attacker decides which frames look best, so the frames that the
    match prefers must not be the ones that decide on liveness.
    """

    def __init__(self, *, analyst: FrameAnalyst, seconds: float) -> None:
        """Starts empty.

        Args:
            analyst: Runs the networks.
            seconds: The planned duration of the attempt, seconds.
        """
        self._analyst = analyst
        self._seconds = seconds
        self._last: float | None = None
        self._scores: list[PadScore] = []

    @property
    def scores(self) -> tuple[PadScore, ...]:
        """The scores so far, in order of frames; one for each network and scored frame."""
        return tuple(self._scores)

    def offer(self, seen: SeenFrame) -> None:
        """Scores a frame if the detector found exactly one face in it and the last score is old enough.

        Raises:
            ModelFailed: A network failed.
        """
        observed = seen.observation
        if seen.pixels is None or observed.face is None or observed.faces != 1 or observed.followed:
            return
        time = observed.capture_time
        if self._last is not None and time - self._last < max(self._seconds, time) / _WANTED:
            return
        self._last = time
        self._scores.extend(self._analyst.pad_scores(seen))
