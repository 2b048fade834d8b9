"""The evidence of a device: the messages of ``facegate.v1.Attestation`` as plain data."""

from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = ["AppAttestAssertion", "AppAttestEnrolment", "Evidence", "KeyChain", "PlayToken", "WebCryptoProof"]


@dataclass(frozen=True, slots=True)
class KeyChain:
    """Android key attestation.

    Attributes:
        certificates: DER, leaf first, root last.
        signature: Over the transcript's attestation message, ASN.1 DER.
    """

    certificates: tuple[bytes, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class PlayToken:
    """A classic Play Integrity token."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AppAttestEnrolment:
    """App Attest for a new key: its identifier (32 bytes) and the attestation object (CBOR)."""

    key_id: bytes
    attestation_object: bytes


@dataclass(frozen=True, slots=True)
class AppAttestAssertion:
    """App Attest for an enrolled key: its identifier (32 bytes) and the assertion (CBOR)."""

    key_id: bytes
    assertion: bytes


@dataclass(frozen=True, slots=True)
class WebCryptoProof:
    """A browser's key.

    Attributes:
        public_key: SubjectPublicKeyInfo, DER.
        signature: Over the transcript's attestation message, ASN.1 DER.
        origin: Origin of the page.
    """

    public_key: bytes
    signature: bytes
    origin: str


Evidence: TypeAlias = KeyChain | PlayToken | AppAttestEnrolment | AppAttestAssertion | WebCryptoProof
