"""How an attempt ends: it is judged, its pictures are kept, and what it amounts to stands in the database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog

from attempt.judgement import AttemptJudgement, judge_attempt
from matcher.comparison import MatchPolicy
from server.checks.outcomes import JudgedAttempt
from server.checks.recorder import KeptPictures
from server.checks.templates import open_template
from server.domain.state import OPEN_STATES
from server.domain.terms import AttemptOutcome, EndedBy
from server.policies.liveness import liveness_policy
from server.scan.attempt import AttemptRun
from server.scan.challenges import challenge_evidence
from server.scan.device_look import DeviceLook, DeviceLooks
from server.scan.device_memory import FrameRecall
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding, AttemptRecord, EvidenceEntry
from server.verdict import CheckVerdict, FailureReason
from server.verdict.outcome import DeviceOutcome, TranscriptOutcome

__all__ = ["AttemptCloser"]

_log = structlog.get_logger(__name__)

_MOST_FEEDBACK = 8


@dataclass(slots=True, eq=False)
class _Ahead:
    """What of an attempt's end is worked on before the device has signed it.

    Attributes:
        run: The attempt.
        judgement: What it amounts to.
        recall: What earlier scans say of its frames.
        device: What is known of its device, as if the device had signed it.
        attempts: The check's attempts. No other stream may change them while this one may write.
        pictures: Its pictures, without their rows.
        pictures_taken: Whether somebody took them, who writes their rows or drops them.
    """

    run: AttemptRun
    judgement: asyncio.Task[AttemptJudgement]
    recall: asyncio.Task[FrameRecall]
    device: asyncio.Task[DeviceLook]
    attempts: asyncio.Task[tuple[AttemptRecord, ...]]
    pictures: asyncio.Task[KeptPictures]
    pictures_taken: bool = False


class AttemptCloser:
    """Closes the attempts of one stream. What it writes is durable when it returns."""

    def __init__(self, env: ScanEnvironment) -> None:
        """Takes what every stream shares."""
        self._env = env
        self._devices = DeviceLooks(env)
        self._ahead: _Ahead | None = None

    def judge_ahead(self, stream: OpenStream, run: AttemptRun) -> None:
        """Begins to judge an attempt that looks at no further frames, while its end is shown and signed."""
        judgement = asyncio.create_task(self._judge(stream, run))
        recall = asyncio.create_task(self._devices.recall(stream, run))
        self._ahead = _Ahead(
            run=run,
            judgement=judgement,
            recall=recall,
            device=asyncio.create_task(self._look_ahead(stream, run, judgement, recall)),
            attempts=asyncio.create_task(self._env.repository.attempts(stream.record.check_id)),
            pictures=asyncio.create_task(self._keep_pictures(stream, run)),
        )

    async def judge(self, stream: OpenStream, run: AttemptRun) -> AttemptJudgement:
        """What the attempt amounts to, with the frames that came so far."""
        if (ahead := self._ahead_of(run)) is not None:
            return await ahead.judgement
        return await self._judge(stream, run)

    async def attempts(self, stream: OpenStream, run: AttemptRun) -> tuple[AttemptRecord, ...]:
        """The check's attempts, this one as it stood before its end."""
        if (ahead := self._ahead_of(run)) is not None:
            attempts = await ahead.attempts
            own = next((each for each in attempts if each.number == run.number), None)
            counts = run.frames >= self._env.settings.counted_frames
            # Frames go on coming after it was settled: with the first it stands, with some it counts.
            if own is not None and own.counted == counts:
                return attempts
        await run.record()
        return await self._env.repository.attempts(stream.record.check_id)

    async def close(self) -> None:
        """Ends what nobody waits for any more, and leaves no picture without a row."""
        ahead = self._ahead
        if ahead is None:
            return
        tasks = ahead.judgement, ahead.recall, ahead.device, ahead.attempts
        for task in tasks:
            task.cancel()
        # Pictures that are being stored are stored to the end: else nobody knew what to drop.
        *_, pictures = await asyncio.gather(*tasks, ahead.pictures, return_exceptions=True)
        if not ahead.pictures_taken and not isinstance(pictures, BaseException):
            await self._drop(pictures)

    def _ahead_of(self, run: AttemptRun) -> _Ahead | None:
        return self._ahead if self._ahead is not None and self._ahead.run is run else None

    async def _look_ahead(
        self,
        stream: OpenStream,
        run: AttemptRun,
        judgement: asyncio.Task[AttemptJudgement],
        recall: asyncio.Task[FrameRecall],
    ) -> DeviceLook:
        bits, recalled = (await judgement).verified_bits, await recall
        return await self._devices.look(stream, run, recall=recalled, verified_bits=bits, ended=True)

    async def _judge(self, stream: OpenStream, run: AttemptRun) -> AttemptJudgement:
        env = self._env
        await run.work.examine_rest()
        template = open_template(stream.record, wrapping_keys=env.keys.wrapping_keys)
        return await env.pool.run_first(
            judge_attempt,
            scan=run.capture.observations,
            examined=run.capture.examined,
            witnesses=run.capture.witnesses,
            portrait=template,
            calibration=env.models.pack.match_calibration,
            liveness_policy=liveness_policy(stream.policy),
            match_policy=MatchPolicy(max_fmr=stream.policy.match.max_fmr),
            fusion=env.models.fusion,
            hints=run.capture.hints,
            too_slow=run.too_slow,
            challenge=challenge_evidence(env, stream.plans, run.challenge),
            complete=run.complete,
        )

    @asynccontextmanager
    async def kept_pictures(self, stream: OpenStream, run: AttemptRun) -> AsyncIterator[KeptPictures]:
        """Stores an attempt's pictures; of those whose rows are then not written, none is left.

        A failure of the database says nothing about the rows, so the pictures stay.
        """
        ahead = self._ahead_of(run)
        if ahead is not None and not ahead.pictures_taken:
            ahead.pictures_taken = True
            pictures = await ahead.pictures
        else:
            pictures = await self._keep_pictures(stream, run)
        try:
            yield pictures
        except (Conflict, StorageUnavailable) as error:
            if isinstance(error, Conflict) or error is pictures.failure:
                await self._drop(pictures)
            raise

    async def _drop(self, pictures: KeptPictures) -> None:
        with suppress(StorageUnavailable):
            await self._env.recorder.drop_pictures(pictures.entries)

    async def _keep_pictures(self, stream: OpenStream, run: AttemptRun) -> KeptPictures:
        return await self._env.recorder.keep_pictures(
            stream.record,
            attempt=run.number,
            best=run.capture.best,
            audit=run.capture.audit(stream.policy.retention.audit_images),
        )

    async def look_at_device(
        self, stream: OpenStream, run: AttemptRun, judgement: AttemptJudgement, *, ended: bool
    ) -> DeviceOutcome:
        """What is known of the device; what to keep of it is noted for ``keep_memory``.

        Args:
            stream: The stream.
            run: The attempt.
            judgement: What it amounts to.
            ended: Whether the device signed its end, which binds the frames to the session key.
        """
        ahead, look = self._ahead_of(run), None
        if ahead is not None and ended:
            look = await ahead.device
        if look is None or look.pieces != stream.evidence.pieces:
            look = await self._devices.look(
                stream,
                run,
                recall=await (self._devices.recall(stream, run) if ahead is None else ahead.recall),
                verified_bits=judgement.verified_bits,
                ended=ended,
            )
        self._devices.count(run, look)
        return look.outcome

    async def keep_memory(self, stream: OpenStream) -> None:
        """Keeps what the scan is known again by; see ``DeviceLooks.keep``."""
        await self._devices.keep(stream)

    def judged(
        self,
        stream: OpenStream,
        run: AttemptRun,
        judgement: AttemptJudgement,
        device: DeviceOutcome,
        pictures: tuple[EvidenceEntry, ...],
        *,
        ended: bool,
    ) -> JudgedAttempt:
        """The attempt as results tell of it.

        Args:
            stream: The stream.
            run: The attempt.
            judgement: What it amounts to.
            device: What is known of the device.
            pictures: What was kept of it.
            ended: Whether the device signed its end.
        """
        return JudgedAttempt(
            number=run.number,
            judgement=judgement,
            mode=run.mode,
            device=device,
            transcript=TranscriptOutcome(
                intact=ended,
                signed=ended,
                frames=run.frames,
                examined=run.capture.frames_examined,
                dropped=stream.transcript.dropped,
                streams=stream.record.streams,
                final_mac_sha256=stream.transcript.final_mac_sha256,
            ),
            evidence=pictures,
        )

    def ending(
        self,
        stream: OpenStream,
        run: AttemptRun,
        *,
        outcome: AttemptOutcome,
        attempts: tuple[AttemptRecord, ...],
        judged: JudgedAttempt | None,
        ended_by: EndedBy = EndedBy.SIGNED,
    ) -> AttemptEnding:
        """What is to stand of the attempt in the database, ``judged`` or not."""
        env, now = self._env, self._env.clock.now()
        interim = None
        if judged is not None:
            interim = env.recorder.interim(
                stream.record, policy=stream.policy, attempt=judged, attempts=attempts, now=now
            )
        return AttemptEnding(
            number=run.number,
            outcome=outcome,
            ended_by=ended_by,
            verdict=judged.judgement.liveness.verdict if judged else None,
            frames=run.frames,
            dropped=stream.transcript.dropped,
            feedback=judged.judgement.feedback if judged else run.capture.hints[:_MOST_FEEDBACK],
            end_time=now,
            final_mac_sha256=stream.transcript.final_mac_sha256,
            judgement=interim,
        )

    async def abandon(
        self, stream: OpenStream, run: AttemptRun, *, ended_by: EndedBy, broken: bool = False
    ) -> CheckVerdict | None:
        """Ends an attempt whose device did not sign its end, whoever dropped the line.

        Whoever leaves early leaves what was seen of them. An adverse judgement that stands
        (``AttemptJudgement.stands``) decides the check, and so does a device that shows for certain that it
        was manipulated: leaving takes nothing back, nor does a newer stream. Anything else decides nothing,
        and costs an attempt once its frames count.

        Args:
            stream: The stream.
            run: The attempt, which stands in the database.
            ended_by: What ended it; with SUPERSEDED it ended when the newer stream took the lease.
            broken: Whether the device broke its transcript.

        Returns:
            The check's verdict, where what was seen decides it.

        Raises:
            Conflict: Somebody decided the check meanwhile.
        """
        env, check_id = self._env, stream.record.check_id
        if ended_by is EndedBy.SUPERSEDED:
            current = await env.repository.get(check_id)
            if current is None or current.state not in OPEN_STATES:
                return None
        try:
            judgement = await self.judge(stream, run)
            device = await self.look_at_device(stream, run, judgement, ended=False)
        except Exception:
            if ended_by is not EndedBy.SERVER_FAULT:
                raise
            # What keeps the attempt from being judged need not keep its end from being written.
            _log.exception("attempt_not_judged", check_id=str(check_id))
            await self._end_undecided(stream, run, None, ended_by)
            return None
        left = partial(self.judged, stream, run, judgement, device, ended=False)
        counts = run.frames >= env.settings.counted_frames
        if not (device.final or (counts and judgement.stands)):
            # Too short a look speaks against nobody, also where nothing follows it.
            speaks = counts and not judgement.adverse
            await self._end_undecided(stream, run, left if speaks else None, ended_by)
            return None
        async with self.kept_pictures(stream, run) as pictures:
            judged = left(pictures.entries)
            with suppress(Conflict):
                await self._end(stream, run, judged, outcome=AttemptOutcome.DECIDED, ended_by=ended_by)
            # Whoever holds the lease by now: a newer stream must not save the older one's answer.
            return await env.recorder.decide(
                stream.record,
                policy=stream.policy,
                attempt=judged,
                attempts=await env.repository.attempts(check_id),
                ended_by=FailureReason.TRANSCRIPT_BROKEN if broken else None,
                epoch=None,
                now=env.clock.now(),
            )

    async def _end_undecided(
        self,
        stream: OpenStream,
        run: AttemptRun,
        left: Callable[[tuple[EvidenceEntry, ...]], JudgedAttempt] | None,
        ended_by: EndedBy,
    ) -> None:
        """Ends an attempt that decides nothing.

        Of one that was superseded no picture is kept, and of one that a fault of the server ended nothing.
        """
        end = partial(self._end, stream, run, outcome=AttemptOutcome.INTERRUPTED, ended_by=ended_by)
        if ended_by is EndedBy.SERVER_FAULT:
            await end(None)
            return
        if ended_by is EndedBy.SUPERSEDED:
            await end(None if left is None else left(()))
            return
        async with self.kept_pictures(stream, run) as kept:
            # A device that left is not excused by a store that is away: what was seen stands by itself.
            pictures = kept.entries if kept.failure is None else ()
            await end(None if left is None else left(pictures), pictures=pictures)
            if kept.failure is not None:
                await self._drop(kept)

    async def _end(
        self,
        stream: OpenStream,
        run: AttemptRun,
        judged: JudgedAttempt | None,
        *,
        outcome: AttemptOutcome,
        ended_by: EndedBy,
        pictures: tuple[EvidenceEntry, ...] = (),
    ) -> None:
        repository, record = self._env.repository, stream.record
        attempts = await repository.attempts(record.check_id)
        ending = self.ending(
            stream, run, outcome=outcome, attempts=attempts, judged=judged, ended_by=ended_by
        )
        try:
            await repository.end_attempt(
                record.check_id, epoch=record.lease_epoch, ending=ending, evidence=pictures
            )
        except Conflict:
            # A newer stream took the lease, and with it ended this attempt; what came of it is still to say.
            if ended_by is not EndedBy.SERVER_FAULT:
                kept = None if pictures else ending.judgement
                ending = replace(ending, ended_by=EndedBy.SUPERSEDED, judgement=kept)
            await repository.end_superseded(record.check_id, epoch=record.lease_epoch, ending=ending)
            if pictures:
                raise
