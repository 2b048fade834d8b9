"""Waits for missing evidence after a scan's last attempt, as long as the policy allows."""

from server.scan.attempt import AttemptRun
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttestationMessage

__all__ = ["await_evidence"]

_TICK_SECONDS = 0.5


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
