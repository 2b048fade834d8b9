"""How many calls of a kind run at once, each counted until its thread has ended.

A call whose caller goes away ends at once, but the thread that works for it does not. If its slot were free
then, callers who come and go could pile up work, and what they uploaded, without an end.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from server.errors import Reason, Refusal
from server.scan.worker_pool import WorkerPool

__all__ = ["BACK_OFF_SECONDS", "Abandoned", "Slot", "Slots"]

BACK_OFF_SECONDS = 4.0
"""The first wait that seed 001 asks of refused callers, who double it with every refusal in a row."""

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Abandoned(Exception):
    """Nobody waits for the work any more; told to nobody."""


class Slot:
    """One call's place. Its work may ask from its own thread whether somebody still waits."""

    def __init__(self) -> None:
        """Has no work yet."""
        self._work: asyncio.Future[Any] | None = None
        self._left = threading.Event()

    def check_wanted(self) -> None:
        """Ends work that nobody waits for; safe for threads.

        Raises:
            Abandoned: The call has ended.
        """
        if self._left.is_set():
            raise Abandoned

    async def run(
        self,
        pool: WorkerPool,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Runs ``function`` in the pool, one at a time; not at all where the call ended before its turn."""

        def work() -> _Result:
            self.check_wanted()
            return function(*args, **kwargs)

        running = asyncio.ensure_future(pool.run(work))
        self._work = running
        try:
            return await asyncio.shield(running)
        finally:
            # A failure's trace leads to what was uploaded; not kept by a circle of references.
            del running

    def leave(self, free: Callable[[], None]) -> None:
        """Ends the call; ``free`` is called as soon as its thread has ended too."""
        self._left.set()
        work, self._work = self._work, None
        if work is None or work.done():
            free()
        else:
            work.add_done_callback(lambda ended: _ended(ended, free))


class Slots:
    """The places of one kind of calls. Used on the event loop only."""

    def __init__(self, what: str, most: int) -> None:
        """All are free.

        Args:
            what: The kind, for refused callers.
            most: How many there are.
        """
        self._what = what
        self._most = most
        self._used = 0

    @property
    def used(self) -> int:
        """How many calls run, or have left a thread at work."""
        return self._used

    @contextmanager
    def taken(self) -> Iterator[Slot]:
        """Takes a place for a call.

        Raises:
            Refusal: None is free (OVERLOADED).
        """
        if self._used >= self._most:
            raise Refusal(
                Reason.OVERLOADED,
                f"the server works on its {self._most} {self._what} already; try again in "
                f"{BACK_OFF_SECONDS:g} seconds, and double that with every refusal in a row",
                details={"limit": self._most, "retrySeconds": BACK_OFF_SECONDS},
                retry_after=BACK_OFF_SECONDS,
            )
        self._used += 1
        slot = Slot()
        try:
            yield slot
        finally:
            slot.leave(self._free)

    def _free(self) -> None:
        self._used -= 1


def _ended(work: asyncio.Future[Any], free: Callable[[], None]) -> None:
    if not work.cancelled():
        # Looked at, or asyncio would log it as forgotten; nobody is there to be told.
        work.exception()
    free()
