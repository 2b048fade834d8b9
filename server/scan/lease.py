"""The lease of a stream on its check: acquired when the stream opens, renewed, and released."""

import asyncio
from datetime import datetime, timedelta

import structlog

from server.base.errors import Reason, Refusal
from server.checks.refusals import other_session_key, too_many_failures
from server.checks.running import CheckClosing
from server.domain.terms import AttemptOutcome
from server.policies import Policy
from server.scan.budget import ScanBytes
from server.scan.endings import LeaseLost
from server.scan.environment import ScanEnvironment
from server.scan.messages import StartMessage
from server.storage.errors import Conflict, SessionKeyMismatch, SessionKeyUnproven, TriesExceeded
from server.storage.records import AttemptRecord, CheckRecord

_RENEW_SECONDS = 1.5
"""Short, so that a fenced stream notices it early and judges its frames before the newer one decides."""

_log = structlog.get_logger(__name__)


def check_closed(attempts: tuple[AttemptRecord, ...]) -> Refusal:
    """Return the refusal of a stream whose check is decided or closes.

    It states which attempt decided the check, if one did. A device that lost the result of its attempt may
    then report that the scan is complete. Without it, the check was closed in another way.
    """
    deciding = deciding_attempt(attempts)
    return Refusal(
        Reason.CHECK_CLOSED,
        "the check accepts no more scans; ask for a new one",
        details={} if deciding is None else {"decidedByAttempt": deciding},
    )


def deciding_attempt(attempts: tuple[AttemptRecord, ...]) -> int | None:
    """Return the number of the attempt that was judged for good; ``None`` if none was."""
    return next((each.number for each in attempts if each.outcome is AttemptOutcome.DECIDED), None)


def resume_until(env: ScanEnvironment, policy: Policy) -> datetime:
    """Return the time until which FinishCheck waits for a device that leaves now."""
    return env.clock.now() + timedelta(seconds=policy.deadlines.resume_seconds)


async def take_lease(
    env: ScanEnvironment, record: CheckRecord, start: StartMessage, *, policy: Policy, proven: bool
) -> CheckRecord:
    """Acquire the lease for a stream and bind the scan to its session key.

    If the device disconnects meanwhile, the lease is released.

    Args:
        policy: The check's frozen policy.
        proven: Whether the device proved that it holds the session key.

    Raises:
        Refusal: SESSION_KEY_MISMATCH, RESUME_PROOF_INVALID, TOO_MANY_FAILURES or CHECK_CLOSED.
    """
    acquiring = asyncio.ensure_future(
        env.repository.acquire_lease(
            record.check_id,
            session_key=start.session_public_key,
            proven=proven,
            owner=env.limits.owner,
            now=env.clock.now(),
            lease_seconds=env.limits.lease_seconds,
            try_rules=env.limits.tries.limits_for(sandbox=record.sandbox),
        )
    )
    try:
        return await asyncio.shield(acquiring)
    except asyncio.CancelledError:
        await asyncio.wait({acquiring})
        if acquiring.exception() is None:
            await release_lease(env, acquiring.result(), policy)
        raise
    except TriesExceeded as error:
        env.metrics.checks.try_refused(error.kind.value, sandbox=record.sandbox)
        raise too_many_failures(error, now=env.clock.now(), to_device=True) from error
    except SessionKeyMismatch as error:
        raise other_session_key() from error
    except SessionKeyUnproven as error:
        raise Refusal(
            Reason.RESUME_PROOF_INVALID,
            "another stream has bound the scan to this session key; reconnect and prove that you hold it",
        ) from error
    except Conflict as error:
        # The older stream may have decided the check meanwhile.
        raise check_closed(await env.repository.attempts(record.check_id)) from error


async def release_lease(env: ScanEnvironment, record: CheckRecord, policy: Policy) -> None:
    """Release the lease of a stream that did not start an attempt; its device may reconnect."""
    try:
        await env.repository.suspend(
            record.check_id,
            epoch=record.lease_epoch,
            bytes_received=record.bytes_received,
            resume_until=resume_until(env, policy),
        )
    except Conflict:
        _log.info("scan_superseded_while_leaving", check_id=str(record.check_id))


class HeldLease:
    """The lease of a running stream, which the stream must renew."""

    def __init__(self, env: ScanEnvironment, record: CheckRecord, *, scan_bytes: ScanBytes) -> None:
        """Initialise a lease that was acquired or renewed just now.

        Args:
            scan_bytes: The bytes that the scan has used so far, stored with each renewal.
        """
        self._env = env
        self._record = record
        self._bytes = scan_bytes
        self._renewed = env.clock.monotonic()

    @property
    def due(self) -> float:
        """The time of the next renewal, in seconds of the monotonic clock.

        A silent stream notices at that time that it has lost the lease.
        """
        return self._renewed + min(_RENEW_SECONDS, self._env.limits.lease_seconds / 3)

    async def renew(self) -> None:
        """Renew the lease if that is due.

        Raises:
            LeaseLost: A newer stream took over.
            CheckClosing: The orchestrator closes the check.
        """
        env, record = self._env, self._record
        now = env.clock.monotonic()
        if now < self.due:
            return
        held = await env.repository.renew_lease(
            record.check_id,
            epoch=record.lease_epoch,
            now=env.clock.now(),
            lease_seconds=env.limits.lease_seconds,
            bytes_received=self._bytes.used,
        )
        if not held:
            current = await env.repository.get(record.check_id)
            if (
                current is not None
                and current.lease_epoch == record.lease_epoch
                and current.closing is not None
            ):
                raise CheckClosing(current.closing)
            raise LeaseLost
        self._renewed = now
