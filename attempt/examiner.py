"""What the expensive models say of an attempt's frames: of the selected ones, and of a few between them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.frame import Frame
from liveness.observation import FrameObservation
from liveness.selection import CUE_FRAMES

__all__ = ["Examination", "FrameExaminer", "Identification"]

_MOST_WITNESSES: Final = 8
"""Stretches without a selected frame of which one frame is identified, the longest first. On 35 scans of
live clips it was 2 in the mean, none on most, and 18 on one whose face hardly ever keeps still."""


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """One selected frame that the expensive models are to look at. Runs on any thread, beside anything.

    Attributes:
        seen: The frame.
        with_cues: Whether the cues of recapture are measured, too.
    """

    analyst: FrameAnalyst
    seen: SeenFrame
    with_cues: bool

    @property
    def index(self) -> int:
        """The frame's index in the attempt."""
        return self.seen.observation.index

    def __call__(self) -> ExaminedFrame:
        """What they say."""
        return self.analyst.examine(self.seen, with_cues=self.with_cues)


@dataclass(frozen=True, slots=True, eq=False)
class Identification:
    """One frame of which a template is to be made, and nothing else. Runs on any thread, beside anything."""

    analyst: FrameAnalyst
    frame: Frame
    observation: FrameObservation

    def __call__(self) -> ExaminedFrame:
        """The template.

        Raises:
            FrameUnusable: The frame's image does not decode.
        """
        return self.analyst.identify(self.frame, self.observation)


class FrameExaminer:
    """Keeps what was said of the frames of one attempt, and knows what is to be asked.

    It asks nothing itself: who drives the attempt runs the examinations, where and when it likes, and hands
    the answers in.

    Attributes:
        witnesses: Frames that were identified only because no selected frame speaks for their stretch.
    """

    def __init__(self, *, analyst: FrameAnalyst, kept: Mapping[int, SeenFrame]) -> None:
        """Starts with nothing examined.

        Args:
            analyst: Runs the models.
            kept: The attempt's selected frames by index, as they are at any moment. What is said of others
                is forgotten.
        """
        self._analyst = analyst
        self._kept = kept
        self._examined: dict[int, ExaminedFrame] = {}
        self._with_cues: set[int] = set()
        self.witnesses: tuple[ExaminedFrame, ...] = ()

    @property
    def examined(self) -> tuple[ExaminedFrame, ...]:
        """What is said of the selected frames so far, in order of frames."""
        return tuple(self._examined[index] for index in sorted(self._kept) if index in self._examined)

    def next(self, wanted: Sequence[int]) -> Examination | None:
        """The examination of the first of the frames that was not examined yet; ``None`` where all were."""
        missing = next((index for index in wanted if index not in self._examined), None)
        return None if missing is None else self._examination(missing)

    def rest(self, selected: Sequence[int], *, begun: int | None = None) -> tuple[Examination, ...]:
        """The examinations of those of the frames that were not examined yet.

        Args:
            selected: Indices of selected frames.
            begun: One whose examination has begun, and is waited for.
        """
        return tuple(
            self._examination(index) for index in selected if index not in self._examined and index != begun
        )

    def take(self, examined: Iterable[ExaminedFrame]) -> None:
        """Keeps what was said of frames."""
        self._examined.update((one.frame_index, one) for one in examined)

    def identifications(self, looks: Iterable[tuple[Frame, FrameObservation]]) -> tuple[Identification, ...]:
        """Those of the first few frames; the templates become the ``witnesses``."""
        return tuple(Identification(self._analyst, *look) for look in islice(looks, _MOST_WITNESSES))

    def _examination(self, index: int) -> Examination:
        takes = len(self._with_cues.intersection(self._kept)) < CUE_FRAMES
        if takes:
            self._with_cues.add(index)
        return Examination(self._analyst, self._kept[index], with_cues=takes)
