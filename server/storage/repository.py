"""Checks in the database: each method is one transaction, durable when it returns.

Writers compare before they set: the state and, where a stream writes, the epoch of its lease. A
stream that lost its lease to a newer one therefore cannot write any more; it gets ``Conflict``.
A method whose caller is cancelled still ends its transaction. The clock is the caller's.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Unpack
from uuid import UUID

from sqlalchemy import Connection

from server.domain.reasons import FailureReason
from server.domain.state import CLOSED_WITH_RESULT, OPEN_STATES, CheckState, may_become
from server.domain.terms import EndedBy
from server.domain.tries import TryMark, TryRules
from server.storage import rows, statements
from server.storage.database import Database
from server.storage.errors import RowTaken, SessionKeyMismatch, SessionKeyUnproven
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
from server.storage.tries import add_tries, begin_tries, expect_allowed, expire_tries, settle_tries
from server.storage.uncancelled import uncancelled

__all__ = ["CheckRepository"]

# What a new check may share with others: its policy, and its request.
_UNIQUE_THINGS = 2


class CheckRepository:
    """The one writer of checks until they are erased (``server.storage.retention``).

    Every method may raise ``StorageUnavailable``; those that take a ``check_id`` raise
    ``CheckNotFound`` for an unknown one, where they do not say otherwise.
    """

    def __init__(self, database: Database) -> None:
        """Works over ``database``."""
        self._database = database

    @uncancelled
    async def ping(self) -> None:
        """Makes sure that the database answers.

        Raises:
            StorageUnavailable: It does not.
        """
        await self._database.read(statements.probe)

    @uncancelled
    async def create(self, check: NewCheck, request: RequestKey | None) -> CheckRecord:
        """Creates a check, or gives the one that the same request created before.

        Raises:
            RequestIdReused: The request was made before with another payload.
        """
        for _ in range(_UNIQUE_THINGS):
            try:
                return await self._create(check, request)
            except RowTaken:
                # Another replica inserted the same policy or request since we looked; now it is found.
                continue
        return await self._create(check, request)

    @uncancelled
    async def find_by_request(self, request: RequestKey) -> CheckRecord | None:
        """The check that this request created; None where it was never made.

        Raises:
            RequestIdReused: The request was made before with another payload.
        """
        return await self._database.read(statements.check_by_request, request)

    @uncancelled
    async def expect_allowed(self, marks: Collection[TryMark], *, rules: TryRules, now: datetime) -> None:
        """Makes sure that a further check of a subject and a portrait may be made.

        Raises:
            TriesExceeded: Too many of them failed, or run now.
        """
        await self._database.read(expect_allowed, marks, rules=rules, now=now)

    @uncancelled
    async def expire_tries(self, before: datetime) -> int:
        """Forgets checks that failed earlier; how many rows."""
        return await self._database.write(expire_tries, before)

    @uncancelled
    async def get(self, check_id: UUID, tenant: str | None = None) -> CheckRecord | None:
        """The check; None for an unknown one, and for one of another tenant where ``tenant`` is given."""
        record = await self._database.read(statements.find_check, check_id)
        return record if record is not None and tenant in {None, record.tenant} else None

    @uncancelled
    async def evidence(self, check_id: UUID) -> tuple[EvidenceEntry, ...]:
        """The kept pictures of a check, in the order of the decision; none for an unknown check."""
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
        """Moves a check along a line of the state machine.

        Args:
            check_id: The check.
            expected: The states in which the move is meant.
            epoch: The caller's lease epoch; None for a caller without a lease.
            to: The new state. DECIDED, FINISHED and ERASED have methods of their own.
            **changes: What else changes.

        Raises:
            Conflict: The state is not an expected one, the machine has no such line, or the epoch is
                not current.
        """

        def work(connection: Connection) -> CheckRecord:
            record = statements.expect(connection, check_id, states=expected, epoch=epoch)
            if to not in OPEN_STATES or not may_become(record.state, to):
                raise statements.conflict(f"a check cannot be moved to {to.value} this way", record)
            left = {} if to is CheckState.SCANNING else rows.NO_LEASE
            return statements.change(connection, check_id, {"state": to.value, **left, **changes})

        return await self._database.write(work)

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
        """Gives the scan to a stream; an older stream of the same device is fenced from now on.

        The first stream binds its session key to the check; later ones must come with the same.
        Attempts of older streams that are still open end as INTERRUPTED. An older stream whose lease had not
        run out may still work, and says itself what its attempt amounts to (``end_superseded``).

        Args:
            check_id: The check.
            session_key: SubjectPublicKeyInfo (DER) of the device's session key.
            proven: Whether the device proved to hold it. Public keys can be copied: only the stream
                that binds the key may come without the proof.
            owner: Names the replica, at most 128 characters.
            now: The time.
            lease_seconds: How long the lease lasts unless renewed.
            try_rules: Limits over several checks, for the check's first stream; None for no limits.

        Raises:
            TriesExceeded: Too many checks of the same subject or portrait failed, or run now.
            SessionKeyMismatch: The check is bound to another key.
            SessionKeyUnproven: The check is bound to this key, and the device did not prove to hold it.
            Conflict: The check is no longer open, or the orchestrator closes it.
        """
        fingerprint = sha256(session_key).digest()

        def work(connection: Connection) -> CheckRecord:
            record = statements.expect(connection, check_id, states=OPEN_STATES, epoch=None)
            if record.closing is not None:
                raise statements.conflict("the orchestrator closes the check", record)
            if record.session_key_sha256 not in {None, fingerprint}:
                raise SessionKeyMismatch("the check is bound to the session key of its first stream")
            if record.session_key_sha256 is not None and not proven:
                raise SessionKeyUnproven("the check is bound to this session key since it was read")
            if try_rules is not None and record.streams == 0:
                begin_tries(connection, check_id, rules=try_rules, now=now)
            ended_by = None if record.held(now) else EndedBy.SERVER_STOPPED
            statements.interrupt_attempts(connection, check_id, now, ended_by=ended_by)
            return statements.change(
                connection,
                check_id,
                {
                    "state": CheckState.SCANNING.value,
                    "session_key": session_key,
                    "session_key_sha256": fingerprint,
                    "lease_owner": owner,
                    "lease_epoch": record.lease_epoch + 1,
                    "lease_until": now + timedelta(seconds=lease_seconds),
                    "resume_until": None,
                    "streams": record.streams + 1,
                },
            )

        return await self._database.write(work)

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
        """Prolongs a lease; False where it is no longer the caller's, or the check is closing or unknown.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            now: The time.
            lease_seconds: How long the lease lasts from now.
            bytes_received: Bytes of frames received so far, to be noted on the way; None to leave it.
        """
        values: dict[str, Any] = {"lease_until": now + timedelta(seconds=lease_seconds)}
        if bytes_received is not None:
            values["bytes_received"] = bytes_received
        return await self._database.write(statements.change_leased, check_id, epoch=epoch, values=values)

    async def suspend(
        self, check_id: UUID, *, epoch: int, bytes_received: int, resume_until: datetime
    ) -> CheckRecord:
        """SCANNING becomes WAITING, and the lease ends: the device may come back.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            bytes_received: Bytes of frames received so far, over all streams.
            resume_until: Until when FinishCheck waits for the device to come back.

        Raises:
            Conflict: The lease is no longer the caller's.
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
        """Lets no further stream begin, and tells the one that runs to close the check.

        A check that is not open, or that is closing already, stays as it is.

        Args:
            check_id: The check.
            reason: Why it ends, where nothing that was seen decides it.
        """

        def work(connection: Connection) -> CheckRecord:
            record = statements.load_check(connection, check_id, lock=True)
            if record.state not in OPEN_STATES or record.closing is not None:
                return record
            return statements.change(connection, check_id, {"closing": reason.value})

        return await self._database.write(work)

    @uncancelled
    async def start_attempt(self, check_id: UUID, *, epoch: int, attempt: NewAttempt) -> AttemptRecord:
        """Begins an attempt.

        Raises:
            Conflict: The lease is not the caller's, or the check has an attempt of that number.
        """

        def work(connection: Connection) -> AttemptRecord:
            record = statements.expect(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
            if statements.list_attempts(connection, check_id, number=attempt.number):
                raise statements.conflict(f"there is an attempt {attempt.number} already", record)
            return statements.add_attempt(connection, check_id, epoch=epoch, attempt=attempt)

        return await self._database.write(work)

    @uncancelled
    async def count_attempt(self, check_id: UUID, *, epoch: int, attempt: int, frames: int) -> AttemptRecord:
        """Counts an attempt against the policy's maximum: enough of its frames were accepted.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch.
            attempt: The attempt's number.
            frames: Frames accepted so far; what is known of them should the server stop now.

        Raises:
            Conflict: The lease is not the caller's, or no such attempt runs in it.
        """
        return await self._change_attempt(check_id, epoch, attempt, {"counted": True, "frames": frames})

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
            ending: Which one, and how.
            evidence: Pictures to keep, already durable in the object store.

        Raises:
            Conflict: The lease is not the caller's, or no such attempt runs in it.
        """
        return await self._change_attempt(check_id, epoch, ending.number, rows.ending_row(ending), evidence)

    @uncancelled
    async def end_superseded(self, check_id: UUID, *, epoch: int, ending: AttemptEnding) -> AttemptRecord:
        """What a fenced stream found of its attempt, which ended when a newer stream took the lease.

        Args:
            check_id: The check.
            epoch: The lease epoch that the stream had.
            ending: Which attempt, and what came of it; when it ended stands already.

        Raises:
            Conflict: The check is decided, or nothing is to be said of the attempt any more.
        """

        def work(connection: Connection) -> AttemptRecord:
            record = statements.expect(connection, check_id, states=OPEN_STATES, epoch=None)
            values = rows.ending_row(ending)
            del values["end_time"]
            return statements.complete_attempt(connection, record, ending.number, epoch=epoch, values=values)

        return await self._database.write(work)

    @uncancelled
    async def attempts(self, check_id: UUID) -> tuple[AttemptRecord, ...]:
        """The attempts of a check, by number; none for an unknown check."""
        return await self._database.read(statements.list_attempts, check_id)

    @uncancelled
    async def decide(
        self,
        check_id: UUID,
        *,
        epoch: int | None,
        decision: Decision,
        ending: AttemptEnding | None = None,
    ) -> None:
        """Makes the verdict durable, with its evidence, in one transaction.

        The lease ends, and the portrait's template is destroyed: nothing may compare with it any more. Open
        attempts end as INTERRUPTED: by the decision, or where no lease was held by a server that stopped.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch; None for the sweeper of deadlines.
            decision: The verdict, and evidence that is already durable in the object store; it joins
                what earlier attempts left.
            ending: Of the attempt of that epoch that decides, where it still runs.

        Raises:
            Conflict: The check is not open, the epoch is not current, or no such attempt runs in it.
        """

        def work(connection: Connection) -> None:
            now = decision.decide_time
            record = statements.expect(connection, check_id, states=OPEN_STATES, epoch=epoch)
            if ending is not None:
                statements.change_attempt(connection, record, ending.number, rows.ending_row(ending))
            ended_by = EndedBy.CHECK_CLOSED if record.held(now) else EndedBy.SERVER_STOPPED
            statements.interrupt_attempts(connection, check_id, now, ended_by=ended_by)
            statements.give_up_waiting(connection, check_id)
            statements.add_evidence(connection, check_id, decision.evidence)
            statements.set_values(connection, check_id, rows.decision_row(decision))
            settle_tries(connection, check_id, decision)

        await self._database.write(work)

    @uncancelled
    async def finish(self, check_id: UUID, now: datetime) -> CheckRecord:
        """Notes that the orchestrator took the verdict; later calls change nothing.

        Raises:
            Conflict: The check is not decided, or is erased.
        """

        def work(connection: Connection) -> CheckRecord:
            record = statements.expect(connection, check_id, states=CLOSED_WITH_RESULT, epoch=None)
            if record.state is CheckState.FINISHED:
                return record
            values = {"state": CheckState.FINISHED.value, "finish_time": now}
            return statements.change(connection, check_id, values)

        return await self._database.write(work)

    @uncancelled
    async def due(self, now: datetime, limit: int, *, after: CheckRecord | None = None) -> list[CheckRecord]:
        """Open checks whose scan deadline passed and that no stream holds, earliest deadline first.

        A stream that holds its check sees the deadline itself and ends with what it has.

        Args:
            now: The time.
            limit: At most so many.
            after: Only those that follow this one in the list.
        """
        return await self._database.read(
            statements.due_checks, states=OPEN_STATES, now=now, limit=limit, after=after
        )

    @uncancelled
    async def referenced(self, object_keys: Collection[str]) -> frozenset[str]:
        """Those of ``object_keys`` that a check's evidence refers to."""
        return await self._database.read(statements.referenced_objects, object_keys)

    async def _create(self, check: NewCheck, request: RequestKey | None) -> CheckRecord:
        def work(connection: Connection) -> CheckRecord:
            if request is not None:
                existing = statements.check_by_request(connection, request)
                if existing is not None:
                    return existing
            statements.add_check(connection, check, request)
            add_tries(connection, check.check_id, check.tries, check.create_time)
            return statements.load_check(connection, check.check_id)

        return await self._database.write(work)

    async def _change_attempt(
        self,
        check_id: UUID,
        epoch: int,
        number: int,
        values: Mapping[str, Any],
        kept: tuple[EvidenceEntry, ...] = (),
    ) -> AttemptRecord:
        def work(connection: Connection) -> AttemptRecord:
            record = statements.expect(connection, check_id, states={CheckState.SCANNING}, epoch=epoch)
            changed = statements.change_attempt(connection, record, number, values)
            statements.add_evidence(connection, check_id, kept)
            return changed

        return await self._database.write(work)
