"""One ScanFace stream: the opening, its attempts and their verdicts, and the end, whatever way it ends.

The order that everything rests on: a transition is durable before it is acknowledged, and the verdict
and its evidence are durable before the device hears of them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial

import structlog

from server.checks.progress import attempts_remaining
from server.checks.running import CheckClosing
from server.domain.state import OPEN_STATES, CheckState
from server.domain.terms import EndedBy
from server.errors import Reason, Refusal
from server.scan.attempt import AttemptRun, LeaseLost, ScanDeadlinePassed
from server.scan.challenges import conclude_challenge, start_challenge
from server.scan.closing import AttemptCloser
from server.scan.concluding import AttemptConcluder
from server.scan.credit import CreditLedger
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, Send, open_stream
from server.scan.inbox import ConnectionLost, Inbox, StreamEnded
from server.scan.lease import resume_until
from server.scan.messages import (
    AttemptEndMessage,
    GoodbyeMessage,
    GoodbyeReason,
    Inbound,
    ScanResultMessage,
    StartMessage,
)
from server.scan.older_streams import await_older_attempts
from server.scan.readiness import await_ready
from server.scan.scan_bytes import ScanBytes
from server.scan.unhindered import unhindered
from server.storage.errors import Conflict
from server.storage.records import AttemptRecord, CheckRecord
from server.verdict import CheckVerdict, FailureReason

_RECONNECT_SECONDS = 1.0
_FAULT_RECONNECT_SECONDS = 2.0
_OUR_DOING = frozenset({EndedBy.SERVER_FAULT, EndedBy.SERVER_STOPPED})
TAMPERING = frozenset(
    {
        Reason.FRAME_OUT_OF_ORDER,
        Reason.FRAME_MAC_INVALID,
        Reason.FRAME_TIME_INVALID,
        Reason.ATTEMPT_END_INVALID,
    }
)
"""Refusals after which the check is over: an honest device never breaks its own transcript."""

_log = structlog.get_logger(__name__)


class ScanSession:
    """Runs one stream. Made anew for each."""

    def __init__(self, env: ScanEnvironment, *, header_origin: str | None = None) -> None:
        """Takes what every stream of the server shares, and the call's ``Origin`` header where it has one."""
        self._env = env
        self._header_origin = header_origin
        self._stream: OpenStream | None = None
        self._run: AttemptRun | None = None
        self._bytes = ScanBytes()
        self._credit = CreditLedger(
            window_frames=env.settings.window_frames,
            window_bytes=env.settings.window_bytes,
            largest_frame=env.settings.budget.max_frame_bytes,
        )
        self._closer = AttemptCloser(env)
        self._concluder = AttemptConcluder(
            env, closer=self._closer, scan_bytes=self._bytes, decided=self._decided
        )
        self._over = False
        self._failed = False

    async def serve(
        self, start: StartMessage, record: CheckRecord, inbound: AsyncIterator[Inbound], send: Send
    ) -> None:
        """Serves the stream to its end.

        Args:
            start: The device's first message.
            record: The check that its token is for; both from ``find_check``.
            inbound: The device's further messages; it ends when the device half-closes.
            send: Sends a message to the device.

        Raises:
            Refusal: The stream cannot go on; the caller is told the reason.
        """
        inbox = Inbox(
            inbound,
            monotonic=self._env.clock.monotonic,
            arrives=self._credit.arrives,
            window_frames=self._env.settings.window_frames,
        )
        # Where nothing is raised, a server that goes away ended it, if it is not over.
        left = EndedBy.SERVER_STOPPED
        try:
            await self._serve(start, record, inbox, send)
        except (LeaseLost, Conflict) as error:
            await unhindered(self._leave(EndedBy.SUPERSEDED))
            raise await self._fenced(send) from error
        except Refusal:
            left = EndedBy.REFUSED
            raise
        except (ConnectionLost, asyncio.CancelledError):
            left = self._gone()
            raise
        except Exception:
            left = EndedBy.SERVER_FAULT
            raise
        finally:
            inbox.close()
            try:
                await unhindered(self._leave(left))
            finally:
                if left is EndedBy.SERVER_FAULT:
                    await self._tell_fault(send)
                await unhindered(self._put_away())

    def _gone(self) -> EndedBy:
        """What ended a stream that was cut off."""
        if self._failed:
            return EndedBy.SERVER_FAULT
        return EndedBy.SERVER_STOPPED if self._env.running.draining.is_set() else EndedBy.CONNECTION_LOST

    async def _tell_fault(self, send: Send) -> None:
        if self._stream is not None:
            with suppress(ConnectionLost, Refusal):
                await send(GoodbyeMessage(GoodbyeReason.SERVER_FAULT, _FAULT_RECONNECT_SECONDS))

    async def _serve(self, start: StartMessage, record: CheckRecord, inbox: Inbox, send: Send) -> None:
        # However a stream ends, it may find only then that another one took over: see ``serve``.
        try:
            self._stream = await open_stream(
                self._env, start, record, inbox, send, header_origin=self._header_origin
            )
            self._bytes.used = self._stream.record.bytes_received
            await self._scan(self._stream, inbox, send)
        except CheckClosing as closing:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            raise Refusal(Reason.CHECK_CLOSED, "the check was closed while it was scanned") from closing
        except StreamEnded:
            await unhindered(self._ended_by_device())
        except ScanDeadlinePassed:
            await unhindered(self._close(FailureReason.EXPIRED, EndedBy.DEADLINE))
            await send(GoodbyeMessage(GoodbyeReason.DEADLINE, None))
        except Refusal as refusal:
            if refusal.reason in TAMPERING:
                await unhindered(self._close(FailureReason.TRANSCRIPT_BROKEN, EndedBy.REFUSED))
            raise

    async def _put_away(self) -> None:
        """Ends what still works for the stream, and keeps what later checks ask for."""
        await self._closer.close()
        if self._stream is not None:
            await self._stream.evidence.close()
            # After the answer, which it need not hold up, and also where nobody heard that.
            await self._closer.keep_memory(self._stream)

    async def _fenced(self, send: Send) -> Refusal:
        """Says goodbye to a device whose stream may not write any more; the refusal to end it with."""
        stream = self._stream
        record = None if stream is None else await self._env.repository.get(stream.record.check_id)
        if record is not None and record.state not in OPEN_STATES:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            return Refusal(Reason.CHECK_CLOSED, "the check was closed while it was scanned")
        await send(GoodbyeMessage(GoodbyeReason.SUPERSEDED, None))
        return Refusal(Reason.SUPERSEDED, "a newer stream of the same scan took over")

    async def _scan(self, stream: OpenStream, inbox: Inbox, send: Send) -> None:
        with self._env.running.running(stream.record.check_id, inbox):
            try:
                await self._attempts(stream, inbox, send)
            except CheckClosing as closing:
                # Before the orchestrator is answered, so that what was seen stands in what it is told.
                await unhindered(self._close(closing.reason, EndedBy.CHECK_CLOSED))
                raise

    async def _attempts(self, stream: OpenStream, inbox: Inbox, send: Send) -> None:
        attempts = stream.attempts
        while True:
            if self._env.running.draining.is_set():
                await send(GoodbyeMessage(GoodbyeReason.DRAINING, _RECONNECT_SECONDS))
                return
            number = max((attempt.number for attempt in attempts), default=0) + 1
            challenge = start_challenge(self._env, stream.plans)
            self._run = run = AttemptRun(
                self._env,
                stream,
                number=number,
                scan_bytes=self._bytes,
                credit=self._credit,
                attempts_left=attempts_remaining(attempts, stream.policy),
                plan=stream.plans.next,
                challenge=challenge,
            )
            end = await run.run(inbox, send, on_settled=partial(self._closer.judge_ahead, stream))
            # A device that vanishes now must not take the verdict with it.
            result, attempts = await unhindered(self._concluded(stream, run, end, inbox))
            conclude_challenge(stream.plans, challenge)
            told = self._env.clock.monotonic()
            await send(result)
            if not result.another_attempt:
                return
            # Another check must not show the same again while this scan goes on.
            await self._closer.keep_memory(stream)
            if result.ready_within is not None:
                await await_ready(self._env, stream, run, inbox, told=told)

    async def _concluded(
        self, stream: OpenStream, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Concludes an attempt; that the server failed is remembered, as the device may be gone by then."""
        try:
            result, attempts = await self._concluder.conclude(stream, run, end, inbox)
        except (Refusal, LeaseLost, Conflict):
            raise
        except Exception:
            self._failed = True
            raise
        self._run = None
        return result, attempts

    async def _ended_by_device(self) -> None:
        """The device half-closed: the scan is over, with whatever there is."""
        if self._stream is None or self._over:
            return
        reason = FailureReason.CANCELLED if self._concluder.cancelled_by_person else FailureReason.ABANDONED
        await self._close(reason, EndedBy.HALF_CLOSED)

    async def _close(self, reason: FailureReason, left: EndedBy) -> None:
        """Decides the check with what there is.

        Args:
            reason: Why, where no judgement decides.
            left: What ended the attempt that still runs, if there is one.
        """
        stream = self._stream
        if stream is None or self._over:
            return
        if await self._interrupt_run(stream, left, broken=reason is FailureReason.TRANSCRIPT_BROKEN):
            return
        env = self._env
        # An older stream may still be judging what it saw, which closing early must not throw away.
        attempts = await await_older_attempts(env, stream.record.check_id)
        verdict = await env.recorder.close(
            stream.record,
            policy=stream.policy,
            attempts=attempts,
            ended_by=reason,
            epoch=stream.record.lease_epoch,
            now=env.clock.now(),
        )
        self._decided(verdict)

    def _decided(self, verdict: CheckVerdict) -> None:
        self._over = True
        stream = self._stream
        self._env.metrics.check_decided(
            status=verdict.status.value,
            reasons=[reason.value for reason in verdict.reasons],
            sandbox=stream is not None and stream.record.sandbox,
        )

    async def _interrupt_run(self, stream: OpenStream, left: EndedBy, *, broken: bool = False) -> bool:
        """Ends an attempt that was left early; whether what was seen of it decided the check."""
        run, self._run = self._run, None
        if run is None:
            return False
        if not run.recorded:
            if left not in _OUR_DOING:
                return False
            # Else nothing would say that the person was not to blame.
            await run.record()
        verdict = await self._closer.abandon(stream, run, ended_by=left, broken=broken)
        if verdict is not None:
            self._decided(verdict)
        return verdict is not None

    async def _leave(self, left: EndedBy) -> None:
        """Leaves a check that is not decided in a state from which the device may come back.

        Args:
            left: What ended the stream. Where a newer one took over, there is no state to leave.
        """
        stream = self._stream
        if stream is None or self._over:
            return
        self._over = True
        env, record = self._env, stream.record
        try:
            decided = await self._interrupt_run(stream, left)
            if not decided and left is not EndedBy.SUPERSEDED:
                await env.repository.transition(
                    record.check_id,
                    expected={CheckState.SCANNING},
                    epoch=record.lease_epoch,
                    to=CheckState.WAITING,
                    bytes_received=self._bytes.used,
                    resume_until=resume_until(env, stream.policy),
                )
        except Conflict:
            _log.info("scan_superseded_while_leaving", check_id=str(record.check_id))
