"""Verifies Android key attestations and Play Integrity tokens with keys and lists of the caller."""

from device_integrity.android.apps import AllowedApp
from device_integrity.android.authorizations import (
    AuthorizationList,
    BootState,
    KeyOrigin,
    KeyPurpose,
    RootOfTrust,
)
from device_integrity.android.certificates import ATTESTATION_EXTENSION, Certificate
from device_integrity.android.chain import ChainShape, WalkedChain
from device_integrity.android.checklists import PLAY_INTEGRITY
from device_integrity.android.constraints import CONSTRAINTS, Constraint
from device_integrity.android.key_attestation import KeyAttestation, Possession, verify_key_attestation
from device_integrity.android.key_description import (
    ApplicationId,
    KeyDescription,
    SecurityLevel,
    read_key_description,
)
from device_integrity.android.key_policy import KeyAttestationPolicy
from device_integrity.android.play_integrity import (
    PlayIntegrity,
    PlayLevel,
    PlayPolicy,
    refused_token,
    unavailable_token,
    verify_payload,
)
from device_integrity.android.play_payload import MAX_PAYLOAD_BYTES, PlayPayload, parse_payload
from device_integrity.android.play_token import (
    MAX_TOKEN_BYTES,
    ClassicKeys,
    PlayTokenDecoder,
    PlayTokenKind,
    load_classic_keys,
    open_classic_token,
)
from device_integrity.android.revocation import MAX_LIST_BYTES, RevocationList, parse_revocation_list
from device_integrity.android.roots import RootKind, TrustRoot, google_roots, parse_roots

__all__ = [
    "ATTESTATION_EXTENSION",
    "CONSTRAINTS",
    "MAX_LIST_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MAX_TOKEN_BYTES",
    "PLAY_INTEGRITY",
    "AllowedApp",
    "ApplicationId",
    "AuthorizationList",
    "BootState",
    "Certificate",
    "ChainShape",
    "ClassicKeys",
    "Constraint",
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
    "RootOfTrust",
    "SecurityLevel",
    "TrustRoot",
    "WalkedChain",
    "google_roots",
    "load_classic_keys",
    "open_classic_token",
    "parse_payload",
    "parse_revocation_list",
    "parse_roots",
    "read_key_description",
    "refused_token",
    "unavailable_token",
    "verify_key_attestation",
    "verify_payload",
]
