"""Assembles the outcome of a check from its record, policy and findings; ``server.verdict`` decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from attempt import AttemptJudgement
from liveness import ChallengeKind
from matcher import similarity_for_fmr
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
    """A judged attempt, with the facts that a result states about it.

    Attributes:
        number: The number of the attempt.
        judgement: Liveness and match.
        mode: The mode that was used.
        device: The facts about the device.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeMaker:
    """Assembles outcomes.

    Attributes:
        pack: The model pack that judges.
        server_version: The version of this server.
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
        """Decides the check by an attempt, or by the facts that are known without one.

        Args:
            record: The check.
            policy: Its frozen policy.
            attempt: The attempt that the outcome is about; ``None`` if none was judged.
            device: The facts about the device.
            attempts: Every attempt.
            pictures: The kept images that the result names.
            ended_by: The circumstance that prevented a decision by an attempt; ``None`` if the attempt
                decides.
            now: The time.
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
    """Returns the outline of an attempt for a result.

    Args:
        attempt: The attempt.
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
