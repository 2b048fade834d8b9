"""An attempt's work on the worker pool: taking frames in order, and examining selected ones beside that.

The attempt itself (``attempt.capture``) is one thread's at a time: a frame's whole way is one trip to a
worker, and nothing reads the attempt meanwhile. Only examinations run beside it; what they work on is fixed.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from attempt.actions import Action, Feedback
from attempt.analyst import ExaminedFrame
from attempt.capture import AttemptCapture
from attempt.errors import FrameUnusable
from attempt.frame import Frame
from server.errors import Reason, Refusal, camel
from server.scan.stream_trace import AttemptTrace
from server.worker_pool import LaterWork, WorkerPool

__all__ = ["CaptureWork"]


class CaptureWork:
    """Drives one attempt. Belongs to one stream; not for several tasks at once.

    Attributes:
        capture: The attempt.
        trace: How its frames were coded.
    """

    def __init__(
        self,
        capture: AttemptCapture,
        *,
        pool: WorkerPool,
        trace: AttemptTrace,
        monotonic: Callable[[], float],
    ) -> None:
        """Takes an attempt that has no frame yet.

        Args:
            capture: The attempt.
            pool: Where the work is done.
            trace: Measures how its frames were coded.
            monotonic: The server's monotonic clock.
        """
        self.capture = capture
        self.trace = trace
        self._pool = pool
        self._monotonic = monotonic
        self._latest = 0
        self._ahead: tuple[int, LaterWork[ExaminedFrame]] | None = None

    async def take(
        self, frame: Frame, *, arrival: float, then_act: bool
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        """Works a frame in; what to tell the person, and what the attempt wants done.

        A frame that is being worked in when the device vanishes is worked in to its end, as the pool sees to,
        so that nobody reads the attempt meanwhile.

        Args:
            frame: The frame.
            arrival: When it arrived, seconds of the server's monotonic clock.
            then_act: Whether the challenge is asked what it wants done.

        Raises:
            Refusal: The frame's image cannot be used (FRAME_IMAGE_INVALID).
        """
        self.trace.arrived(frame)
        with _refused():
            done = await self._pool.run(self._take, frame, arrival, then_act)
        self._latest = frame.index
        return done

    async def act(self) -> tuple[Action, ...]:
        """What the attempt wants done now, without a further frame.

        Once the challenge is settled this takes no worker: its closing step does not wait behind other
        scans' frames.
        """
        challenge = self.capture.challenge
        if challenge is None or challenge.settled:
            return self._act(self._latest)
        return await self._pool.run(self._act, self._latest)

    def skip(self, frame: Frame, *, arrival: float) -> None:
        """Takes a frame that comes once the attempt is settled; see ``AttemptCapture.skip``.

        Raises:
            Refusal: As for ``take``.
        """
        with _refused():
            self.capture.skip(frame, arrival=arrival)

    async def examine_ahead(self) -> None:
        """Has the next frame examined that is worth it, when there is nothing else to do, one at a time."""
        if self._ahead is not None:
            _, work = self._ahead
            if not work.done:
                return
            self._ahead = None
            self.capture.examiner.take([await work.result()])
        if (examination := self.capture.next_examination()) is not None:
            self._ahead = examination.index, self._pool.run_later(examination)

    async def examine_rest(self) -> None:
        """Has all that is left examined and identified, several at once, before other scans' frames.

        Where one examination fails, or the caller is cancelled, this ends once no worker runs another one.
        """
        began, self._ahead = self._ahead, None
        left = self.capture.examinations(begun=None if began is None else began[0])
        working = [self._pool.run_first(examination) for examination in left]
        if began is not None and began[0] in self.capture.selected:
            working.append(began[1].result())
        self.capture.examiner.take(await _all_of(working))
        with _refused():
            identifications = await self._pool.run_first(self.capture.identifications)
            self.capture.examiner.witnesses = await _all_of(
                self._pool.run_first(identify) for identify in identifications
            )

    async def verify_sample(self) -> None:
        """Decodes the sample of the frames that were not measured; to be called at the end.

        Raises:
            Refusal: An image does not decode, or has another size than was declared (FRAME_IMAGE_INVALID).
        """
        with _refused():
            await self._pool.run_first(self.capture.verify_sample)

    def _take(
        self, frame: Frame, arrival: float, then_act: bool
    ) -> tuple[Feedback | None, tuple[Action, ...]]:
        feedback = self.capture.take(frame, arrival=arrival, coded=self.trace.measurer(arrival=arrival))
        return feedback, self._act(frame.index) if then_act else ()

    def _act(self, frame_index: int) -> tuple[Action, ...]:
        return self.capture.act(self._monotonic(), frame_index=frame_index)


async def _all_of(working: Iterable[Coroutine[Any, Any, ExaminedFrame]]) -> tuple[ExaminedFrame, ...]:
    """What each returns, or the first error; it is raised once all others have ended or were dropped."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in working]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return tuple(task.result() for task in tasks)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except FrameUnusable as error:
        raise Refusal(Reason.FRAME_IMAGE_INVALID, str(error), details=camel(error.details)) from error
