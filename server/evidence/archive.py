"""The archive of a check: everything that is kept of it, in one signed ZIP file.

The manifest lists every other file with its SHA-256, and a JWS of exactly the manifest's bytes signs it. So
one signature covers the archive, and it can be verified without this server: ``facegate result verify``.
docs/evidence.md describes the files.

The report in it is one HTML page for people, which loads and runs nothing.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from formats.image_format import ImageFormat
from matcher import RecordInvalid, similarity_in_words
from matcher.records import (
    CaptureSource,
    PostAcquisition,
    RecordMetadata,
    RecordVersion,
    build_record,
    serialise,
)
from server.evidence.store import HeldImage
from server.pages import data_uri, render
from server.verdict.outcome import CheckOutcome
from server.verdict.record import EvidenceRecord, ImageFacts, record_to_bytes
from vision.errors import ImageError
from vision.image import DecodeLimits, decode_image, encode_jpeg, rotate_upright

__all__ = [
    "ERASED",
    "FORMAT",
    "ArchiveFile",
    "Export",
    "evidence_archive",
    "facial_record",
    "report_page",
    "signed_zip",
]

FORMAT: Final = "facegate-evidence/1"
"""The format of the archive of a check, as its manifest states it."""

ERASED: Final = "ERASED"
"""The problem of an image that retention erased before the record."""

_EXTENSIONS: Final[Mapping[str, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/jp2": "jp2",
    "image/j2c": "j2c",
}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the oldest that a ZIP file can state, because the real ones are in the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The circumstances of an export, which the manifest states.

    Attributes:
        exported_by: Name of the caller.
        time: When, UTC.
        finish_time: When the orchestrator first received the result; ``None`` before.
        holds: The references of the holds on the check.
        altered: The facts that differ between the record and the columns of lists.
    """

    exported_by: str
    purpose: str
    time: datetime
    finish_time: datetime | None
    holds: Sequence[str]
    altered: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of an archive."""

    name: str
    content: bytes = field(repr=False)
    media_type: str = "application/octet-stream"


def evidence_archive(
    record: EvidenceRecord,
    *,
    images: Sequence[HeldImage],
    result: Mapping[str, Any],
    jwks: Mapping[str, Any],
    export: Export,
    sign: Callable[[bytes], str],
) -> bytes:
    """Returns the archive of a check.

    Args:
        result: The result as JSON, for people.
        jwks: The public keys that verify the signatures, with the times of their use.
        sign: Signs the manifest: returns a compact JWS of exactly the given bytes.
    """
    named = [(image, _image_name(image.facts, images)) for image in images]
    files = [
        ArchiveFile("record.json", record_to_bytes(record), "application/json"),
        ArchiveFile("result.json", _json(result), "application/json"),
        ArchiveFile("result.jws", record.result_jws.encode(), "application/jose"),
        ArchiveFile("keys.json", _json(jwks), "application/jwk-set+json"),
        *(
            ArchiveFile(name, image.content, image.facts.media_type)
            for image, name in named
            if image.content is not None
        ),
    ]
    frame = next((image for image in images if image.facts.purpose == "EVIDENCE_FRAME"), None)
    if frame is not None and frame.content is not None:
        facial = facial_record(frame.content, frame.facts)
        if facial is not None:
            files.append(ArchiveFile("images/evidence_frame.fac", facial))
    page = report_page(record, images=images, result=result, export=export)
    files.append(ArchiveFile("report.html", page.encode(), "text/html"))
    return signed_zip(
        files,
        facts={
            "format": FORMAT,
            "tenant": record.tenant,
            "check_id": str(record.outcome.check_id),
            "exported_by": export.exported_by,
            "export_time": _time(export.time),
            "purpose": export.purpose,
            "finish_time": None if export.finish_time is None else _time(export.finish_time),
            "holds": list(export.holds),
            "altered_facts": list(export.altered),
            "missing_images": [
                {"name": name, "sha256": image.facts.sha256.hex(), "problem": image.problem}
                for image, name in named
                if image.content is None
            ],
        },
        sign=sign,
    )


def signed_zip(
    files: Sequence[ArchiveFile], *, facts: Mapping[str, Any], sign: Callable[[bytes], str]
) -> bytes:
    """Returns a ZIP file with a signed manifest.

    Args:
        facts: The facts that the manifest states besides the files.
    """
    manifest = _json(
        {
            **facts,
            "files": [
                {
                    "name": file.name,
                    "bytes": len(file.content),
                    "sha256": sha256(file.content).hexdigest(),
                    "media_type": file.media_type,
                }
                for file in files
            ],
        }
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for file in (
            ArchiveFile("manifest.json", manifest),
            ArchiveFile("manifest.jws", sign(manifest).encode()),
            *files,
        ):
            entry = zipfile.ZipInfo(file.name, date_time=_EPOCH)
            entry.external_attr = 0o600 << 16
            stored = file.media_type.startswith("image/")
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.content)
    return target.getvalue()


def _image_name(facts: ImageFacts, images: Sequence[HeldImage]) -> str:
    extension = _EXTENSIONS.get(facts.media_type, "bin")
    if facts.purpose == "PORTRAIT":
        return f"images/trusted_image.{extension}"
    same = [image.facts for image in images if image.facts.purpose == facts.purpose]
    word = facts.purpose.lower()
    number = "" if len(same) == 1 and facts.purpose == "EVIDENCE_FRAME" else f"_{same.index(facts) + 1}"
    return f"images/{word}{number}.{extension}"


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


_QUALITY = 95
_LIMITS = DecodeLimits(max_bytes=2_000_000, max_pixels=25_000_000, max_side=10_000)


def facial_record(image: bytes, facts: ImageFacts) -> bytes | None:
    """Returns a frame as a facial record; ``None`` if no record can contain it.

    A record has no field for rotation or mirroring. An upright frame is stored byte for byte. Any other frame
    is made upright and compressed again, which the record states.

    Args:
        facts: Its rotation and whether it is mirrored.
    """
    processing: frozenset[PostAcquisition] = frozenset()
    try:
        if facts.rotation or facts.mirrored:
            decoded = decode_image(
                image, limits=_LIMITS, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=False
            )
            upright = rotate_upright(decoded.pixels, facts.rotation, facts.mirrored)
            image = encode_jpeg(upright, quality=_QUALITY)
            processing = frozenset({PostAcquisition.ROTATED, PostAcquisition.MULTIPLY_COMPRESSED})
        record = build_record(
            image,
            version=RecordVersion.ISO_19794_5_2011,
            metadata=RecordMetadata(
                source=CaptureSource.VIDEO_FRAME_DIGITAL, post_acquisition=processing or None
            ),
        )
    except (ImageError, RecordInvalid):
        return None
    return serialise(record)


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
    export: Export,
) -> str:
    """Returns the report as one HTML page.

    Args:
        result: The result as JSON; its explanations are those of the signed result.
    """
    outcome = record.outcome
    return render(
        "evidence.html",
        title=str(outcome.check_id),
        verdict=outcome.verdict,
        sandbox=outcome.sandbox,
        summary=_summary(record, export),
        images=[_image(held) for held in images],
        liveness=list(_liveness(outcome)),
        explanations=result.get("liveness", {}).get("explanations", []),
        judged_signals=() if outcome.liveness is None else outcome.liveness.signals,
        match=_match(outcome),
        device=_device(outcome),
        tests=_tests(outcome),
        attempts=_attempts(outcome),
        basis=_basis(record),
        frames=record.frames,
    )


def _summary(record: EvidenceRecord, export: Export) -> Iterable[tuple[str, str]]:
    yield "Decided", _shown_time(record.times.decide)
    yield "Delivered", _ABSENT if export.finish_time is None else _shown_time(export.finish_time)
    yield "Tenant", record.tenant
    yield "Subject reference", record.subject_reference or _ABSENT
    yield "Consent reference", record.consent_reference or _ABSENT
    yield "Holds", ", ".join(export.holds) or "none"
    if export.altered:
        yield "Altered in the database", ", ".join(export.altered)
    yield "Exported", f"{_shown_time(export.time)} by {export.exported_by}"
    yield "Purpose of the export", export.purpose


def _image(held: HeldImage) -> dict[str, str]:
    found = held.facts
    alt = _PURPOSES.get(found.purpose, found.purpose)
    shown: dict[str, str] = {
        "name": alt + (f", attempt {found.attempt}, frame {found.frame_index}" if found.attempt else ""),
        "alt": alt,
        "sha256": found.sha256.hex(),
        "kind": "",
        "uri": "",
        "instead": "",
    }
    if held.content is None:
        shown["instead"] = _absent(held.problem)
    elif found.media_type not in _SHOWN_TYPES:
        shown["instead"] = f"In the archive, as {found.media_type}"
    else:
        shown["uri"] = data_uri(held.content, media_type=found.media_type)
        shown["kind"] = f"{_TURNS.get(found.rotation, '')}{' mirrored' * found.mirrored}".strip()
    return shown


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
        f"{transcript.streams} streams"
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
            one.outcome.value,
            one.ended_by.value,
            one.verdict.value if one.verdict else _ABSENT,
            str(one.frames),
            _shown_time(one.start_time),
            _ABSENT if one.end_time is None else _shown_time(one.end_time),
        )
        for one in outcome.attempts
    ]


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
    yield "Trusted image accepted", _shown_time(times.create)
    yield "Retained until", _shown_time(times.retain_until)


def _shown_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _absent(problem: str) -> str:
    """Returns why an image is not shown, in words."""
    if problem == "ERASED":
        return "Erased: the retention of the images has ended."
    return f"Cannot be shown: {problem}"
