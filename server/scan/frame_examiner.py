"""What the expensive models say of an attempt's frames: of the selected ones, and of a few between them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from liveness.observation import FrameObservation
from liveness.selection import CUE_FRAMES
from server.scan.analyst import ExaminedFrame, FrameAnalyst, SeenFrame
from server.scan.messages import FrameMessage
from server.scan.worker_pool import LaterWork, WorkerPool

__all__ = ["FrameExaminer"]

_MOST_WITNESSES = 8
"""Stretches without a selected frame of which one frame is identified, the longest first. On 35 scans of
live clips it was 2 in the mean, none on most, and 18 on one whose face hardly ever keeps still."""


class FrameExaminer:
    """Examines the frames of one attempt. Not for several tasks at once."""

    def __init__(self, *, analyst: FrameAnalyst, pool: WorkerPool, kept: Mapping[int, SeenFrame]) -> None:
        """Starts with nothing examined.

        Args:
            analyst: Runs the models.
            pool: Where it does.
            kept: The attempt's selected frames by index, as they are at any moment. What is said of others
                is forgotten.
        """
        self._analyst = analyst
        self._pool = pool
        self._kept = kept
        self._examined: dict[int, ExaminedFrame] = {}
        self._with_cues: set[int] = set()
        self._ahead: tuple[int, LaterWork[ExaminedFrame]] | None = None
        self.witnesses: tuple[ExaminedFrame, ...] = ()

    @property
    def examined(self) -> tuple[ExaminedFrame, ...]:
        """What is said of the selected frames so far, in order of frames."""
        return tuple(self._examined[index] for index in sorted(self._kept) if index in self._examined)

    async def ahead(self, wanted: Sequence[int]) -> None:
        """Has the first of the frames examined that was not yet, when there is nothing else to do.

        Args:
            wanted: Indices of selected frames. While one is worked on, this does nothing.
        """
        if self._ahead is not None:
            index, work = self._ahead
            if not work.done:
                return
            self._ahead = None
            self._examined[index] = await work.result()
        missing = next((index for index in wanted if index not in self._examined), None)
        if missing is not None:
            work = self._pool.run_later(
                self._analyst.examine, self._kept[missing], with_cues=self._takes_cues(missing)
            )
            self._ahead = missing, work

    async def rest(self, selected: Sequence[int]) -> None:
        """Has those of the frames examined that were not yet, several at once, before other scans' frames."""
        began, self._ahead = self._ahead, None
        missing = [index for index in selected if index not in self._examined]
        await asyncio.gather(*(self._examine(index, began) for index in missing))

    async def identify(self, looks: Iterable[tuple[FrameMessage, FrameObservation]]) -> None:
        """Makes templates, and nothing else, of the first few frames: they become the ``witnesses``."""
        self.witnesses = tuple(
            await asyncio.gather(
                *(
                    self._pool.run_first(self._analyst.identify, *look)
                    for look in islice(looks, _MOST_WITNESSES)
                )
            )
        )

    async def _examine(self, index: int, began: tuple[int, LaterWork[ExaminedFrame]] | None) -> None:
        if began is not None and began[0] == index:
            self._examined[index] = await began[1].result()
            return
        self._examined[index] = await self._pool.run_first(
            self._analyst.examine, self._kept[index], with_cues=self._takes_cues(index)
        )

    def _takes_cues(self, index: int) -> bool:
        takes = len(self._with_cues.intersection(self._kept)) < CUE_FRAMES
        if takes:
            self._with_cues.add(index)
        return takes
