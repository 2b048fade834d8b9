"""Exports the log of a tenant as lines (``server.audit.export``), also while entries are written."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

from server.audit import GENESIS, Head, checkpoint_line, entry_line, mark_line
from server.storage.audit_reader import AuditFilter, AuditReader

__all__ = ["AuditExport"]

_PAGE: Final = 1000


class AuditExport:
    """The export of one tenant. Every method may raise ``StorageUnavailable``."""

    def __init__(self, reader: AuditReader, tenant: str) -> None:
        """Begins with the first entry."""
        self._reader = reader
        self._tenant = tenant
        self._sequence = 0
        self._checkpoint = 0
        self._head: Head | None = None

    async def lines(self, since: datetime | None, *, position: int | None = None) -> AsyncIterator[str]:
        """Yields the lines of a whole export.

        Args:
            since: Entries of this time or later; ``None`` for all.
            position: Checkpoints up to this position; ``None`` for all.
        """
        async for line in self.begin(since):
            yield line
        async for line in self.new(position=position):
            yield line
        if self._head is not None:
            yield mark_line("head", self._tenant, self._head)

    async def begin(self, since: datetime | None) -> AsyncIterator[str]:
        """Finds the first entry, and yields the previous one as the start, if there is one."""
        if since is None:
            return
        found = await self._reader.entries(self._tenant, chosen=AuditFilter(since=since), limit=1)
        head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        self._sequence = found[0].sequence - 1 if found else last
        before = await self._reader.entries(self._tenant, after=self._sequence - 1, limit=1)
        if self._sequence:
            stated = before[0].hash if before else GENESIS.hex()
            yield mark_line("start", self._tenant, Head(self._sequence, stated))

    async def new(self, *, position: int | None = None) -> AsyncIterator[str]:
        """Yields the further entries up to the head, and the checkpoints that cover these entries only.

        Args:
            position: Checkpoints up to this position; ``None`` for all.
        """
        self._head = head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        # Entries behind the head were appended in the meantime; the next round writes them.
        while self._sequence < last:
            page = await self._reader.entries(self._tenant, after=self._sequence, limit=_PAGE)
            for entry in page:
                if entry.sequence <= last:
                    yield entry_line(entry)
                self._sequence = min(entry.sequence, last)
            if not page:
                # They are missing. What follows is exported, and a verification finds the gap.
                self._sequence = last
        for checkpoint in await self._reader.checkpoints(self._tenant, after=self._checkpoint):
            if checkpoint.sequence > last or (position is not None and checkpoint.position > position):
                break
            yield checkpoint_line(checkpoint)
            self._checkpoint = checkpoint.number
