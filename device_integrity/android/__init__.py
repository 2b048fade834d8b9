"""Verifies Android key attestations and Play Integrity tokens with keys and lists of the caller."""

from device_integrity.android.apps import AllowedApp
from device_integrity.android.chain import (
    ATTESTATION_EXTENSION,
    ChainShape,
    RootKind,
    TrustRoot,
    google_roots,
)
from device_integrity.android.constraints import KeyAttestationPolicy
from device_integrity.android.key_attestation import KeyAttestation, Possession, verify_key_attestation
from device_integrity.android.key_description import (
    AuthorizationList,
    BootState,
    KeyDescription,
    KeyOrigin,
    KeyPurpose,
    SecurityLevel,
    read_key_description,
)
from device_integrity.android.play_integrity import (
    PLAY_INTEGRITY,
    PlayIntegrity,
    PlayLevel,
    PlayPolicy,
    refused_token,
    unavailable_token,
    verify_payload,
)
from device_integrity.android.play_token import (
    MAX_PAYLOAD_BYTES,
    MAX_TOKEN_BYTES,
    ClassicKeys,
    PlayPayload,
    PlayTokenDecoder,
    PlayTokenKind,
    load_classic_keys,
    open_classic_token,
    parse_payload,
)
from device_integrity.android.revocation import MAX_LIST_BYTES, RevocationList, parse_revocation_list

__all__ = [
    "ATTESTATION_EXTENSION",
    "MAX_LIST_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_TOKEN_BYTES",
    "PLAY_INTEGRITY",
    "AllowedApp",
    "AuthorizationList",
    "BootState",
    "ChainShape",
    "ClassicKeys",
    "KeyAttestation",
    "KeyAttestationPolicy",
    "KeyDescription",
    "KeyOrigin",
    "KeyPurpose",
    "PlayIntegrity",
    "PlayLevel",
    "PlayPayload",
    "PlayPolicy",
    "PlayTokenDecoder",
    "PlayTokenKind",
    "Possession",
    "RevocationList",
    "RootKind",
    "SecurityLevel",
    "TrustRoot",
    "google_roots",
    "load_classic_keys",
    "open_classic_token",
    "parse_payload",
    "parse_revocation_list",
    "read_key_description",
    "refused_token",
    "unavailable_token",
    "verify_key_attestation",
    "verify_payload",
]
