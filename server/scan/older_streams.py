"""Waits for older streams of the same scan, so that a newer stream cannot decide before they have judged.

A stream that was fenced notices it within seconds, judges its frames and stores the outcome of its attempt.
The newer stream's good result waits until then, or until the older lease would have expired because its
server stopped. Otherwise an attacker could show an attack on one connection and a better one on the next, and
win the race.
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
    """Waits until every older stream has stored the outcome of its counted attempts.

    Args:
        env: The environment that all streams share.
        run: The attempt that is to be decided.
        attempts: The check's attempts as last read.

    Returns:
        The check's attempts after the wait.

    Raises:
        LeaseLost: A still newer stream took over, or an older one decided the check.
    """
    lease = timedelta(seconds=env.limits.lease_seconds)
    while any(attempt.counted for attempt in _still_judging(attempts, now=env.clock.now(), lease=lease)):
        await asyncio.sleep(_TICK_SECONDS)
        await run.renew_lease()
        attempts = await env.repository.attempts(run.check_id)
    return attempts


async def await_older_attempts(env: ScanEnvironment, check_id: UUID) -> tuple[AttemptRecord, ...]:
    """Waits until every older stream has stored the outcome of its attempts, and returns all attempts.

    For a stream that closes the check without a judgement. Its lease began when the attempts of older streams
    ended, so it lasts as long as this wait.
    """
    lease = timedelta(seconds=env.limits.lease_seconds)
    attempts = await env.repository.attempts(check_id)
    while _still_judging(attempts, now=env.clock.now(), lease=lease):
        await asyncio.sleep(_TICK_SECONDS)
        attempts = await env.repository.attempts(check_id)
    return attempts


def _still_judging(
    attempts: Iterable[AttemptRecord], *, now: datetime, lease: timedelta
) -> list[AttemptRecord]:
    """Returns the attempts that ended with their lease and that their streams may still be judging."""
    return [
        attempt
        for attempt in attempts
        if attempt.outcome is AttemptOutcome.INTERRUPTED
        and attempt.ended_by is None
        and attempt.end_time is not None
        and now < attempt.end_time + lease
    ]
