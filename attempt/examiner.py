"""Examines the selected frames of an attempt, and identifies a few frames between them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.frame import Frame
from liveness import CUE_FRAMES, FrameObservation

__all__ = ["Examination", "FrameExaminer", "Identification"]

_MOST_WITNESSES: Final = 8
"""The most stretches without a selected frame of which one frame is identified, the longest first. On 35
scans of live clips the mean was 2. Most scans had none, and one with a face that hardly ever kept still had
18."""


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """An examination of one selected frame that has not run yet. It may run on any thread.

    Attributes:
        analyst: Runs the embedder.
        seen: The frame.
        with_cues: Whether to measure the cues of recapture, too.
    """

    analyst: FrameAnalyst
    seen: SeenFrame
    with_cues: bool

    @property
    def index(self) -> int:
        """The frame's index in the attempt."""
        return self.seen.observation.index

    def __call__(self) -> ExaminedFrame:
        """Embeds the face, measures the cues if they are wanted, and returns both."""
        return self.analyst.examine(self.seen, with_cues=self.with_cues)


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """An identification of one frame, which only makes its template. It may run on any thread."""

    analyst: FrameAnalyst
    frame: Frame
    observation: FrameObservation

    def __call__(self) -> ExaminedFrame:
        """Returns the frame with its template and without cues.

        Raises:
            FrameUnusable: The frame's image does not decode.
        """
        return self.analyst.identify(self.frame, self.observation)


class FrameExaminer:
    """Keeps the templates and cues of an attempt's frames, and lists the examinations that have not run.

    It runs no model itself. The caller runs the examinations, on any thread, and passes their results to
    ``add``. The PAD networks score other frames (``attempt.analyst``).

    Attributes:
        witnesses: Frames that were identified only for constancy, one for each stretch of the scan without an
            examined frame.
    """

    def __init__(self, *, analyst: FrameAnalyst, kept: Mapping[int, SeenFrame]) -> None:
        """Starts with nothing examined.

        Args:
            analyst: Runs the models.
            kept: The attempt's selected frames by index; the caller keeps it up to date. ``examined`` omits
                other frames.
        """
        self._analyst = analyst
        self._kept = kept
        self._examined: dict[int, ExaminedFrame] = {}
        self._with_cues: set[int] = set()
        self.witnesses: tuple[ExaminedFrame, ...] = ()

    @property
    def examined(self) -> tuple[ExaminedFrame, ...]:
        """The examined ones of the selected frames, in order."""
        return tuple(self._examined[index] for index in sorted(self._kept) if index in self._examined)

    def next(self, wanted: Sequence[int]) -> Examination | None:
        """Returns an examination of the first wanted frame that was not examined; ``None`` if all were."""
        missing = next((index for index in wanted if index not in self._examined), None)
        return None if missing is None else self._examination(missing)

    def pending(self, selected: Sequence[int], *, begun: int | None = None) -> tuple[Examination, ...]:
        """Returns the examinations of those selected frames that were not examined yet.

        Args:
            selected: Indices of the selected frames.
            begun: Index of a frame whose examination is running; it is omitted.
        """
        return tuple(
            self._examination(index) for index in selected if index not in self._examined and index != begun
        )

    def add(self, examined: Iterable[ExaminedFrame]) -> None:
        """Keeps the results of examinations."""
        self._examined.update((one.frame_index, one) for one in examined)

    def identifications(self, frames: Iterable[tuple[Frame, FrameObservation]]) -> tuple[Identification, ...]:
        """Returns the identifications of the first few frames; their results belong in ``witnesses``."""
        return tuple(Identification(self._analyst, *frame) for frame in islice(frames, _MOST_WITNESSES))

    def _examination(self, index: int) -> Examination:
        takes = len(self._with_cues.intersection(self._kept)) < CUE_FRAMES
        if takes:
            self._with_cues.add(index)
        return Examination(self._analyst, self._kept[index], with_cues=takes)
