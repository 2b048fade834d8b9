"""The streams that run on this replica, so that one whose check is closed ends at once."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from server.verdict import FailureReason

__all__ = ["CheckClosing", "RunningScans"]


class CheckClosing(Exception):
    """The orchestrator closes the check that a stream scans for.

    Attributes:
        reason: Why the check ends, where nothing that was seen decides it.
    """

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(f"the orchestrator closes the check: {reason}")
        self.reason = reason


class StreamInbox(Protocol):
    """Where a stream hears of it; see ``server.scan.inbox.Inbox``."""

    def fail(self, error: Exception) -> None:
        """Makes the stream end with ``error``."""
        ...


class RunningScans:
    """Which streams of this replica scan for which check. Used on the event loop only.

    Attributes:
        draining: Is set once the server takes no new streams and attempts.
    """

    def __init__(self) -> None:
        """No stream runs."""
        self.draining = asyncio.Event()
        self._streams: dict[StreamInbox, tuple[UUID, asyncio.Event]] = {}

    @contextmanager
    def running(self, check_id: UUID, inbox: StreamInbox) -> Iterator[None]:
        """A stream scans for a check for as long as this context is open."""
        left = asyncio.Event()
        self._streams[inbox] = check_id, left
        try:
            yield
        finally:
            del self._streams[inbox]
            left.set()

    async def close(self, check_id: UUID, reason: FailureReason) -> None:
        """Makes the streams of this replica close their check with what they saw; waits until they have.

        Args:
            check_id: The check.
            reason: Why it ends, where nothing that was seen decides it.
        """
        waiting = []
        for inbox, (scanned, left) in self._streams.items():
            if scanned == check_id:
                inbox.fail(CheckClosing(reason))
                waiting.append(left)
        for left in waiting:
            await left.wait()
