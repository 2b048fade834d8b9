"""Conversions between rows of the tables and records."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, select

from liveness import Verdict, VerdictReason
from server.domain.reasons import CheckStatus, FailureReason
from server.domain.state import CheckState
from server.domain.terms import AttemptOutcome, EndedBy, Mode, Plan
from server.sealing import Sealed
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckRecord,
    Decision,
    EvidenceEntry,
    ImagePurpose,
    NewAttempt,
    NewCheck,
    RequestKey,
)
from server.storage.tables import checks, policies

__all__ = [
    "CHECKS",
    "NO_LEASE",
    "attempt_record",
    "attempt_row",
    "check_record",
    "check_row",
    "decision_row",
    "ending_row",
    "evidence_entry",
    "evidence_row",
    "from_words",
    "policy_row",
    "reasons_of",
    "request_row",
    "status_of",
    "to_words",
    "tombstone",
]

CHECKS = select(
    checks,
    policies.c.name.label("policy_name"),
    policies.c.version.label("policy_version"),
    policies.c.source.label("policy_source"),
).join_from(checks, policies)
"""The query of checks with their frozen policies, in the form that ``check_record`` reads."""

NO_LEASE: Mapping[str, None] = {"lease_owner": None, "lease_until": None, "resume_until": None}
"""The changes to a check that no stream holds any more; a suspended check then gets its ``resume_until``."""


def to_words(words: Iterable[str]) -> str:
    """Encodes a list of names as JSON text for one column."""
    return json.dumps(list(words))


def from_words(column: str) -> tuple[str, ...]:
    """Decodes the names that ``to_words`` encoded."""
    return tuple(json.loads(column))


def reasons_of(row: RowMapping) -> tuple[FailureReason, ...] | None:
    """Returns the reasons in a row of the table ``checks``; None if the column is not a list of reasons.

    The server always writes such a list, so otherwise somebody with access to the database changed it.
    """
    try:
        words = json.loads(row["reasons"])
        return tuple(FailureReason(word) for word in words) if isinstance(words, list) else None
    except (TypeError, ValueError, RecursionError):
        return None


def status_of(row: RowMapping) -> CheckStatus | None:
    """Returns the status in a row of the table ``checks``; None before the decision, or if it is no status.

    The server writes no other word, so somebody with access to the database did.
    """
    word = row["status"]
    return CheckStatus(word) if word in set(CheckStatus) else None


def check_row(check: NewCheck) -> dict[str, Any]:
    """Returns the row of a new check."""
    return {
        "check_id": check.check_id,
        "tenant": check.tenant,
        "state": CheckState.CREATED.value,
        "policy_sha256": check.policy_sha256,
        "requested_mode": check.requested_mode.value,
        "subject_reference": check.subject_reference,
        "consent_reference": check.consent_reference,
        "challenge_key_sha256": check.challenge_key_sha256,
        "sandbox": check.sandbox,
        "template_ciphertext": check.portrait_template.ciphertext,
        "template_wrapped_key": check.portrait_template.wrapped_key,
        "template_key_id": check.portrait_template.key_id,
        "portrait_report": check.portrait_report,
        "portrait_sha256": check.portrait_sha256,
        "pack_name": check.pack_name,
        "pack_version": check.pack_version,
        "pack_sha256": check.pack_sha256,
        "create_time": check.create_time,
        "scan_deadline": check.scan_deadline,
        "result_deadline": check.result_deadline,
        "retention_seconds": check.retention_seconds,
        "lease_epoch": 0,
        "streams": 0,
        "bytes_received": 0,
        "reasons": to_words(()),
    }


def policy_row(check: NewCheck) -> dict[str, Any]:
    """Returns the row of a new check's policy."""
    return {
        "sha256": check.policy_sha256,
        "name": check.policy_name,
        "version": check.policy_version,
        "source": check.policy_source,
    }


def request_row(request: RequestKey, check_id: UUID) -> dict[str, Any]:
    """Returns the row that maps a request to the check that it created."""
    return {
        "tenant": request.tenant,
        "method": request.method,
        "request_id": request.request_id,
        "payload_sha256": request.payload_sha256,
        "check_id": check_id,
    }


def attempt_row(check_id: UUID, epoch: int, attempt: NewAttempt) -> dict[str, Any]:
    """Returns the row of a new attempt."""
    return {
        "check_id": check_id,
        "number": attempt.number,
        "epoch": epoch,
        "start_time": attempt.start_time,
        "mode": attempt.mode.value,
        "plan": attempt.plan.value,
        "counted": False,
        "frames": 0,
        "dropped": 0,
        "feedback": to_words(()),
    }


def evidence_row(check_id: UUID, entry: EvidenceEntry) -> dict[str, Any]:
    """Returns the row of a kept image, without its position."""
    return {
        "check_id": check_id,
        "kind": entry.kind.value,
        "object_key": entry.object_key,
        "sha256": entry.sha256,
        "frame_index": entry.frame_index,
        "attempt": entry.attempt,
        "rotation": entry.rotation,
        "mirrored": entry.mirrored,
        "media_type": entry.media_type,
        "wrapped_key": entry.wrapped_key,
        "key_id": entry.key_id,
    }


