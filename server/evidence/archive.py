"""The archive of a check: everything that is kept of it, in one signed ZIP file.

The manifest lists every other file with its SHA-256, and a JWS of exactly the manifest's bytes signs it. So
one signature covers the archive, and it can be verified without this server: ``facegate result verify``.
docs/evidence.md describes the files.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from formats.image_format import ImageFormat
from matcher import RecordInvalid
from matcher.records import (
    CaptureSource,
    PostAcquisition,
    RecordMetadata,
    RecordVersion,
    build_record,
    serialise,
)
from server.domain.reviews import Review
from server.evidence.report import report_page
from server.evidence.store import HeldImage
from server.verdict.record import EvidenceRecord, ImageFacts, record_to_bytes
from vision.errors import ImageError
from vision.image import DecodeLimits, decode_image, encode_jpeg, rotate_upright

FORMAT: Final = "facegate-evidence/1"
"""The format of the archive of a check, as its manifest states it."""

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
        altered: The facts that differ between the record and the columns of lists.
        review: The review of the check by people; ``None`` if it has none.
    """

    exported_by: str
    purpose: str
    time: datetime
    finish_time: datetime | None
    holds: Sequence[str]
    altered: Sequence[str] = ()
    review: Review | None = None


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
    """Return the archive of a check.

    Args:
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
    review = export.review
    if review is not None and review.jws:
        files.append(ArchiveFile("review.jws", review.jws.encode(), "application/jose"))
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
            **({} if review is None else {"review": review.state(export.time).value}),
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
    """Return a ZIP file with a signed manifest.

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
    """Return a frame as a facial record; ``None`` if no record can contain it.

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
