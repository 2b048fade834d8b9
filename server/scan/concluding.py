"""Concludes a signed attempt: judges it, stores its outcome, and makes the result for the device."""

from collections.abc import Callable
from dataclasses import replace

from attempt import AttemptJudgement
from server.checks.lifecycle import attempt_judged
from server.checks.outcomes import JudgedAttempt
from server.checks.progress import attempts_remaining
from server.checks.refusals import too_many_failures
from server.domain.terms import AttemptOutcome, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.challenges import may_be_declined
from server.scan.closing import AttemptCloser
from server.scan.disclosure import feedback_for_app, final_status
from server.scan.endings import Settlement, settle_signed
from server.scan.environment import ScanEnvironment
from server.scan.evidence_grace import await_evidence
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.messages import AttemptEndMessage, EndCause, ScanResultMessage, ScanStatus
from server.scan.older_streams import await_older_streams
from server.scan.plans import doubts_of
from server.scan.readiness import ready_within
from server.scan.scan_bytes import ScanBytes
from server.storage.records import AttemptEnding, AttemptRecord
from server.telemetry.stages import Stage
from server.verdict import CheckVerdict
from server.verdict.outcome import DeviceOutcome

__all__ = ["AttemptConcluder"]


class AttemptConcluder:
    """Concludes the signed attempts of one stream.

    Attributes:
        cancelled_by_person: Whether the last attempt ended because the person cancelled.
    """

    def __init__(
        self,
        env: ScanEnvironment,
        stream: OpenStream,
        *,
        closer: AttemptCloser,
        scan_bytes: ScanBytes,
        decided: Callable[[CheckVerdict], None],
    ) -> None:
        """Initialises the concluder of a stream.

        Args:
            env: The environment that all streams share.
            stream: The stream.
            closer: Closes the stream's attempts.
            scan_bytes: The bytes that the scan has used so far.
            decided: Called with the check's decision once it is durable.
        """
        self._env = env
        self._stream = stream
        self._closer = closer
        self._bytes = scan_bytes
        self._decided = decided
        self.cancelled_by_person = False

    async def conclude(
        self, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Judges a signed attempt and makes its outcome durable.

        Args:
            run: The attempt.
            end: Its signed end.
            inbox: The device's messages, which may still bring evidence.

        Returns:
            The result for the device, and the check's attempts.
        """
        with self._env.metrics.stages.stage(Stage.VERDICT):
            return await self._conclude(run, end, inbox)

    async def _conclude(
        self, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        # 1. Judge the attempt.
        env, stream, began = self._env, self._stream, self._env.clock.monotonic()
        await run.work.verify_sample()
        judgement = await self._closer.judge(run)
        attempts = await self._closer.attempts(run)
        self.cancelled_by_person = end.cause is EndCause.CANCELLED
        if stream.plans.answer_doubt:
            # An older stream may still judge an attempt that raises doubt, which this one does not resolve.
            attempts = await await_older_streams(env, run, attempts)
            if not set(doubts_of(attempts)) <= set(stream.plans.doubts):
                stream.plans.note(doubts_of(attempts))
                judgement = await self._closer.judge(run, anew=True)
        doubts = self._closer.doubts(judgement)
        stream.plans.note(doubts)
        if self.cancelled_by_person and run.kind is not None and may_be_declined(run.challenge):
            stream.plans.leave_out(run.kind)
            # The person declined the challenge. No condition was bad, and little was captured to give advice
            # on.
            judgement = replace(judgement, feedback=())
        # 2. Find out whether another attempt is possible. The end is signed, but not written yet.
        ended = (
            replace(a, ended_by=EndedBy.SIGNED, doubts=doubts) if a.number == run.number else a
            for a in attempts
        )
        remaining = attempts_remaining(tuple(ended), stream.policy)
        seconds = stream.plans.expected_seconds(capture=env.settings.plan.seconds)
        enough = self._bytes.suffice(seconds=seconds, budget=stream.budget)
        another = enough and remaining > 0 and stream.plans.open
        # 3. Assess the device and settle the attempt.
        device, pieces = await self._assess_device(run, judgement), stream.evidence.pieces
        settlement = self._settlement(run, judgement, device, another=another)
        if settlement.outcome is not AttemptOutcome.RETRY:
            # 4. Wait for missing evidence before every decision: the time must not reveal the outcome.
            await await_evidence(env, stream, run, inbox)
            attempts = await await_older_streams(env, run, attempts)
            if stream.evidence.pieces != pieces:
                device = await self._assess_device(run, judgement)
            settlement = self._settlement(run, judgement, device, another=False)
        # 5. Refuse a device with too many failed checks.
        if (exceeded := stream.evidence.exceeded) is not None:
            # The exception leaves the attempt unsigned; ``endings.settle_left`` keeps an adverse judgement.
            env.metrics.checks.try_refused(exceeded.kind.value, sandbox=stream.record.sandbox)
            raise too_many_failures(exceeded, now=env.clock.now(), to_device=True)
        # 6. Make the outcome durable, then build the device's result.
        judged = self._closer.judged(run, judgement, device, ended=True)
        with env.metrics.stages.stage(Stage.STORE_VERDICT):
            status, attempts = await self._write(run, judged, settlement, attempts)
        env.metrics.checks.attempt_judged(
            verdict=judgement.liveness.verdict.value,
            seconds=env.clock.monotonic() - began,
            sandbox=stream.record.sandbox,
        )
        again = status is ScanStatus.RETRY
        result = ScanResultMessage(
            attempt=run.number,
            status=status,
            feedback=feedback_for_app(
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

    async def _assess_device(self, run: AttemptRun, judgement: AttemptJudgement) -> DeviceOutcome:
        return await self._closer.assess_device(run, judgement, ended=True)

    def _settlement(
        self, run: AttemptRun, judgement: AttemptJudgement, device: DeviceOutcome, *, another: bool
    ) -> Settlement:
        facts = self._closer.facts(run, judgement, device)
        return settle_signed(facts, another=another, cancelled=self.cancelled_by_person)

    async def _write(
        self,
        run: AttemptRun,
        judged: JudgedAttempt,
        settlement: Settlement,
        attempts: tuple[AttemptRecord, ...],
    ) -> tuple[ScanStatus, tuple[AttemptRecord, ...]]:
        """Makes the outcome durable; returns the status for the device and the check's attempts.

        Args:
            run: The attempt.
            judged: The judged attempt, without its images.
            settlement: Its settlement.
            attempts: The check's attempts, with this one in its state before its end.
        """
        env, stream = self._env, self._stream
        epoch = stream.record.lease_epoch
        async with self._closer.kept_pictures(run, settlement.pictures) as pictures:
            judged = replace(judged, evidence=pictures)
            ending = self._closer.ending(
                run,
                outcome=settlement.outcome,
                attempts=attempts,
                judged=judged,
                doubts=self._closer.doubts(judged.judgement),
            )
            attempts = tuple(
                ending.applied_to(each) if each.number == run.number else each for each in attempts
            )
            if settlement.outcome is AttemptOutcome.RETRY:
                await env.repository.end_attempt(
                    stream.record.check_id, epoch=epoch, ending=ending, evidence=pictures
                )
                _note(ending)
                return ScanStatus.RETRY, attempts
            verdict = await env.recorder.decide(
                stream.record,
                policy=stream.policy,
                attempt=judged,
                attempts=attempts,
                ended_by=settlement.reason,
                epoch=epoch,
                now=env.clock.now(),
                ending=ending,
            )
            _note(ending)
            self._decided(verdict)
        return final_status(verdict, stream.policy.disclosure.app), attempts


def _note(ending: AttemptEnding) -> None:
    attempt_judged(outcome=ending.outcome, ended_by=ending.ended_by, frames=ending.frames)
