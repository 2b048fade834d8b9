"""Keeps the frames of an attempt that are examined, and lists the examinations that have not run."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final, TypeAlias

from attempt.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from attempt.frame import Frame
from attempt.stills import may_compare
from liveness import (
    CUE_FRAMES,
    FrameObservation,
    FrameSelector,
    ScanObservations,
    frame_quality,
    unexamined_stretches,
)

SAMPLE_SIZE = 4
"""The number of frames drawn; decoding them takes 3 to 8 ms of CPU time per attempt."""

_DRAW_BYTES = 8


class FrameReservoir:
    """Draws frames with equal chances, however many arrive, and keeps only those (reservoir sampling).

    Frames are drawn after they arrive, with randomness that the device cannot know.
    """

    def __init__(self, *, random: Callable[[int], bytes]) -> None:
        """Start empty.

        Args:
            random: Returns the given number of unpredictable bytes.
        """
        self._random = random
        self._offered = 0
        self._drawn: list[Frame] = []

    @property
    def drawn(self) -> tuple[Frame, ...]:
        """The sample of the frames offered so far."""
        return tuple(self._drawn)

    def draw_frame(self, frame: Frame) -> None:
        """Take a frame that is not measured."""
        self._offered += 1
        if len(self._drawn) < SAMPLE_SIZE:
            self._drawn.append(frame)
            return
        place = int.from_bytes(self._random(_DRAW_BYTES), "big") % self._offered
        if place < SAMPLE_SIZE:
            self._drawn[place] = frame


class KeptFrames:
    """Offers an attempt's frames to the selector and keeps those it selects."""

    def __init__(self, *, count: int) -> None:
        """Start empty; at most ``count`` frames are selected."""
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
        """Return up to ``limit`` further kept frames, spread over the attempt."""
        best = self._selector.best
        others = [self.frames[index] for index in sorted(self.frames) if index != best]
        if len(others) <= limit:
            return tuple(others)
        step = len(others) / limit if limit else 0.0
        return tuple(others[int(place * step)] for place in range(limit))

    def keep_frame(self, seen: SeenFrame, *, selectable: bool = True) -> None:
        """Take a measured frame, and keep it without its light if it is selected.

        Args:
            selectable: Whether it may be selected. Otherwise it can only be identified later.
        """
        observation = seen.observation
        if observation.face is not None and observation.faces == 1 and not observation.followed:
            self._detected[observation.index] = (seen.frame, observation)
        if not selectable:
            return
        offer = self._selector.select_frame(observation)
        if offer.keep:
            self.frames[observation.index] = replace(seen, light=None)
        if offer.replaced is not None:
            self.frames.pop(offer.replaced, None)

    def unidentified(
        self, scan: ScanObservations, *, examined: Iterable[ExaminedFrame]
    ) -> Iterator[tuple[Frame, FrameObservation]]:
        """Yield the best frame of each stretch without an identified frame, longest stretch first.

        A stretch without a frame within the range of the calibration has none.
        """
        tried = {one.frame_index: one.sample.comparable for one in examined}
        identified = [index for index, comparable in tried.items() if comparable]
        for stretch in unexamined_stretches(scan, examined=identified):
            others = [self._detected[index] for index in stretch.detected if index not in tried]
            candidates = [one for one in others if may_compare(one[1])]
            if candidates:
                yield max(candidates, key=lambda one: frame_quality(one[1]))


_MOST_WITNESSES: Final = 8
"""The most stretches without a selected frame of which one frame is identified, the longest first. On 35
scans of live clips the mean was 2. Most scans had none, and one with a face that hardly ever kept still had
18."""


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """An examination of one selected frame that has not run yet. It may run on any thread.

    Attributes:
        analyst: Runs the embedder.
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
        """Embed the face, measure the cues if they are wanted, and return both."""
        return self.analyst.examine(self.seen, with_cues=self.with_cues)


Identification: TypeAlias = Callable[[], ExaminedFrame]
"""An identification of one frame, which only makes its template. It may run on any thread, and raises
``FrameUnusable`` if the frame's image does not decode."""


class FrameExaminer:
    """Keeps the templates and cues of an attempt's frames, and lists the examinations that have not run.

    It runs no model itself. The caller runs the examinations, on any thread, and passes their results to
    ``keep_examined``. The PAD networks score other frames (``attempt.analyst``).

    Attributes:
        witnesses: Frames that were identified only for constancy, one for each stretch of the scan without an
            examined frame.
    """

    def __init__(self, *, analyst: FrameAnalyst, kept: Mapping[int, SeenFrame]) -> None:
        """Start with nothing examined.

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
        """Return an examination of the first wanted frame that was not examined; ``None`` if all were."""
        missing = next((index for index in wanted if index not in self._examined), None)
        return None if missing is None else self._examination(missing)

    def pending(self, selected: Sequence[int], *, begun: int | None = None) -> tuple[Examination, ...]:
        """Return the examinations of those selected frames that were not examined yet.

        Args:
            selected: Indices of the selected frames.
            begun: Index of a frame whose examination is running; it is omitted.
        """
        return tuple(
            self._examination(index) for index in selected if index not in self._examined and index != begun
        )

    def keep_examined(self, examined: Iterable[ExaminedFrame]) -> None:
        """Keep the results of examinations."""
        self._examined.update((one.frame_index, one) for one in examined)

    def identifications(self, frames: Iterable[tuple[Frame, FrameObservation]]) -> tuple[Identification, ...]:
        """Return the identifications of the first few frames; their results belong in ``witnesses``."""
        return tuple(partial(self._analyst.identify, *frame) for frame in islice(frames, _MOST_WITNESSES))

    def _examination(self, index: int) -> Examination:
        takes = len(self._with_cues.intersection(self._kept)) < CUE_FRAMES
        if takes:
            self._with_cues.add(index)
        return Examination(self._analyst, self._kept[index], with_cues=takes)
