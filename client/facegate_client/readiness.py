"""Whether the person is ready for another attempt."""

import asyncio
from collections.abc import Awaitable, Callable

from facegate.v1 import scan_pb2

__all__ = ["GetReady", "Readiness"]

GetReady = Callable[[scan_pb2.ScanResult], Awaitable[None]]
"""Returns when the person is ready for the next attempt; is told the result of the one before."""


class Readiness:
    """A person who gets ready between two attempts, also while the connection is lost."""

    def __init__(self, get_ready: GetReady | None) -> None:
        """Starts with nobody to wait for.

        Args:
            get_ready: Waits for the person; at once where None.
        """
        self._get_ready = get_ready or _at_once
        self._waiting: asyncio.Future[None] | None = None

    @property
    def awaited(self) -> bool:
        """Whether somebody gets ready."""
        return self._waiting is not None

    def begin(self, result: scan_pb2.ScanResult) -> None:
        """Has the person get ready after an attempt with this result."""
        self._waiting = asyncio.ensure_future(self._get_ready(result))

    async def wait(self) -> None:
        """Waits for the person who gets ready, if anybody does; cancelled, it goes on."""
        if self._waiting is None:
            return
        await asyncio.wait({self._waiting})
        ready, self._waiting = self._waiting, None
        if not ready.cancelled():
            ready.result()

    def cancel(self) -> None:
        """Nobody need get ready any more."""
        if self._waiting is not None:
            self._waiting.cancel()


async def _at_once(_: scan_pb2.ScanResult) -> None:
    """The person is ready when the attempt before is over."""
