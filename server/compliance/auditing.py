"""Reads the audit log of a tenant, in pages or as an export."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.audit import AuditAction, AuditEntry
from server.compliance.access import Access
from server.compliance.page_token import PageTokens
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditExport, AuditFilter, AuditReader

__all__ = ["AuditListing", "AuditPage"]

_PLACE_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of entries.

    Attributes:
        entries: The entries, newest first.
        next_page_token: Gives the next page; empty after the last one.
    """

    entries: tuple[AuditEntry, ...]
    next_page_token: str


class AuditListing:
    """Lists entries of the audit log; each page is an entry itself."""

    def __init__(self, *, reader: AuditReader, log: AuditLog, tokens: PageTokens) -> None:
        """Sets the reader and the writer of the log, and the maker of page tokens."""
        self._reader = reader
        self._log = log
        self._tokens = tokens

    async def page(
        self,
        access: Access,
        chosen: AuditFilter,
        *,
        subjects: Sequence[bytes],
        size: int,
        page_token: str,
    ) -> AuditPage:
        """Returns a page, and logs that it was read.

        Args:
            access: The call.
            chosen: Which entries.
            subjects: The person whose entries are wanted, as ``server.audit.subject_hashes``; empty for all.
            size: The maximum number of entries, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: The token is not one of this list (INVALID_FIELD).
        """
        bound = ["audit", repr(chosen), *(subject.hex() for subject in subjects)]
        before = 0
        if page_token:
            place = self._tokens.open(page_token, tenant=access.tenant, conditions=bound)
            before = int.from_bytes(place, "big")
        found, following = await self._reader.page(
            access.tenant, chosen=chosen, subjects=subjects, before=before, limit=size
        )
        detail = {"entries": str(len(found))}
        event = access.event(AuditAction.AUDIT_READ, subject=next(iter(subjects), None), detail=detail)
        await self._log.append(event, now=access.now)
        token = ""
        if following:
            place = following.to_bytes(_PLACE_BYTES, "big")
            token = self._tokens.make(place, tenant=access.tenant, conditions=bound)
        return AuditPage(found, token)

    async def export(self, access: Access, since: datetime | None) -> AsyncIterator[str]:
        """Yields the lines of an export of the log, after an entry that it was read.

        Args:
            access: The call.
            since: Entries of this time or later; ``None`` for all.
        """
        await self._log.append(
            access.event(AuditAction.AUDIT_READ, detail={"form": "export"}), now=access.now
        )
        export = AuditExport(self._reader, access.tenant)
        async for line in export.lines(since):
            yield line
