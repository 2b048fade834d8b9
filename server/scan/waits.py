"""The waits at the end of an attempt: for older streams, for missing evidence, and for the person.

A newer stream of a scan cannot decide before the older ones have judged. A stream that was fenced notices it
within seconds, judges its frames and stores the outcome of its attempt. The newer stream's good result waits
until then, or until the older lease would have expired because its server stopped. Otherwise an attacker
could show an attack on one connection and a better one on the next, and win the race.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from server.base.errors import Reason, Refusal
from server.domain.terms import AttemptOutcome
from server.scan.attempt import AttemptRun
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttemptReadyMessage, AttestationMessage, Capability
from server.storage.records import AttemptRecord

_OLDER_TICK_SECONDS = 0.2
_TICK_SECONDS = 0.5


async def await_older_streams(
    env: ScanEnvironment, run: AttemptRun, attempts: tuple[AttemptRecord, ...]
) -> tuple[AttemptRecord, ...]:
    """Waits until every older stream has stored the outcome of its counted attempts.

    Args:
        attempts: The check's attempts as last read.

    Returns:
        The check's attempts after the wait.

    Raises:
        LeaseLost: A still newer stream took over, or an older one decided the check.
    """
    lease = timedelta(seconds=env.settings.lease_seconds)
    while any(attempt.counted for attempt in _still_judging(attempts, now=env.clock.now(), lease=lease)):
        await asyncio.sleep(_OLDER_TICK_SECONDS)
        await run.renew_lease()
        attempts = await env.repository.attempts(run.check_id)
    return attempts


async def await_older_attempts(env: ScanEnvironment, check_id: UUID) -> tuple[AttemptRecord, ...]:
    """Waits until every older stream has stored the outcome of its attempts, and returns all attempts.

    For a stream that closes the check without a judgement. Its lease began when the attempts of older streams
    ended, so it lasts as long as this wait.
    """
    lease = timedelta(seconds=env.settings.lease_seconds)
    attempts = await env.repository.attempts(check_id)
    while _still_judging(attempts, now=env.clock.now(), lease=lease):
        await asyncio.sleep(_OLDER_TICK_SECONDS)
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


async def await_evidence(env: ScanEnvironment, stream: OpenStream, run: AttemptRun, inbox: Inbox) -> None:
    """Receives evidence until the policy demands no more, or until its grace period or the scan ends.

    Any other message or error ends the wait without deciding anything; the attempt is then judged from the
    frames received so far.

    Raises:
        LeaseLost: A newer stream took over.
        StorageUnavailable: The database failed.
    """
    clock = env.clock
    until = clock.monotonic() + stream.policy.deadlines.attestation_grace_seconds
    while await stream.evidence.is_awaited():
        await run.renew_lease()
        left = min(until - clock.monotonic(), (stream.record.scan_deadline - clock.now()).total_seconds())
        if left <= 0 or inbox.over:
            return
        try:
            arrival = await inbox.next(timeout=min(left, _TICK_SECONDS))
            if arrival is None:
                continue
            if not isinstance(arrival.message, AttestationMessage):
                return
            stream.evidence.begin_verification(arrival.message)
        except Exception:  # noqa: BLE001 - an error of the stream must not undo the attempt
            return


def ready_within(env: ScanEnvironment, stream: OpenStream) -> float | None:
    """Returns the seconds for which the next attempt waits for the device; ``None`` if it begins at once."""
    if Capability.READY not in stream.start.capabilities:
        return None
    until_deadline = (stream.record.scan_deadline - env.clock.now()).total_seconds()
    return max(0.0, min(float(stream.policy.deadlines.ready_seconds), until_deadline))


async def await_ready(
    env: ScanEnvironment, stream: OpenStream, run: AttemptRun, inbox: Inbox, *, result_sent: float
) -> None:
    """Waits until the device reports that the person is ready, or the server is about to stop.

    The stream keeps its lease meanwhile, and evidence is still accepted.

    Args:
        result_sent: When the attempt's result was sent, seconds of the monotonic clock.

    Raises:
        Refusal: The device took too long (STREAM_IDLE), or sent another message (UNEXPECTED_MESSAGE).
        StreamEnded: The device half-closed.
        LeaseLost: A newer stream took over.
        ScanDeadlinePassed: The scan's deadline passed.
    """
    clock, seconds = env.clock, float(stream.policy.deadlines.ready_seconds)
    while not env.running.draining.is_set():
        await run.renew_lease()
        until_deadline = (stream.record.scan_deadline - clock.now()).total_seconds()
        if until_deadline <= 0:
            raise ScanDeadlinePassed
        left = result_sent + seconds - clock.monotonic()
        if left <= 0:
            raise Refusal(
                Reason.STREAM_IDLE,
                f"`attempt_ready` did not arrive within {seconds:g} seconds; reconnect with `resume` when "
                "the person is ready",
                details={"idleSeconds": seconds},
            )
        arrival = await inbox.next(timeout=min(left, until_deadline, _TICK_SECONDS))
        if arrival is None:
            continue
        match arrival.message:
            case AttestationMessage() as attestation:
                stream.evidence.begin_verification(attestation)
            case AttemptReadyMessage() if arrival.time >= result_sent:
                return
            case _:
                raise Refusal(
                    Reason.UNEXPECTED_MESSAGE,
                    "between attempts only `attempt_ready`, once for each ScanResult, and `attestation` are "
                    "expected",
                )
