"""Ends a stream's attempts and its check by the rules of ``server.scan.endings``, durably.

An attempt ends in one of two ways: its device signs it (``ScanEnds.conclude``), or it is left
(``ScanEnds.leave_at_exit``), together with the stream.

A newer stream of a scan cannot decide before the older ones have judged. A stream that was fenced notices it
within seconds, judges its frames and stores the outcome of its attempt. The newer stream's good result waits
until then, or until the older lease would have expired because its server stopped. Otherwise an attacker
could show an attack on one connection and a better one on the next, and win the race.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog

from attempt import AttemptJudgement
from liveness import VerdictReason
from server.base.errors import Reason, Refusal
from server.checks.lifecycle import attempt_judged, check_decided
from server.checks.progress import attempts_remaining
from server.checks.recorder import JudgedAttempt
from server.checks.refusals import too_many_failures
from server.domain.terms import OPEN_STATES, AttemptOutcome, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.budget import ScanBytes
from server.scan.endings import (
    NO_FACTS,
    Ending,
    ScanDeadlinePassed,
    Settlement,
    State,
    ending_of,
    follow,
    settle_left,
    settle_signed,
)
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.judging import AttemptJudge
from server.scan.lease import resume_until
from server.scan.messages import (
    AttemptEndMessage,
    AttemptReadyMessage,
    AttestationMessage,
    Capability,
    EndCause,
    ScanResultMessage,
    ScanStatus,
    feedback_for_app,
    final_status,
)
from server.scan.plans import doubts_of, may_be_declined
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding, AttemptRecord
from server.telemetry.stages import Stage, attempt_bound
from server.verdict import CheckVerdict, FailureReason

_OLDER_TICK_SECONDS = 0.2
_TICK_SECONDS = 0.5
_AGAIN_SECONDS = 0.5
"""Less than a device waits before it reconnects after a fault: it should find its attempt ended."""
_log = structlog.get_logger(__name__)

Outcome = TypeVar("Outcome")


class ScanEnds:
    """Ends the attempts of one stream, in every possible way, and the stream's work on its check.

    Attributes:
        ended_by: The event that ended the stream; ``None`` before, and if its last attempt decided the check.
    """

    def __init__(
        self, env: ScanEnvironment, stream: OpenStream, *, judge: AttemptJudge, scan_bytes: ScanBytes
    ) -> None:
        """Initialise the ends of a stream before its first attempt.

        Args:
            scan_bytes: The bytes that the scan has used so far.
        """
        self.ended_by: EndedBy | None = None
        self._env = env
        self._stream = stream
        self._judge = judge
        self._bytes = scan_bytes
        self._run: AttemptRun | None = None
        self._state = State.RUNNING
        self._cancelled = False
        self._failed = False
        self._over = False
        self._left: Ending | None = None

    @property
    def unwritten(self) -> bool:
        """Whether the storage failed when the end was to be stored; ``write_later`` stores it."""
        return self._left is not None

    def begin(self, run: AttemptRun) -> None:
        """Note that an attempt starts."""
        self._run, self._state = run, State.RUNNING

    async def conclude(
        self, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Judge a signed attempt and make its outcome durable.

        A failure of the server is noted, because the device may disconnect before the stream ends.

        Args:
            inbox: The device's messages, which may still bring evidence.

        Returns:
            The result for the device, and the check's attempts.

        Raises:
            Refusal: Too many checks failed; the attempt is still to be ended as one that was left.
            LeaseLost, Conflict, CheckClosing: Another stream took over, or the orchestrator closes the check.
        """
        self._state = follow(self._state, EndedBy.SIGNED)
        try:
            with self._env.metrics.stages.stage(Stage.VERDICT):
                result, attempts = await self._conclude(run, end, inbox)
        except Exception as error:
            self._failed = self._ending_of(error).by is EndedBy.SERVER_FAULT
            raise
        self._run = None
        return result, attempts

    async def _conclude(
        self, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        # 1. Judge the attempt.
        env, stream, judge, began = self._env, self._stream, self._judge, self._env.clock.monotonic()
        await run.work.verify_sample()
        judgement = await judge.judge(run)
        attempts = await judge.attempts(run)
        self._cancelled = end.cause is EndCause.CANCELLED
        if stream.plans.answer_doubt:
            # An older stream may still judge an attempt that raises doubt, which this one does not resolve.
            attempts = await await_older_streams(env, stream.record.check_id, attempts, run=run)
            if not set(doubts_of(attempts)) <= set(stream.plans.doubts):
                stream.plans.note(doubts_of(attempts))
                judgement = await judge.judge(run, anew=True)
        doubts = judge.doubts(judgement)
        stream.plans.note(doubts)
        if self._cancelled and run.kind is not None and may_be_declined(run.challenge):
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
        seconds = stream.plans.expected_seconds(capture=env.limits.plan.seconds)
        enough = self._bytes.suffice(seconds=seconds, budget=stream.budget)
        another = enough and remaining > 0 and stream.plans.open and stream.record.requested_outcome is None
        # 3. Assess the device and settle the attempt.
        device, pieces = await judge.assess_device(run, judgement, ended=True), stream.evidence.pieces
        facts = judge.facts(run, judgement, device)
        settlement = settle_signed(facts, another=another, cancelled=self._cancelled)
        if settlement.outcome is not AttemptOutcome.RETRY:
            # 4. Wait for missing evidence before every decision: the time must not reveal the outcome.
            await await_evidence(env, stream, run, inbox)
            attempts = await await_older_streams(env, stream.record.check_id, attempts, run=run)
            if stream.evidence.pieces != pieces:
                device = await judge.assess_device(run, judgement, ended=True)
            facts = judge.facts(run, judgement, device)
            settlement = settle_signed(facts, another=False, cancelled=self._cancelled)
        # 5. Refuse a device with too many failed checks.
        if (exceeded := stream.evidence.exceeded) is not None:
            # The exception leaves the attempt unsigned; ``endings.settle_left`` keeps an adverse judgement.
            env.metrics.checks.try_refused(exceeded.kind.value, sandbox=stream.record.sandbox)
            raise too_many_failures(exceeded, now=env.clock.now(), to_device=True)
        # 6. Make the outcome durable, then build the device's result.
        judged = judge.judged(run, judgement, device, ended=True)
        with env.metrics.stages.stage(Stage.STORE_VERDICT):
            verdict, attempts = await self._write(run, settlement, judged, attempts=attempts, doubts=doubts)
        if verdict is not None:
            self._decided(verdict)
        env.metrics.checks.attempt_judged(
            verdict=judgement.liveness.verdict.value,
            seconds=env.clock.monotonic() - began,
            sandbox=stream.record.sandbox,
        )
        return self._result(run, judgement, verdict, remaining=remaining), attempts

    def _result(
        self, run: AttemptRun, judgement: AttemptJudgement, verdict: CheckVerdict | None, *, remaining: int
    ) -> ScanResultMessage:
        """Return the result for the device; ``verdict`` is ``None`` if another attempt follows."""
        disclosure = self._stream.policy.disclosure.app
        again = verdict is None
        status = ScanStatus.RETRY if verdict is None else final_status(verdict, disclosure)
        return ScanResultMessage(
            attempt=run.number,
            status=status,
            feedback=feedback_for_app(
                advice=judgement.feedback, shown=tuple(run.shown), status=status, disclosure=disclosure
            ),
            another_attempt=again,
            attempts_remaining=max(0, remaining) if again else 0,
            ready_within=ready_within(self._env, self._stream) if again else None,
        )

    @asynccontextmanager
    async def leave_at_exit(self) -> AsyncIterator[None]:
        """End the scan when the block exits, according to the exception that the block raised; re-raise it.

        If the check should have been closed and could not be, the error that prevented it ends the scan
        instead and is raised. If the storage is away, ``write_later`` has to store the end.
        """
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            await self._leave_by(self._ending_of(error))
            raise
        await self._leave_by(self._ending_of(None))

    async def write_later(self) -> None:
        """Store the end once the storage answers again.

        Tries until the lease has expired: from then on everybody concludes that the server failed.
        """
        ending, until = self._left, self._env.clock.monotonic() + self._env.limits.lease_seconds
        while ending is not None and self._env.clock.monotonic() < until:
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await self._leave(ending)
            except StorageUnavailable:
                continue
            except Exception:  # noqa: BLE001 - nobody awaits this work; the lease expires
                _log.exception("scan_end_not_stored", check_id=str(self._stream.record.check_id))
            self._left = ending = None

    async def _leave_by(self, ending: Ending) -> None:
        try:
            await run_to_end(self._leave(ending))
        except (Exception, asyncio.CancelledError) as failure:
            if ending.closes is not None:
                await self._leave_by(self._ending_of(failure))
            elif isinstance(failure, StorageUnavailable | asyncio.CancelledError) and not self._over:
                self._left = ending
            raise

    def _ending_of(self, error: BaseException | None) -> Ending:
        return ending_of(
            error,
            failed=self._failed,
            draining=self._env.running.draining.is_set(),
            cancelled=self._cancelled,
        )

    async def _leave(self, ending: Ending) -> None:
        """End the running attempt and the scan; do nothing if both are already over.

        May be repeated, also with another ending, if it failed.

        Raises:
            Conflict: The check was to be closed, and another stream has taken it over.
            Exception: Storing the end failed. If the check was to be closed, the caller ends it by this
                error.
        """
        if self._over:
            return
        self.ended_by = ending.by
        try:
            if await self._leave_attempt(ending):
                return
            if ending.closes is not None:
                await self._close(ending.closes)
            elif ending.rule.resumable:
                await self._suspend()
        except Conflict:
            if ending.closes is not None:
                raise
            _log.info("scan_superseded_while_leaving", check_id=str(self._stream.record.check_id))
        self._over = True

    async def _leave_attempt(self, ending: Ending) -> bool:
        """End the running attempt, if there is one; return whether its frames decide the check."""
        run = self._run
        if run is None:
            return False
        if not run.recorded:
            if not ending.without_frames:
                return False
            await run.record()
        if self._state is not State.LEFT:
            self._state = follow(self._state, ending.by)
        try:
            with attempt_bound(run.number), self._env.metrics.stages.stage(Stage.VERDICT):
                verdict = await self._settle(run, ending)
        except Conflict:
            # A newer stream has the check; everything that can still be stored is.
            self._run = None
            raise
        self._run = None
        if verdict is not None:
            self._decided(verdict)
        return verdict is not None

    async def _settle(self, run: AttemptRun, ending: Ending) -> CheckVerdict | None:
        """Judge an attempt that was left; return the check's decision if the attempt decides it."""
        judge, check_id = self._judge, self._stream.record.check_id
        if ending.by is EndedBy.SUPERSEDED:
            # If the check is decided already, the attempt has no influence any more.
            current = await self._env.repository.get(check_id)
            if current is None or current.state not in OPEN_STATES:
                return None
        facts = NO_FACTS
        doubts: tuple[VerdictReason, ...] = ()
        judged: JudgedAttempt | None = None
        try:
            judgement = await judge.judge(run)
            device = await judge.assess_device(run, judgement, ended=False)
        except Exception:
            if ending.rule.judgement:
                raise
            # If the judgement is not needed, an error in it must not prevent storing the attempt's end.
            _log.exception("attempt_not_judged", check_id=str(check_id))
        else:
            facts, doubts = judge.facts(run, judgement, device), judge.doubts(judgement)
            judged = judge.judged(run, judgement, device, ended=False)
        settlement = settle_left(facts, ending)
        verdict, _ = await self._write(run, settlement, judged, doubts=doubts, left=ending)
        return verdict

    async def _write(
        self,
        run: AttemptRun,
        settlement: Settlement,
        judged: JudgedAttempt | None,
        *,
        doubts: tuple[VerdictReason, ...],
        attempts: tuple[AttemptRecord, ...] | None = None,
        left: Ending | None = None,
    ) -> tuple[CheckVerdict | None, tuple[AttemptRecord, ...]]:
        """Make the outcome of an attempt durable, in one transaction with the decision that it leads to.

        Otherwise a newer stream, which waits for the attempt's end, could decide the check between the two
        writes.

        Args:
            judged: The judged attempt, without its images; ``None`` if it could not be judged.
            attempts: The check's attempts, with this one in its state before its end; ``None`` to read them.
            left: The event by which it was left; ``None`` if it is signed.

        Returns:
            The check's decision, ``None`` if the attempt does not decide it, and the check's attempts.

        Raises:
            Conflict: Another stream was first; if the attempt was left, its images cannot be stored any more.
        """
        repository, record = self._env.repository, self._stream.record
        ended_by = EndedBy.SIGNED if left is None else left.by
        async with self._judge.kept_images(run, settlement.images) as images:
            kept = replace(judged, evidence=images) if judged is not None and settlement.judgement else None
            deciding = kept if settlement.outcome is AttemptOutcome.DECIDED else None
            if attempts is None:
                attempts = await repository.attempts(record.check_id)
            ending = self._judge.ending(
                run,
                outcome=settlement.outcome,
                attempts=attempts,
                judged=kept,
                doubts=doubts,
                ended_by=ended_by,
            )
            attempts = _with_end(attempts, ending)
            verdict = None
            try:
                if deciding is not None:
                    verdict = await self._decide(
                        deciding, ending, attempts, reason=settlement.reason, epoch=record.lease_epoch
                    )
                else:
                    await repository.end_attempt(
                        record.check_id, epoch=record.lease_epoch, ending=ending, evidence=images
                    )
            except Conflict:
                if left is None:
                    raise
                # A newer stream has acquired the lease, which ended this attempt.
                ending = replace(ending, ended_by=left.rule.fenced)
                if deciding is not None:
                    verdict = await self._decide_fenced(deciding, ending, reason=settlement.reason)
                else:
                    # Its outcome is not stored yet.
                    if images:
                        ending = replace(ending, judgement=None)
                    await repository.end_superseded(record.check_id, epoch=record.lease_epoch, ending=ending)
                    if images:
                        raise
        attempt_judged(outcome=settlement.outcome, ended_by=ended_by, frames=run.frames)
        return verdict, attempts

    async def _decide(
        self,
        judged: JudgedAttempt,
        ending: AttemptEnding | None,
        attempts: tuple[AttemptRecord, ...],
        *,
        reason: FailureReason | None,
        epoch: int | None,
    ) -> CheckVerdict:
        env = self._env
        return await env.recorder.decide(
            self._stream.record,
            policy=self._stream.policy,
            attempt=judged,
            attempts=attempts,
            reason=reason,
            epoch=epoch,
            now=env.clock.now(),
            ending=ending,
        )

    async def _decide_fenced(
        self, judged: JudgedAttempt, ending: AttemptEnding, *, reason: FailureReason | None
    ) -> CheckVerdict:
        """Decide the check by an attempt that was left, although another stream now holds the lease.

        A newer stream must not hide the result of an older one.

        Raises:
            Conflict: The check is decided.
        """
        attempts = await self._env.repository.attempts(self._stream.record.check_id)
        if any(each.number == ending.number and each.ended_by is not None for each in attempts):
            return await self._decide(judged, None, attempts, reason=reason, epoch=None)
        return await self._decide(judged, ending, _with_end(attempts, ending), reason=reason, epoch=None)

    async def _close(self, reason: FailureReason) -> None:
        """Decide the check by the attempts that exist."""
        env, record = self._env, self._stream.record
        # An older stream may still be judging its frames; closing the check early must not discard that.
        attempts = await env.repository.attempts(record.check_id)
        attempts = await await_older_streams(env, record.check_id, attempts)
        with env.metrics.stages.stage(Stage.STORE_VERDICT):
            verdict = await env.recorder.close(
                record,
                policy=self._stream.policy,
                attempts=attempts,
                reason=reason,
                epoch=record.lease_epoch,
                now=env.clock.now(),
            )
        self._decided(verdict)

    async def _suspend(self) -> None:
        """Suspend the check so that its device may reconnect."""
        record = self._stream.record
        await self._env.repository.suspend(
            record.check_id,
            epoch=record.lease_epoch,
            bytes_received=self._bytes.used,
            resume_until=resume_until(self._env, self._stream.policy),
        )

    def _decided(self, verdict: CheckVerdict) -> None:
        self._over = True
        check_decided(self._stream.record, verdict, metrics=self._env.metrics)


def _with_end(attempts: tuple[AttemptRecord, ...], ending: AttemptEnding) -> tuple[AttemptRecord, ...]:
    """Return the check's attempts, with the one that ended in its state after its end."""
    return tuple(ending.applied_to(each) if each.number == ending.number else each for each in attempts)


async def run_to_end(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Run ``work`` to its end even if this task is cancelled meanwhile, and then raise the cancellation."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            # A stopping server may cancel a second time, after the device's disconnect.
            cancelled = True
    if not cancelled:
        return task.result()
    if (error := task.exception()) is not None:
        _log.error("scan_not_concluded", exc_info=error)
    raise asyncio.CancelledError


async def await_older_streams(
    env: ScanEnvironment,
    check_id: UUID,
    attempts: tuple[AttemptRecord, ...],
    *,
    run: AttemptRun | None = None,
) -> tuple[AttemptRecord, ...]:
    """Wait until every older stream has stored the outcome of its attempts, or its lease would have expired.

    Args:
        attempts: The check's attempts as last read.
        run: The attempt that renews the lease and is to be decided: only counted attempts are waited for.
            ``None`` for a stream that closes the check without a judgement. Its lease began when the attempts
            of older streams ended, so it lasts as long as this wait.

    Returns:
        The check's attempts after the wait.

    Raises:
        LeaseLost: A still newer stream took over, or an older one decided the check.
    """
    lease = timedelta(seconds=env.limits.lease_seconds)
    while any(
        attempt.outcome is AttemptOutcome.INTERRUPTED
        and attempt.ended_by is None
        and attempt.end_time is not None
        and env.clock.now() < attempt.end_time + lease
        and (attempt.counted or run is None)
        for attempt in attempts
    ):
        await asyncio.sleep(_OLDER_TICK_SECONDS)
        if run is not None:
            await run.lease.renew()
        attempts = await env.repository.attempts(check_id)
    return attempts


async def await_evidence(env: ScanEnvironment, stream: OpenStream, run: AttemptRun, inbox: Inbox) -> None:
    """Receive evidence until the policy demands no more, or until its grace period or the scan ends.

    Any other message or error ends the wait without deciding anything; the attempt is then judged from the
    frames received so far.

    Raises:
        LeaseLost: A newer stream took over.
        StorageUnavailable: The database failed.
    """
    clock = env.clock
    until = clock.monotonic() + stream.policy.deadlines.attestation_grace_seconds
    while await stream.evidence.is_awaited():
        await run.lease.renew()
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


def ready_within(env: ScanEnvironment, stream: OpenStream) -> float | None:
    """Return the seconds for which the next attempt waits for the device; ``None`` if it begins at once."""
    if Capability.READY not in stream.start.capabilities:
        return None
    until_deadline = (stream.record.scan_deadline - env.clock.now()).total_seconds()
    return max(0.0, min(float(stream.policy.deadlines.ready_seconds), until_deadline))


async def await_ready(
    env: ScanEnvironment, stream: OpenStream, run: AttemptRun, inbox: Inbox, *, result_sent: float
) -> None:
    """Wait until the device reports that the person is ready, or the server is about to stop.

    The stream keeps its lease meanwhile, and evidence is still accepted.

    Args:
        result_sent: When the attempt's result was sent, seconds of the monotonic clock.

    Raises:
        Refusal: The device took too long (STREAM_IDLE), or sent another message (UNEXPECTED_MESSAGE).
        StreamEnded: The device half-closed.
        LeaseLost: A newer stream took over.
        ScanDeadlinePassed: The scan's deadline passed.
    """
    clock, seconds = env.clock, float(stream.policy.deadlines.ready_seconds)
    while not env.running.draining.is_set():
        await run.lease.renew()
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
