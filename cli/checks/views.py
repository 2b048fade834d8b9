"""The output of the commands of ``facegate checks``."""

from collections.abc import Iterable, Sequence
from datetime import UTC

from facegate.v1 import evidence_service_pb2, result_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.table import Table
from rich.text import Text

from cli.verdict import enum_word

__all__ = [
    "approval_words",
    "checks_table",
    "evidence_tables",
    "residue_words",
    "time_words",
]

_STYLES = {
    result_pb2.CHECK_STATUS_SUCCESS: "green",
    result_pb2.CHECK_STATUS_FAILURE: "red",
    result_pb2.CHECK_STATUS_NOT_DECIDED: "yellow",
}


def time_words(stamp: Timestamp) -> str:
    """Returns a time in UTC for people."""
    return stamp.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%S")


def checks_table(checks: Sequence[evidence_service_pb2.CheckSummary]) -> Table:
    """Returns a table of decided checks."""
    table = Table(box=None, pad_edge=False)
    for name in ("Check", "Decided (UTC)", "Status", "Reasons", "Attack", "Signs", "Policy", "Until", "Hold"):
        table.add_column(name, overflow="fold")
    for check in checks:
        status = enum_word(result_pb2.CheckStatus.Name, check.status, "CHECK_STATUS_")
        attack = enum_word(result_pb2.AttackType.Name, check.attack_type, "ATTACK_TYPE_")
        table.add_row(
            check.check_id,
            time_words(check.decide_time),
            Text(status + (" (sandbox)" if check.sandbox else ""), _STYLES.get(check.status, "")),
            ", ".join(
                enum_word(result_pb2.FailureReason.Name, reason, "FAILURE_REASON_")
                for reason in check.reasons
            ),
            attack if check.attack_type else "",
            ", ".join(check.device_signs),
            f"{check.policy} {check.policy_version}",
            check.retain_until.ToDatetime(UTC).strftime("%Y-%m-%d"),
            Text("yes", "bold yellow") if check.on_hold else "",
        )
    return table


def evidence_tables(evidence: evidence_service_pb2.GetEvidenceResponse) -> Iterable[Table]:
    """Returns the facts of a record, its images and its holds as tables."""
    facts = Table(show_header=False, box=None, pad_edge=False, title="Record", title_justify="left")
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    times = evidence.times
    kept = evidence_service_pb2.TrustedImageFacts.Kept.Name(evidence.trusted_image.kept)
    rows = [
        ("subject", evidence.result.subject_reference or "-"),
        ("consent", evidence.result.consent_reference or "-"),
        ("trusted image", f"{kept.removeprefix('KEPT_').lower()} {evidence.trusted_image.sha256.hex()}"),
        ("accepted", time_words(times.create_time)),
        ("decided", time_words(times.decide_time)),
        ("delivered", time_words(times.finish_time) if times.HasField("finish_time") else "-"),
        ("retained until", time_words(times.retain_until)),
        *_images_rows(times),
        ("clock", times.source),
        (
            "frames",
            ", ".join(
                f"attempt {one.attempt}: {len(one.sha256)}{'' if one.complete else ' (incomplete)'}"
                for one in evidence.frames
            )
            or "none",
        ),
    ]
    for name, text in rows:
        facts.add_row(name, Text(text))
    yield facts
    images = Table(box=None, pad_edge=False, title="Images", title_justify="left")
    for name in ("Purpose", "Attempt", "Frame", "Type", "SHA-256"):
        images.add_column(name, overflow="fold")
    for image in evidence.images:
        purpose = evidence_service_pb2.EvidenceImageFacts.Purpose.Name(image.purpose)
        images.add_row(
            purpose.removeprefix("PURPOSE_"),
            str(image.attempt),
            str(image.frame_index),
            image.media_type,
            image.sha256.hex(),
        )
    yield images
    if evidence.holds:
        holds = Table(box=None, pad_edge=False, title="Holds", title_justify="left")
        for name in ("Reference", "Placed (UTC)", "By", "Reason"):
            holds.add_column(name, overflow="fold")
        for hold in evidence.holds:
            holds.add_row(
                Text(hold.reference), time_words(hold.place_time), hold.placed_by, Text(hold.reason)
            )
        yield holds


def _images_rows(times: evidence_service_pb2.EvidenceTimes) -> Iterable[tuple[str, str]]:
    if times.HasField("images_retain_until"):
        yield "images until", time_words(times.images_retain_until)
    if times.HasField("images_erase_time"):
        yield "images erased", time_words(times.images_erase_time)


def approval_words(approval: evidence_service_pb2.Approval) -> str:
    """Returns what a request that waits for a second person needs."""
    return (
        f"Requested by {approval.requested_by}, and not done yet: the settings demand two people. Another "
        f"caller must make the same call, with the same purpose, before "
        f"{time_words(approval.expire_time)} UTC."
    )


def residue_words(residues: Iterable[evidence_service_pb2.Residue]) -> Iterable[str]:
    """Returns what may still contain erased data."""
    for residue in residues:
        yield f"- {residue.description}"
