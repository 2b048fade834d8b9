"""Where a check stands, worked out from what the database holds of it. Pure."""

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

__all__ = ["AttemptProgress", "CheckProgress", "ProgressState", "progress_of"]


class ProgressState(StrEnum):
    """Where a check stands; the names are those of ``facegate.v1.CheckProgress.State``."""

    WAITING = "WAITING"
    """Nobody has scanned yet."""
    SCANNING = "SCANNING"
    """A stream holds the lease."""
    INTERRUPTED = "INTERRUPTED"
    """The last stream was lost, and nothing is decided."""
    DECIDED = "DECIDED"
    """The verdict is durable."""
    CLOSED = "CLOSED"
    """The orchestrator took the verdict."""
    EXPIRED = "EXPIRED"
    """The scan's deadline passed before anything was decided."""


_OWN_DOING = frozenset({EndedBy.SIGNED, EndedBy.REFUSED})
_SCANNABLE = frozenset({ProgressState.WAITING, ProgressState.SCANNING})
_OVER = frozenset({ProgressState.DECIDED, ProgressState.CLOSED, ProgressState.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgress:
    """One attempt, without what was found in it.

    Attributes:
        attempt: Its number in the check, from 1.
        outcome: How it ended; ``None`` while it runs.
        frames: Frames accepted so far.
        start_time: When it began.
        end_time: When it ended; ``None`` while it runs.
        mode: The mode that it uses.
        plan: What it asks for.
        ended_by: What ended it; ``None`` while it runs, and where nobody was left to say.
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
    """Where a check stands.

    Attributes:
        check_id: The check.
        state: Where it stands.
        attempts: The attempts so far, by number.
        resumable_until: Until when the orchestrator has to wait for the device to come back; ``None`` unless
            the state is INTERRUPTED, and where the device may not come back at all.
        scan_deadline: When the scan must be over.
        result_deadline: Until when the result is handed out.
        attempts_remaining: Attempts that may still be made.
        sandbox: Whether a sandbox caller made the check.
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
        """Whether no scan can change it any more."""
        return self.state in _OVER


def progress_of(
    record: CheckRecord, attempts: Sequence[AttemptRecord], *, policy: Policy, now: datetime
) -> CheckProgress:
    """Where a check stands.

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
        # A server that died between judging and deciding: the device gets no further attempt.
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
    """Attempts that may still be made: none once the maximum counted, or too many were too short to count.

    An attempt counts once enough of its frames were accepted. A shorter one is held against the device where
    the device ended it: not where the line was lost, which has a limit of its own, or the server failed.
    """
    short = sum(not attempt.counted and attempt.ended_by in _OWN_DOING for attempt in attempts)
    if short > policy.attempts.uncounted:
        return 0
    return policy.attempts.maximum - sum(attempt.counted for attempt in attempts)


def _state(record: CheckRecord, now: datetime) -> ProgressState:
    if record.state not in OPEN_STATES:
        if record.state is not CheckState.DECIDED:
            return ProgressState.CLOSED
        # Whether the sweep has come by yet makes no difference to the orchestrator.
        expired = FailureReason.EXPIRED in record.reasons
        return ProgressState.EXPIRED if expired else ProgressState.DECIDED
    if record.held(now):
        return ProgressState.SCANNING
    if now >= record.scan_deadline:
        return ProgressState.EXPIRED
    return ProgressState.WAITING if record.state is CheckState.CREATED else ProgressState.INTERRUPTED


def _resumable_until(record: CheckRecord, policy: Policy) -> datetime | None:
    until = record.resume_until
    if record.state is CheckState.SCANNING and record.lease_until is not None:
        # The replica died: nobody wrote when the stream was lost, but the lease says until when it lived.
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
