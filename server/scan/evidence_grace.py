"""The wait for evidence after a scan's last attempt: only for what the policy demands, and not for ever."""

from server.scan.attempt import AttemptRun
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttestationMessage

__all__ = ["await_evidence"]

_TICK_SECONDS = 0.5


async def await_evidence(env: ScanEnvironment, stream: OpenStream, run: AttemptRun, inbox: Inbox) -> None:
    """Takes evidence until none is demanded that is missing, or the policy's grace is over.

    Whatever else the device does now ends the wait and decides nothing: what it showed before is judged.

    Raises:
        LeaseLost: A newer stream took over.
        StorageUnavailable: The database failed.
    """
    clock = env.clock
    until = clock.monotonic() + stream.policy.deadlines.attestation_grace_seconds
    while await stream.evidence.awaited():
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
            stream.evidence.take(arrival.message)
        except Exception:  # noqa: BLE001 - however the stream ends now, it must not undo the attempt
            return
