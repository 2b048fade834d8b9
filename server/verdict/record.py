"""The evidence record of a decided check: everything that an auditor needs, in one versioned JSON document.

The document is sealed before it is stored (``server.evidence.records``). Times are UTC, by the clock of the
server that is named as their source; the capture times of frames are by the device's clock and are not in it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from server.domain.terms import CheckStatus, ImagePurpose, Mode, PortraitKept
from server.verdict.outcome import CheckOutcome, EvidenceMark

RECORD_VERSION: Final = 1
"""The version that this server writes. Records of other versions are refused."""


class RecordUnreadable(Exception):
    """A record cannot be read.

    Attributes:
        problem: Why: ``"KEY_MISSING"``, or ``"ALTERED"`` for bytes of no version that this server reads.
    """

    def __init__(self, text: str, *, problem: str = "ALTERED") -> None:
        super().__init__(text)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class PortraitFacts:
    """The trusted image of a check.

    Attributes:
        kept: Which data of it are kept.
        sha256: SHA-256 of the image as uploaded, 32 bytes; empty if nothing is kept.
    """

    kept: PortraitKept
    sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """A kept image.

    Attributes:
        sha256: SHA-256 of the image as received, 32 bytes.
        attempt: The attempt, from 1; 0 for the portrait.
        frame_index: Index of the frame in its attempt; 0 for the portrait.
        rotation: The clockwise rotation that makes it upright, in degrees: 0, 90, 180 or 270.
        media_type: Media type, such as ``"image/jpeg"``.
    """

    purpose: ImagePurpose
    sha256: bytes
    attempt: int
    frame_index: int
    rotation: int
    mirrored: bool
    media_type: str

    @property
    def mark(self) -> EvidenceMark:
        """The image as results name it."""
        return EvidenceMark(self.sha256, self.attempt, self.frame_index)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFrames:
    """The received frames of an attempt.

    Attributes:
        attempt: The attempt, from 1.
        sha256: SHA-256 of every frame's image, in the order of their indices, 32 bytes each.
        complete: Whether the hashes are those of all received frames. If the server stopped during the
            attempt, they are lost.
    """

    attempt: int
    sha256: tuple[bytes, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTimes:
    """The times of a check, UTC.

    Attributes:
        source: The clock: the host of the server that decided.
        create: When the trusted image was accepted.
        decide: When the decision was reached.
        result_deadline: Until when FinishCheck returns the result.
        retain_until: When result and evidence are to be erased, unless a hold prevents it.
    """

    source: str
    create: datetime
    decide: datetime
    result_deadline: datetime
    retain_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """The record of one decided check.

    Attributes:
        subject_reference: The orchestrator's reference to the person; may be empty.
        consent_reference: The orchestrator's reference to the legal basis; may be empty.
        outcome: The whole decision: attempts, signals with thresholds, device results, policy and pack.
        result: The serialised result that FinishCheck returns and signs.
        result_jws: The result, signed when the check was decided: a compact JWS.
        images: The kept images of all attempts, and the portrait if it is kept.
        frames: The hashes of the received frames, by attempt.
        portrait: The kept data of the trusted image.
    """

    tenant: str
    subject_reference: str
    consent_reference: str
    requested_mode: Mode
    outcome: CheckOutcome
    result: bytes = field(repr=False)
    result_jws: str = field(repr=False)
    images: tuple[ImageFacts, ...]
    frames: tuple[AttemptFrames, ...]
    portrait: PortraitFacts
    times: RecordTimes
    version: int = RECORD_VERSION


@dataclass(frozen=True, slots=True)
class Delivery:
    """The parts of a record that FinishCheck returns.

    Attributes:
        marks: The images that the result names, the evidence frame first.
        subject_reference: The orchestrator's reference to the person; may be empty.
    """

    result: bytes = field(repr=False)
    status: CheckStatus
    marks: tuple[EvidenceMark, ...]
    subject_reference: str = field(default="", repr=False)


class _Stored(BaseModel):
    model_config = ConfigDict(
        ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings", frozen=True
    )

    record: EvidenceRecord


class _DeliveredVerdict(BaseModel):
    status: CheckStatus


class _DeliveredOutcome(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", frozen=True)

    verdict: _DeliveredVerdict
    evidence_frame: EvidenceMark | None
    audit_images: tuple[EvidenceMark, ...]


class _DeliveredRecord(BaseModel):
    model_config = ConfigDict(val_json_bytes="base64", frozen=True)

    version: int
    subject_reference: str
    result: bytes
    outcome: _DeliveredOutcome


class _Delivered(BaseModel):
    """The few fields of the document that FinishCheck reads, because it is called for every check."""

    record: _DeliveredRecord


_Parts = TypeVar("_Parts", _Stored, _Delivered)


def record_to_bytes(record: EvidenceRecord) -> bytes:
    """Return the record as JSON in UTF-8, with infinite numbers as texts, because JSON has none."""
    return _Stored(record=record).model_dump_json().encode()


def record_from_bytes(data: bytes) -> EvidenceRecord:
    """Parse the bytes that ``record_to_bytes`` returns.

    Raises:
        RecordUnreadable: The version is unknown, or the bytes were altered.
    """
    return _parsed(_Stored, data).record


def delivery_from_bytes(data: bytes) -> Delivery:
    """Parse only the parts of a record that FinishCheck returns.

    Raises:
        RecordUnreadable: The version is unknown, or the bytes were altered.
    """
    record = _parsed(_Delivered, data).record
    outcome = record.outcome
    frame = () if outcome.evidence_frame is None else (outcome.evidence_frame,)
    return Delivery(
        result=record.result,
        status=outcome.verdict.status,
        marks=(*frame, *outcome.audit_images),
        subject_reference=record.subject_reference,
    )


def _parsed(kind: type[_Parts], data: bytes) -> _Parts:
    try:
        parts = kind.model_validate_json(data)
    except ValidationError as error:
        raise RecordUnreadable(f"{error.error_count()} parts of an evidence record cannot be read") from None
    version = parts.record.version
    if version != RECORD_VERSION:
        raise RecordUnreadable(
            f"the evidence record has version {version}; this server reads version {RECORD_VERSION}: use the "
            "version of the server that wrote it"
        )
    return parts
