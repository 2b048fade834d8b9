"""Waits until the person is ready for another attempt."""

import asyncio
from collections.abc import Awaitable, Callable

from facegate.v1 import scan_pb2

__all__ = ["GetReady", "Readiness"]

GetReady = Callable[[scan_pb2.ScanResult], Awaitable[None]]
"""Gets the result of the last attempt, and returns when the person is ready for the next one."""


class Readiness:
    """Lets a person prepare between two attempts, also while the connection is lost."""

    def __init__(self, get_ready: GetReady | None) -> None:
        """Starts without a preparation.

        Args:
            get_ready: Waits for the person; by default it returns at once.
        """
        self._get_ready = get_ready or _at_once
        self._waiting: asyncio.Future[None] | None = None

    @property
    def awaited(self) -> bool:
        """Whether a preparation runs."""
        return self._waiting is not None

    def begin(self, result: scan_pb2.ScanResult) -> None:
        """Starts the preparation after an attempt with this result."""
        self._waiting = asyncio.ensure_future(self._get_ready(result))

    async def wait(self) -> None:
        """Waits for the end of the preparation, if one runs. Cancelling the wait does not cancel it."""
        if self._waiting is None:
            return
        await asyncio.wait({self._waiting})
        ready, self._waiting = self._waiting, None
        if not ready.cancelled():
            ready.result()

    def cancel(self) -> None:
        """Cancels the preparation."""
        if self._waiting is not None:
            self._waiting.cancel()


async def _at_once(_: scan_pb2.ScanResult) -> None:
    """Returns at once: the person is ready when the last attempt is over."""
