"""Evidence of a device's platform as received: parsed and limited in size, but not verified."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

from device_integrity.android import PlayTokenKind

__all__ = [
    "MAX_ATTESTATIONS",
    "MAX_ATTESTATION_BYTES",
    "AndroidKeyEvidence",
    "AppAttestAssertionEvidence",
    "AppAttestEvidence",
    "DeviceEvidence",
    "EvidenceContext",
    "EvidenceUnavailable",
    "PlayEvidence",
    "UnknownEvidence",
    "WebAuthnEvidence",
    "WebCryptoEvidence",
]

MAX_ATTESTATIONS: Final = 4
"""The maximum number of pieces of evidence in a scan, over all its streams."""
MAX_ATTESTATION_BYTES: Final = 64 * 1024
"""The size of the largest piece, in bytes."""


@dataclass(frozen=True, slots=True)
class AndroidKeyEvidence:
    """The certificate chain (DER, leaf first) and a signature; see ``facegate.v1.AndroidKeyAttestation``."""

    certificate_chain: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class PlayEvidence:
    """See ``facegate.v1.PlayIntegrityToken``; ``kind`` is ``None`` if the device did not state it."""

    kind: PlayTokenKind | None
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAttestEvidence:
    """See ``facegate.v1.AppAttestAttestation``."""

    key_id: bytes
    attestation_object: bytes


@dataclass(frozen=True, slots=True)
class AppAttestAssertionEvidence:
    """See ``facegate.v1.AppAttestAssertion``."""

    key_id: bytes
    assertion: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAuthnEvidence:
    """See ``facegate.v1.WebAuthnEvidence``; with an attestation object it is a registration."""

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class WebCryptoEvidence:
    """See ``facegate.v1.WebCryptoEvidence``."""

    public_key: bytes
    signature: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class EvidenceUnavailable:
    """The report that there is no evidence; ``reason`` is a name of ``AttestationUnavailable.Reason``."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownEvidence:
    """Evidence of a kind that this version does not know."""


DeviceEvidence: TypeAlias = (
    AndroidKeyEvidence
    | PlayEvidence
    | AppAttestEvidence
    | AppAttestAssertionEvidence
    | WebAuthnEvidence
    | WebCryptoEvidence
    | EvidenceUnavailable
    | UnknownEvidence
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceContext:
    """The stream in which evidence arrived.

    Attributes:
        check_id: Its check.
        scope: The name under which the keys of devices are stored; see ``server.sandbox``.
        subject: The orchestrator's reference to the person; may be empty.
        challenge: The bytes that the evidence must be made for, 32 bytes: the stream's binding hash H or, if
            a report came with the evidence, the evidence challenge E.
        session_public_key: SubjectPublicKeyInfo, DER.
        app_id: The app that the device states; may be empty.
        sandbox: Whether it is a sandbox check, in which test roots are trusted.
        header_origin: The stream's ``Origin`` header, which browsers set and scripts cannot change; ``None``
            without it.
        asks_apple: Whether a receipt may be exchanged with Apple; False if the policy ignores App Attest.
    """

    check_id: UUID
    scope: str
    subject: str
    challenge: bytes
    session_public_key: bytes
    app_id: str
    sandbox: bool
    header_origin: str | None = None
    asks_apple: bool = True
