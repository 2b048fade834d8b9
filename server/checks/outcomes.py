"""What a check comes to, put together from record, policy and findings; ``server.verdict`` decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from attempt.judgement import AttemptJudgement
from matcher.similarity import similarity_for_fmr
from server.domain.terms import AttemptOutcome, EndedBy, Mode
from server.policies import Policy
from server.storage.records import AttemptRecord, CheckRecord, EvidenceEntry, ImagePurpose
from server.verdict import FailureReason, VerdictDemands, VerdictInputs, judge_check
from server.verdict.outcome import (
    AttemptOutline,
    CheckOutcome,
    DeviceOutcome,
    EvidenceMark,
    PackIdentity,
    TranscriptOutcome,
)

__all__ = ["JudgedAttempt", "OutcomeMaker", "outline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAttempt:
    """An attempt that was judged, with what a result says about it.

    Attributes:
        number: The attempt.
        judgement: Liveness and match.
        mode: The mode that was used.
        device: The device.
        transcript: The transcript; ``None`` where the device left before it signed the end.
        evidence: The pictures that were kept, already durable. Of one that is decided against also those that
            could not be stored, so that the result names them.
    """

    number: int
    judgement: AttemptJudgement
    mode: Mode
    device: DeviceOutcome
    transcript: TranscriptOutcome | None
    evidence: tuple[EvidenceEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeMaker:
    """Puts outcomes together.

    Attributes:
        pack: The pack that judges.
        server_version: Of this server.
    """

    pack: PackIdentity
    server_version: str

    def outcome(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt | None,
        device: DeviceOutcome,
        attempts: Sequence[AttemptRecord],
        pictures: Sequence[EvidenceEntry],
        ended_by: FailureReason | None,
        now: datetime,
    ) -> CheckOutcome:
        """Decides the check by an attempt, or by what is known without one.

        Args:
            record: The check.
            policy: Its frozen policy.
            attempt: The attempt that the outcome is about; ``None`` where none was judged.
            device: The device.
            attempts: Every attempt.
            pictures: What was kept, as far as the result names it.
            ended_by: The circumstances that kept it from a decision; ``None`` where the attempt decides.
            now: The time.
        """
        judgement = attempt.judgement if attempt else None
        verified_bits = judgement.verified_bits if judgement else 0.0
        used_mode = attempt.mode if attempt else None
        challenged = Mode.DYNAMIC in (record.requested_mode, used_mode)
        required_bits = policy.challenge_for(record.requested_mode).required_bits if challenged else 0.0
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
                ended_by=ended_by,
            ),
            demands=VerdictDemands(
                mode=record.requested_mode,
                minimum_assurance=device.required,
                required_bits=required_bits,
            ),
        )
        closed = attempt is not None or record.held(now)
        marks = [(e.kind, EvidenceMark(e.sha256, e.attempt, e.frame_index)) for e in pictures]
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
            pack=self.pack,
            create_time=record.create_time,
            decide_time=now,
            server_version=self.server_version,
            sandbox=record.sandbox,
        )


def outline(attempt: AttemptRecord, *, closed: bool, now: datetime) -> AttemptOutline:
    """An attempt as a result mentions it.

    Args:
        attempt: The attempt.
        closed: Whether the decision ends it if it still runs; else the server that ran it stopped.
        now: When the check is decided, by which every attempt has ended.
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
