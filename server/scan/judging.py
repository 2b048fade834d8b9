"""Judges an attempt that has all its frames: the person, the device, and the images that are kept of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog

from attempt import MOST_FEEDBACK, AttemptJudgement, judge_attempt
from liveness import DoubtTerms, Verdict, VerdictReason, may_be_sure_early
from matcher import MatchPolicy
from server.base.sandbox import tolerated_checks
from server.base.worker_pool import waiting_since
from server.checks.recorder import JudgedAttempt, KeptImages
from server.checks.templates import open_template
from server.device.assessment import ClaimedDevice, assess_device
from server.domain.terms import AttemptOutcome, EndedBy, Mode
from server.policies.schema import liveness_policy
from server.scan.attempt import AttemptRun
from server.scan.capture_work import CaptureWork
from server.scan.device_memory import FrameComparison, ScanComparison, merge_marks
from server.scan.endings import AttemptFacts, Images
from server.scan.environment import ScanEnvironment
from server.scan.handshake import OpenStream
from server.scan.plans import challenge_evidence
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.records import AttemptEnding, AttemptRecord, EvidenceEntry
from server.telemetry.stages import Stage
from server.verdict.outcome import DeviceOutcome, TranscriptOutcome

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _AssessedDevice:
    """One assessment of a device.

    Attributes:
        outcome: The facts that are known of the device.
        comparison: The comparison with earlier scans, and the marks to store of this scan.
        pieces: The number of pieces of evidence that it is based on. More may have arrived since.
    """

    outcome: DeviceOutcome
    comparison: ScanComparison
    pieces: int


@dataclass(slots=True, eq=False)
class _EarlyWork:
    """The work on an attempt's end that starts before the device has signed it.

    Attributes:
        device: The assessment of its device, on the assumption that the device signs the end.
        attempts: The check's attempts. No other stream can change them while this stream holds the lease.
        images: Its stored images, whose rows are not written.
        images_taken: Whether a caller took the images over and now writes their rows or deletes them.
    """

    run: AttemptRun
    judgement: asyncio.Task[AttemptJudgement]
    comparison: asyncio.Task[FrameComparison]
    device: asyncio.Task[_AssessedDevice]
    attempts: asyncio.Task[tuple[AttemptRecord, ...]]
    images: asyncio.Task[KeptImages]
    images_taken: bool = False


class AttemptJudge:
    """Judges the attempts of one stream, assesses its device, and stores the images durably."""

    def __init__(self, env: ScanEnvironment, stream: OpenStream) -> None:
        """Initialise the judge with the shared environment and the stream."""
        self._env = env
        self._stream = stream
        self._counted: dict[int, ScanComparison] = {}
        self._ahead: _EarlyWork | None = None
        # An early look at the attempt that was clear: the attempt is judged by it.
        self._clear: tuple[AttemptJudgement, FrameComparison] | None = None
        self._work: CaptureWork | None = None

    async def begin(self, run: AttemptRun) -> None:
        """Note that an attempt starts; the work of the last one has ended when this returns."""
        await self._end_work()
        self._work = run.work
        self._clear = None

    async def look_early(self, run: AttemptRun) -> bool:
        """Judge what an attempt shows so far, once; return whether it is clear, which ends the attempt.

        It is clear if all that is judged at the end would lead to SUCCESS by a line of its own. That is then
        the judgement of the attempt; otherwise nothing of it remains.

        Raises:
            Refusal: An image does not decode.
            StorageUnavailable: The database failed.
        """
        if not may_be_sure_early(run.capture.pad_scores, self._env.models.fusion):
            return False
        judgement = await self._judge(run, early=True)
        if not judgement.clear:
            return False
        comparison = await self._compare_frames(run)
        if self._doubts_similar(run) and (comparison.similar or comparison.motion is None):
            return False
        self._clear = judgement, comparison
        return True

    def judge_ahead(self, run: AttemptRun) -> None:
        """Start to judge an attempt that has all its frames, before its end arrives.

        Meanwhile, the device shows its last colour and signs the end.
        """
        waiting_since(self._env.clock.monotonic())
        judgement = asyncio.create_task(self._judge_whole(run))
        comparison = asyncio.create_task(self._compare_whole(run))
        self._ahead = _EarlyWork(
            run=run,
            judgement=judgement,
            comparison=comparison,
            device=asyncio.create_task(self._assess_ahead(run, judgement, comparison)),
            attempts=asyncio.create_task(self._env.repository.attempts(self._stream.record.check_id)),
            images=asyncio.create_task(self._keep_images(run)),
        )

    async def judge(self, run: AttemptRun, *, anew: bool = False) -> AttemptJudgement:
        """Return the judgement of the attempt from the frames received so far.

        A scan that moves as an earlier one is a doubt, and never LIVE without a challenge.

        Args:
            anew: Whether to judge again what was judged ahead, because earlier attempts raised doubt since.

        Raises:
            StorageUnavailable: The database failed.
        """
        ahead = self._ahead_of(run)
        judgement = await (self._judge(run) if anew or ahead is None else ahead.judgement)
        if judgement.liveness.verdict is Verdict.LIVE and await self._is_similar(run):
            self._stream.plans.note((VerdictReason.SIMILAR_TO_EARLIER_SCAN,))
            judgement = await self._judge(run)
        return judgement

    def _doubts_similar(self, run: AttemptRun) -> bool:
        """Return whether the policy doubts an attempt that may be a recording of an earlier scan."""
        stream = self._stream
        waived = tolerated_checks(stream.policy.device.tolerate, sandbox=stream.record.sandbox)
        return stream.plans.answer_doubt and run.kind is None and "memory.frames" not in waived

    async def _is_similar(self, run: AttemptRun) -> bool:
        """Return whether the attempt may be a recording of an earlier scan, and the policy asks then."""
        if not self._doubts_similar(run):
            return False
        ahead = self._ahead_of(run)
        return (await (self._compare_frames(run) if ahead is None else ahead.comparison)).similar

    async def attempts(self, run: AttemptRun) -> tuple[AttemptRecord, ...]:
        """Return the stored attempts of the check, of which this one has not ended.

        If the row of this attempt is missing or out of date, it is written first.
        """
        if (ahead := self._ahead_of(run)) is not None:
            attempts = await ahead.attempts
            own = next((each for each in attempts if each.number == run.number), None)
            counts = run.frames >= self._env.limits.counted_frames
            # Frames may arrive after it settled. The first one writes the row, and a later one counts it.
            if own is not None and own.counted == counts:
                return attempts
        await run.record()
        return await self._env.repository.attempts(self._stream.record.check_id)

    async def close(self) -> None:
        """Cancel the work that is no longer needed, and delete images that have no row.

        No worker uses an attempt of the stream when this returns.
        """
        if self._ahead is not None:
            await self._cancel(self._ahead)
        await self._end_work()
        # They refer back to this judge. Left to the collector, which rarely searches a server, the frames of
        # each ended scan would stay: 8 MB.
        self._ahead = self._work = None

    async def _end_work(self) -> None:
        if self._work is not None:
            await self._work.close()

    async def _cancel(self, ahead: _EarlyWork) -> None:
        tasks = ahead.judgement, ahead.comparison, ahead.device, ahead.attempts
        for task in tasks:
            task.cancel()
        # Images that are being stored are awaited, because only then are their names known.
        *_, images = await asyncio.gather(*tasks, ahead.images, return_exceptions=True)
        if not ahead.images_taken and not isinstance(images, BaseException):
            await self._env.recorder.drop_images(images)

    def _ahead_of(self, run: AttemptRun) -> _EarlyWork | None:
        return self._ahead if self._ahead is not None and self._ahead.run is run else None

    async def _assess_ahead(
        self,
        run: AttemptRun,
        judgement: asyncio.Task[AttemptJudgement],
        comparison: asyncio.Task[FrameComparison],
    ) -> _AssessedDevice:
        bits, frames = (await judgement).verified_bits, await comparison
        return await self._assess(run, frames=frames, verified_bits=bits, ended=True)

    async def _judge_whole(self, run: AttemptRun) -> AttemptJudgement:
        return await self._judge(run) if self._clear is None else self._clear[0]

    async def _compare_whole(self, run: AttemptRun) -> FrameComparison:
        return await self._compare_frames(run) if self._clear is None else self._clear[1]

    async def _judge(self, run: AttemptRun, *, early: bool = False) -> AttemptJudgement:
        env, stream = self._env, self._stream
        with env.metrics.stages.stage(Stage.JUDGE):
            await run.work.examine_rest()
            portrait = open_template(stream.record, wrapping_keys=env.keys.wrapping_keys)
            return await env.pool.run_first(
                judge_attempt,
                replace(
                    run.capture.evidence,
                    challenge=challenge_evidence(env, stream.plans, run.challenge),
                    too_slow=run.pace.too_slow,
                    busy=run.pace.busy,
                    complete=early or run.complete,
                ),
                portrait=portrait.template,
                trusted=portrait.trusted,
                calibration=env.models.pack.match_calibration,
                liveness_policy=liveness_policy(stream.policy, run.kind),
                match_policy=MatchPolicy(max_fmr=stream.policy.match.max_fmr),
                fusion=env.models.fusion,
                doubt=DoubtTerms(early=True) if early else stream.plans.terms(run.kind, early=run.cut),
            )

    @asynccontextmanager
    async def kept_images(self, run: AttemptRun, images: Images) -> AsyncIterator[tuple[EvidenceEntry, ...]]:
        """Store an attempt's images, and delete them again if their rows are not written.

        If the database fails, it is unknown whether the rows were written, so the images stay.

        Raises:
            StorageUnavailable: An image that is needed could not be stored.
        """
        if images is Images.NONE:
            yield ()
            return
        kept = await self._stored(run)
        try:
            if kept.failure is None or images is Images.NAMED:
                yield kept.entries
            elif images is Images.NEEDED:
                raise kept.failure
            else:
                yield ()
                await self._env.recorder.drop_images(kept)
        except (Conflict, StorageUnavailable) as error:
            if isinstance(error, Conflict) or error is kept.failure:
                await self._env.recorder.drop_images(kept)
            raise

    async def _stored(self, run: AttemptRun) -> KeptImages:
        ahead = self._ahead_of(run)
        if ahead is not None and not ahead.images_taken:
            ahead.images_taken = True
            return await ahead.images
        return await self._keep_images(run)

    async def _keep_images(self, run: AttemptRun) -> KeptImages:
        stream = self._stream
        retention = stream.policy.retention
        if not retention.biometrics:
            return KeptImages(entries=(), failure=None)
        with self._env.metrics.stages.stage(Stage.STORE_IMAGES):
            return await self._env.recorder.keep_images(
                stream.record,
                attempt=run.number,
                best=run.capture.best,
                audit=run.capture.audit_frames(retention.audit_images),
            )

    async def assess_device(
        self, run: AttemptRun, judgement: AttemptJudgement, *, ended: bool
    ) -> DeviceOutcome:
        """Return the assessment of the device, and note what ``keep_memory`` will store of it.

        Args:
            ended: Whether the device signed the end, which binds the frames to the session key.
        """
        ahead, assessed = self._ahead_of(run), None
        if ahead is not None and ended:
            assessed = await ahead.device
        if assessed is None or assessed.pieces != self._stream.evidence.pieces:
            assessed = await self._assess(
                run,
                frames=await (self._compare_frames(run) if ahead is None else ahead.comparison),
                verified_bits=judgement.verified_bits,
                ended=ended,
            )
        self._counted[run.number] = assessed.comparison
        return assessed.outcome

    async def _compare_frames(self, run: AttemptRun) -> FrameComparison:
        """Compare an attempt's frames with those of earlier scans.

        Raises:
            StorageUnavailable: The database failed.
        """
        return await self._env.devices.memory.compare_frames(
            self._stream.record,
            run.trace.observed.traces,
            images=run.trace.images,
            pictures=run.trace.pictures,
            layouts=run.trace.layouts,
            challenged=run.kind is not None,
        )

    async def _assess(
        self, run: AttemptRun, *, frames: FrameComparison, verified_bits: float, ended: bool
    ) -> _AssessedDevice:
        """Assess the device with the evidence that has arrived so far.

        Args:
            run: The attempt, which measures no further frames.
            ended: Whether the device signed the end, which binds the frames to the session key.

        Raises:
            StorageUnavailable: The database failed.
        """
        env, stream = self._env, self._stream
        with env.metrics.stages.stage(Stage.ASSESS_DEVICE):
            policy, start = stream.policy, stream.start
            required_bits = stream.plans.limits().minimum_bits
            pieces = stream.evidence.pieces
            findings = await stream.evidence.findings_so_far()
            comparison = await env.devices.memory.compare_scan(
                stream.record,
                frames=frames,
                findings=findings,
                session_key=start.session_public_key,
                now=env.clock.now(),
            )
            outcome = await env.pool.run_first(
                assess_device,
                claimed=ClaimedDevice(
                    device=start.device, camera=start.camera, server_spki_sha256=start.server_spki_sha256
                ),
                server_keys=env.devices.server_keys.current,
                findings=findings,
                observed=run.trace.observed,
                memory=comparison.tests,
                earlier=stream.evidence.claimed_before,
                rules=policy.device,
                tolerated=tolerated_checks(policy.device.tolerate, sandbox=stream.record.sandbox),
                fingerprints=env.devices.fingerprints,
                transcript_bound=ended,
                active_challenge=run.plan.mode is Mode.DYNAMIC and verified_bits >= required_bits,
            )
            earlier = await env.devices.repository.count_attacks(
                stream.record.check_id, since=env.clock.now() - env.limits.tries.remembered
            )
            return _AssessedDevice(
                outcome=replace(outcome, earlier=earlier), comparison=comparison, pieces=pieces
            )

    async def keep_memory(self) -> None:
        """Store the marks of the stream's attempts in the scan memory, once, however the attempts ended.

        A failure of the database is logged and does not affect the decision.
        """
        stream = self._stream
        retention = stream.policy.retention
        if retention.evidence_seconds <= 0 or not retention.biometrics or not self._counted:
            return
        counted = merge_marks(tuple(self._counted.values()))
        self._counted.clear()
        try:
            await self._env.devices.memory.keep(stream.record, counted, now=self._env.clock.now())
        except StorageUnavailable:
            _log.exception("scan_not_remembered", check_id=str(stream.record.check_id))

    def doubts(self, judgement: AttemptJudgement) -> tuple[VerdictReason, ...]:
        """Return the doubts of a judgement; none if the policy has no challenges for them."""
        return judgement.liveness.doubts if self._stream.plans.answer_doubt else ()

    def facts(self, run: AttemptRun, judgement: AttemptJudgement, device: DeviceOutcome) -> AttemptFacts:
        """Return the facts of the attempt that its outcome depends on."""
        return AttemptFacts(
            counts=run.frames >= self._env.limits.counted_frames,
            adverse=judgement.adverse,
            stands=judgement.stands,
            retryable=judgement.retryable,
            doubted=bool(judgement.liveness.doubts),
            manipulated=device.final,
        )

    def judged(
        self, run: AttemptRun, judgement: AttemptJudgement, device: DeviceOutcome, *, ended: bool
    ) -> JudgedAttempt:
        """Return the judged attempt in the form that results report, without its images.

        Args:
            ended: Whether the device signed the end.
        """
        stream = self._stream
        return JudgedAttempt(
            number=run.number,
            judgement=judgement,
            mode=run.plan.mode,
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
            evidence=(),
        )

    def ending(
        self,
        run: AttemptRun,
        *,
        outcome: AttemptOutcome,
        attempts: tuple[AttemptRecord, ...],
        judged: JudgedAttempt | None,
        doubts: tuple[VerdictReason, ...],
        ended_by: EndedBy = EndedBy.SIGNED,
    ) -> AttemptEnding:
        """Return the end of the attempt as it is stored.

        Args:
            doubts: Its doubts, which are stored in any case; see ``doubts``.
        """
        env, stream, now = self._env, self._stream, self._env.clock.now()
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
            feedback=judged.judgement.feedback if judged else run.capture.hints[:MOST_FEEDBACK],
            end_time=now,
            final_mac_sha256=stream.transcript.final_mac_sha256,
            judgement=interim,
            frame_hashes=b"".join(run.trace.all_images) if stream.policy.retention.biometrics else None,
            doubts=doubts,
        )
