"""The checks in the database. Each call is one transaction, durable when it returns.

Writers lock the check, and compare before they set: they compare the state and, if a stream writes, the epoch
of its lease. A stream that lost its lease to a newer one therefore cannot write any more and gets
``Conflict``. A transaction finishes even if its caller is cancelled. The caller passes the time.
"""

from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import datetime, timedelta
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Connection, Select, Update, and_, delete, func, insert, or_, select, union, update

from server.audit import AuditEvent
from server.domain.events import EventKind
from server.domain.terms import (
    CLOSED_WITH_RESULT,
    OPEN_STATES,
    AttemptOutcome,
    CheckState,
    EndedBy,
    FailureReason,
    Mode,
    Plan,
)
from server.domain.tries import TryMark, TryRules
from server.storage.audit import append
from server.storage.check_rows import (
    CHECKS,
    change_check,
    check_row,
    conflict,
    entry_row,
    erase_judgements,
    find_check,
    list_checks,
    list_evidence,
    load_check,
    load_in_state,
    newest_first,
    template_row,
)
from server.storage.database import (
    Database,
    Repository,
    count_changed,
    find_all,
    reads,
    writes,
)
from server.storage.engine import insert_unless_there
from server.storage.errors import RequestIdReused, RowTaken, SessionKeyMismatch, SessionKeyUnproven
from server.storage.events import NO_WEBHOOKS, Outbox
from server.storage.evidence_records import add_record
from server.storage.hosted import HostedScan, add_hosted_scan
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckRecord,
    Decision,
    EvidenceEntry,
    Place,
    RequestKey,
    values_of,
)
from server.storage.reviews import add_review
from server.storage.tables import (
    attempts,
    check_tries,
    checks,
    evidence,
    policies,
    record_terms,
    requests,
    schema_floor,
)
from server.storage.tries import add_tries, begin_tries, expect_allowed, settle_tries

# Attempts that a newer stream ended, and whose own streams have not stored what ended them.
_INCOMPLETE = (attempts.c.outcome.is_not(None), attempts.c.ended_by.is_(None))
_NO_LEASE = {"lease_owner": None, "lease_until": None, "resume_until": None}


Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")


