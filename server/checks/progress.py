"""Derives the progress of a check from its database records. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from server.domain.state import OPEN_STATES, CheckState
from server.domain.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.policies import Policy
from server.storage.records import AttemptRecord, CheckRecord
from server.verdict import FailureReason

__all__ = [
    "AttemptProgress",
    "CheckProgress",
    "ProgressState",
    "attempts_remaining",
    "most_attempts",
    "progress_of",
]


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
class AttemptProgress:
    """One attempt, without its findings.

    Attributes:
        attempt: Its number in the check, from 1.
        outcome: How it ended; ``None`` while it runs.
        frames: Frames received so far.
        start_time: When it began.
        end_time: When it ended; ``None`` while it runs.
        mode: Its mode.
        plan: Its plan.
        ended_by: Why it ended; ``None`` while it runs, and if no process could record the end.
    """

    attempt: int
    outcome: AttemptOutcome | None
    frames: int
    start_time: datetime
    end_time: datetime | None
    mode: Mode
    plan: Plan
    ended_by: EndedBy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckProgress:
    """The progress of a check.

    Attributes:
        check_id: The check.
        state: Its state.
        attempts: The attempts so far, by number.
        resumable_until: Until when the orchestrator has to wait for the device to reconnect; ``None`` unless
            the state is INTERRUPTED and the device may reconnect.
        scan_deadline: When the scan must be over.
        result_deadline: Until when the result can be fetched.
        attempts_remaining: The number of attempts that are left.
        sandbox: Whether a sandbox caller created the check.
    """

    check_id: UUID
    state: ProgressState
    attempts: tuple[AttemptProgress, ...]
    resumable_until: datetime | None
    scan_deadline: datetime
    result_deadline: datetime
    attempts_remaining: int
    sandbox: bool

    @property
    def over(self) -> bool:
        """Whether no scan can change the check any more."""
        return self.state in _OVER


def progress_of(
    record: CheckRecord, attempts: Sequence[AttemptRecord], *, policy: Policy, now: datetime
) -> CheckProgress:
    """Returns the progress of a check.

    Args:
        record: The check, which is not erased.
        attempts: Its attempts, by number.
        policy: Its frozen policy.
        now: The time.
    """
    state = _state(record, now)
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
    """Returns the number of attempts that are left.

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
    """Returns the number of attempts that may count.

    Doubt allows one more than the policy's maximum, unless the scan began with a challenge anyway.
    """
    begins_with_one = policy.doubt is not None and policy.doubt.at_start
    doubted = not begins_with_one and any(attempt.doubts for attempt in attempts)
    return policy.attempts.maximum + doubted


def _state(record: CheckRecord, now: datetime) -> ProgressState:
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


def _attempt(attempt: AttemptRecord) -> AttemptProgress:
    return AttemptProgress(
        attempt=attempt.number,
        outcome=attempt.outcome,
        frames=attempt.frames,
        start_time=attempt.start_time,
        end_time=attempt.end_time,
        mode=attempt.mode,
        plan=attempt.plan,
        ended_by=attempt.ended_by,
    )
