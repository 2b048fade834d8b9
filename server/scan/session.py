"""One ScanFace stream: the opening, its attempts and their verdicts, and the end, whatever way it ends.

The order that everything rests on: a transition is durable before it is acknowledged, and the verdict
and its evidence are durable before the device hears of them.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from matcher.comparison import MatchPolicy
from server.checks.outcome import TranscriptOutcome
from server.checks.recorder import JudgedAttempt
from server.checks.state import OPEN_STATES, CheckState
from server.checks.templates import open_template
from server.checks.terms import AttemptOutcome
from server.errors import Reason, Refusal
from server.scan.attempt import AttemptRun, LeaseLost, ScanDeadlinePassed, StreamCounts
from server.scan.challenges import challenge_evidence, conclude_challenge, start_challenge
from server.scan.device_claims import assess_device
from server.scan.disclosure import final_status, told_feedback
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream, Send, open_stream
from server.scan.inbox import Inbox, StreamEnded
from server.scan.judgement import AttemptJudgement, judge_attempt, liveness_policy
from server.scan.messages import (
    AttemptEndMessage,
    EndCause,
    GoodbyeMessage,
    GoodbyeReason,
    Inbound,
    ScanResultMessage,
    ScanStatus,
)
from server.storage.errors import Conflict
from server.storage.records import AttemptRecord, EvidenceEntry
from server.verdict import CheckVerdict, FailureReason

Outcome = TypeVar("Outcome")

_RECONNECT_SECONDS = 1.0
_MOST_FEEDBACK = 8
_MOST_ATTEMPTS = 40
"""Attempts of one check, those that do not count included: a stumble costs nothing, but a device that
goes on stumbling must not fill the database."""
_TAMPERING = frozenset(
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

    def __init__(self, env: ScanEnvironment) -> None:
        """Takes what every stream of the server shares."""
        self._env = env
        self._stream: OpenStream | None = None
        self._run: AttemptRun | None = None
        self._counts = StreamCounts(frame_bytes=0, attestations=[])
        self._over = False
        self._cancelled_by_person = False

    async def serve(self, inbound: AsyncIterator[Inbound], send: Send) -> None:
        """Serves the stream to its end.

        Args:
            inbound: The device's messages; it ends when the device half-closes.
            send: Sends a message to the device.

        Raises:
            Refusal: The stream cannot go on; the caller is told the reason.
        """
        inbox = Inbox(inbound, monotonic=self._env.clock.monotonic)
        try:
            await self._serve(inbox, send)
        except (LeaseLost, Conflict) as error:
            self._over = True
            raise await self._fenced(send) from error
        finally:
            inbox.close()
            await _unhindered(self._leave())

    async def _serve(self, inbox: Inbox, send: Send) -> None:
        # However a stream ends, it may find only then that another one took over: see ``serve``.
        try:
            self._stream = await open_stream(self._env, inbox, send)
            self._counts.frame_bytes = self._stream.record.bytes_received
            await self._attempts(self._stream, inbox, send)
        except StreamEnded:
            await _unhindered(self._ended_by_device())
        except ScanDeadlinePassed:
            await _unhindered(self._close(FailureReason.EXPIRED))
            await send(GoodbyeMessage(GoodbyeReason.DEADLINE, None))
        except Refusal as refusal:
            if refusal.reason in _TAMPERING:
                await _unhindered(self._close(FailureReason.TRANSCRIPT_BROKEN))
            raise

    async def _fenced(self, send: Send) -> Refusal:
        """Says goodbye to a device whose stream may not write any more; the refusal to end it with."""
        stream = self._stream
        record = None if stream is None else await self._env.repository.get(stream.record.check_id)
        if record is not None and record.state not in OPEN_STATES:
            await send(GoodbyeMessage(GoodbyeReason.CHECK_CLOSED, None))
            return Refusal(Reason.CHECK_CLOSED, "the check was closed while it was scanned")
        await send(GoodbyeMessage(GoodbyeReason.SUPERSEDED, None))
        return Refusal(Reason.SUPERSEDED, "a newer stream of the same scan took over")

    async def _attempts(self, stream: OpenStream, inbox: Inbox, send: Send) -> None:
        attempts = stream.attempts
        while True:
            if self._env.draining.is_set():
                await send(GoodbyeMessage(GoodbyeReason.DRAINING, _RECONNECT_SECONDS))
                return
            number = max((attempt.number for attempt in attempts), default=0) + 1
            challenge = start_challenge(self._env, stream.plans)
            self._run = AttemptRun(
                self._env,
                stream,
                number=number,
                counts=self._counts,
                plan=stream.plans.next,
                challenge=challenge,
            )
            end = await self._run.run(inbox, send)
            # A device that vanishes now must not take the verdict with it.
            result, attempts = await _unhindered(self._conclude(stream, self._run, end))
            conclude_challenge(stream.plans, challenge)
            await send(result)
            if not result.another_attempt:
                return

    async def _conclude(
        self, stream: OpenStream, run: AttemptRun, end: AttemptEndMessage
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Judges a finished attempt, makes the outcome durable; what to tell, and the check's attempts."""
        began = self._env.clock.monotonic()
        judgement = await self._judge(stream, run)
        await run.record()
        self._cancelled_by_person = end.cause is EndCause.CANCELLED
        attempts = await self._env.repository.attempts(stream.record.check_id)
        used = sum(attempt.counted for attempt in attempts)
        remaining = stream.policy.attempts.maximum - used
        again = judgement.retryable and remaining > 0 and run.number < _MOST_ATTEMPTS
        status = ScanStatus.RETRY
        async with self._kept_pictures(stream, run) as pictures:
            judged = self._judged(stream, run, judgement, pictures, ended=True)
            if again:
                attempts = await self._end_attempt(
                    stream,
                    run,
                    outcome=AttemptOutcome.RETRY,
                    attempts=attempts,
                    judged=judged,
                    pictures=pictures,
                )
            else:
                attempts = await self._end_attempt(
                    stream, run, outcome=AttemptOutcome.DECIDED, attempts=attempts, judged=judged, pictures=()
                )
                verdict = await self._decide(stream, judged, attempts)
                status = final_status(verdict, stream.policy.disclosure.app)
        self._env.metrics.attempt_judged(
            verdict=judgement.liveness.verdict.value, seconds=self._env.clock.monotonic() - began
        )
        self._run = None
        result = ScanResultMessage(
            attempt=run.number,
            status=status,
            feedback=told_feedback(judgement.feedback, status, stream.policy.disclosure.app),
            another_attempt=again,
            attempts_remaining=max(0, remaining) if again else 0,
        )
        return result, attempts

    async def _judge(self, stream: OpenStream, run: AttemptRun) -> AttemptJudgement:
        env = self._env
        await run.capture.examine_rest()
        template = open_template(stream.record, wrapping_keys=env.wrapping_keys)
        return await env.pool.run(
            judge_attempt,
            scan=run.capture.observations,
            examined=run.capture.examined,
            witnesses=run.capture.witnesses,
            portrait=template,
            calibration=env.pack.match_calibration,
            liveness_policy=liveness_policy(stream.policy),
            match_policy=MatchPolicy(max_fmr=stream.policy.match.max_fmr),
            fusion=env.fusion,
            hints=run.capture.hints,
            too_slow=run.too_slow,
            challenge=challenge_evidence(self._env, stream.plans, run.challenge),
        )

    @asynccontextmanager
    async def _kept_pictures(
        self, stream: OpenStream, run: AttemptRun
    ) -> AsyncIterator[tuple[EvidenceEntry, ...]]:
        """Stores an attempt's pictures; a stream that may not write their rows then leaves none of them."""
        pictures = await self._env.recorder.keep_pictures(
            stream.record,
            attempt=run.number,
            best=run.capture.best,
            audit=run.capture.audit(stream.policy.retention.audit_images),
        )
        try:
            yield pictures
        except Conflict:
            await self._env.recorder.drop_pictures(pictures)
            raise

    def _judged(
        self,
        stream: OpenStream,
        run: AttemptRun,
        judgement: AttemptJudgement,
        pictures: tuple[EvidenceEntry, ...],
        *,
        ended: bool,
    ) -> JudgedAttempt:
        return JudgedAttempt(
            number=run.number,
            judgement=judgement,
            mode=run.mode,
            device=assess_device(
                start=stream.start,
                attestations=self._counts.attestations,
                tls_spki_sha256=self._env.settings.tls_spki_sha256,
                required=stream.policy.device.minimum_assurance,
            ),
            transcript=TranscriptOutcome(
                intact=True,
                frames=run.frames,
                dropped=stream.transcript.dropped,
                streams=stream.record.streams,
                final_mac_sha256=stream.transcript.final_mac_sha256,
            )
            if ended
            else None,
            evidence=pictures,
        )

    async def _end_attempt(
        self,
        stream: OpenStream,
        run: AttemptRun,
        *,
        outcome: AttemptOutcome,
        attempts: tuple[AttemptRecord, ...],
        judged: JudgedAttempt | None,
        pictures: tuple[EvidenceEntry, ...],
    ) -> tuple[AttemptRecord, ...]:
        """Ends the attempt in the database; the check's ``attempts`` as they stand then."""
        env, record = self._env, stream.record
        now = env.clock.now()
        interim = None
        if judged is not None:
            interim = env.recorder.interim(
                record, policy=stream.policy, attempt=judged, attempts=attempts, now=now
            )
        ended = await env.repository.end_attempt(
            record.check_id,
            epoch=record.lease_epoch,
            attempt=run.number,
            outcome=outcome,
            frames=run.frames,
            dropped=stream.transcript.dropped,
            feedback=judged.judgement.feedback if judged else run.capture.hints[:_MOST_FEEDBACK],
            end_time=now,
            final_mac_sha256=stream.transcript.final_mac_sha256,
            judgement=interim,
            evidence=pictures,
        )
        return tuple(ended if attempt.number == ended.number else attempt for attempt in attempts)

    async def _decide(
        self, stream: OpenStream, judged: JudgedAttempt, attempts: tuple[AttemptRecord, ...]
    ) -> CheckVerdict:
        env = self._env
        ended_by = None
        if judged.judgement.retryable:
            ended_by = FailureReason.CANCELLED if self._cancelled_by_person else FailureReason.CONDITIONS
        verdict = await env.recorder.decide(
            stream.record,
            policy=stream.policy,
            attempt=judged,
            attempts=attempts,
            ended_by=ended_by,
            epoch=stream.record.lease_epoch,
            now=env.clock.now(),
        )
        self._decided(verdict)
        return verdict

    async def _ended_by_device(self) -> None:
        """The device half-closed: the scan is over, with whatever there is."""
        if self._stream is None or self._over:
            return
        reason = FailureReason.CANCELLED if self._cancelled_by_person else FailureReason.ABANDONED
        await self._close(reason)

    async def _close(self, reason: FailureReason) -> None:
        """Decides the check without a further judgement."""
        stream = self._stream
        if stream is None or self._over:
            return
        await self._interrupt_run(stream)
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
        self._env.metrics.check_decided(
            status=verdict.status.value, reasons=[reason.value for reason in verdict.reasons]
        )

    async def _interrupt_run(self, stream: OpenStream) -> None:
        run, self._run = self._run, None
        if run is None or not run.recorded:
            return
        async with self._kept_pictures(stream, run) as pictures:
            judged = None
            if run.frames >= self._env.settings.counted_frames:
                # It decides nothing, but whoever leaves early leaves what was seen of them.
                judgement = await self._judge(stream, run)
                judged = self._judged(stream, run, judgement, pictures, ended=False)
            await self._end_attempt(
                stream,
                run,
                outcome=AttemptOutcome.INTERRUPTED,
                attempts=await self._env.repository.attempts(stream.record.check_id),
                judged=judged,
                pictures=pictures,
            )

    async def _leave(self) -> None:
        """Leaves a check that is not decided in a state from which the device may come back."""
        stream = self._stream
        if stream is None or self._over:
            return
        self._over = True
        env, record = self._env, stream.record
        try:
            await self._interrupt_run(stream)
            await env.repository.transition(
                record.check_id,
                expected={CheckState.SCANNING},
                epoch=record.lease_epoch,
                to=CheckState.WAITING,
                bytes_received=self._counts.frame_bytes,
            )
        except Conflict:
            _log.info("scan_superseded_while_leaving", check_id=str(record.check_id))


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
