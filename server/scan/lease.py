"""A stream's lease on its check: taken when the stream may begin, given back when it does not."""

import asyncio
from datetime import datetime, timedelta

import structlog

from server.checks.refusals import too_many_failures
from server.errors import Reason, Refusal
from server.policies import Policy
from server.scan.environment import ScanEnvironment
from server.scan.messages import StartMessage
from server.storage.errors import Conflict, SessionKeyMismatch, SessionKeyUnproven, TriesExceeded
from server.storage.records import CheckRecord

_log = structlog.get_logger(__name__)


def resume_until(env: ScanEnvironment, policy: Policy) -> datetime:
    """Until when FinishCheck waits for a device that leaves now."""
    return env.clock.now() + timedelta(seconds=policy.deadlines.resume_seconds)


async def take_lease(
    env: ScanEnvironment, record: CheckRecord, start: StartMessage, *, policy: Policy, proven: bool
) -> CheckRecord:
    """Takes the lease for a stream and binds the scan to its session key.

    A device that vanishes meanwhile leaves no lease behind.

    Args:
        env: What every stream shares.
        record: The check.
        start: The stream's start.
        policy: The check's frozen policy.
        proven: Whether the device proved to hold the session key.

    Raises:
        Refusal: SESSION_KEY_MISMATCH, RESUME_PROOF_INVALID, TOO_MANY_FAILURES or CHECK_CLOSED.
    """
    taking = asyncio.ensure_future(
        env.repository.acquire_lease(
            record.check_id,
            session_key=start.session_public_key,
            proven=proven,
            owner=env.settings.owner,
            now=env.clock.now(),
            lease_seconds=env.settings.lease_seconds,
            try_rules=env.settings.tries.of(sandbox=record.sandbox),
        )
    )
    try:
        return await asyncio.shield(taking)
    except asyncio.CancelledError:
        await asyncio.wait({taking})
        if taking.exception() is None:
            await give_back_lease(env, taking.result(), policy)
        raise
    except TriesExceeded as error:
        env.metrics.try_refused(error.kind.value, sandbox=record.sandbox)
        raise too_many_failures(error, now=env.clock.now(), to_device=True) from error
    except SessionKeyMismatch as error:
        raise Refusal(
            Reason.SESSION_KEY_MISMATCH,
            "the token is bound to the session key that the scan began with; reconnect with that key",
        ) from error
    except SessionKeyUnproven as error:
        raise Refusal(
            Reason.RESUME_PROOF_INVALID,
            "another stream bound the scan to this session key meanwhile; reconnect and prove to hold it",
        ) from error
    except Conflict as error:
        raise Refusal(Reason.CHECK_CLOSED, "the check takes no more scans; ask for a new one") from error


async def give_back_lease(env: ScanEnvironment, record: CheckRecord, policy: Policy) -> None:
    """Ends the lease of a stream that did not get as far as an attempt; its device may come back."""
    try:
        await env.repository.suspend(
            record.check_id,
            epoch=record.lease_epoch,
            bytes_received=record.bytes_received,
            resume_until=resume_until(env, policy),
        )
    except Conflict:
        _log.info("scan_superseded_while_leaving", check_id=str(record.check_id))
