"""Registers the streams that run on this replica, so that they end at once when their check is closed."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from server.verdict import FailureReason


class CheckClosing(Exception):
    """The orchestrator closes the check of a stream.

    Attributes:
        reason: Why the check ends, if no judged attempt decides it.
    """

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(f"the orchestrator closes the check: {reason}")
        self.reason = reason


class StreamInbox(Protocol):
    """Receives the error that ends a stream; see ``server.scan.inbox.Inbox``."""

    def fail(self, error: Exception) -> None:
        """Make the stream end with ``error``."""
        ...


class RunningScans:
    """The streams of this replica, by check. Use it on the event loop only.

    Attributes:
        draining: Is set when the server accepts no new streams and attempts.
    """

    def __init__(self) -> None:
        """Create a registry without streams."""
        self.draining = asyncio.Event()
        self._streams: dict[StreamInbox, tuple[UUID, asyncio.Event]] = {}
        self._later: set[asyncio.Task[None]] = set()

    def finish_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run what is left of a stream that has ended, until it is done or ``stop`` cancels it."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def stop(self) -> None:
        """Cancel what is left of streams."""
        for task in self._later:
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)

    @contextmanager
    def running(self, check_id: UUID, inbox: StreamInbox) -> Iterator[None]:
        """Register a stream of a check while this context is open."""
        left = asyncio.Event()
        self._streams[inbox] = check_id, left
        try:
            yield
        finally:
            del self._streams[inbox]
            left.set()

    async def close(self, check_id: UUID, reason: FailureReason) -> None:
        """Make the streams of this replica close their check with their findings, and wait for their end.

        Args:
            reason: Why the check ends, if no judged attempt decides it.
        """
        waiting = []
        for inbox, (scanned, left) in self._streams.items():
            if scanned == check_id:
                inbox.fail(CheckClosing(reason))
                waiting.append(left)
        for left in waiting:
            await left.wait()
