"""Retention: erases checks and images whose retention has ended, for the housekeeper and for the shell."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from server.audit import Actor, AuditAction, AuditEvent
from server.storage.errors import OnHold
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.retention import RetentionRepository

HOUSEKEEPER = Actor(name="housekeeping", role="server")
"""The actor in the audit log for what a server erases by itself."""


@dataclass(frozen=True, slots=True)
class ErasedChecks:
    """The checks that one round found and erased.

    Attributes:
        found: The number of checks that were due.
        erased: The number of checks that this round erased; other processes may have erased some of the rest.
    """

    found: int
    erased: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckExpiry:
    """Erases checks. Several processes may do so at once; each check is erased and logged once.

    Attributes:
        retention: Finds and erases checks.
        delete: Deletes the objects of entries that are erased.
        erased: Called with a check and what was erased of it: ``check`` or ``images``.
    """

    retention: RetentionRepository
    delete: Callable[[Iterable[EvidenceEntry]], Awaitable[None]]
    erased: Callable[[CheckRecord, str], None] = lambda _record, _part: None

    async def erase(self, now: datetime, *, limit: int, actor: Actor = HOUSEKEEPER) -> ErasedChecks:
        """Erase checks whose retention has ended and that no hold keeps, the longest overdue first.

        The rows and their keys of a check go first, with the entry in the audit log; then its objects.

        Args:
            actor: The actor for the audit log.

        Raises:
            StorageUnavailable: A store does not answer. Call again for the checks that were not erased yet.
        """
        due = await self.retention.expired_results(now, limit)
        return await self._each(due, partial(self.retention.expire, now=now), actor, "check")

    async def erase_images(self, now: datetime, *, limit: int, actor: Actor = HOUSEKEEPER) -> ErasedChecks:
        """Erase the images of checks whose record is kept longer, as ``erase`` does."""
        due = await self.retention.expired_images(now, limit)
        return await self._each(due, partial(self.retention.expire_images, now=now), actor, "images")

    async def _each(
        self,
        due: Sequence[CheckRecord],
        expire: Callable[..., Awaitable[tuple[EvidenceEntry, ...] | None]],
        actor: Actor,
        part: str,
    ) -> ErasedChecks:
        erased = 0
        for record in due:
            try:
                removed = await expire(record.check_id, event=_event(record, actor, part))
            except OnHold:
                # It was placed after the check was listed.
                continue
            if removed is not None:
                erased += 1
                self.erased(record, part)
                await self.delete(removed)
        return ErasedChecks(found=len(due), erased=erased)


def _event(record: CheckRecord, actor: Actor, part: str) -> AuditEvent:
    return AuditEvent(
        tenant=record.tenant,
        action=AuditAction.EVIDENCE_EXPIRED,
        actor=actor,
        check_id=record.check_id,
        detail={"part": part},
    )
