"""What becomes of an attempt whose end the device signed: judged, made durable, and told."""

from collections.abc import Callable
from dataclasses import replace

from attempt.judgement import AttemptJudgement
from server.checks.outcomes import JudgedAttempt
from server.checks.progress import attempts_remaining
from server.checks.refusals import too_many_failures
from server.domain.terms import AttemptOutcome, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.challenges import declined
from server.scan.closing import AttemptCloser
from server.scan.disclosure import final_status, told_feedback
from server.scan.environment import ScanEnvironment
from server.scan.evidence_grace import await_evidence
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttemptEndMessage, EndCause, ScanResultMessage, ScanStatus
from server.scan.older_streams import await_older_streams
from server.scan.readiness import ready_within
from server.scan.scan_bytes import ScanBytes
from server.storage.records import AttemptEnding, AttemptRecord
from server.verdict import CheckVerdict, FailureReason
from server.verdict.outcome import DeviceOutcome

__all__ = ["AttemptConcluder"]


class AttemptConcluder:
    """Concludes the attempts of one stream.

    Attributes:
        cancelled_by_person: Whether the last attempt ended because the person cancelled.
    """

    def __init__(
        self,
        env: ScanEnvironment,
        *,
        closer: AttemptCloser,
        scan_bytes: ScanBytes,
        decided: Callable[[CheckVerdict], None],
    ) -> None:
        """Takes what the stream works with.

        Args:
            env: What every stream shares.
            closer: Closes the stream's attempts.
            scan_bytes: What the stream has taken so far.
            decided: Is told the check's verdict once it is durable.
        """
        self._env = env
        self._closer = closer
        self._bytes = scan_bytes
        self._decided = decided
        self.cancelled_by_person = False

    async def conclude(
        self, stream: OpenStream, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Judges a finished attempt, makes the outcome durable; what to tell, and the check's attempts."""
        env, began = self._env, self._env.clock.monotonic()
        await run.work.verify_sample()
        judgement = await self._closer.judge(stream, run)
        attempts = await self._closer.attempts(stream, run)
        self.cancelled_by_person = end.cause is EndCause.CANCELLED
        # Its end is signed and not yet written.
        ended = (replace(a, ended_by=EndedBy.SIGNED) if a.number == run.number else a for a in attempts)
        remaining = attempts_remaining(tuple(ended), stream.policy)
        enough = self._bytes.suffice(seconds=run.expected_seconds, budget=env.settings.budget)
        again = judgement.retryable and enough and remaining > 0
        if self.cancelled_by_person and declined(run.challenge):
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
        if (exceeded := stream.evidence.exceeded) is not None:
            # What speaks against the person or the device stands all the same: see ``AttemptCloser.abandon``.
            env.metrics.try_refused(exceeded.kind.value, sandbox=stream.record.sandbox)
            raise too_many_failures(exceeded, now=env.clock.now(), to_device=True)
        status, attempts = await self._settle(stream, run, judgement, device, attempts, again=again)
        env.metrics.attempt_judged(
            verdict=judgement.liveness.verdict.value,
            seconds=env.clock.monotonic() - began,
            sandbox=stream.record.sandbox,
        )
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
        async with self._closer.kept_pictures(stream, run) as kept:
            if kept.failure is not None and not (judgement.adverse or device.final):
                # Only what speaks against the person stands without its evidence.
                raise kept.failure
            pictures = kept.entries
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
        if judged.judgement.retryable and self.cancelled_by_person and not judged.device.final:
            ended_by = FailureReason.CANCELLED
        elif judged.judgement.retryable and not judged.device.final:
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
