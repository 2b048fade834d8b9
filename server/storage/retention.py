"""The erasure of results whose retention has ended."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Column, Connection, case, delete, exists, func, or_, select, update

from server.audit import SERVER_TENANT, AuditAction, AuditEvent
from server.domain.events import EventKind, event_time
from server.domain.terms import CLOSED_WITH_RESULT, CheckState, ImagePurpose
from server.storage.approvals import (
    ApprovalRequest,
    PendingApproval,
    second_person,
    use_up,
    withdraw,
)
from server.storage.audit import append, erase_subject_key, has_subject_key
from server.storage.audit_reader import AuditFilter
from server.storage.check_rows import (
    CHECKS,
    change_check,
    conflict,
    list_checks,
    list_evidence,
    load_in_state,
    remove_evidence,
)
from server.storage.database import Database, Repository, count_changed, find_all, reads, uncancelled, writes
from server.storage.devices import erase_device_rows, forget_subject_rows, has_subject_rows
from server.storage.events import NO_WEBHOOKS, Outbox
from server.storage.evidence_records import remove_record
from server.storage.holds import expect_no_hold
from server.storage.hosted import remove_hosted_scan
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.reviews import remove_review
from server.storage.tables import attempts, audit_events, checks, holds, pending_approvals, policies, requests

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_AFTER_RESTORING = timedelta(days=1)
"""Time for people to repeat the holds that a restored backup lacks."""
_HELD = exists().where(holds.c.check_id == checks.c.check_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueChecks:
    """The checks of a policy whose retention has ended.

    Attributes:
        due: The number of checks that are to be erased.
        held: The number of further checks, which a hold keeps.
        images: The number of further checks of which only the images are to be erased.
        since: When the retention of the longest overdue check, or of its images, ended.
    """

    policy: str
    due: int
    held: int
    images: int
    since: datetime


def _erases(
    work: "Callable[Concatenate[RetentionRepository, Connection, Arguments], Result]",
) -> "Callable[Concatenate[RetentionRepository, Arguments], Coroutine[Any, Any, Result]]":
    """Decorate a method as ``writes`` does; if it erases anything, the database's log is cleaned afterwards.

    A method that returns None or a request for approval has erased nothing.
    """

    @wraps(work)
    @uncancelled
    async def call(
        self: "RetentionRepository", /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        erased = await self._database.write(partial(work, self), *args, **kwargs)
        if erased is not None and not isinstance(erased, PendingApproval):
            self._erased_is_in_log = True
            await self.forget_erased()
        return erased

    return call


class RetentionRepository(Repository):
    """Erases checks, by the rules of ``server.storage.repository``.

    Every method may raise ``StorageUnavailable``, and ``erase`` may raise ``CheckNotFound``.
    """

    def __init__(self, database: Database, outbox: Outbox = NO_WEBHOOKS) -> None:
        """Initialise the repository over ``database``; what it erases goes to ``outbox``."""
        super().__init__(database)
        self._outbox = outbox
        # An earlier process may have been killed between an erasure and the cleaning of the log.
        self._erased_is_in_log = True

    @reads
    def expired_results(self, connection: Connection, now: datetime, limit: int) -> list[CheckRecord]:
        """Return closed checks whose retention has ended, the longest overdue first."""
        return _expired(connection, checks.c.retain_until, now, limit)

    @reads
    def suspended_until(self, connection: Connection, now: datetime) -> datetime | None:
        """Return until when nothing is erased because its retention has ended; ``None`` if it is.

        Holds that were placed after a restored backup, or an older log that was accepted, are lost until
        people repeat them, for which they have a day.
        """
        chosen = AuditFilter(
            since=now - _AFTER_RESTORING, actions=(AuditAction.BACKUP_RESTORED, AuditAction.AUDIT_ACCEPTED)
        )
        query = select(func.max(audit_events.c.time_us)).where(
            audit_events.c.tenant == SERVER_TENANT, *chosen.conditions()
        )
        last: int | None = connection.scalar(query)
        return None if last is None else datetime.fromtimestamp(last / 1_000_000, UTC) + _AFTER_RESTORING

    @reads
    def due(self, connection: Connection, now: datetime) -> tuple[DueChecks, ...]:
        """Return the checks whose retention has ended, for each policy, sorted by name."""
        whole = checks.c.retain_until <= now
        query = (
            select(
                policies.c.name.label("policy"),
                func.count().filter(whole, ~_HELD).label("due"),
                func.count().filter(_HELD).label("held"),
                func.count().filter(~whole, ~_HELD).label("images"),
                func.min(
                    case(
                        (checks.c.images_until.is_(None), checks.c.retain_until), else_=checks.c.images_until
                    )
                ).label("since"),
            )
            .join_from(checks, policies)
            .where(checks.c.state.in_(CLOSED_WITH_RESULT))
            .where(or_(whole, checks.c.images_until <= now))
            .group_by(policies.c.name)
            .order_by(policies.c.name)
        )
        return find_all(connection, query, DueChecks)

    @_erases
    def expire(
        self, connection: Connection, check_id: UUID, now: datetime, *, event: AuditEvent
    ) -> tuple[EvidenceEntry, ...] | None:
        """Erase a check whose retention has ended, as ``erase`` does.

        Returns:
            The removed entries, whose objects the caller deletes; ``None`` if another process erased the
            check first.

        Raises:
            Conflict: The check is still open, or its retention has not ended.
            OnHold: A hold keeps it.
        """
        record = load_in_state(connection, check_id, states=CLOSED_WITH_RESULT | {CheckState.ERASED})
        if record.state is CheckState.ERASED:
            return None
        if record.retain_until is None or record.retain_until > now:
            raise conflict("the retention has not ended", record)
        expect_no_hold(connection, check_id)
        return self._erase_rows(connection, record, now, event)

    @reads
    def expired_images(self, connection: Connection, now: datetime, limit: int) -> list[CheckRecord]:
        """Return closed checks whose images are to be erased, the longest overdue first."""
        return _expired(connection, checks.c.images_until, now, limit)

    @_erases
    def expire_images(
        self, connection: Connection, check_id: UUID, now: datetime, *, event: AuditEvent
    ) -> tuple[EvidenceEntry, ...] | None:
        """Erase the rows and the keys of the images of a check, whose record is kept.

        An evidence frame that is the trusted image of later checks stays as long as it may be that.

        Returns:
            The removed entries, whose objects the caller deletes; ``None`` if another process erased them
            first, or the whole check.

        Raises:
            Conflict: The check is still open, or the images are to be kept.
            OnHold: A hold keeps them.
        """
        record = load_in_state(connection, check_id, states=CLOSED_WITH_RESULT | {CheckState.ERASED})
        ended = record.images_until is not None and record.images_until <= now
        if record.state is CheckState.ERASED or (record.images_erase_time is not None and not ended):
            return None
        if not ended:
            raise conflict("the retention of the images has not ended", record)
        expect_no_hold(connection, check_id)
        enrolled, until = None, None
        kept: dict[str, str] = {}
        if record.enrolled_until is not None and record.enrolled_until > now:
            # The frame of the last attempt, which decided, is the trusted image of later checks until then.
            frames = (
                entry
                for entry in list_evidence(connection, check_id)
                if entry.facts.purpose is ImagePurpose.EVIDENCE_FRAME
            )
            enrolled = max(frames, key=lambda entry: entry.facts.attempt, default=None)
            if enrolled is not None:
                kept = {"enrolled_until": event_time(record.enrolled_until)}
            if record.retain_until is None or record.enrolled_until < record.retain_until:
                until = record.enrolled_until
        removed = remove_evidence(connection, check_id, keep=enrolled)
        change_check(connection, check_id, images_until=until, images_erase_time=now)
        append(connection, event, now=now)
        self._outbox.of_check(connection, record, EventKind.EVIDENCE_ERASED, now, part="images", **kept)
        return removed

    @_erases
    def erase(
        self,
        connection: Connection,
        check_id: UUID,
        now: datetime,
        *,
        event: AuditEvent | None = None,
        approval: ApprovalRequest | None = None,
    ) -> tuple[EvidenceEntry, ...] | PendingApproval:
        """Erase the record, the references, the evidence keys and all rows about the device.

        A tombstone with the status stays.

        Args:
            event: The event to log; not logged if the check is erased already.
            approval: The request, if it needs two people.

        Returns:
            The removed entries, whose objects the caller deletes. Objects that a crash leaves behind cannot
            be unsealed any more, and ``EvidenceStore.sweep_orphans`` deletes them. Or the request that waits
            for a second person.

        Raises:
            Conflict: The check is still open.
            OnHold: A hold keeps it.
        """
        record = load_in_state(connection, check_id, states=CLOSED_WITH_RESULT | {CheckState.ERASED})
        if record.state is CheckState.ERASED:
            return ()
        expect_no_hold(connection, check_id)
        if approval is not None:
            pending = second_person(connection, approval, now=now)
            if pending is not None:
                return pending
        return self._erase_rows(connection, record, now, event)

    @writes
    def confirmed(
        self, connection: Connection, approval: ApprovalRequest, now: datetime
    ) -> PendingApproval | None:
        """Return the request that waits for a second person; ``None`` if this call may confirm it."""
        return second_person(connection, approval, now=now, consume=False)

    @writes
    def withdraw(
        self, connection: Connection, approval: ApprovalRequest, now: datetime
    ) -> PendingApproval | None:
        """Withdraw a request that waits for a second person; return it, ``None`` if there is none."""
        return withdraw(connection, approval, now=now)

    @reads
    def knows_subject(
        self, connection: Connection, tenant: str, hashes: Collection[str], pseudonyms: Collection[bytes]
    ) -> bool:
        """Return whether there is anything of a person apart from their checks.

        Args:
            hashes: The hashes of the person in the tables of devices.
            pseudonyms: The hashes under which the audit log knows the person.
        """
        return has_subject_rows(connection, tenant, hashes) or has_subject_key(connection, tenant, pseudonyms)

    @_erases
    def forget_devices(
        self,
        connection: Connection,
        tenant: str,
        subject: str,
        now: datetime,
        *,
        hashes: Collection[str],
        check_ids: Collection[UUID],
        event: AuditEvent,
    ) -> int:
        """Erase what is stored about a person's devices and tries; see ``forget_subject_rows``.

        It is the first step of erasing the person, because the rows of an erased check no longer name them.

        Args:
            subject: The subject reference; not empty.

        Returns:
            The number of deleted keys, uses and scans.
        """
        append(connection, event, now=now)
        return forget_subject_rows(connection, tenant, subject, hashes, check_ids)

    @_erases
    def forget_subject(
        self,
        connection: Connection,
        tenant: str,
        subject: str,
        now: datetime,
        *,
        hashes: Collection[str],
        check_ids: Collection[UUID],
        event: AuditEvent,
        approvals: Collection[ApprovalRequest],
        forget_pseudonym: Collection[bytes],
    ) -> int:
        """Erase what is stored about a person's devices and tries, as the last step of erasing the person.

        Args:
            subject: The subject reference; not empty.
            approvals: The requests that end, if some actions need two people.
            forget_pseudonym: The hashes under which the audit log knows the person, whose keys are destroyed;
                empty to keep them.

        Returns:
            The number of deleted keys, uses and scans.
        """
        forgotten = forget_subject_rows(connection, tenant, subject, hashes, check_ids)
        for approval in approvals:
            use_up(connection, approval, now=now)
        append(connection, event, now=now)
        for hashed in forget_pseudonym:
            erase_subject_key(connection, tenant, hashed)
        facts = {name: int(fact) if fact.isdecimal() else fact for name, fact in event.detail.items()}
        self._outbox.of_tenant(connection, tenant, EventKind.SUBJECT_ERASED, now, **facts)
        return forgotten

    @writes
    def expire_approvals(self, connection: Connection, now: datetime) -> int:
        """Delete requests whose time for confirmation has passed; return their number."""
        ended = pending_approvals.c.expire_time <= now
        return count_changed(connection, delete(pending_approvals).where(ended))

    @uncancelled
    async def forget_erased(self) -> bool:
        """Remove erased data from the database's write-ahead log, if it may contain any.

        Returns:
            Whether the log is free of erased data. A reader, such as a backup, can prevent the removal; then
            call this again later.
        """
        if self._erased_is_in_log:
            self._erased_is_in_log = not await self._database.forget_overwritten()
        return not self._erased_is_in_log

    def _erase_rows(
        self, connection: Connection, check: CheckRecord, now: datetime, event: AuditEvent | None
    ) -> tuple[EvidenceEntry, ...]:
        """Erase the rows of a check, and log the event; return the removed entries.

        The tombstone that stays has the check's identifier, tenant, times, policy and status.
        """
        check_id = check.check_id
        removed = remove_evidence(connection, check_id)
        remove_record(connection, check_id)
        remove_review(connection, check_id)
        connection.execute(delete(attempts).where(attempts.c.check_id == check_id))
        erase_device_rows(connection, check_id)
        remove_hosted_scan(connection, check_id)
        # The hash of the request would prove to anyone who has an image that it was the check's portrait. The
        # request's identifier stays and leads to the tombstone.
        connection.execute(update(requests).where(requests.c.check_id == check_id).values(payload_sha256=b""))
        change_check(
            connection,
            check_id,
            state=CheckState.ERASED,
            erase_time=now,
            images_until=None,
            enrolled_until=None,
            subject_reference="",
            consent_reference="",
            created_by="",
        )
        if event is not None:
            append(connection, event, now=now)
        self._outbox.of_check(connection, check, EventKind.EVIDENCE_ERASED, now, part="check")
        return removed


def _expired(connection: Connection, until: Column[datetime], now: datetime, limit: int) -> list[CheckRecord]:
    query = CHECKS.where(checks.c.state.in_(CLOSED_WITH_RESULT), until <= now, ~_HELD)
    return list_checks(connection, query.order_by(until, checks.c.check_id).limit(limit))
