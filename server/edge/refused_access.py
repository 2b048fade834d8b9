"""Refused calls of the service listener, for the audit log.

An entry records the first refused call of a kind: caller, address, method and reason. Further ones of the
kind are counted, with one entry a minute. Unknown callers have at most 8 kinds a minute, and those of a
tenant 32, so that a flood of refused calls writes at most 9 and 33 entries a minute.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from server.audit import SERVER_TENANT, Actor, AuditAction, AuditEvent, Tally
from server.callers import COMPLIANCE_ROLES, Caller
from server.errors import Reason

__all__ = ["RefusedAccess"]

_OF_UNKNOWN: Final = 8
_OF_TENANT: Final = 32
_ACCESS: Final = frozenset({Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED})
_UNKNOWN: Final = "unknown"
_SEVERAL: Final = Actor(name="several", role="")


@dataclass(frozen=True, slots=True)
class _Kind:
    tenant: str
    actor: Actor
    method: str
    reason: str

    def event(self, count: int) -> AuditEvent:
        return AuditEvent(
            tenant=self.tenant,
            action=AuditAction.ACCESS_REFUSED,
            actor=self.actor,
            detail={"method": self.method, "reason": self.reason, "count": str(count)},
        )


class RefusedAccess:
    """Collects refused calls until they are written. Use it on the event loop only."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Sets the wall clock, UTC."""
        self._now = now
        self._unknown: Tally[_Kind] = Tally(most=_OF_UNKNOWN)
        # The configuration of callers bounds the number of tenants.
        self._of_tenants: dict[str, Tally[_Kind]] = {}
        self._new: deque[AuditEvent] = deque()

    def note_refusal(self, method: str, reason: Reason, *, caller: Caller | None, address: str) -> None:
        """Notes a refused call, if it was refused for its credentials, or a compliance role made it.

        Args:
            method: ``/package.Service/Method``, one that the listener serves.
            reason: Why it was refused.
            caller: The caller; ``None`` if its credentials are not known.
            address: The address of the caller, without a port.
        """
        if reason not in _ACCESS and (caller is None or not caller.roles & COMPLIANCE_ROLES):
            return
        if caller is None:
            actor = Actor(name=_UNKNOWN, role="", address=address)
            kind, tally = _Kind(SERVER_TENANT, actor, method, reason.value), self._unknown
        else:
            actor = Actor(name=caller.name, role=",".join(sorted(caller.roles)), address=address)
            kind = _Kind(caller.tenant, actor, method, reason.value)
            tally = self._of_tenants.setdefault(caller.tenant, Tally(most=_OF_TENANT))
        if tally.record_or_count(kind, self._now()):
            self._new.append(kind.event(1))

    def due(self, now: datetime, *, everything: bool = False) -> tuple[AuditEvent, ...]:
        """Returns the events to write now; see ``server.audit.Tally.due``."""
        found = list(self._new)
        self._new.clear()
        for tenant, tally in ((SERVER_TENANT, self._unknown), *self._of_tenants.items()):
            for repeats in tally.due(now, everything=everything):
                kind = repeats.key or _Kind(tenant, _SEVERAL, "several", "several")
                found.append(kind.event(repeats.count))
        return tuple(found)
