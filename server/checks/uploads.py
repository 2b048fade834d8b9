"""The upload of an orchestrator, and the limits of its fields."""

import uuid
from dataclasses import dataclass, field

from server.domain.terms import Mode
from server.errors import Reason, Refusal

__all__ = ["ImageReference", "TrustedImageUpload", "validate_fields"]

_MAX_REFERENCE_BYTES = 256
_MAX_REQUEST_ID = 64


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference to an image in the customer's own store of trusted images, as the orchestrator sent it.

    Attributes:
        text: The reference. It may be personal data, so no message and no log contains it.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageUpload:
    """The upload of an orchestrator; see ``facegate.v1.UploadTrustedImageRequest``.

    Attributes:
        tenant: The tenant of the caller.
        sandbox: Whether the caller is a sandbox caller.
        image: The bytes of the image, or a reference to them.
        policy: Name of the policy; empty for the server's default.
        mode: A mode to which the policy's mode is raised; ``None`` for the policy's mode.
        subject_reference: Opaque reference to the person.
        consent_reference: Reference to the legal basis.
        request_id: A UUID that makes the call idempotent; empty for none.
        retention_seconds: The longest retention of this check; ``None`` for that of its policy.
        document_portrait: Whether the image is the portrait of an identity document.
        payload_sha256: SHA-256 of all fields except ``request_id``, 32 bytes.
    """

    tenant: str
    sandbox: bool
    image: bytes | ImageReference
    policy: str
    mode: Mode | None
    subject_reference: str
    consent_reference: str
    request_id: str
    retention_seconds: int | None
    document_portrait: bool = False
    payload_sha256: bytes


def validate_fields(upload: TrustedImageUpload) -> None:
    """Verifies that the references of an upload can be stored, and that ``request_id`` is a UUID.

    Raises:
        Refusal: A field is too long, contains a NUL character, or is not a UUID (INVALID_FIELD).
    """
    for name, value, limit in (
        ("subject_reference", upload.subject_reference, _MAX_REFERENCE_BYTES),
        ("consent_reference", upload.consent_reference, _MAX_REFERENCE_BYTES),
        ("request_id", upload.request_id, _MAX_REQUEST_ID),
    ):
        size = len(value.encode())
        if size > limit:
            raise Refusal(
                Reason.INVALID_FIELD,
                f"{name} has {size} bytes; at most {limit} are allowed",
                details={"field": name, "bytes": size, "maxBytes": limit},
            )
        if "\0" in value:
            # PostgreSQL cannot store text with a NUL character.
            raise Refusal(
                Reason.INVALID_FIELD,
                f"{name} has a NUL character; remove it",
                details={"field": name},
            )
    if upload.request_id:
        try:
            uuid.UUID(upload.request_id)
        except ValueError as error:
            raise Refusal(
                Reason.INVALID_FIELD, "request_id is not a UUID", details={"field": "request_id"}
            ) from error
