"""GetCheck and WatchCheck: the progress of a check, from its records. Nothing here changes a check."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

import structlog

from server.base.errors import Reason, Refusal
from server.checks.refusals import check_not_found, result_erased
from server.checks.reviews import review_standing
from server.domain.reviews import ReviewStanding
from server.domain.terms import OPEN_STATES, AttemptOutcome, CheckState, EndedBy
from server.evidence.records import RecordVault
from server.policies import Policy, parse_policy
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import AttemptRecord, CheckRecord
from server.storage.repository import CheckRepository
from server.storage.reviews import ReviewRepository
from server.verdict import FailureReason
from server.verdict.outcome import AttemptOutline
from server.verdict.record import RecordUnreadable


class ProgressState(StrEnum):
    """The state of a check; the names are those of ``facegate.v1.CheckProgress.State``."""

    WAITING = "WAITING"
    """No device has scanned yet."""
    SCANNING = "SCANNING"
    """A stream holds the lease."""
    INTERRUPTED = "INTERRUPTED"
    """The last stream was lost, and the check is not decided."""
    DECIDED = "DECIDED"
    """The decision is stored."""
    CLOSED = "CLOSED"
    """The orchestrator has fetched the result."""
    EXPIRED = "EXPIRED"
    """The scan deadline passed before the check was decided."""


_SCANNABLE = frozenset({ProgressState.WAITING, ProgressState.SCANNING})
_OVER = frozenset({ProgressState.DECIDED, ProgressState.CLOSED, ProgressState.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProgress:
    """The progress of a check.

    Attributes:
        attempts: The attempts so far, by number, without their findings.
        resumable_until: Until when the orchestrator has to wait for the device to reconnect; ``None`` unless
            the state is INTERRUPTED and the device may reconnect.
        scan_deadline: When the scan must be over.
        result_deadline: Until when the result can be fetched.
        attempts_remaining: The number of attempts that are left.
        review: The review of the decided check by people; ``None`` if there is none.
    """

    check_id: UUID
    state: ProgressState
    attempts: tuple[AttemptOutline, ...]
    resumable_until: datetime | None
    scan_deadline: datetime
    result_deadline: datetime
    attempts_remaining: int
    sandbox: bool
    review: ReviewStanding | None = None

    @property
    def over(self) -> bool:
        """Whether no scan can change the check any more."""
        return self.state in _OVER


async def check_of_caller(
    repository: CheckRepository, check_id: UUID, *, tenant: str, sandbox: bool
) -> CheckRecord:
    """Return a check of a caller; a sandbox caller finds sandbox checks only.

    Raises:
        Refusal: CHECK_NOT_FOUND.
    """
    record = await repository.get(check_id, tenant)
    if record is None or (sandbox and not record.sandbox):
        raise check_not_found()
    return record


def progress_of(
    record: CheckRecord, attempts: Sequence[AttemptRecord], *, policy: Policy, now: datetime
) -> CheckProgress:
    """Return the progress of a check.

    Args:
        record: The check, which is not erased.
        attempts: Its attempts, by number.
    """
    state = progress_state(record, now)
    remaining = max(0, attempts_remaining(attempts, policy))
    resumable = (
        state is ProgressState.INTERRUPTED
        and remaining > 0
        and record.closing is None
        and record.streams <= policy.attempts.reconnects
        # If a server stopped between the judgement and the decision, the device gets no further attempt.
        and not any(attempt.outcome is AttemptOutcome.DECIDED for attempt in attempts)
    )
    return CheckProgress(
        check_id=record.check_id,
        state=state,
        attempts=tuple(_attempt(attempt) for attempt in attempts),
        resumable_until=_resumable_until(record, policy) if resumable else None,
        scan_deadline=record.scan_deadline,
        result_deadline=record.result_deadline,
        attempts_remaining=remaining if resumable or state in _SCANNABLE else 0,
        sandbox=record.sandbox,
    )


def attempts_remaining(attempts: Sequence[AttemptRecord], policy: Policy) -> int:
    """Return the number of attempts that are left.

    None is left after ``most_attempts`` counted, or after too many were too short to count. An attempt counts
    if enough of its frames were received. A shorter attempt is held against the device only if the device
    signed its end. One that broke off, as on a bad line, ended its stream, and the number of streams has a
    limit of its own; one that the server broke off is not held against anybody.
    """
    short = sum(not attempt.counted and attempt.ended_by is EndedBy.SIGNED for attempt in attempts)
    if short > policy.attempts.uncounted:
        return 0
    return most_attempts(attempts, policy) - sum(attempt.counted for attempt in attempts)


def most_attempts(attempts: Sequence[AttemptRecord], policy: Policy) -> int:
    """Return the number of attempts that may count.

    Doubt allows one more than the policy's maximum, unless the scan began with a challenge anyway.
    """
    begins_with_one = policy.doubt is not None and policy.doubt.at_start
    doubted = not begins_with_one and any(attempt.doubts for attempt in attempts)
    return policy.attempts.maximum + doubted


def progress_state(record: CheckRecord, now: datetime) -> ProgressState:
    """Return the state of a check that is not erased."""
    if record.state not in OPEN_STATES:
        if record.state is not CheckState.DECIDED:
            return ProgressState.CLOSED
        # The orchestrator gets the same state before and after the sweep has decided an expired check.
        expired = FailureReason.EXPIRED in (record.reasons or ())
        return ProgressState.EXPIRED if expired else ProgressState.DECIDED
    if record.held(now):
        return ProgressState.SCANNING
    if now >= record.scan_deadline:
        return ProgressState.EXPIRED
    return ProgressState.WAITING if record.state is CheckState.CREATED else ProgressState.INTERRUPTED


def _resumable_until(record: CheckRecord, policy: Policy) -> datetime | None:
    until = record.resume_until
    if record.state is CheckState.SCANNING and record.lease_until is not None:
        # The replica stopped: the time of the loss was not stored, but the lease states how long it ran.
        until = record.lease_until + timedelta(seconds=policy.deadlines.resume_seconds)
    return None if until is None else min(until, record.scan_deadline)


def _attempt(attempt: AttemptRecord) -> AttemptOutline:
    return AttemptOutline(
        attempt=attempt.number,
        outcome=attempt.outcome,
        frames=attempt.frames,
        start_time=attempt.start_time,
        end_time=attempt.end_time,
        mode=attempt.mode,
        plan=attempt.plan,
        ended_by=attempt.ended_by,
        verdict=None,
        feedback=(),
    )


_Read = tuple[CheckRecord, tuple[AttemptRecord, ...]]
_POLL_SECONDS: Final = 0.5
_REVIEW_POLL_SECONDS: Final = 2.0
"""People take minutes, and a watch may wait for them for days."""
_RECONNECT_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class CheckInquiry:
    """Reports the progress of checks to orchestrators.

    The state is in the database only, so every replica can report it, regardless of which one serves the
    scan.
    """

    repository: CheckRepository
    records: EvidenceRecordRepository
    reviews: ReviewRepository
    vault: RecordVault
    now: Callable[[], datetime]
    draining: asyncio.Event
    _waiting: dict[UUID, list[asyncio.Future[_Read | None]]] = field(default_factory=dict, init=False)
    _batch: asyncio.Task[None] | None = field(default=None, init=False)

    async def progress(self, check_id: UUID, *, tenant: str, sandbox: bool) -> CheckProgress:
        """Return the progress of a check.

        Raises:
            Refusal: CHECK_NOT_FOUND or RESULT_EXPIRED.
        """
        record = await check_of_caller(self.repository, check_id, tenant=tenant, sandbox=sandbox)
        return await self._progress_of(record, await self.repository.attempts(check_id))

    async def _progress_of(self, record: CheckRecord, attempts: Sequence[AttemptRecord]) -> CheckProgress:
        if record.state is CheckState.ERASED:
            raise result_erased()
        if record.reasons is None:
            record = await self._with_sealed_reasons(record)
        policy, now = frozen_policy(record.policy_source), self.now()
        progress = progress_of(record, attempts, policy=policy, now=now)
        return replace(progress, review=await review_standing(self.reviews, record, policy=policy, now=now))

    async def _with_sealed_reasons(self, record: CheckRecord) -> CheckRecord:
        """Return a check with the reasons of its evidence record, because those outside were altered."""
        _log.error("evidence_index_altered", check_id=str(record.check_id), facts=("reasons",))
        stored = await self.records.find(record.check_id)
        if stored is None:
            return record
        try:
            sealed = self.vault.open(stored)
        except RecordUnreadable:
            return record
        return replace(record, reasons=tuple(sealed.outcome.verdict.reasons))

    async def changes(
        self,
        check_id: UUID,
        *,
        tenant: str,
        sandbox: bool,
        admit: Callable[[], None],
        until_reviewed: bool = False,
    ) -> AsyncGenerator[CheckProgress, None]:
        """Yield the progress of a check now and after each change, until no scan can change it any more.

        Args:
            until_reviewed: Whether to go on until people have reviewed the check, if they do.
            admit: Raises if the caller may no longer call; called after each read.

        Raises:
            Refusal: CHECK_NOT_FOUND, RESULT_EXPIRED, a refusal of ``admit``, or NOT_SERVING as soon as the
                server shuts down.
        """
        sent: CheckProgress | None = None
        while True:
            if self.draining.is_set():
                raise Refusal(
                    Reason.NOT_SERVING,
                    "the server is shutting down; watch the check again",
                    retry_after=_RECONNECT_SECONDS,
                )
            if sent is None:
                progress = await self.progress(check_id, tenant=tenant, sandbox=sandbox)
            else:
                progress = await self._read_again(check_id)
            admit()
            if progress != sent:
                yield progress
                sent = progress
            reviewed = not until_reviewed or progress.review is None or progress.review.over
            if progress.over and reviewed:
                return
            if progress.over:
                await self._pause(_REVIEW_POLL_SECONDS)

    async def _read_again(self, check_id: UUID) -> CheckProgress:
        """Return the progress in half a second, read together with those of all other watched checks.

        A read for each check twice a second would keep other calls from the database.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(check_id, []).append(future)
        if self._batch is None:
            self._batch = asyncio.create_task(self._read_batch())
        read = await future
        if read is None:
            raise check_not_found()
        return await self._progress_of(*read)

    async def _read_batch(self) -> None:
        await self._pause(_POLL_SECONDS)
        waiting, self._waiting, self._batch = self._waiting, {}, None
        try:
            found = await self.repository.with_attempts(waiting)
        except Exception as error:  # noqa: BLE001 - each watch raises it to its caller
            for future in (one for futures in waiting.values() for one in futures if not one.done()):
                future.set_exception(error)
            return
        for check_id, futures in waiting.items():
            for future in futures:
                # A watch whose caller has gone waits no more.
                if not future.done():
                    future.set_result(found.get(check_id))

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.draining.wait()
        except TimeoutError:
            pass


@lru_cache(maxsize=64)
def frozen_policy(source: bytes) -> Policy:
    """Parse a frozen policy; cached, because checks share a few policies."""
    return parse_policy(source, origin="the policy of a check").policy
