"""Turns an uploaded picture into the trusted image of a check: an ISO/IEC 19794-5 record."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from facegate.v1 import verification_service_pb2

from cli.image.command import decode_picture, eye_finder
from cli.words import measured_words, refusal_advice
from facegate_client import ServerError
from matcher import MatcherError
from matcher.conformance import remedy_for
from matcher.errors import ConversionImpossible
from matcher.records import Representations, open_trusted_image
from matcher.records.conversion import TargetFormat, Wishes, convert
from vision.errors import VisionError
from vision.packs import Pack

__all__ = ["MOST_BYTES", "TrustedImage", "accepted_document", "as_record", "refused_document"]

MOST_BYTES: Final = 20_000_000
"""Largest upload. A trusted image has at most 2,000,000 bytes; the page makes photos smaller first."""
_QUALITY: Final = 92


@dataclass(frozen=True, slots=True)
class TrustedImage:
    """The bytes of a trusted image.

    Attributes:
        data: A record, or the upload as it was if it is no bare picture or cannot be converted.
        notes: One sentence for each change by the conversion; empty without a conversion.
    """

    data: bytes
    notes: tuple[str, ...] = ()


def as_record(upload: bytes, pack: Pack) -> TrustedImage:
    """Converts a bare picture into an ISO/IEC 19794-5:2011 record with the places of the eyes.

    Records and DG2 stay as they are, and so does what cannot be converted: the server then states why it
    refuses it. Slow: do not call it in the event loop.

    Args:
        upload: The file.
        pack: Finds the eyes.
    """
    wishes = Wishes(
        form=TargetFormat.ISO_2011,
        quality=_QUALITY,
        captured=datetime.now(UTC),
        find_eyes=eye_finder(pack),
    )
    try:
        content = open_trusted_image(upload, representations=Representations.FIRST, max_bytes=MOST_BYTES)
        if content.record is not None or content.dg2 is not None:
            return TrustedImage(upload)
        converted = convert(content, wishes, decode=decode_picture)
    except (ConversionImpossible, MatcherError, VisionError):
        return TrustedImage(upload)
    return TrustedImage(converted.data, converted.notes)


def accepted_document(
    report: verification_service_pb2.PortraitReport, image: TrustedImage, *, key: str
) -> dict[str, Any]:
    """Returns the server's findings on an accepted portrait as a JSON object.

    Args:
        report: The findings.
        image: The trusted image.
        key: The key under which the page names the portrait.
    """
    return {
        "portrait": key,
        "container": report.container,
        "width": report.width,
        "height": report.height,
        "eye_distance": report.eye_distance_px,
        "met": sum(one.HasField("passed") and one.passed for one in report.requirements),
        "assessed": sum(one.HasField("passed") for one in report.requirements),
        "findings": [
            {
                "code": one.code,
                "measured": measured_words(one),
                "required": one.required,
                "remedy": remedy_for(one.code, one.measured),
            }
            for one in report.requirements
            if one.HasField("passed") and not one.passed
        ],
        "notes": [*image.notes, *(f"{note}." for note in report.notes)],
    }


def refused_document(refusal: ServerError) -> dict[str, Any]:
    """Returns the refusal of a portrait as a JSON object, with its remedy."""
    message = refusal.message.rstrip(".")
    code, measured = (refusal.metadata.get(name, "") for name in ("requirement", "measured"))
    return {
        "reason": refusal.reason or refusal.code,
        "message": f"{message[:1].upper()}{message[1:]}.",
        "remedy": remedy_for(code, measured) or refusal_advice(refusal.reason),
        "details": dict(sorted(refusal.metadata.items())),
    }
