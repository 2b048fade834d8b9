"""Assembles the outcomes of checks and stores decisions; ``server.verdict`` decides.

The evidence is sealed first, then the decision is written in one transaction, and only then a call returns.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from attempt import AttemptJudgement, SeenFrame
from liveness import ChallengeKind, VerdictReason
from matcher import similarity_for_fmr
from server.checks.reviews import ReviewSelection
from server.domain.terms import AttemptOutcome, EndedBy, ImagePurpose, Mode, PortraitKept
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.policies import Policy
from server.storage.errors import StorageUnavailable
from server.storage.records import AttemptEnding, AttemptRecord, CheckRecord, Decision, EvidenceEntry
from server.storage.repository import CheckRepository
from server.verdict import (
    CheckStatus,
    CheckVerdict,
    FailureReason,
    VerdictDemands,
    VerdictInputs,
    ending_reasons,
    judge_check,
)
from server.verdict.outcome import (
    AttemptOutline,
    CheckOutcome,
    DeviceOutcome,
    OutcomeUnreadable,
    PackIdentity,
    TranscriptOutcome,
    outcome_from_bytes,
    outcome_to_bytes,
    trusted_check_from_bytes,
)
from server.verdict.record import AttemptFrames, EvidenceRecord, PortraitFacts, RecordTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAttempt:
    """A judged attempt, with the facts that a result states about it.

    Attributes:
        transcript: The transcript; ``None`` if the device left before it signed the end.
        evidence: The images that are stored. If the attempt decides against the person, images that could not
            be stored are included, so that the result names them.
    """

    number: int
    judgement: AttemptJudgement
    mode: Mode
    device: DeviceOutcome
    transcript: TranscriptOutcome | None
    evidence: tuple[EvidenceEntry, ...]


def _earlier_doubts(attempt: JudgedAttempt, attempts: Sequence[AttemptRecord]) -> tuple[VerdictReason, ...]:
    found = attempt.judgement.liveness.reasons
    earlier = (doubt for each in attempts if each.number < attempt.number for doubt in each.doubts)
    return tuple(dict.fromkeys(doubt for doubt in earlier if doubt not in found))


def outline(attempt: AttemptRecord, *, closed: bool, now: datetime) -> AttemptOutline:
    """Return the outline of an attempt for a result.

    Args:
        closed: Whether the decision ends a running attempt; otherwise the server that ran it has stopped.
        now: The time of the decision, at which every attempt has ended.
    """
    ended_by, end_time = attempt.ended_by, attempt.end_time
    if ended_by is None:
        ended_by = EndedBy.CHECK_CLOSED if closed and attempt.outcome is None else EndedBy.SERVER_STOPPED
    if ended_by is EndedBy.CHECK_CLOSED and end_time is None:
        end_time = now
    return AttemptOutline(
        attempt=attempt.number,
        mode=attempt.mode,
        plan=attempt.plan,
        outcome=attempt.outcome or AttemptOutcome.INTERRUPTED,
        ended_by=ended_by,
        verdict=attempt.verdict,
        frames=attempt.frames,
        feedback=attempt.feedback,
        start_time=attempt.start_time,
        end_time=None if end_time is None else min(end_time, now),
    )


_FAULTS = {
    EndedBy.SERVER_FAULT: FailureReason.SERVER_FAULT,
    EndedBy.SERVER_STOPPED: FailureReason.INTERRUPTED,
}


def server_fault(attempts: Sequence[AttemptRecord]) -> FailureReason | None:
    """Return the server's fault that ended an attempt after the last judged one; ``None`` if there is none.

    A judged attempt with too few frames to count is ignored, because it does not judge the person.

    Args:
        attempts: The attempts of the check, by number.
    """
    for attempt in reversed(attempts):
        ended_by = attempt.ended_by
        if ended_by is None and attempt.outcome is AttemptOutcome.INTERRUPTED:
            # Its stream was superseded and did not record why it ended.
            ended_by = EndedBy.SERVER_STOPPED
        if ended_by in _FAULTS:
            return _FAULTS[ended_by]
        if attempt.counted and attempt.judgement is not None:
            return None
    return None


def result_images(
    entries: Sequence[EvidenceEntry], attempts: Sequence[AttemptRecord]
) -> tuple[EvidenceEntry, ...]:
    """Return the images of the attempt that the result is about: the evidence frame, then the audit images.

    This is the last attempt that was judged or, if none was judged, the last one with an evidence frame. The
    signature of the result covers the hashes of these images, so no other image may be returned with it.

    Args:
        entries: Every kept image of the check, in the order of their rows.
        attempts: Every attempt of the check, by number.
    """
    judged = [attempt.number for attempt in attempts if attempt.judgement is not None]
    shown = [entry.facts.attempt for entry in entries if entry.facts.purpose is ImagePurpose.EVIDENCE_FRAME]
    if not judged and not shown:
        return ()
    about = judged[-1] if judged else max(shown)
    own = [entry for entry in entries if entry.facts.attempt == about]
    return (
        *(entry for entry in own if entry.facts.purpose is ImagePurpose.EVIDENCE_FRAME),
        *(entry for entry in own if entry.facts.purpose is ImagePurpose.AUDIT_IMAGE),
    )


_SHA256_BYTES = 32
_log = structlog.get_logger(__name__)

_ABSENCE = frozenset({FailureReason.ABANDONED, FailureReason.EXPIRED})
"""Reasons that state that the scan was not continued; a fault of the server may be the cause."""


@dataclass(frozen=True, slots=True)
class KeptImages:
    """The kept images of an attempt.

    Attributes:
        entries: The entries of all images, including those that could not be stored.
        failure: Why an image is not stored; ``None`` if all are stored.
    """

    entries: tuple[EvidenceEntry, ...]
    failure: StorageUnavailable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecorder:
    """Writes evidence and decisions. Every method returns only after its data is stored durably.

    Attributes:
        encode: Serialises the result that is signed and returned; the edge provides it.
        pack: The model pack that judges.
        clock_source: The clock of this server, as evidence records name it.
        unattempted: Returns the facts about the device of a check that no attempt decides; raises
            StorageUnavailable if the database failed.
        reviews: Decides which checks people review.
    """

    repository: CheckRepository
    evidence: EvidenceStore
    records: RecordVault
    encode: Callable[[CheckOutcome], bytes]
    pack: PackIdentity
    server_version: str
    clock_source: str
    unattempted: Callable[[CheckRecord, Policy, datetime], Awaitable[DeviceOutcome]]
    reviews: ReviewSelection

    async def keep_images(
        self, record: CheckRecord, *, attempt: int, best: SeenFrame | None, audit: Sequence[SeenFrame]
    ) -> KeptImages:
        """Seal and store the evidence frame and the audit images of an attempt, in that order."""
        wanted = [(ImagePurpose.EVIDENCE_FRAME, best)] if best is not None else []
        wanted += [(ImagePurpose.AUDIT_IMAGE, frame) for frame in audit]
        kept = await asyncio.gather(
            *(self._keep(record, attempt=attempt, kind=kind, frame=frame) for kind, frame in wanted)
        )
        return KeptImages(
            entries=tuple(entry for entry, _ in kept),
            failure=next((failure for _, failure in kept if failure is not None), None),
        )

    async def _keep(
        self, record: CheckRecord, *, attempt: int, kind: ImagePurpose, frame: SeenFrame
    ) -> tuple[EvidenceEntry, StorageUnavailable | None]:
        taken = frame.frame
        entry, ciphertext = await self.evidence.seal(
            record.check_id,
            tenant=record.tenant,
            kind=kind,
            image=taken.image,
            media_type="image/jpeg",
            attempt=attempt,
            frame_index=taken.index,
            rotation=taken.rotation_degrees,
            mirrored=taken.mirrored,
        )
        try:
            await self.evidence.put(entry, ciphertext)
        except StorageUnavailable as error:
            _log.error("picture_not_kept", check_id=str(record.check_id), exc_info=error)
            return entry, error
        return entry, None

    async def drop_images(self, images: KeptImages) -> None:
        """Erase images whose rows were never written; the sweep of orphans erases what this cannot."""
        with suppress(StorageUnavailable):
            await self.evidence.erase(images.entries)

    def interim(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt,
        attempts: Sequence[AttemptRecord],
        now: datetime,
    ) -> bytes:
        """Return the stored form of an undecided attempt: the outcome of the check if no attempt follows."""
        outcome = self._outcome(
            record,
            policy=policy,
            attempt=attempt,
            device=attempt.device,
            attempts=attempts,
            images=attempt.evidence,
            reason=FailureReason.CONDITIONS,
            now=now,
        )
        return outcome_to_bytes(outcome)

    async def decide(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt,
        attempts: Sequence[AttemptRecord],
        reason: FailureReason | None,
        epoch: int | None,
        now: datetime,
        ending: AttemptEnding | None = None,
    ) -> CheckVerdict:
        """Decide a check from a judged attempt.

        Args:
            attempts: Every attempt, the deciding one included.
            reason: The circumstance that prevented a decision by the attempt; ``None`` if the attempt
                decides.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.
            ending: The end of the attempt, if it is not stored yet; it is written in the transaction of the
                decision. Without ``epoch``, the attempt ran in an older stream, whose epoch is in ``record``.

        Raises:
            Conflict: Another stream or call was first.
        """
        outcome = self._outcome(
            record,
            policy=policy,
            attempt=attempt,
            device=attempt.device,
            attempts=attempts,
            images=attempt.evidence,
            reason=reason,
            now=now,
        )
        outcome = _as_requested(record, outcome)
        await self._write(
            record,
            outcome,
            policy=policy,
            attempts=attempts,
            evidence=attempt.evidence,
            epoch=epoch,
            ending=ending,
        )
        return outcome.verdict

    async def close(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempts: Sequence[AttemptRecord],
        reason: FailureReason,
        epoch: int | None,
        now: datetime,
    ) -> CheckVerdict:
        """Decide a check by the last judged attempt, or without an attempt if none was judged.

        If the claims or the evidence of the device show a manipulation, they decide before anything else.
        If a fault of the server ended the scan, and no attempt was judged since, the check is NOT_DECIDED.

        Args:
            reason: Why the check is closed. A fault of the server replaces the absence of the person.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.

        Raises:
            Conflict: Another stream or call was first.
        """
        if reason in _ABSENCE:
            reason = server_fault(attempts) or reason
        device = await self.unattempted(record, policy, now)
        outcome = None
        if (judged := _last_judged(attempts)) is not None:
            outcome = judged.ended(
                by=reason,
                device=device,
                attempts=tuple(outline(attempt, closed=record.held(now), now=now) for attempt in attempts),
                streams=record.streams,
                decide_time=now,
            )
        if outcome is None or outcome.verdict.status is CheckStatus.NOT_DECIDED:
            kept = await self.repository.evidence(record.check_id)
            outcome = self._outcome(
                record,
                policy=policy,
                attempt=None,
                device=device,
                attempts=attempts,
                images=result_images(kept, attempts),
                reason=ending_reasons(reason, manipulated=device.final)[0],
                now=now,
            )
        outcome = _as_requested(record, outcome)
        await self._write(record, outcome, policy=policy, attempts=attempts, evidence=(), epoch=epoch)
        return outcome.verdict

    def _outcome(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt | None,
        device: DeviceOutcome,
        attempts: Sequence[AttemptRecord],
        images: Sequence[EvidenceEntry],
        reason: FailureReason | None,
        now: datetime,
    ) -> CheckOutcome:
        """Decide the check by an attempt, or by the facts that are known without one.

        Args:
            attempt: The attempt that the outcome is about; ``None`` if none was judged.
            images: The kept images that the result names.
            reason: The circumstance that prevented a decision by an attempt; ``None`` if the attempt
                decides.
        """
        judgement = attempt.judgement if attempt else None
        verified_bits = judgement.verified_bits if judgement else 0.0
        used_mode = attempt.mode if attempt else None
        challenged = Mode.DYNAMIC in (record.requested_mode, used_mode)
        demands = policy.challenge_for(record.requested_mode, ChallengeKind.FLASH)
        required_bits = demands.required_bits if challenged else 0.0
        transcript = attempt.transcript if attempt else None
        verdict = judge_check(
            inputs=VerdictInputs(
                match=judgement.match if judgement else None,
                identity_constant=judgement.identity_constant if judgement else None,
                liveness=judgement.liveness if judgement else None,
                mode_used=used_mode,
                verified_bits=verified_bits,
                assurance=device.assurance,
                device_demands_met=device.demands_met,
                device_decided=bool(device.decided),
                injected=device.injected,
                transcript_intact=transcript.intact if transcript and transcript.signed else None,
                reason=reason,
            ),
            demands=VerdictDemands(
                mode=record.requested_mode,
                minimum_assurance=device.required,
                required_bits=required_bits,
            ),
        )
        closed = attempt is not None or record.held(now)
        marks = [(entry.facts.purpose, entry.facts.mark) for entry in images]
        return CheckOutcome(
            check_id=record.check_id,
            subject_reference=record.subject_reference,
            consent_reference=record.consent_reference,
            verdict=verdict,
            liveness=judgement.liveness if judgement else None,
            match=judgement.match if judgement else None,
            match_frames=judgement.match_frames if judgement else 0,
            required_similarity=similarity_for_fmr(policy.match.max_fmr),
            required_fmr=policy.match.max_fmr,
            requested_mode=record.requested_mode,
            used_mode=used_mode,
            verified_bits=verified_bits,
            required_bits=required_bits,
            challenge_steps=judgement.challenge_steps if judgement else (),
            device=device,
            transcript=transcript,
            attempts=tuple(outline(each, closed=closed, now=now) for each in attempts),
            evidence_frame=next((m for kind, m in marks if kind is ImagePurpose.EVIDENCE_FRAME), None),
            audit_images=tuple(m for kind, m in marks if kind is ImagePurpose.AUDIT_IMAGE),
            policy_name=record.policy_name,
            policy_version=record.policy_version,
            policy_sha256=record.policy_sha256,
            policy_oid=policy.oid or "",
            pack=self.pack,
            create_time=record.create_time,
            decide_time=now,
            server_version=self.server_version,
            sandbox=record.sandbox,
            doubts=() if attempt is None else _earlier_doubts(attempt, attempts),
            trusted_check=None
            if record.trusted_check is None
            else trusted_check_from_bytes(record.trusted_check),
        )

    async def _write(
        self,
        record: CheckRecord,
        outcome: CheckOutcome,
        *,
        policy: Policy,
        attempts: Sequence[AttemptRecord],
        evidence: tuple[EvidenceEntry, ...],
        epoch: int | None,
        ending: AttemptEnding | None = None,
    ) -> None:
        retention = policy.retention
        seconds = retention.evidence_seconds
        if record.retention_seconds is not None:
            seconds = min(seconds, record.retention_seconds)
        if _enrols(outcome, policy) and (rules := policy.enrolment) is not None:
            until = outcome.decide_time + timedelta(seconds=min(rules.retention_seconds, seconds))
            outcome = replace(outcome, enrolled_until=until)
        retained = outcome.decide_time + timedelta(seconds=seconds)
        retain_until = max(retained, record.result_deadline)
        images_until = retain_until
        if retention.images_seconds is not None:
            # Until the result's deadline FinishCheck returns images, so retention never takes one from it.
            kept = outcome.decide_time + timedelta(seconds=retention.images_seconds)
            images_until = max(kept, record.result_deadline)
        earlier = await self.repository.evidence(record.check_id)
        result = self.encode(outcome)
        evidence_record = EvidenceRecord(
            tenant=record.tenant,
            subject_reference=record.subject_reference,
            consent_reference=record.consent_reference,
            requested_mode=record.requested_mode,
            outcome=outcome,
            result=result,
            result_jws=self.records.sign(result, tenant=record.tenant, sandbox=record.sandbox),
            images=tuple(entry.facts for entry in (*earlier, *evidence)),
            frames=tuple(_frames(attempt) for attempt in attempts) if retention.biometrics else (),
            portrait=_portrait(record, policy),
            times=RecordTimes(
                source=self.clock_source,
                create=record.create_time,
                decide=outcome.decide_time,
                result_deadline=record.result_deadline,
                retain_until=retain_until,
            ),
        )
        review = await self.reviews.begin(
            record,
            outcome,
            policy=policy,
            doubted=any(attempt.doubts for attempt in attempts) or bool(ending and ending.doubts),
            until=min(images_until, retain_until),
            result=result,
        )
        await self.repository.decide(
            record.check_id,
            epoch=epoch,
            decision=Decision(
                status=outcome.verdict.status,
                reasons=outcome.verdict.reasons,
                record=self.records.seal(evidence_record),
                evidence=evidence,
                decide_time=outcome.decide_time,
                retain_until=retain_until,
                images_until=images_until if images_until < retain_until else None,
                review=review,
                enrolled_until=outcome.enrolled_until,
                requested_outcome=outcome.requested_outcome,
            ),
            ending=ending,
            fenced=record.lease_epoch if epoch is None else None,
        )
        if not retention.biometrics:
            # The portrait's template is overwritten, and SQLite's log may still have it.
            with suppress(StorageUnavailable):
                await self.repository.forget_overwritten()


def _enrols(outcome: CheckOutcome, policy: Policy) -> bool:
    """Return whether the evidence frame may become the trusted image of later checks.

    The frame of a check that was made from another one never does: over many links, small differences would
    add up to another person.
    """
    return (
        policy.enrolment is not None
        and outcome.verdict.status is CheckStatus.SUCCESS
        and not outcome.requested_outcome
        and outcome.trusted_check is None
        and outcome.evidence_frame is not None
        and bool(outcome.subject_reference.strip())
        and bool(outcome.consent_reference.strip())
    )


def _as_requested(record: CheckRecord, outcome: CheckOutcome) -> CheckOutcome:
    requested = record.requested_outcome
    return outcome if requested is None else outcome.as_requested(requested)


def _frames(attempt: AttemptRecord) -> AttemptFrames:
    joined = attempt.frame_hashes or b""
    hashes = tuple(joined[at : at + _SHA256_BYTES] for at in range(0, len(joined), _SHA256_BYTES))
    return AttemptFrames(attempt=attempt.number, sha256=hashes, complete=len(hashes) >= attempt.frames)


def _portrait(record: CheckRecord, policy: Policy) -> PortraitFacts:
    if record.portrait_sha256 is None:
        return PortraitFacts(kept=PortraitKept.NONE)
    kept = policy.retention.portrait
    if record.trusted_check is not None and kept is PortraitKept.BYTES:
        # The trusted check keeps the frame, for its own time.
        kept = PortraitKept.HASH
    return PortraitFacts(kept=kept, sha256=record.portrait_sha256)


def _last_judged(attempts: Sequence[AttemptRecord]) -> CheckOutcome | None:
    """Return the stored outcome of the last judged attempt; ``None`` if none or unreadable."""
    for attempt in reversed(attempts):
        if attempt.judgement is not None:
            try:
                return outcome_from_bytes(attempt.judgement)
            except OutcomeUnreadable as error:
                # Another version of the server judged it during the minutes in which the check was open.
                _log.error("attempt_not_readable", check_id=str(attempt.check_id), exc_info=error)
                return None
    return None
