"""Verifies Android key attestations and Play Integrity tokens with keys and lists of the caller."""

from device_integrity.android.apps import AllowedApp
from device_integrity.android.chain import ChainShape
from device_integrity.android.constraints import CONSTRAINTS, Constraint
from device_integrity.android.key_attestation import KeyAttestation, Possession, verify_key_attestation
from device_integrity.android.key_description import KeyDescription, SecurityLevel
from device_integrity.android.key_policy import KeyAttestationPolicy
from device_integrity.android.play_integrity import (
    PlayIntegrity,
    PlayLevel,
    PlayPolicy,
    refused_token,
    unavailable_token,
    verify_payload,
)
from device_integrity.android.play_payload import PlayPayload, parse_payload
from device_integrity.android.play_token import (
    ClassicKeys,
    PlayTokenDecoder,
    PlayTokenKind,
    load_classic_keys,
    open_classic_token,
)
from device_integrity.android.revocation import RevocationList, parse_revocation_list
from device_integrity.android.roots import RootKind, TrustRoot, google_roots, parse_roots

__all__ = [
    "CONSTRAINTS",
    "AllowedApp",
    "ChainShape",
    "ClassicKeys",
    "Constraint",
    "KeyAttestation",
    "KeyAttestationPolicy",
    "KeyDescription",
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
    "parse_roots",
    "refused_token",
    "unavailable_token",
    "verify_key_attestation",
    "verify_payload",
]
