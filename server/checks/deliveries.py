"""Makes the entries of the audit log for FinishCheck: the first delivery of a result, and repeats."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from server.audit import Actor, AuditAction, AuditEvent, Tally, subject_hash
from server.domain.state import CheckState
from server.storage.records import CheckRecord

__all__ = ["Deliveries", "Delivery"]

_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Delivery:
    """The possible events of one call of FinishCheck. The transaction appends one of them at most.

    Attributes:
        first: The event to append if this call delivers the result for the first time.
        again: The event to append if it does not; ``None`` if the repeat is only counted.
    """

    first: AuditEvent
    again: AuditEvent | None


@dataclass(frozen=True, slots=True)
class _Repeated:
    tenant: str
    check_id: UUID | None
    actor: Actor


class Deliveries:
    """Makes the audit events for the deliveries of a result.

    For each check and caller, the first repeat is recorded at once. Further repeats are counted, and recorded
    at most once a minute. While 1024 pairs of check and caller are counted, the repeats of other pairs are
    recorded by caller, without their checks.
    """

    def __init__(self, tenant_key: Callable[[str], bytes]) -> None:
        """Sets the function that returns the key of a tenant (``KeyRing.memory.tenant_key``)."""
        self._tenant_key = tenant_key
        self._tally: Tally[_Repeated] = Tally(
            most=_MOST, shared=lambda repeated: replace(repeated, check_id=None)
        )

    def events_of(self, record: CheckRecord, *, subject: str, actor: Actor, now: datetime) -> Delivery:
        """Returns the possible events of one call of FinishCheck.

        Args:
            record: The check, as it was read before the transaction.
            subject: The subject reference of the evidence record; may be empty.
            actor: The caller.
            now: The time.
        """
        hashed = subject_hash(self._tenant_key(record.tenant), subject)
        detail = {"sandbox": "true"} if record.sandbox else {}
        first = AuditEvent(
            tenant=record.tenant,
            action=AuditAction.RESULT_DELIVERED,
            actor=actor,
            check_id=record.check_id,
            subject=hashed,
            detail=detail,
        )
        again = AuditEvent(
            tenant=record.tenant,
            action=AuditAction.RESULT_REPEATED,
            actor=actor,
            check_id=record.check_id,
            subject=hashed,
            detail={**detail, "count": "1"},
        )
        key = _Repeated(record.tenant, record.check_id, actor)
        counted = record.state is CheckState.FINISHED and not self._tally.record_or_count(key, now)
        return Delivery(first, None if counted else again)

    def due(self, now: datetime, *, everything: bool = False) -> tuple[AuditEvent, ...]:
        """Returns the events of counted repeats; see ``server.audit.Tally.due``."""
        return tuple(
            AuditEvent(
                tenant=repeats.key.tenant,
                action=AuditAction.RESULT_REPEATED,
                actor=repeats.key.actor,
                check_id=repeats.key.check_id,
                detail={"count": str(repeats.count)},
            )
            for repeats in self._tally.due(now, everything=everything)
            if repeats.key is not None
        )
