"""The checks in the database. Each method is one transaction, durable when it returns.

Writers compare before they set: they compare the state and, if a stream writes, the epoch of its lease. A
stream that lost its lease to a newer one therefore cannot write any more and gets ``Conflict``. A transaction
finishes even if its caller is cancelled. The caller passes the time.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

from server.audit import AuditEvent
from server.domain.reasons import FailureReason
from server.domain.state import OPEN_STATES, CheckState
from server.domain.tries import TryMark, TryRules
from server.storage import rows, statements, transitions
from server.storage.database import Database
from server.storage.errors import RowTaken
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckChanges,
    CheckRecord,
    Decision,
    EvidenceEntry,
    NewAttempt,
    NewCheck,
    RequestKey,
)
from server.storage.tries import expect_allowed, expire_tries
from server.storage.uncancelled import uncancelled

__all__ = ["CheckRepository"]

# A new check may share two rows with others: its policy and its request.
_UNIQUE_THINGS = 2


class CheckRepository:
    """The only writer of checks until they are erased (``server.storage.retention``).

    Every method may raise ``StorageUnavailable``. Methods with a ``check_id`` raise ``CheckNotFound`` for an
    unknown check unless they state otherwise.
    """

    def __init__(self, database: Database) -> None:
        """Initialises the repository over ``database``."""
        self._database = database

    @uncancelled
    async def ping(self) -> None:
        """Tests whether this server may use the database, and whether it takes data.

        Raises:
            StorageUnavailable: It does not.
            SchemaOutdated: A newer version of the server shut this one out.
        """
        await self._database.write(statements.probe)

    @uncancelled
    async def create(self, check: NewCheck, request: RequestKey | None) -> CheckRecord:
        """Creates a check, or returns the check that the same request created before.

        Raises:
            RequestIdReused: The request was made before with another payload.
        """
        for _ in range(_UNIQUE_THINGS):
            try:
                return await self._database.write(transitions.create, check, request)
            except RowTaken:
                # Another replica inserted the same policy or request meanwhile; the retry finds it.
                continue
        return await self._database.write(transitions.create, check, request)

    @uncancelled
    async def find_by_request(self, request: RequestKey) -> CheckRecord | None:
        """Returns the check that this request created; None if the request was never made.

        Raises:
            RequestIdReused: The request was made before with another payload.
        """
        return await self._database.read(statements.check_by_request, request)

    @uncancelled
    async def expect_allowed(self, marks: Collection[TryMark], *, rules: TryRules, now: datetime) -> None:
        """Tests whether a further check of a subject and a portrait may be created.

        Raises:
            TriesExceeded: Too many of their checks failed, or are running.
        """
        await self._database.read(expect_allowed, marks, rules=rules, now=now)

    @uncancelled
    async def expire_tries(self, before: datetime) -> int:
        """Deletes the tries of checks that were decided before ``before``; returns the number of rows."""
        return await self._database.write(expire_tries, before)

    @uncancelled
    async def get(self, check_id: UUID, tenant: str | None = None) -> CheckRecord | None:
        """Returns the check; None if it is unknown, or belongs to another tenant than a given ``tenant``."""
        record = await self._database.read(statements.find_check, check_id)
        return record if record is not None and tenant in {None, record.tenant} else None

    @uncancelled
    async def evidence(self, check_id: UUID) -> tuple[EvidenceEntry, ...]:
        """Returns the kept images of a check in the order of the decision; none for an unknown check."""
        return await self._database.read(statements.list_evidence, check_id)

    @uncancelled
    async def transition(
        self,
        check_id: UUID,
        *,
        expected: Collection[CheckState],
        epoch: int | None,
        to: CheckState,
        **changes: Unpack[CheckChanges],
    ) -> CheckRecord:
        """Moves a check along a transition of the state machine. Every state but SCANNING ends the lease.

        Args:
            check_id: The check.
            expected: The states from which the move is allowed.
            epoch: The caller's lease epoch; None for a caller without a lease.
            to: The new state. DECIDED, FINISHED and ERASED have methods of their own.
            **changes: Other columns to change.

        Raises:
            CheckNotFound: There is no such check.
            Conflict: The state is not an expected one, the state machine has no such transition, or the epoch
                is not current.
        """
        return await self._database.write(
            transitions.move, check_id, expected=expected, epoch=epoch, to=to, changes=changes
        )

    @uncancelled
    async def acquire_lease(
        self,
        check_id: UUID,
        *,
        session_key: bytes,
        proven: bool,
        owner: str,
        now: datetime,
        lease_seconds: float,
        try_rules: TryRules | None = None,
    ) -> CheckRecord:
        """Gives the lease of a check to a stream, which fences an older stream of the same device.

        The first stream binds its session key to the check; later streams must have the same key. Running
        attempts of older streams end as INTERRUPTED. An older stream whose lease had not expired may still be
        working; it stores the outcome of its attempt itself (``end_superseded``).

        Args:
            check_id: The check.
            session_key: SubjectPublicKeyInfo (DER) of the device's session key.
            proven: Whether the device proved that it holds the key. Public keys can be copied, so only the
                stream that binds the key may omit the proof.
            owner: Name of the replica, at most 128 characters.
            now: The current time.
            lease_seconds: How long the lease lasts unless it is renewed.
            try_rules: Limits on failed checks, tested for the check's first stream; None for no limits.

        Raises:
            TriesExceeded: Too many checks of the same subject or portrait failed, or are running.
            SessionKeyMismatch: The check is bound to another key.
            SessionKeyUnproven: The check is bound to this key, and the device did not prove that it holds it.
            Conflict: The check is no longer open, or the orchestrator closes it.
        """
        return await self._database.write(
            transitions.acquire_lease,
            check_id,
            session_key=session_key,
            proven=proven,
            owner=owner,
            now=now,
            lease_seconds=lease_seconds,
            try_rules=try_rules,
        )

    @uncancelled
    async def renew_lease(
        self,
        check_id: UUID,
        *,
        epoch: int,
        now: datetime,
        lease_seconds: float,
        bytes_received: int | None = None,
    ) -> bool:
        """Renews a lease; returns False if the caller has lost it, or the check is closing or unknown.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            now: The current time.
            lease_seconds: How long the lease lasts from now.
            bytes_received: Bytes of frames received so far, to be stored with it; None leaves the column
                unchanged.
        """
        values: dict[str, Any] = {"lease_until": now + timedelta(seconds=lease_seconds)}
        if bytes_received is not None:
            values["bytes_received"] = bytes_received
        return await self._database.write(statements.change_leased, check_id, epoch=epoch, values=values)

    async def suspend(
        self, check_id: UUID, *, epoch: int, bytes_received: int, resume_until: datetime
    ) -> CheckRecord:
        """Moves a check from SCANNING to WAITING and ends its lease, so that the device may reconnect.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            bytes_received: Bytes of frames received so far, over all streams.
            resume_until: Until when FinishCheck waits for the device to reconnect.

        Raises:
            Conflict: The caller has lost the lease.
        """
        return await self.transition(
            check_id,
            expected={CheckState.SCANNING},
            epoch=epoch,
            to=CheckState.WAITING,
            bytes_received=bytes_received,
            resume_until=resume_until,
        )

    @uncancelled
    async def request_close(self, check_id: UUID, reason: FailureReason) -> CheckRecord:
        """Refuses further streams of a check, and makes the running stream close it.

        A check that is not open, or that is closing already, stays unchanged.

        Args:
            check_id: The check.
            reason: The reason of the end, unless an attempt decides the check.
        """
        return await self._database.write(transitions.request_close, check_id, reason)

    @uncancelled
    async def start_attempt(self, check_id: UUID, *, epoch: int, attempt: NewAttempt) -> AttemptRecord:
        """Starts an attempt.

        Raises:
            Conflict: The caller does not hold the lease, or the check already has an attempt of this number.
        """
        return await self._database.write(transitions.start_attempt, check_id, epoch=epoch, attempt=attempt)

    @uncancelled
    async def count_attempt(self, check_id: UUID, *, epoch: int, attempt: int, frames: int) -> AttemptRecord:
        """Counts an attempt against the policy's maximum, because enough of its frames were received.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            attempt: The attempt's number.
            frames: Frames received so far, stored in case the server stops.

        Raises:
            Conflict: The caller does not hold the lease, or no such attempt runs in it.
        """
        values = {"counted": True, "frames": frames}
        return await self._database.write(
            transitions.change_attempt, check_id, epoch=epoch, number=attempt, values=values
        )

    @uncancelled
    async def end_attempt(
        self,
        check_id: UUID,
        *,
        epoch: int,
        ending: AttemptEnding,
        evidence: tuple[EvidenceEntry, ...] = (),
    ) -> AttemptRecord:
        """Ends an attempt.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            ending: The attempt and its end.
            evidence: Images to keep, already durable in the object store.

        Raises:
            Conflict: The caller does not hold the lease, or no such attempt runs in it.
        """
        return await self._database.write(
            transitions.change_attempt,
            check_id,
            epoch=epoch,
            number=ending.number,
            values=rows.ending_row(ending),
            evidence=evidence,
        )

    @uncancelled
    async def end_superseded(self, check_id: UUID, *, epoch: int, ending: AttemptEnding) -> AttemptRecord:
        """Stores the outcome of a fenced stream's attempt, which ended with the stream's lease.

        Args:
            check_id: The check.
            epoch: The lease epoch that the stream had.
            ending: The attempt and its outcome; its time of end is already stored and stays.

        Raises:
            Conflict: The check is decided, or the attempt's outcome is already complete.
        """
        return await self._database.write(transitions.complete_attempt, check_id, epoch=epoch, ending=ending)

    @uncancelled
    async def attempts(self, check_id: UUID) -> tuple[AttemptRecord, ...]:
        """Returns the attempts of a check, by number; none for an unknown check."""
        return await self._database.read(statements.list_attempts, check_id)

    @uncancelled
    async def decide(
        self,
        check_id: UUID,
        *,
        epoch: int | None,
        decision: Decision,
        ending: AttemptEnding | None = None,
        fenced: int | None = None,
    ) -> None:
        """Stores the decision and its evidence in one transaction.

        The lease ends, and the portrait's template is destroyed, because nothing may be compared with it any
        more. Running attempts end as INTERRUPTED: by the decision or, if no lease was held, by the stop of
        their server.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch; None for the sweeper of deadlines and for a fenced stream.
            decision: The decision, with evidence that is already durable in the object store; it is added to
                the evidence of earlier attempts.
            ending: The end of the deciding attempt, if it is not stored yet.
            fenced: The lease epoch of that attempt, if a newer stream has acquired the lease since.

        Raises:
            Conflict: The check is not open, the epoch is not current, or no such attempt runs in it.
        """
        await self._database.write(
            transitions.decide, check_id, epoch=epoch, decision=decision, ending=ending, fenced=fenced
        )

    @uncancelled
    async def finish(
        self,
        check_id: UUID,
        now: datetime,
        *,
        first: AuditEvent | None = None,
        again: AuditEvent | None = None,
    ) -> CheckRecord:
        """Notes that the orchestrator received the result; later calls do not change the check.

        Args:
            check_id: The check.
            now: The current time.
            first: The event that the audit log records if this is the first delivery.
            again: The event that it records if it is not.

        Raises:
            Conflict: The check is not decided, or is erased.
        """
        return await self._database.write(transitions.finish, check_id, now, first=first, again=again)

    @uncancelled
    async def due(self, now: datetime, limit: int, *, after: CheckRecord | None = None) -> list[CheckRecord]:
        """Returns open checks without a lease whose scan deadline has passed, earliest deadline first.

        A stream that holds its check tests the deadline itself and ends with the frames that it has.

        Args:
            now: The current time.
            limit: The maximum number of checks.
            after: Return only checks that follow this one in the order.
        """
        return await self._database.read(
            statements.due_checks, states=OPEN_STATES, now=now, limit=limit, after=after
        )

    @uncancelled
    async def referenced(self, object_keys: Collection[str]) -> frozenset[str]:
        """Returns those of ``object_keys`` that a check's evidence refers to."""
        return await self._database.read(statements.referenced_objects, object_keys)

    @uncancelled
    async def any_check(self) -> bool:
        """Returns whether a check was ever created in this database; erased checks count."""
        return await self._database.read(statements.any_check)
