"""The report on a check that an archive contains: one HTML page for people, which loads and runs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from matcher import similarity_in_words
from server.evidence.store import HeldImage
from server.pages import Explanation, Figure, Group, Judgement, data_uri, explanation_page
from server.verdict.outcome import CheckOutcome
from server.verdict.record import EvidenceRecord

if TYPE_CHECKING:
    from server.evidence.archive import Export


_ABSENT: Final = "-"
_SHOWN_TYPES: Final = frozenset({"image/jpeg", "image/png"})
_PURPOSES: Final = {
    "EVIDENCE_FRAME": "Evidence frame",
    "AUDIT_IMAGE": "Audit image",
    "PORTRAIT": "Trusted image",
}
_TURNS: Final = {0: "", 90: "turn-90", 180: "turn-180", 270: "turn-270"}


def report_page(
    record: EvidenceRecord,
    *,
    images: Sequence[HeldImage],
    result: Mapping[str, Any],
    export: "Export",
) -> str:
    """Return the report as one HTML page.

    Args:
        result: The result as JSON; its explanations are those of the signed result.
    """
    outcome = record.outcome
    verdict = outcome.verdict
    tone = {"SUCCESS": "good", "FAILURE": "bad"}.get(verdict.status, "warn")
    pills = [(str(verdict.status), tone, False), *((str(reason), "bad", True) for reason in verdict.reasons)]
    if outcome.sandbox:
        pills.append(("sandbox: no statement about a person", "warn", False))
    if outcome.requested_outcome:
        pills.append(("requested outcome: nothing was judged", "warn", False))
    explanation = Explanation(
        key="check",
        title=f"Check {outcome.check_id}",
        outcome=(str(verdict.status), tone),
        pictures=Group(
            title="Images",
            said="" if images else "No image is kept of this check.",
            figures=[_figure(held) for held in images],
        ),
        judgements=[_judgement(outcome, result)],
        groups=[*_groups(record), *_review(export)],
    )
    return explanation_page(
        "evidence.html",
        [explanation],
        title=str(outcome.check_id),
        heading=f"Check {outcome.check_id}",
        pills=pills,
        about=[*_summary(record, export)],
    )


def _judgement(outcome: CheckOutcome, result: Mapping[str, Any]) -> Judgement:
    facts = [*_liveness(outcome)]
    if not facts:
        return Judgement(title="Liveness", why=["No attempt was judged."])
    return Judgement(
        title="Liveness",
        facts=facts,
        why=result.get("liveness", {}).get("explanations", []),
        more=() if outcome.liveness is None else outcome.liveness.signals,
        more_title="All signals",
        named=True,
    )


def _groups(record: EvidenceRecord) -> Iterable[Group]:
    outcome = record.outcome
    yield Group(title="Match with the trusted image", facts=[*_match(outcome)])
    yield Group(title="Device", facts=[*_device(outcome)])
    yield Group(
        title="All tests", columns=("Test", "Finding", "Reason", "Detail"), rows=_tests(outcome), folded=True
    )
    attempts = _attempts(outcome)
    yield Group(
        title="Attempts",
        columns=("Attempt", "Mode", "Outcome", "Ended by", "Verdict", "Frames", "Began", "Ended"),
        rows=attempts,
        facts=() if attempts else [("Attempts", "No device scanned.")],
    )
    yield Group(title="Policy, models and times", facts=[*_basis(record)])
    if not record.frames:
        yield Group(title="Received frames", facts=[("Frames", "No frame was received.")])
    for one in record.frames:
        partial = "" if one.complete else " (incomplete)"
        yield Group(
            title=f"Received frames of attempt {one.attempt}: {len(one.sha256)} hashes{partial}",
            items=[each.hex() for each in one.sha256],
            folded=True,
        )


def _review(export: "Export") -> Iterable[Group]:
    review = export.review
    if review is None:
        return
    state = review.state(export.time)
    yield Group(
        title="Review by people",
        facts=[
            ("State", state.value),
            ("Outcome", _ABSENT if review.outcome is None else review.outcome.value),
            ("Sent there by", ", ".join(review.causes)),
            ("Ends undecided", _time(review.expire_time)),
            ("Signed", "review.jws" if review.jws else "no: nobody has decided"),
        ],
        columns=("Decided", "By", "Outcome", "Reason", "Comment"),
        rows=[
            (_time(one.decide_time), one.reviewer, one.outcome.value, one.reason.value, one.comment)
            for one in review.decisions
        ],
    )


def _summary(record: EvidenceRecord, export: "Export") -> Iterable[tuple[str, str]]:
    yield "Decided", _time(record.times.decide)
    yield "Delivered", _ABSENT if export.finish_time is None else _time(export.finish_time)
    yield "Tenant", record.tenant
    yield "Subject reference", record.subject_reference or _ABSENT
    yield "Consent reference", record.consent_reference or _ABSENT
    yield "Holds", ", ".join(export.holds) or "none"
    if export.altered:
        yield "Altered in the database", ", ".join(export.altered)
    yield "Exported", f"{_time(export.time)} by {export.exported_by}"
    yield "Purpose of the export", export.purpose


def _figure(held: HeldImage) -> Figure:
    found = held.facts
    name = _PURPOSES.get(found.purpose, found.purpose)
    frame = f", attempt {found.attempt}, frame {found.frame_index}" if found.attempt else ""
    caption = f"{name}{frame}. SHA-256 {found.sha256.hex()}"
    if held.content is None:
        return Figure(caption=caption, instead=_absent(str(held.problem)))
    if found.media_type not in _SHOWN_TYPES:
        return Figure(caption=caption, instead=f"In the archive, as {found.media_type}")
    turned = f"{_TURNS.get(found.rotation, '')}{' mirrored' * found.mirrored}"
    return Figure(
        caption=caption,
        images=[(data_uri(held.content, media_type=found.media_type), name)],
        kind=f"kept {turned}".strip(),
    )


def _liveness(outcome: CheckOutcome) -> Iterable[tuple[str, str]]:
    liveness = outcome.liveness
    if liveness is None or not outcome.verdict.about_person:
        return
    policy = liveness.policy
    yield "Verdict", liveness.verdict.value
    yield "Confidence", f"{liveness.confidence:.1f} of 100"
    yield "Thresholds", f"LIVE from {policy.live_threshold:g}, SPOOF to {policy.spoof_threshold:g}"
    yield "Attack type", liveness.attack_type.value
    yield "Mode", outcome.used_mode.value if outcome.used_mode else _ABSENT
    yield "Challenge", f"{outcome.verified_bits:.1f} bits verified, {outcome.required_bits:.1f} required"


def _match(outcome: CheckOutcome) -> Iterable[tuple[str, str]]:
    match = outcome.match
    if match is None or not outcome.verdict.about_person:
        yield "Comparison", "none: no usable face was captured"
    else:
        yield "Same person", "yes" if match.same_person else "no"
        yield (
            "Similarity",
            similarity_in_words(
                match.similarity,
                scan_bound=match.scan_fmr_bound,
                saturated=match.fmr_bound <= outcome.pack.calibration.lowest_bound,
            ),
        )
        yield "Frames", str(outcome.match_frames)
    yield "Required similarity", f"{outcome.required_similarity:.1f}"
    yield "Required false match rate of photos", f"{outcome.required_fmr:.2g}"


def _device(outcome: CheckOutcome) -> Iterable[tuple[str, str]]:
    device = outcome.device
    signs = ", ".join(f"{sign.of.value} ({sign.strength:.2f})" for sign in device.signs if sign.suspected)
    yield "Assurance", f"{device.assurance.value}, required {device.required.value}"
    yield "Attested", "yes" if device.assurance.attested else "no: this device is not attested"
    yield "Signs of manipulation", signs or "none"
    yield "Tolerated tests", ", ".join(device.tolerated) or "none"
    yield "Transcript", _transcript(outcome)


def _transcript(outcome: CheckOutcome) -> str:
    transcript = outcome.transcript
    if transcript is None:
        return _ABSENT
    state = "intact" if transcript.intact else ("broken" if transcript.signed else "not signed")
    return (
        f"{state}, {transcript.frames} frames received, {transcript.examined} examined, "
        f"{transcript.streams} stream{'' if transcript.streams == 1 else 's'}"
    )


def _tests(outcome: CheckOutcome) -> list[tuple[str, ...]]:
    return [
        (
            check.name,
            check.outcome.value + (" (decides)" if check.decisive and not check.tolerated else ""),
            check.reason,
            check.detail,
        )
        for check in outcome.device.checks
    ]


def _attempts(outcome: CheckOutcome) -> list[tuple[str, ...]]:
    return [
        (
            str(one.attempt),
            one.mode.value,
            one.outcome.value if one.outcome else _ABSENT,
            one.ended_by.value if one.ended_by else _ABSENT,
            one.verdict.value if one.verdict else _ABSENT,
            str(one.frames),
            _time(one.start_time),
            _ABSENT if one.end_time is None else _time(one.end_time),
        )
        for one in outcome.attempts
    ]


def _basis(record: EvidenceRecord) -> Iterable[tuple[str, str]]:
    outcome, times = record.outcome, record.times
    pack = outcome.pack
    yield "Policy", f"{outcome.policy_name}, version {outcome.policy_version}"
    if outcome.policy_oid:
        yield "Policy's object identifier", outcome.policy_oid
    yield "SHA-256 of the policy", outcome.policy_sha256.hex()
    yield "Model pack", f"{pack.name} {pack.version}" + (" (evaluation only)" if pack.evaluation_only else "")
    yield "SHA-256 of the pack", pack.sha256.hex()
    yield "Calibration", f"{pack.calibration.provenance}, SHA-256 {pack.calibration.sha256.hex()}"
    yield "Server", outcome.server_version
    yield "Trusted image kept", record.portrait.kept.value
    yield "SHA-256 of the trusted image", record.portrait.sha256.hex() or _ABSENT
    if (source := outcome.trusted_check) is not None:
        yield "Trusted check", f"{source.check_id}, decided {_time(source.decide_time)}"
        yield "Policy of the trusted check", f"{source.policy_name}, version {source.policy_version}"
        yield "SHA-256 of its evidence frame", source.evidence_frame_sha256.hex()
        yield "SHA-256 of its trusted image", source.trusted_image_sha256.hex() or _ABSENT
        yield "SHA-256 of its result", source.result_sha256.hex()
    if outcome.enrolled_until is not None:
        yield "Enrolled until", _time(outcome.enrolled_until)
    yield "Source of the times", times.source
    yield "Trusted image accepted", _time(times.create)
    yield "Retained until", _time(times.retain_until)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _absent(problem: str) -> str:
    """Return why an image is not shown, in words."""
    if problem == "ERASED":
        return "Erased: the retention of the images has ended."
    return f"Cannot be shown: {problem}"
