"""Ends a stream's attempts and its check by the rules of ``server.scan.endings``, durably."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from liveness import VerdictReason
from server.checks.lifecycle import attempt_judged, check_decided
from server.checks.outcomes import JudgedAttempt
from server.domain.state import OPEN_STATES
from server.domain.terms import AttemptOutcome, EndedBy
from server.scan.attempt import AttemptRun
from server.scan.closing import AttemptCloser
from server.scan.concluding import AttemptConcluder
from server.scan.endings import NO_FACTS, Ending, State, ending_of, follow, settle_left
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.inbox import Inbox
from server.scan.lease import resume_until
from server.scan.messages import AttemptEndMessage, ScanResultMessage
from server.scan.older_streams import await_older_attempts
from server.scan.run_to_end import run_to_end
from server.scan.scan_bytes import ScanBytes
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding, AttemptRecord, EvidenceEntry
from server.telemetry.stages import Stage, attempt_bound
from server.verdict import CheckVerdict, FailureReason

__all__ = ["ScanEnder"]

_AGAIN_SECONDS = 0.5
"""Less than a device waits before it reconnects after a fault: it should find its attempt ended."""
_log = structlog.get_logger(__name__)


class ScanEnder:
    """Ends the attempts of one stream, in every possible way, and the stream's work on its check.

    Attributes:
        ended_by: The event that ended the stream; ``None`` before, and if its last attempt decided the check.
    """

    def __init__(
        self, env: ScanEnvironment, stream: OpenStream, *, closer: AttemptCloser, scan_bytes: ScanBytes
    ) -> None:
        """Initialises the ender of a stream before its first attempt.

        Args:
            env: The environment that all streams share.
            stream: The stream.
            closer: Closes its attempts.
            scan_bytes: The bytes that the scan has used so far.
        """
        self.ended_by: EndedBy | None = None
        self._env = env
        self._stream = stream
        self._closer = closer
        self._bytes = scan_bytes
        self._concluder = AttemptConcluder(
            env, stream, closer=closer, scan_bytes=scan_bytes, decided=self._decided
        )
        self._run: AttemptRun | None = None
        self._state = State.RUNNING
        self._failed = False
        self._over = False
        self._left: Ending | None = None

    @property
    def unwritten(self) -> bool:
        """Whether the storage failed when the end was to be stored; ``write_later`` stores it."""
        return self._left is not None

    def begin(self, run: AttemptRun) -> None:
        """Notes that an attempt starts."""
        self._run, self._state = run, State.RUNNING

    async def conclude(
        self, run: AttemptRun, end: AttemptEndMessage, inbox: Inbox
    ) -> tuple[ScanResultMessage, tuple[AttemptRecord, ...]]:
        """Concludes a signed attempt; returns the result for the device and the check's attempts.

        A failure of the server is noted, because the device may disconnect before the stream ends.

        Raises:
            Refusal: Too many checks failed; the attempt is still to be ended as one that was left.
            LeaseLost, Conflict, CheckClosing: Another stream took over, or the orchestrator closes the check.
        """
        self._state = follow(self._state, EndedBy.SIGNED)
        try:
            result, attempts = await self._concluder.conclude(run, end, inbox)
        except Exception as error:
            self._failed = self._ending_of(error).by is EndedBy.SERVER_FAULT
            raise
        self._run = None
        return result, attempts

    @asynccontextmanager
    async def at_the_end(self) -> AsyncIterator[None]:
        """Ends the scan when the block exits, according to the exception that the block raised; re-raises it.

        If the check should have been closed and could not be, the error that prevented it ends the scan
        instead and is raised. If the storage is away, ``write_later`` has to store the end.
        """
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:
            await self._end_by(self._ending_of(error))
            raise
        await self._end_by(self._ending_of(None))

    async def write_later(self) -> None:
        """Stores the end once the storage answers again.

        Tries until the lease has expired: from then on everybody concludes that the server failed.
        """
        ending, until = self._left, self._env.clock.monotonic() + self._env.limits.lease_seconds
        while ending is not None and self._env.clock.monotonic() < until:
            await asyncio.sleep(_AGAIN_SECONDS)
            try:
                await self._end(ending)
            except StorageUnavailable:
                continue
            except Exception:  # noqa: BLE001 - nobody awaits this work; the lease expires
                _log.exception("scan_end_not_stored", check_id=str(self._stream.record.check_id))
            self._left = ending = None

    async def _end_by(self, ending: Ending) -> None:
        try:
            await run_to_end(self._end(ending))
        except (Exception, asyncio.CancelledError) as failure:
            if ending.closes is not None:
                await self._end_by(self._ending_of(failure))
            elif isinstance(failure, StorageUnavailable | asyncio.CancelledError) and not self._over:
                self._left = ending
            raise

    def _ending_of(self, error: BaseException | None) -> Ending:
        return ending_of(
            error,
            failed=self._failed,
            draining=self._env.running.draining.is_set(),
            cancelled=self._concluder.cancelled_by_person,
        )

    async def _end(self, ending: Ending) -> None:
        """Ends the running attempt and the scan; does nothing if both are already over.

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
            if await self._leave(ending):
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

    async def _leave(self, ending: Ending) -> bool:
        """Ends the running attempt, if there is one; returns whether its frames decide the check."""
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
        """Judges an attempt that was left; returns the check's decision if the attempt decides it."""
        with attempt_bound(run.number), self._env.metrics.stages.stage(Stage.VERDICT):
            return await self._settled(run, ending)

    async def _settled(self, run: AttemptRun, ending: Ending) -> CheckVerdict | None:
        env, check_id, closer = self._env, self._stream.record.check_id, self._closer
        if ending.by is EndedBy.SUPERSEDED:
            # If the check is decided already, the attempt has no influence any more.
            current = await env.repository.get(check_id)
            if current is None or current.state not in OPEN_STATES:
                return None
        facts = NO_FACTS
        doubts: tuple[VerdictReason, ...] = ()
        judged: JudgedAttempt | None = None
        try:
            judgement = await closer.judge(run)
            device = await closer.assess_device(run, judgement, ended=False)
        except Exception:
            if ending.rule.judgement:
                raise
            # If the judgement is not needed, an error in it must not prevent storing the attempt's end.
            _log.exception("attempt_not_judged", check_id=str(check_id))
        else:
            facts, doubts = closer.facts(run, judgement, device), closer.doubts(judgement)
            judged = closer.judged(run, judgement, device, ended=False)
        settlement = settle_left(facts, ending)
        async with closer.kept_pictures(run, settlement.pictures) as pictures:
            kept = replace(judged, evidence=pictures) if judged and settlement.judgement else None
            if kept is not None and settlement.outcome is AttemptOutcome.DECIDED:
                verdict = await self._decide(run, ending, kept, reason=settlement.reason)
            else:
                await self._write(run, ending, settlement.outcome, kept, doubts=doubts, pictures=pictures)
                verdict = None
        attempt_judged(outcome=settlement.outcome, ended_by=ending.by, frames=run.frames)
        return verdict

    async def _decide(
        self, run: AttemptRun, ending: Ending, judged: JudgedAttempt, *, reason: FailureReason | None
    ) -> CheckVerdict:
        """Decides the check by an attempt that was left, even if another stream now holds the lease.

        A newer stream must not hide the result of an older one. The end of the attempt and the decision are
        written in one transaction. Otherwise a newer stream, which waits for the attempt's end, could decide
        the check between the two writes.

        Raises:
            Conflict: The check is decided.
        """
        repository, record = self._env.repository, self._stream.record
        attempts = await repository.attempts(record.check_id)
        written = self._closer.ending(
            run,
            outcome=AttemptOutcome.DECIDED,
            attempts=attempts,
            judged=judged,
            doubts=self._closer.doubts(judged.judgement),
            ended_by=ending.by,
        )
        try:
            return await self._decide_by(judged, written, attempts, reason=reason, epoch=record.lease_epoch)
        except Conflict:
            # A newer stream has acquired the lease, which ended this attempt.
            attempts = await repository.attempts(record.check_id)
            complete = any(each.number == run.number and each.ended_by is not None for each in attempts)
            fenced = None if complete else replace(written, ended_by=ending.rule.fenced)
            return await self._decide_by(judged, fenced, attempts, reason=reason, epoch=None)

    async def _decide_by(
        self,
        judged: JudgedAttempt,
        ending: AttemptEnding | None,
        attempts: tuple[AttemptRecord, ...],
        *,
        reason: FailureReason | None,
        epoch: int | None,
    ) -> CheckVerdict:
        env, record = self._env, self._stream.record
        if ending is not None:
            attempts = tuple(
                ending.applied_to(each) if each.number == ending.number else each for each in attempts
            )
        return await env.recorder.decide(
            record,
            policy=self._stream.policy,
            attempt=judged,
            attempts=attempts,
            ended_by=reason,
            epoch=epoch,
            now=env.clock.now(),
            ending=ending,
        )

    async def _write(
        self,
        run: AttemptRun,
        ending: Ending,
        outcome: AttemptOutcome,
        judged: JudgedAttempt | None,
        *,
        doubts: tuple[VerdictReason, ...],
        pictures: tuple[EvidenceEntry, ...] = (),
    ) -> None:
        """Stores the outcome of an attempt that was left.

        Raises:
            Conflict: Its images cannot be stored any more.
        """
        repository, record = self._env.repository, self._stream.record
        attempts = await repository.attempts(record.check_id)
        written = self._closer.ending(
            run, outcome=outcome, attempts=attempts, judged=judged, doubts=doubts, ended_by=ending.by
        )
        try:
            await repository.end_attempt(
                record.check_id, epoch=record.lease_epoch, ending=written, evidence=pictures
            )
        except Conflict:
            # A newer stream has acquired the lease, which ended this attempt. Its outcome is not stored yet.
            written = replace(
                written,
                ended_by=ending.rule.fenced,
                judgement=None if pictures else written.judgement,
            )
            await repository.end_superseded(record.check_id, epoch=record.lease_epoch, ending=written)
            if pictures:
                raise

    async def _close(self, reason: FailureReason) -> None:
        """Decides the check by the attempts that exist."""
        env, record = self._env, self._stream.record
        # An older stream may still be judging its frames; closing the check early must not discard that.
        attempts = await await_older_attempts(env, record.check_id)
        with env.metrics.stages.stage(Stage.STORE_VERDICT):
            verdict = await env.recorder.close(
                record,
                policy=self._stream.policy,
                attempts=attempts,
                ended_by=reason,
                epoch=record.lease_epoch,
                now=env.clock.now(),
            )
        self._decided(verdict)

    async def _suspend(self) -> None:
        """Suspends the check so that its device may reconnect."""
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
