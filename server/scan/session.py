"""One ScanFace stream: the opening, its attempts and their verdicts, and the end, whatever way it ends.

The order that everything rests on: a transition is durable before it is acknowledged, and the verdict
and its evidence are durable before the device hears of them.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from server.checks.outcome import DeviceOutcome
from server.checks.recorder import JudgedAttempt
from server.checks.state import OPEN_STATES, CheckState
from server.checks.terms import AttemptOutcome, EndedBy
from server.errors import Reason, Refusal
from server.scan.attempt import AttemptRun, LeaseLost, ScanDeadlinePassed
from server.scan.challenges import conclude_challenge, declined, start_challenge
from server.scan.closing import AttemptCloser
from server.scan.credit import CreditLedger
from server.scan.disclosure import final_status, told_feedback
from server.scan.environment import ScanEnvironment
from server.scan.evidence_grace import await_evidence
from server.scan.handshake import OpenStream, Send, open_stream
from server.scan.inbox import Inbox, StreamEnded
from server.scan.judgement import AttemptJudgement
from server.scan.lease import resume_until
from server.scan.messages import (
    AttemptEndMessage,
    EndCause,
    GoodbyeMessage,
    GoodbyeReason,
    Inbound,
    ScanResultMessage,
    ScanStatus,
)
from server.scan.older_streams import await_older_streams
from server.scan.readiness import await_ready, ready_within
from server.scan.running import CheckClosing
from server.scan.scan_bytes import ScanBytes
from server.storage.errors import Conflict
from server.storage.records import AttemptEnding, AttemptRecord
from server.verdict import CheckVerdict, FailureReason

Outcome = TypeVar("Outcome")

_RECONNECT_SECONDS = 1.0
_MOST_FEEDBACK = 8
_MOST_ATTEMPTS = 40
"""Attempts of one check, those that do not count included: a stumble costs nothing, but a device that
goes on stumbling must not fill the database."""
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
        self._over = False
        self._cancelled_by_person = False
        self._remembers = False

    async def serve(self, inbound: AsyncIterator[Inbound], send: Send) -> None:
        """Serves the stream to its end.

        Args:
            inbound: The device's messages; it ends when the device half-closes.
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
        left = EndedBy.SERVER_FAULT
        try:
            await self._serve(inbox, send)
        except (LeaseLost, Conflict) as error:
            await _unhindered(self._leave(EndedBy.SUPERSEDED))
            raise await self._fenced(send) from error
        except Refusal:
            left = EndedBy.REFUSED
            raise
        except asyncio.CancelledError:
            stopping = self._env.draining.is_set()
            left = EndedBy.SERVER_STOPPED if stopping else EndedBy.CONNECTION_LOST
            raise
        finally:
            inbox.close()
            await _unhindered(self._leave(left))
            await _unhindered(self._put_away())

    async def _serve(self, inbox: Inbox, send: Send) -> None:
        # However a stream ends, it may find only then that another one took over: see ``serve``.
        try:
            self._stream = await open_stream(self._env, inbox, send, header_origin=self._header_origin)
            self._bytes.used = self._stream.record.bytes_received
            await self._scan(self._stream, inbox, send)
        except CheckClosing as closing:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            raise Refusal(Reason.CHECK_CLOSED, "the check was closed while it was scanned") from closing
        except StreamEnded:
            await _unhindered(self._ended_by_device())
        except ScanDeadlinePassed:
            await _unhindered(self._close(FailureReason.EXPIRED, EndedBy.DEADLINE))
            await send(GoodbyeMessage(GoodbyeReason.DEADLINE, None))
        except Refusal as refusal:
            if refusal.reason in TAMPERING:
                await _unhindered(self._close(FailureReason.TRANSCRIPT_BROKEN, EndedBy.REFUSED))
            raise

    async def _put_away(self) -> None:
        """Ends what still works for the stream, and keeps what later checks ask for."""
        await self._closer.close()
        if self._stream is not None:
            await self._stream.evidence.close()
            if self._remembers:
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
                await _unhindered(self._close(closing.reason, EndedBy.CHECK_CLOSED))
                raise

    async def _attempts(self, stream: OpenStream, inbox: Inbox, send: Send) -> None:
        attempts = stream.attempts
        while True:
            if self._env.draining.is_set():
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
                attempts_left=_attempts_left(stream, attempts),
                plan=stream.plans.next,
                challenge=challenge,
            )
            end = await run.run(inbox, send, on_settled=partial(self._closer.judge_ahead, stream))
            # A device that vanishes now must not take the verdict with it.
            result, attempts = await _unhindered(self._conclude(stream, run, end, inbox))
            conclude_challenge(stream.plans, challenge)
            told = self._env.clock.monotonic()
            await send(result)
            if not result.another_attempt:
                return
            if result.ready_within is not None:
                await await_ready(self._env, stream, run, inbox, told=told)

    async def _conclude(
        self, stream: OpenStream, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Judges a finished attempt, makes the outcome durable; what to tell, and the check's attempts."""
        env, began = self._env, self._env.clock.monotonic()
        await run.capture.verify_sample()
        judgement = await self._closer.judge(stream, run)
        attempts = await self._closer.attempts(stream, run)
        self._cancelled_by_person = end.cause is EndCause.CANCELLED
        remaining = _attempts_left(stream, attempts)
        enough = self._bytes.suffice(seconds=run.expected_seconds, budget=env.settings.budget)
        again = judgement.retryable and enough and remaining > 0 and run.number < _MOST_ATTEMPTS
        if self._cancelled_by_person and declined(run.challenge):
            again = stream.plans.decline() and again
            # Nothing stood in the way of a flash that was not wanted, and little of it was captured.
            judgement = replace(judgement, feedback=())
        device, pieces = await self._look_at_device(stream, run, judgement), stream.evidence.pieces
        again = again and not device.final
        if not again:
            # Whatever decides: how long the answer takes must not tell it.
            await await_evidence(env, stream, run, inbox)
            attempts = await await_older_streams(env, run, attempts)
            if stream.evidence.pieces != pieces:
                device = await self._look_at_device(stream, run, judgement)
        status, attempts = await self._settle(stream, run, judgement, device, attempts, again=again)
        env.metrics.attempt_judged(
            verdict=judgement.liveness.verdict.value,
            seconds=env.clock.monotonic() - began,
            sandbox=stream.record.sandbox,
        )
        self._run = None
        again = status is ScanStatus.RETRY
        result = ScanResultMessage(
            attempt=run.number,
            status=status,
            feedback=told_feedback(
                advice=judgement.feedback,
                shown=run.shown,
                status=status,
                disclosure=stream.policy.disclosure.app,
            ),
            another_attempt=again,
            attempts_remaining=max(0, remaining) if again else 0,
            ready_within=ready_within(env, stream) if again else None,
        )
        return result, attempts

    async def _look_at_device(
        self, stream: OpenStream, run: AttemptRun, judgement: AttemptJudgement
    ) -> DeviceOutcome:
        return await self._closer.look_at_device(stream, run, judgement, ended=True)

    async def _settle(
        self,
        stream: OpenStream,
        run: AttemptRun,
        judgement: AttemptJudgement,
        device: DeviceOutcome,
        attempts: tuple[AttemptRecord, ...],
        *,
        again: bool,
    ) -> tuple[ScanStatus, tuple[AttemptRecord, ...]]:
        """Makes the outcome durable; what to tell, and the check's attempts.

        Args:
            stream: The stream.
            run: The attempt.
            judgement: What it amounts to.
            device: What is known of the device.
            attempts: The check's attempts, this one as it stood before.
            again: Whether there may be another one.
        """
        outcome = AttemptOutcome.RETRY if again else AttemptOutcome.DECIDED
        async with self._closer.kept_pictures(stream, run) as pictures:
            judged = self._closer.judged(stream, run, judgement, device, pictures, ended=True)
            ending = self._closer.ending(stream, run, outcome=outcome, attempts=attempts, judged=judged)
            attempts = tuple(ending.of(each) if each.number == run.number else each for each in attempts)
            if again:
                await self._env.repository.end_attempt(
                    stream.record.check_id,
                    epoch=stream.record.lease_epoch,
                    ending=ending,
                    evidence=pictures,
                )
                return ScanStatus.RETRY, attempts
            verdict = await self._decide(stream, judged, attempts, ending)
        self._remembers = True
        return final_status(verdict, stream.policy.disclosure.app), attempts

    async def _decide(
        self,
        stream: OpenStream,
        judged: JudgedAttempt,
        attempts: tuple[AttemptRecord, ...],
        ending: AttemptEnding,
    ) -> CheckVerdict:
        env = self._env
        ended_by = None
        if judged.judgement.retryable and self._cancelled_by_person:
            ended_by = FailureReason.CANCELLED
        elif judged.judgement.retryable and not judged.device.decided:
            ended_by = FailureReason.CONDITIONS
        verdict = await env.recorder.decide(
            stream.record,
            policy=stream.policy,
            attempt=judged,
            attempts=attempts,
            ended_by=ended_by,
            epoch=stream.record.lease_epoch,
            now=env.clock.now(),
            ending=ending,
        )
        self._decided(verdict)
        return verdict

    async def _ended_by_device(self) -> None:
        """The device half-closed: the scan is over, with whatever there is."""
        if self._stream is None or self._over:
            return
        reason = FailureReason.CANCELLED if self._cancelled_by_person else FailureReason.ABANDONED
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
        verdict = await env.recorder.close(
            stream.record,
            policy=stream.policy,
            attempts=await env.repository.attempts(stream.record.check_id),
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
        if run is None or not run.recorded:
            return False
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


def _attempts_left(stream: OpenStream, attempts: Iterable[AttemptRecord]) -> int:
    return stream.policy.attempts.maximum - sum(attempt.counted for attempt in attempts)


async def _unhindered(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Finishes ``work`` even if this task is cancelled meanwhile, as it is when a device vanishes."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # A server that stops cancels again what a vanished device cancelled already.
            cancelled = True
    if not cancelled:
        return task.result()
    if (error := task.exception()) is not None:
        _log.error("scan_not_concluded", exc_info=error)
    raise asyncio.CancelledError
