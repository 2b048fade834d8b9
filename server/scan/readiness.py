"""Waits between two attempts, while the person reads the advice or walks to a brighter place."""

from server.errors import Reason, Refusal
from server.scan.attempt import AttemptRun
from server.scan.endings import ScanDeadlinePassed
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttemptReadyMessage, AttestationMessage, Capability

__all__ = ["await_ready", "ready_within"]

_TICK_SECONDS = 0.5


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
        env: The environment that all streams share.
        stream: The stream.
        run: The previous attempt.
        inbox: The device's messages.
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
