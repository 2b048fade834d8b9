"""Checks in the database: each method is one transaction, durable when it returns.

Writers compare before they set: the state and, where a stream writes, the epoch of its lease. A
stream that lost its lease to a newer one therefore cannot write any more; it gets ``Conflict``.
A method whose caller is cancelled still ends its transaction. The clock is the caller's.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

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
                return await self._database.write(transitions.create, check, request)
            except RowTaken:
                # Another replica inserted the same policy or request since we looked; now it is found.
                continue
        return await self._database.write(transitions.create, check, request)

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
        return await self._database.write(transitions.request_close, check_id, reason)

    @uncancelled
    async def start_attempt(self, check_id: UUID, *, epoch: int, attempt: NewAttempt) -> AttemptRecord:
        """Begins an attempt.

        Raises:
            Conflict: The lease is not the caller's, or the check has an attempt of that number.
        """
        return await self._database.write(transitions.start_attempt, check_id, epoch=epoch, attempt=attempt)

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
            ending: Which one, and how.
            evidence: Pictures to keep, already durable in the object store.

        Raises:
            Conflict: The lease is not the caller's, or no such attempt runs in it.
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
        """What a fenced stream found of its attempt, which ended when a newer stream took the lease.

        Args:
            check_id: The check.
            epoch: The lease epoch that the stream had.
            ending: Which attempt, and what came of it; when it ended stands already.

        Raises:
            Conflict: The check is decided, or nothing is to be said of the attempt any more.
        """
        return await self._database.write(transitions.complete_attempt, check_id, epoch=epoch, ending=ending)

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
        fenced: int | None = None,
    ) -> None:
        """Makes the verdict durable, with its evidence, in one transaction.

        The lease ends, and the portrait's template is destroyed: nothing may compare with it any more. Open
        attempts end as INTERRUPTED: by the decision, or where no lease was held by a server that stopped.

        Args:
            check_id: The check.
            epoch: The caller's lease epoch; None for the sweeper of deadlines and for a fenced stream.
            decision: The verdict, and evidence that is already durable in the object store; it joins
                what earlier attempts left.
            ending: Of the attempt that decides, where its end is still to be written.
            fenced: The lease epoch of that attempt, where a newer stream took the lease since.

        Raises:
            Conflict: The check is not open, the epoch is not current, or no such attempt runs in it.
        """
        await self._database.write(
            transitions.decide, check_id, epoch=epoch, decision=decision, ending=ending, fenced=fenced
        )

    @uncancelled
    async def finish(self, check_id: UUID, now: datetime) -> CheckRecord:
        """Notes that the orchestrator took the verdict; later calls change nothing.

        Raises:
            Conflict: The check is not decided, or is erased.
        """
        return await self._database.write(transitions.finish, check_id, now)

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

    @uncancelled
    async def any_check(self) -> bool:
        """Whether a check was ever created here; erased ones count."""
        return await self._database.read(statements.any_check)
