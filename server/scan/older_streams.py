"""The wait for older streams of the same scan: a newer one must not overtake what they are still judging.

A stream that was fenced learns of it within seconds, judges what it has seen, and says what became of its
attempt. Until then, or until its lease would have ended because its server stopped, the newer stream's good
result waits: else whoever shows an attack on one connection and a better one on the next could win the race.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from server.domain.terms import AttemptOutcome
from server.scan.attempt import AttemptRun
from server.scan.environment import ScanEnvironment
from server.storage.records import AttemptRecord

__all__ = ["await_older_attempts", "await_older_streams"]

_TICK_SECONDS = 0.2


async def await_older_streams(
    env: ScanEnvironment, run: AttemptRun, attempts: tuple[AttemptRecord, ...]
) -> tuple[AttemptRecord, ...]:
    """Waits until every older stream has said what became of its attempt.

    Args:
        env: What every stream shares.
        run: The attempt that is to be decided.
        attempts: The check's attempts as they were read last.

    Returns:
        The check's attempts by then.

    Raises:
        LeaseLost: A still newer stream took over, or an older one decided the check.
    """
    lease = timedelta(seconds=env.settings.lease_seconds)
    while any(attempt.counted for attempt in _unsaid(attempts, now=env.clock.now(), lease=lease)):
        await asyncio.sleep(_TICK_SECONDS)
        await run.renew_lease()
        attempts = await env.repository.attempts(run.check_id)
    return attempts


async def await_older_attempts(env: ScanEnvironment, check_id: UUID) -> tuple[AttemptRecord, ...]:
    """The check's attempts, once every older stream has said what became of its own.

    For a stream that closes the check without a judgement: its lease began when the attempts of older streams
    ended, so it lasts as long as this waits.
    """
    lease = timedelta(seconds=env.settings.lease_seconds)
    attempts = await env.repository.attempts(check_id)
    while _unsaid(attempts, now=env.clock.now(), lease=lease):
        await asyncio.sleep(_TICK_SECONDS)
        attempts = await env.repository.attempts(check_id)
    return attempts


def _unsaid(attempts: Iterable[AttemptRecord], *, now: datetime, lease: timedelta) -> list[AttemptRecord]:
    """Attempts that ended with their lease, and on which their streams may still work."""
    return [
        attempt
        for attempt in attempts
        if attempt.outcome is AttemptOutcome.INTERRUPTED
        and attempt.ended_by is None
        and attempt.end_time is not None
        and now < attempt.end_time + lease
    ]