def _again_if_taken(
    work: Callable[Arguments, Coroutine[Any, Any, Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    @wraps(work)
    async def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except RowTaken:
            # Another replica inserted the same request meanwhile; the retry finds it.
            return await work(*args, **kwargs)

    return call


class CheckRepository(Repository):
    """The only writer of checks until they are erased (``server.storage.retention``).

    Every method may raise ``StorageUnavailable``. Methods with a ``check_id`` raise ``CheckNotFound`` for an
    unknown check unless they state otherwise.
    """

    def __init__(self, database: Database, outbox: Outbox = NO_WEBHOOKS) -> None:
        """Initialise the repository over ``database``; its transitions write their events to ``outbox``."""
        super().__init__(database)
        self._outbox = outbox

    @writes
    def ping(self, connection: Connection) -> None:
        """Test whether this server may use the database, and whether it takes data.

        Raises:
            StorageUnavailable: It does not.
            SchemaOutdated: A newer version of the server shut this one out.
        """
        connection.execute(update(schema_floor).values(probes=schema_floor.c.probes + 1))

    async def forget_overwritten(self) -> bool:
        """Remove overwritten data from the database's log; see ``Database.forget_overwritten``."""
        return await self._database.forget_overwritten()

    @_again_if_taken
    @writes
    def create(
        self,
        connection: Connection,
        check: CheckRecord,
        request: RequestKey | None,
        *,
        tries: Sequence[TryMark] = (),
        images: tuple[EvidenceEntry, ...] = (),
        hosted: HostedScan | None = None,
        source: UUID | None = None,
    ) -> CheckRecord:
        """Create a check, or return the check that the same request created before.

        Args:
            check: The check, without anything that a scan or a decision adds.
            request: The request that makes the call idempotent; None for none.
            tries: The marks of its subject and portrait, whose failures are limited.
            images: The sealed portrait, already durable in the object store, if the policy keeps it.
            hosted: If it is scanned on the server's own page: what that knows of it.
            source: The check whose evidence frame is the trusted image.

        Raises:
            RequestIdReused: The request was made before with another payload.
            Conflict: The source was erased since it was read.
        """
        existing = None if request is None else _created_by(connection, request)
        if existing is not None:
            return existing
        if source is not None:
            load_in_state(connection, source, states=CLOSED_WITH_RESULT)
        policy = {
            "sha256": check.policy_sha256,
            "name": check.policy_name,
            "version": check.policy_version,
            "source": check.policy_source,
        }
        insert_unless_there(connection, policies, policy)
        connection.execute(insert(checks).values(check_row(check)))
        if request is not None:
            connection.execute(insert(requests).values(values_of(request) | {"check_id": check.check_id}))
        _add_evidence(connection, check.check_id, images)
        add_tries(connection, check.check_id, tries, check.create_time)
        if hosted is not None:
            add_hosted_scan(connection, hosted)
        return load_check(connection, check.check_id)

    @reads
    def find_by_request(self, connection: Connection, request: RequestKey) -> CheckRecord | None:
        """Return the check that this request created; None if the request was never made.

        Raises:
            RequestIdReused: The request was made before with another payload.
        """
        return _created_by(connection, request)

    @reads
    def requested(self, connection: Connection, request: RequestKey) -> UUID | None:
        """Return the check that a request created, whatever its payload was; None if there is none."""
        return connection.scalars(_requested(request).with_only_columns(requests.c.check_id)).one_or_none()

    @reads
    def expect_allowed(
        self, connection: Connection, marks: Collection[TryMark], *, rules: TryRules, now: datetime
    ) -> None:
        """Test whether a further check of a subject and a portrait may be created.

        Raises:
            TriesExceeded: Too many of their checks failed, or are running.
        """
        expect_allowed(connection, marks, rules=rules, now=now)

    @writes
    def expire_tries(self, connection: Connection, before: datetime) -> int:
        """Delete the tries of checks that were decided before ``before``; return the number of rows."""
        return count_changed(connection, delete(check_tries).where(check_tries.c.time < before))

    @reads
    def get(self, connection: Connection, check_id: UUID, tenant: str | None = None) -> CheckRecord | None:
        """Return the check; None if it is unknown, or belongs to another tenant than a given ``tenant``."""
        record = find_check(connection, check_id)
        return record if record is not None and tenant in {None, record.tenant} else None

    @reads
    def with_attempts(
        self, connection: Connection, check_ids: Collection[UUID]
    ) -> dict[UUID, tuple[CheckRecord, tuple[AttemptRecord, ...]]]:
        """Return checks with their attempts, by number; unknown checks are missing."""
        query = select(attempts).where(attempts.c.check_id.in_(check_ids)).order_by(attempts.c.number)
        made: dict[UUID, list[AttemptRecord]] = {}
        for attempt in find_all(connection, query, AttemptRecord):
            made.setdefault(attempt.check_id, []).append(attempt)
        found = list_checks(connection, CHECKS.where(checks.c.check_id.in_(check_ids)))
        return {record.check_id: (record, tuple(made.get(record.check_id, ()))) for record in found}

    @reads
    def evidence(self, connection: Connection, check_id: UUID) -> tuple[EvidenceEntry, ...]:
        """Return the kept images of a check in the order of the decision; none for an unknown check."""
        return list_evidence(connection, check_id)

    @writes
    def acquire_lease(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        session_key: bytes,
        proven: bool,
        owner: str,
        now: datetime,
        lease_seconds: float,
        try_rules: TryRules | None = None,
    ) -> CheckRecord:
        """Give the lease of a check to a stream, which fences an older stream of the same device.

        The first stream binds its session key to the check; later streams must have the same key. Running
        attempts of older streams end as INTERRUPTED. An older stream whose lease had not expired may still be
        working; it stores the outcome of its attempt itself (``end_superseded``).

        Args:
            session_key: SubjectPublicKeyInfo (DER) of the device's session key.
            proven: Whether the device proved that it holds the key. Public keys can be copied, so only the
                stream that binds the key may omit the proof.
            owner: Name of the replica, at most 128 characters.
            lease_seconds: How long the lease lasts unless it is renewed.
            try_rules: Limits on failed checks, tested for the check's first stream; None for no limits.

        Raises:
            TriesExceeded: Too many checks of the same subject or portrait failed, or are running.
            SessionKeyMismatch: The check is bound to another key.
            SessionKeyUnproven: The check is bound to this key, and the device did not prove that it holds it.
            Conflict: The check is no longer open, or the orchestrator closes it.
        """
        fingerprint = sha256(session_key).digest()
        record = load_in_state(connection, check_id, states=OPEN_STATES)
        if record.closing is not None:
            raise conflict("the orchestrator closes the check", record)
        if record.session_key_sha256 not in {None, fingerprint}:
            raise SessionKeyMismatch("the check is bound to the session key of its first stream")
        if record.session_key_sha256 is not None and not proven:
            raise SessionKeyUnproven("the check is bound to this session key since it was read")
        if try_rules is not None and record.streams == 0:
            begin_tries(connection, check_id, rules=try_rules, now=now)
        # A stream whose lease has not expired will still store the event that ended its attempt.
        _interrupt(connection, check_id, now, ended_by=None if record.held(now) else EndedBy.SERVER_STOPPED)
        change_check(
            connection,
            check_id,
            state=CheckState.SCANNING,
            session_key=session_key,
            session_key_sha256=fingerprint,
            lease_owner=owner,
            lease_epoch=record.lease_epoch + 1,
            lease_until=now + timedelta(seconds=lease_seconds),
            resume_until=None,
            streams=record.streams + 1,
        )
        if record.streams == 0:
            self._outbox.of_check(connection, record, EventKind.SCAN_STARTED, now)
        return load_check(connection, check_id)

    @writes
    def renew_lease(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        epoch: int,
        now: datetime,
        lease_seconds: float,
        bytes_received: int | None = None,
    ) -> bool:
        """Renew a lease; return False if the caller has lost it, or the check is closing or unknown.

        Args:
            lease_seconds: How long the lease lasts from now.
            bytes_received: Bytes of frames received so far, to be stored with it; None leaves the column
                unchanged.
        """
        renewed = (
            update(checks)
            .where(checks.c.check_id == check_id, checks.c.state == CheckState.SCANNING)
            .where(checks.c.lease_epoch == epoch, checks.c.closing.is_(None))
            .values(lease_until=now + timedelta(seconds=lease_seconds))
        )
        if bytes_received is not None:
            renewed = renewed.values(bytes_received=bytes_received)
        return connection.execute(renewed).rowcount == 1

    @writes
    def suspend(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        epoch: int,
        bytes_received: int,
        resume_until: datetime,
    ) -> None:
        """Move a check from SCANNING to WAITING and end its lease, so that the device may reconnect.

        Args:
            bytes_received: Bytes of frames received so far, over all streams.
            resume_until: Until when FinishCheck waits for the device to reconnect.

        Raises:
            Conflict: The caller has lost the lease.
        """
        load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
        changes = _NO_LEASE | {"bytes_received": bytes_received, "resume_until": resume_until}
        change_check(connection, check_id, state=CheckState.WAITING, **changes)

    @writes
    def request_close(self, connection: Connection, check_id: UUID, reason: FailureReason) -> CheckRecord:
        """Refuse further streams of a check, and make the running stream close it.

        A check that is not open, or that is closing already, stays unchanged.

        Args:
            reason: The reason of the end, unless an attempt decides the check.
        """
        record = load_check(connection, check_id, lock=True)
        if record.state not in OPEN_STATES or record.closing is not None:
            return record
        change_check(connection, check_id, closing=reason)
        return load_check(connection, check_id)

    @writes
    def start_attempt(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        epoch: int,
        number: int,
        start_time: datetime,
        mode: Mode = Mode.EXPRESS,
        plan: Plan = Plan.EXPRESS,
    ) -> None:
        """Start an attempt.

        Args:
            number: Its number in the check, from 1.
            mode: How it proves liveness.
            plan: The instructions to the device and the person.

        Raises:
            Conflict: The caller does not hold the lease, or the check already has an attempt of this number.
        """
        record = load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
        same = select(attempts.c.number).where(attempts.c.check_id == check_id, attempts.c.number == number)
        if connection.execute(same).one_or_none() is not None:
            raise conflict(f"there is already an attempt {number}", record)
        connection.execute(
            insert(attempts)
            .values(
                check_id=check_id, number=number, epoch=epoch, start_time=start_time, mode=mode, plan=plan
            )
            .values(counted=False, frames=0, dropped=0, feedback=())
        )

    @writes
    def count_attempt(
        self, connection: Connection, check_id: UUID, *, epoch: int, attempt: int, frames: int
    ) -> None:
        """Count an attempt against the policy's maximum, because enough of its frames were received.

        Args:
            frames: Frames received so far, stored in case the server stops.

        Raises:
            Conflict: The caller does not hold the lease, or no such attempt runs in it.
        """
        check = load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
        _change_running(connection, check, attempt, {"counted": True, "frames": frames})

    @writes
    def end_attempt(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        epoch: int,
        ending: AttemptEnding,
        evidence: tuple[EvidenceEntry, ...] = (),
    ) -> None:
        """End an attempt.

        Args:
            evidence: Images to keep, already durable in the object store.

        Raises:
            Conflict: The caller does not hold the lease, or no such attempt runs in it.
        """
        check = load_in_state(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
        _change_running(connection, check, ending.number, ending.changes())
        _add_evidence(connection, check_id, evidence)

    @writes
    def end_superseded(
        self, connection: Connection, check_id: UUID, *, epoch: int, ending: AttemptEnding
    ) -> None:
        """Store the outcome of a fenced stream's attempt, which ended with the stream's lease.

        Args:
            ending: The attempt and its outcome; its time of end is already stored and stays.

        Raises:
            Conflict: The check is decided, or the attempt's outcome is already complete.
        """
        check = load_in_state(connection, check_id, states=OPEN_STATES)
        _complete_fenced(connection, check, ending, epoch=epoch)

    @reads
    def attempts(self, connection: Connection, check_id: UUID) -> tuple[AttemptRecord, ...]:
        """Return the attempts of a check, by number; none for an unknown check."""
        query = select(attempts).where(attempts.c.check_id == check_id).order_by(attempts.c.number)
        return find_all(connection, query, AttemptRecord)

    @writes
    def decide(
        self,
        connection: Connection,
        check_id: UUID,
        *,
        epoch: int | None,
        decision: Decision,
        ending: AttemptEnding | None = None,
        fenced: int | None = None,
    ) -> None:
        """Store the decision and its evidence in one transaction.

        The lease ends, and the session key and the portrait's template and report are destroyed, because
        nothing may be compared with them any more. Running attempts end as INTERRUPTED: by the decision or,
        if no lease was held, by the stop of their server.

        Args:
            epoch: The caller's lease epoch; None for the sweeper of deadlines and for a fenced stream.
            decision: The decision, with evidence that is already durable in the object store; it is added to
                the evidence of earlier attempts.
            ending: The end of the deciding attempt, if it is not stored yet.
            fenced: The lease epoch of that attempt, if a newer stream has acquired the lease since.

        Raises:
            Conflict: The check is not open, the epoch is not current, or no such attempt runs in it.
        """
        # 1. Lock the check; it must be open.
        now = decision.decide_time
        record = load_in_state(connection, check_id, states=OPEN_STATES, epoch=epoch)
        # 2. Store the end of the deciding attempt.
        if ending is not None and fenced is not None:
            _complete_fenced(connection, record, ending, epoch=fenced)
        elif ending is not None:
            _change_running(connection, record, ending.number, ending.changes())
        # 3. End all other attempts. The server of those whose streams never stored what ended them stopped.
        ended_by = EndedBy.CHECK_CLOSED if record.held(now) else EndedBy.SERVER_STOPPED
        _interrupt(connection, check_id, now, ended_by=ended_by)
        connection.execute(
            update(attempts)
            .where(attempts.c.check_id == check_id)
            .where(*_INCOMPLETE)
            .values(ended_by=EndedBy.SERVER_STOPPED)
        )
        # 4. Store the evidence, its record and the decision, and settle the tries. The record takes over the
        # references, and what the rows of the attempts have in clear.
        _add_evidence(connection, check_id, decision.evidence)
        add_record(connection, record, decision)
        erase_judgements(connection, check_id)
        change_check(
            connection,
            check_id,
            state=CheckState.DECIDED,
            status=decision.status,
            reasons=decision.reasons,
            subject_reference="",
            consent_reference="",
            portrait_report=b"",
            portrait_sha256=None,
            session_key=None,
            session_key_sha256=None,
            decide_time=now,
            outcome_due=None,
            trusted_check=None,
            enrolled_until=decision.enrolled_until,
            retain_until=decision.retain_until,
            images_until=decision.images_until,
            **template_row(None),
            **_NO_LEASE,
        )
        settle_tries(connection, check_id, decision)
        if decision.review is not None:
            add_review(connection, decision.review)
        expired = FailureReason.EXPIRED in decision.reasons
        self._outbox.of_check(
            connection,
            record,
            EventKind.CHECK_EXPIRED if expired else EventKind.CHECK_DECIDED,
            now,
            status=decision.status.value,
            reasons=[reason.value for reason in decision.reasons],
            review=decision.review is not None,
            **({"requested_outcome": True} if decision.requested_outcome else {}),
        )

    @writes
    def finish(
        self,
        connection: Connection,
        check_id: UUID,
        now: datetime,
        *,
        first: AuditEvent | None = None,
        again: AuditEvent | None = None,
    ) -> CheckRecord:
        """Note that the orchestrator received the result; later calls do not change the check.

        Args:
            first: The event that the audit log records if this is the first delivery.
            again: The event that it records if it is not.

        Raises:
            Conflict: The check is not decided, or is erased.
        """
        record = load_in_state(connection, check_id, states=CLOSED_WITH_RESULT)
        event = again
        if record.state is not CheckState.FINISHED:
            change_check(connection, check_id, state=CheckState.FINISHED, finish_time=now)
            record, event = load_check(connection, check_id), first
            self._outbox.of_check(connection, record, EventKind.CHECK_CLOSED, now)
        if event is not None:
            append(connection, event, now=now)
        return record

    @reads
    def due(
        self,
        connection: Connection,
        now: datetime,
        limit: int,
        *,
        after: CheckRecord | None = None,
        outcomes: bool = False,
    ) -> list[CheckRecord]:
        """Return open checks without a lease whose scan deadline has passed, earliest deadline first.

        A stream that holds its check tests the deadline itself and ends with the frames that it has.

        Args:
            after: Return only checks that follow this one in the order.
            outcomes: Return those whose requested outcome is due instead.
        """
        deadline = checks.c.outcome_due if outcomes else checks.c.scan_deadline
        query = (
            CHECKS.where(checks.c.state.in_(OPEN_STATES), deadline <= now)
            .where(or_(checks.c.lease_until.is_(None), checks.c.lease_until <= now))
            .order_by(deadline, checks.c.check_id)
            .limit(limit)
        )
        if after is not None:
            last = after.outcome_due if outcomes else after.scan_deadline
            same = and_(deadline == last, checks.c.check_id > after.check_id)
            query = query.where(or_(deadline > last, same))
        return list_checks(connection, query)

    @reads
    def find(
        self,
        connection: Connection,
        tenant: str,
        *,
        sandbox: bool,
        check_id: UUID | None = None,
        subject: tuple[str, Sequence[str]] | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[CheckRecord]:
        """Return checks that are not erased, newest first.

        Args:
            check_id: Only this check.
            subject: Only those of a person: the reference, which open checks have in clear, and its terms
                under each key that is kept, by which records are found.
            since: Only checks that were created at this time or later.
            before: Only checks that were created earlier.
            after: Only checks that follow this place.
        """
        row = checks.c
        query = CHECKS.where(row.tenant == tenant, row.sandbox == sandbox, row.state != CheckState.ERASED)
        if check_id is not None:
            query = query.where(row.check_id == check_id)
        if subject is not None:
            reference, terms = subject
            in_clear = select(row.check_id).where(
                # The index has no rows with an empty reference.
                row.tenant == tenant,
                row.subject_reference == reference,
                row.subject_reference != "",
            )
            by_record = select(record_terms.c.check_id).where(
                record_terms.c.tenant == tenant, record_terms.c.term.in_(terms)
            )
            query = query.where(row.check_id.in_(union(in_clear, by_record)))
        if since is not None:
            query = query.where(row.create_time >= since)
        if before is not None:
            query = query.where(row.create_time < before)
        page = newest_first(query, row.create_time, row.check_id, after=after, limit=limit)
        return list_checks(connection, page)

    @reads
    def referenced(self, connection: Connection, object_keys: Collection[str]) -> frozenset[str]:
        """Return those of ``object_keys`` that a check's evidence refers to."""
        query = select(evidence.c.object_key).where(evidence.c.object_key.in_(object_keys))
        return frozenset(connection.execute(query).scalars())

    @reads
    def any_check(self, connection: Connection) -> bool:
        """Return whether a check was ever created in this database; erased checks count."""
        return connection.execute(select(checks.c.check_id).limit(1)).first() is not None


def _requested(request: RequestKey) -> Select[tuple[bytes, UUID]]:
    return select(requests.c.payload_sha256, requests.c.check_id).where(
        requests.c.tenant == request.tenant,
        requests.c.method == request.method,
        requests.c.request_id == request.request_id,
    )


def _created_by(connection: Connection, request: RequestKey) -> CheckRecord | None:
    row = connection.execute(_requested(request)).one_or_none()
    if row is None:
        return None
    # The request of an erased check has no hash any more and leads to the tombstone.
    if row.payload_sha256 and row.payload_sha256 != request.payload_sha256:
        raise RequestIdReused
    return load_check(connection, row.check_id)


def _add_evidence(connection: Connection, check_id: UUID, entries: tuple[EvidenceEntry, ...]) -> None:
    """Insert kept images in their order, after the existing ones."""
    if not entries:
        return
    # Rows are inserted one after another, so each counts the rows before it.
    behind = select(func.count()).where(evidence.c.check_id == check_id).scalar_subquery()
    new = [entry_row(entry) | {"check_id": check_id} for entry in entries]
    connection.execute(insert(evidence).values(position=behind), new)


def _change_running(connection: Connection, check: CheckRecord, number: int, values: dict[str, Any]) -> None:
    """Change an attempt that runs under the check's current lease.

    Raises:
        Conflict: There is no such attempt.
    """
    running = _attempt(check, number, check.lease_epoch).where(attempts.c.outcome.is_(None)).values(values)
    if not count_changed(connection, running):
        raise conflict(f"no attempt {number} runs in this stream", check)


def _complete_fenced(
    connection: Connection, check: CheckRecord, ending: AttemptEnding, *, epoch: int
) -> None:
    """Store the late facts of an attempt that a newer stream already ended as INTERRUPTED.

    The attempt's own stream lost its lease to the newer one, and calls this once. The time of end stays.

    Raises:
        Conflict: The attempt is not of this epoch, still runs, or its facts were stored already.
    """
    values = ending.changes()
    del values["end_time"]
    incomplete = _attempt(check, ending.number, epoch).where(*_INCOMPLETE).values(values)
    if not count_changed(connection, incomplete):
        raise conflict(f"attempt {ending.number} can no longer be changed", check)


def _attempt(check: CheckRecord, number: int, epoch: int) -> Update:
    own = attempts.c.check_id == check.check_id, attempts.c.number == number, attempts.c.epoch == epoch
    return update(attempts).where(*own)


def _interrupt(connection: Connection, check_id: UUID, now: datetime, *, ended_by: EndedBy | None) -> None:
    """End every running attempt as INTERRUPTED.

    Args:
        ended_by: The event that ended them; None if their own stream will still store it.
    """
    connection.execute(
        update(attempts)
        .where(attempts.c.check_id == check_id, attempts.c.outcome.is_(None))
        .values(outcome=AttemptOutcome.INTERRUPTED, end_time=now, ended_by=ended_by)
    )
