"""The report on a check that an archive contains: one HTML page for people, which loads and runs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from device_integrity import DeviceCheck
from matcher import similarity_in_words
from server.domain.terms import CheckStatus
from server.evidence.store import HeldImage
from server.pages import (
    NOTHING,
    Html,
    cell,
    data_uri,
    facts,
    figure,
    folded,
    head,
    image,
    joined,
    page,
    pill,
    signal_list,
    signal_row,
    stylesheet,
    table,
)
from server.verdict.outcome import AttemptOutline, CheckOutcome
from server.verdict.record import EvidenceRecord

if TYPE_CHECKING:
    from server.evidence.archive import Export

__all__ = ["report_page"]

_ABSENT: Final = "-"
_TONES: Final = {CheckStatus.SUCCESS: "good", CheckStatus.FAILURE: "bad", CheckStatus.NOT_DECIDED: "warn"}
_SECTION: Final = Html(
    '<section aria-labelledby="{key}">\n<h2 id="{key}">{title}</h2>\n{content}\n</section>'
)
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
    """Returns the report as one HTML page.

    Args:
        record: The evidence record.
        images: The kept images.
        result: The result as JSON; its explanations are those of the signed result.
        export: The circumstances of the export.
    """
    outcome = record.outcome
    status = outcome.verdict.status
    words = [pill(status.value, tone=_TONES[status])]
    words += [pill(reason.value, tone="bad", outline=True) for reason in outcome.verdict.reasons]
    if outcome.sandbox:
        words.append(pill("sandbox: no statement about a person", tone="warn"))
    return page(
        brand="evidence",
        title=str(outcome.check_id),
        heading=f"Check {outcome.check_id}",
        below=joined((Html("<p>{}</p>").format(Html(" ").join(words)), facts(_summary(record, export)))),
        main=joined(
            [
                _section("images", "Images", _images(images)),
                _section("liveness", "Liveness", _liveness(outcome, result)),
                _section("match", "Match with the trusted image", facts(_match(outcome))),
                _section("device", "Device", _device(outcome)),
                _section("attempts", "Attempts", _attempts(outcome.attempts)),
                _section("basis", "Policy, models and times", facts(_basis(record))),
                _section("frames", "Received frames", _frames(record)),
            ]
        ),
        footer=Html(
            "Made from the sealed evidence record by <code>ExportEvidence</code>. The archive's signature "
            "covers this page: <code>facegate result verify ARCHIVE.zip --jwks jwks.json</code>."
        ),
        style=stylesheet("server.evidence", "report"),
    )


def _section(key: str, title: str, content: Html) -> Html:
    return _SECTION.format(key=key, title=title, content=content)


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


def _images(images: Sequence[HeldImage]) -> Html:
    if not images:
        return Html("<p>No image is kept of this check.</p>")
    return Html('<div class="images">{}</div>').format(joined(map(_image, images)))


def _image(held: HeldImage) -> Html:
    found = held.facts
    name = _PURPOSES.get(found.purpose, found.purpose)
    caption = Html("{}{}<br>SHA-256 <code>{}</code>").format(
        name,
        f", attempt {found.attempt}, frame {found.frame_index}" if found.attempt else "",
        found.sha256.hex(),
    )
    if held.content is None:
        return figure(Html("<p>{}</p>").format(_absent(held.problem)), caption=caption)
    if found.media_type not in _SHOWN_TYPES:
        return figure(Html("<p>{}</p>").format(f"In the archive, as {found.media_type}"), caption=caption)
    shown = image(data_uri(held.content, media_type=found.media_type), alt=name)
    kinds = " ".join(filter(None, (_TURNS.get(found.rotation, ""), "mirrored" if found.mirrored else "")))
    return figure(shown, caption=caption, kind=kinds)


def _liveness(outcome: CheckOutcome, result: Mapping[str, Any]) -> Html:
    liveness = outcome.liveness
    if liveness is None or not outcome.verdict.about_person:
        return Html("<p>No attempt was judged.</p>")
    explanations = result.get("liveness", {}).get("explanations", [])
    found = facts(
        [
            ("Verdict", liveness.verdict.value),
            ("Confidence", f"{liveness.confidence:.1f} of 100"),
            (
                "Thresholds",
                f"LIVE from {liveness.policy.live_threshold:g}, SPOOF to {liveness.policy.spoof_threshold:g}",
            ),
            ("Attack type", liveness.attack_type.value),
            ("Mode", outcome.used_mode.value if outcome.used_mode else _ABSENT),
            ("Challenge", f"{outcome.verified_bits:.1f} bits verified, {outcome.required_bits:.1f} required"),
        ]
    )
    rows = [
        signal_row(one.label, score=one.score, weight=one.weight, detail=one.detail, name=one.name)
        for one in liveness.signals
    ]
    reasons = Html("<ul>{}</ul>").format(joined(Html("<li>{}</li>").format(text) for text in explanations))
    return joined([found, reasons if explanations else NOTHING, folded("All signals", signal_list(rows))])


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


def _device(outcome: CheckOutcome) -> Html:
    device = outcome.device
    signs = ", ".join(f"{sign.of.value} ({sign.strength:.2f})" for sign in device.signs if sign.suspected)
    transcript = outcome.transcript
    found = facts(
        [
            ("Assurance", f"{device.assurance.value}, required {device.required.value}"),
            ("Attested", "yes" if device.assurance.attested else "no: this device is not attested"),
            ("Signs of manipulation", signs or "none"),
            ("Tolerated tests", ", ".join(device.tolerated) or "none"),
            ("Transcript", _ABSENT if transcript is None else _transcript(outcome)),
        ]
    )
    return joined([found, folded("All tests", _tests(device.checks))])


def _transcript(outcome: CheckOutcome) -> str:
    transcript = outcome.transcript
    if transcript is None:
        return _ABSENT
    state = "intact" if transcript.intact else ("broken" if transcript.signed else "not signed")
    return (
        f"{state}, {transcript.frames} frames received, {transcript.examined} examined, "
        f"{transcript.streams} streams"
    )


def _tests(checks: Sequence[DeviceCheck]) -> Html:
    rows = [
        _row(
            check.name,
            check.outcome.value + (" (decides)" if check.decisive and not check.tolerated else ""),
            check.reason,
            check.detail,
        )
        for check in checks
    ]
    return table(map(head, ("Test", "Finding", "Reason", "Detail")), rows, label="Tests", kind="overview")


def _attempts(attempts: Sequence[AttemptOutline]) -> Html:
    if not attempts:
        return Html("<p>No device scanned.</p>")
    rows = [
        _row(
            str(one.attempt),
            one.mode.value,
            one.outcome.value,
            one.ended_by.value,
            one.verdict.value if one.verdict else _ABSENT,
            str(one.frames),
            _time(one.start_time),
            _ABSENT if one.end_time is None else _time(one.end_time),
        )
        for one in attempts
    ]
    heads = ("Attempt", "Mode", "Outcome", "Ended by", "Verdict", "Frames", "Began", "Ended")
    return table(map(head, heads), rows, label="Attempts", kind="overview")


def _basis(record: EvidenceRecord) -> Iterable[tuple[str, str]]:
    outcome, times = record.outcome, record.times
    pack = outcome.pack
    yield "Policy", f"{outcome.policy_name}, version {outcome.policy_version}"
    yield "SHA-256 of the policy", outcome.policy_sha256.hex()
    yield "Model pack", f"{pack.name} {pack.version}" + (" (evaluation only)" if pack.evaluation_only else "")
    yield "SHA-256 of the pack", pack.sha256.hex()
    yield "Calibration", f"{pack.calibration.provenance}, SHA-256 {pack.calibration.sha256.hex()}"
    yield "Server", outcome.server_version
    yield "Trusted image kept", record.portrait.kept.value
    yield "SHA-256 of the trusted image", record.portrait.sha256.hex() or _ABSENT
    yield "Source of the times", times.source
    yield "Trusted image accepted", _time(times.create)
    yield "Retained until", _time(times.retain_until)


def _frames(record: EvidenceRecord) -> Html:
    if not record.frames:
        return Html("<p>No frame was received.</p>")
    return joined(
        folded(
            f"Attempt {one.attempt}: {len(one.sha256)} hashes{'' if one.complete else ' (incomplete)'}",
            Html('<ol start="0">{}</ol>').format(
                joined(Html("<li><code>{}</code></li>").format(each.hex()) for each in one.sha256)
            ),
        )
        for one in record.frames
    )


def _row(*words: str) -> Html:
    return Html("<tr>{}</tr>").format(Html("").join(map(cell, words)))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _absent(problem: str) -> str:
    """Returns why an image is not shown, in words."""
    if problem == "ERASED":
        return "Erased: the retention of the images has ended."
    return f"Cannot be shown: {problem}"
