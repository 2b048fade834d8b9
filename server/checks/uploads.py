"""What an orchestrator uploads, and how long its fields may be."""

import uuid
from dataclasses import dataclass, field

from server.domain.terms import Mode
from server.errors import Reason, Refusal

__all__ = ["ImageReference", "TrustedImageUpload", "check_fields"]

_MAX_REFERENCE_BYTES = 256
_MAX_REQUEST_ID = 64


@dataclass(frozen=True, slots=True)
class ImageReference:
    """A reference into the customer's own store of trusted images, as the orchestrator sent it.

    Attributes:
        text: The reference; perhaps personal data, so that it stands in no message and no log.
    """

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedImageUpload:
    """What an orchestrator sends; see ``facegate.v1.UploadTrustedImageRequest``.

    Attributes:
        tenant: Whose call it is.
        sandbox: Whether the caller is a sandbox caller.
        image: The image's bytes, or where they lie.
        policy: Name of the policy; empty for the server's default.
        mode: A mode to raise the policy's; ``None`` for the policy's own.
        subject_reference: Opaque reference to the person.
        consent_reference: Reference to the legal basis.
        request_id: A UUID that makes the call idempotent; empty for none.
        payload_sha256: Over everything but ``request_id``, 32 bytes.
    """

    tenant: str
    sandbox: bool
    image: bytes | ImageReference
    policy: str
    mode: Mode | None
    subject_reference: str
    consent_reference: str
    request_id: str
    payload_sha256: bytes


def check_fields(upload: TrustedImageUpload) -> None:
    """Makes sure that the references of an upload can be stored.

    Raises:
        Refusal: One of them cannot (INVALID_FIELD).
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
            # PostgreSQL stores no text with one.
            raise Refusal(
                Reason.INVALID_FIELD, f"{name} holds a NUL character; leave it out", details={"field": name}
            )
    if upload.request_id:
        try:
            uuid.UUID(upload.request_id)
        except ValueError as error:
            raise Refusal(
                Reason.INVALID_FIELD, "request_id is not a UUID", details={"field": "request_id"}
            ) from error