def ending_row(ending: AttemptEnding) -> dict[str, Any]:
    """Returns the columns of an attempt that its end changes."""
    return {
        "outcome": ending.outcome.value,
        "ended_by": ending.ended_by.value,
        "verdict": None if ending.verdict is None else ending.verdict.value,
        "frames": ending.frames,
        "dropped": ending.dropped,
        "feedback": to_words(ending.feedback),
        "doubts": to_words(ending.doubts),
        "end_time": ending.end_time,
        "final_mac_sha256": ending.final_mac_sha256,
        "judgement": ending.judgement,
        "frame_hashes": ending.frame_hashes,
        **({} if ending.counts else {"counted": False}),
    }


def decision_row(decision: Decision) -> dict[str, Any]:
    """Returns the columns that a decision changes.

    The lease ends and the template is destroyed. The evidence record takes over the references.
    """
    return {
        "state": CheckState.DECIDED.value,
        "status": decision.status.value,
        "reasons": to_words(reason.value for reason in decision.reasons),
        "subject_reference": "",
        "consent_reference": "",
        "portrait_sha256": None,
        "decide_time": decision.decide_time,
        "retain_until": decision.retain_until,
        "images_until": decision.images_until,
        "template_ciphertext": None,
        "template_wrapped_key": None,
        "template_key_id": None,
        **NO_LEASE,
    }


def tombstone(now: datetime) -> dict[str, Any]:
    """Returns the columns that erasure changes.

    The check's identifier, tenant, times, policy and status remain.
    """
    return {
        "state": CheckState.ERASED.value,
        "erase_time": now,
        "images_until": None,
        "subject_reference": "",
        "consent_reference": "",
        "portrait_report": b"",
        "session_key": None,
        "session_key_sha256": None,
    }


def check_record(row: RowMapping) -> CheckRecord:
    """Converts a row of ``CHECKS``."""
    template = None
    if row["template_wrapped_key"] is not None:
        template = Sealed(
            ciphertext=row["template_ciphertext"],
            wrapped_key=row["template_wrapped_key"],
            key_id=row["template_key_id"],
        )
    return CheckRecord(
        check_id=row["check_id"],
        tenant=row["tenant"],
        state=CheckState(row["state"]),
        policy_name=row["policy_name"],
        policy_version=row["policy_version"],
        policy_sha256=row["policy_sha256"],
        policy_source=row["policy_source"],
        requested_mode=Mode(row["requested_mode"]),
        subject_reference=row["subject_reference"],
        consent_reference=row["consent_reference"],
        portrait_template=template,
        portrait_report=row["portrait_report"],
        portrait_sha256=row["portrait_sha256"],
        pack_name=row["pack_name"],
        pack_version=row["pack_version"],
        pack_sha256=row["pack_sha256"],
        create_time=row["create_time"],
        scan_deadline=row["scan_deadline"],
        result_deadline=row["result_deadline"],
        challenge_key_sha256=row["challenge_key_sha256"],
        sandbox=row["sandbox"],
        session_key=row["session_key"],
        session_key_sha256=row["session_key_sha256"],
        lease_owner=row["lease_owner"],
        lease_epoch=row["lease_epoch"],
        lease_until=row["lease_until"],
        resume_until=row["resume_until"],
        closing=None if row["closing"] is None else FailureReason(row["closing"]),
        streams=row["streams"],
        bytes_received=row["bytes_received"],
        status=status_of(row),
        reasons=reasons_of(row),
        decide_time=row["decide_time"],
        retain_until=row["retain_until"],
        images_until=row["images_until"],
        images_erase_time=row["images_erase_time"],
        retention_seconds=row["retention_seconds"],
        finish_time=row["finish_time"],
        erase_time=row["erase_time"],
    )


def attempt_record(row: RowMapping) -> AttemptRecord:
    """Converts a row of the table ``attempts``."""
    return AttemptRecord(
        check_id=row["check_id"],
        number=row["number"],
        epoch=row["epoch"],
        start_time=row["start_time"],
        counted=row["counted"],
        mode=Mode(row["mode"]),
        plan=Plan(row["plan"]),
        outcome=None if row["outcome"] is None else AttemptOutcome(row["outcome"]),
        ended_by=None if row["ended_by"] is None else EndedBy(row["ended_by"]),
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        frames=row["frames"],
        dropped=row["dropped"],
        feedback=from_words(row["feedback"]),
        doubts=tuple(VerdictReason(each) for each in from_words(row["doubts"])),
        end_time=row["end_time"],
        final_mac_sha256=row["final_mac_sha256"],
        judgement=row["judgement"],
        frame_hashes=row["frame_hashes"],
    )


def evidence_entry(row: RowMapping) -> EvidenceEntry:
    """Converts a row of the table ``evidence``."""
    return EvidenceEntry(
        kind=ImagePurpose(row["kind"]),
        object_key=row["object_key"],
        sha256=row["sha256"],
        frame_index=row["frame_index"],
        attempt=row["attempt"],
        rotation=row["rotation"],
        mirrored=row["mirrored"],
        media_type=row["media_type"],
        wrapped_key=row["wrapped_key"],
        key_id=row["key_id"],
    )
