"""FindChecks: finds the checks of an orchestrator again."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from server.audit import Actor, AuditAction, AuditEvent
from server.base.errors import invalid_field
from server.base.page_tokens import Page, PageTokens
from server.base.sandbox import memory_scope
from server.checks.intake import request_key
from server.checks.progress import ProgressState, progress_state
from server.domain.terms import OPEN_STATES, CheckStatus, reference_term
from server.evidence.records import RecordVault
from server.storage.audit import AuditLog
from server.storage.evidence_records import EvidenceRecordRepository, StoredRecord
from server.storage.records import CheckRecord, Place
from server.storage.repository import CheckRepository
from server.verdict.record import Delivery, RecordUnreadable

_LONGEST_REFERENCE: Final = 256
_WINDOW: Final = 500
"""Checks that are read at most for one page of a state, which no index has."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConditions:
    """Conditions on checks; every one that is set must hold.

    Attributes:
        request_id: The UUID of the upload.
        since: Created at this time or later.
        before: Created earlier.
    """

    subject_reference: str = field(default="", repr=False)
    request_id: str = ""
    since: datetime | None = None
    before: datetime | None = None
    state: ProgressState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCheck:
    """A check that was found.

    Attributes:
        status: The status in the sealed record; ``None`` before the decision, if the caller may not know it,
            and if the record cannot be read.
        subject_reference: Empty, too, if the record cannot be read.
    """

    check_id: UUID
    state: ProgressState
    status: CheckStatus | None
    create_time: datetime
    decide_time: datetime | None
    subject_reference: str = field(repr=False)
    policy: str
    sandbox: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinder:
    """Finds checks.

    Attributes:
        tenant_keys: Returns the keys that a tenant has and had, under which references are hashed.
    """

    repository: CheckRepository
    records: EvidenceRecordRepository
    vault: RecordVault
    log: AuditLog
    tenant_keys: Callable[[str], tuple[bytes, ...]]
    tokens: PageTokens

    async def page(
        self,
        chosen: CheckConditions,
        *,
        tenant: str,
        sandbox: bool,
        actor: Actor,
        statuses: bool,
        size: int,
        page_token: str,
        now: datetime,
    ) -> Page[FoundCheck]:
        """Return a page, and log that it was read.

        Args:
            sandbox: Whether the caller is a sandbox caller, who finds sandbox checks only; others find none.
            statuses: Whether the caller may know statuses.
            size: The maximum number of checks, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: A condition is malformed, or the token is not one of this list (INVALID_FIELD).
        """
        scope = memory_scope(tenant, sandbox=sandbox)
        terms = self._terms(tenant, chosen.subject_reference)
        bound = [
            "found checks",
            scope,
            repr((chosen.request_id, chosen.since, chosen.before, chosen.state)),
            chosen.subject_reference,
        ]
        after = self.tokens.open(page_token, Place.from_bytes, tenant=tenant, conditions=bound)
        check_id, nothing = None, False
        if chosen.request_id:
            check_id = await self.repository.requested(request_key(scope, chosen.request_id))
            nothing = check_id is None
        limit = size + 1 if chosen.state is None else _WINDOW
        read: Sequence[CheckRecord] = ()
        if not nothing:
            read = await self.repository.find(
                tenant,
                sandbox=sandbox,
                check_id=check_id,
                subject=(chosen.subject_reference, terms) if terms else None,
                since=chosen.since,
                before=chosen.before,
                after=after,
                limit=limit,
            )
        states = {record.check_id: progress_state(record, now) for record in read}
        fitting = [each for each in read if chosen.state in {None, states[each.check_id]}]
        shown = fitting[:size]
        last = shown[-1] if len(fitting) > size else read[-1] if len(read) == limit else None
        deliveries = await self._deliveries(shown)
        await self.log.append(
            AuditEvent(
                tenant=tenant,
                action=AuditAction.CHECKS_LISTED,
                actor=actor,
                detail=_words(chosen, sandbox=sandbox) | {"checks": str(len(shown))},
            ),
            now=now,
        )
        return Page(
            tuple(
                _found(each, states[each.check_id], deliveries.get(each.check_id), statuses=statuses)
                for each in shown
            ),
            self.tokens.make(
                b"" if last is None else Place(last.create_time, last.check_id).to_bytes(),
                tenant=tenant,
                conditions=bound,
            ),
        )

    def _terms(self, tenant: str, reference: str) -> tuple[str, ...]:
        size = len(reference.encode())
        if size > _LONGEST_REFERENCE or "\0" in reference:
            raise invalid_field(
                "subject_reference",
                f"subject_reference has {size} bytes; state the one of your uploads, at most "
                f"{_LONGEST_REFERENCE} bytes without NUL",
                bytes=size,
                maxBytes=_LONGEST_REFERENCE,
            )
        if not reference:
            return ()
        return tuple(reference_term("subject", reference, tenant_key=key) for key in self.tenant_keys(tenant))

    async def _deliveries(self, shown: Sequence[CheckRecord]) -> dict[UUID, Delivery]:
        decided = [record.check_id for record in shown if record.state not in OPEN_STATES]
        if not decided:
            return {}
        return await asyncio.to_thread(self._opened, await self.records.find_all(decided))

    def _opened(self, stored: Sequence[StoredRecord]) -> dict[UUID, Delivery]:
        opened = {}
        for each in stored:
            with suppress(RecordUnreadable):  # FinishCheck reports it to the caller.
                opened[each.check_id] = self.vault.delivery(each)
        return opened


def _found(
    record: CheckRecord, state: ProgressState, delivery: Delivery | None, *, statuses: bool
) -> FoundCheck:
    return FoundCheck(
        check_id=record.check_id,
        state=state,
        status=delivery.status if delivery is not None and statuses else None,
        create_time=record.create_time,
        decide_time=record.decide_time,
        subject_reference=record.subject_reference if delivery is None else delivery.subject_reference,
        policy=record.policy_name,
        sandbox=record.sandbox,
    )


def _words(chosen: CheckConditions, *, sandbox: bool) -> dict[str, str]:
    """Return the conditions for the audit log, without the reference."""
    named = {
        "created_since": chosen.since and chosen.since.isoformat(),
        "created_before": chosen.before and chosen.before.isoformat(),
        "by": ", ".join(
            name
            for name, value in (
                ("subject_reference", chosen.subject_reference),
                ("request_id", chosen.request_id),
            )
            if value
        ),
        "state": chosen.state and chosen.state.value,
        "sandbox": "true" if sandbox else None,
    }
    return {name: word for name, word in named.items() if word}
