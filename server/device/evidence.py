"""Evidence of a device's platform as it arrived: its parts in their sizes, and nothing of it verified."""

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
"""Pieces of evidence in a scan, over all its streams."""
MAX_ATTESTATION_BYTES: Final = 64 * 1024
"""Largest piece."""


@dataclass(frozen=True, slots=True)
class AndroidKeyEvidence:
    """See ``facegate.v1.AndroidKeyAttestation``: certificates (DER, leaf first) and the key's signature."""

    certificate_chain: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class PlayEvidence:
    """See ``facegate.v1.PlayIntegrityToken``; ``kind`` is ``None`` where the device did not say it."""

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
    """See ``facegate.v1.WebAuthnEvidence``: a registration where there is an attestation object."""

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
    """The device says that it has none, and why: a name of ``AttestationUnavailable.Reason``."""

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
    """The stream that evidence arrived in.

    Attributes:
        check_id: Its check.
        scope: Under which name devices' keys are kept; see ``server.sandbox``.
        subject: The orchestrator's reference to the person; may be empty.
        challenge: What the evidence has to be made for, 32 bytes: the stream's binding hash H, or where a
            report came with it the evidence challenge E.
        session_public_key: SubjectPublicKeyInfo, DER.
        app_id: The app that the device named; may be empty.
        sandbox: Whether it is a sandbox check, in which test roots are believed.
        header_origin: The stream's ``Origin`` header, which browsers write and scripts cannot; ``None`` where
            there is none.
        asks_apple: Whether Apple may be asked for a newer receipt: not where App Attest is ignored anyway.
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
