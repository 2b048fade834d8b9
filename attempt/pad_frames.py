"""Runs the PAD networks on frames that are spread over an attempt or a file by time alone."""

from typing import Final

from attempt.stills import pad_scores
from liveness import FrameObservation
from liveness.express import PadScore
from vision.face import BgrImage
from vision.packs import Pack

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

    def __init__(self, *, pack: Pack, seconds: float) -> None:
        """Starts empty.

        Args:
            pack: The networks.
            seconds: The planned duration of the attempt, seconds.
        """
        self._pack = pack
        self._seconds = seconds
        self._scored: list[tuple[float, tuple[PadScore, ...]]] = []

    @property
    def scores(self) -> tuple[PadScore, ...]:
        """The scores so far, in order of frames; one for each network and scored frame."""
        return tuple(score for _, scores in self._scored for score in scores)

    @property
    def spread(self) -> tuple[PadScore, ...]:
        """The scores of about ten of the scored frames, about evenly spread over the time so far.

        The gaps between scored frames grow, so most of ``scores`` are from the beginning of a long file.
        """
        chosen: list[PadScore] = []
        last: float | None = None
        for time, scores in self._scored:
            if last is None or time - last >= self._scored[-1][0] / _WANTED:
                chosen += scores
                last = time
        return tuple(chosen)

    def offer(self, observed: FrameObservation, pixels: BgrImage | None) -> None:
        """Scores a frame if the detector found exactly one face in it and the last score is old enough.

        Args:
            observed: The measurements of the frame.
            pixels: The upright frame; ``None`` if the detector did not run on it.

        Raises:
            ModelFailed: A network failed.
        """
        if pixels is None or observed.face is None or observed.faces != 1 or observed.followed:
            return
        time = observed.capture_time
        if self._scored and time - self._scored[-1][0] < max(self._seconds, time) / _WANTED:
            return
        scores = pad_scores(pixels, observed.face, self._pack, frame_index=observed.index)
        self._scored.append((time, scores))
