"""The transcript of a scan, which binds frames to a session key and the session key to a device.

Everything here works on bytes and does no I/O; the server and the clients share it. `docs/device_protocol.md`
describes it for SDK authors, with test vectors. Beside it, `facegate_protocol.texts` has the English texts of
hints and refusals.
"""

from facegate_protocol.agreement import MAC_KEY_BYTES, SHARE_BYTES, derive_mac_key
from facegate_protocol.binding import BindingInputs, binding_hash, evidence_challenge
from facegate_protocol.chain import MAC_BYTES, MacChain
from facegate_protocol.errors import KeyMaterialError
from facegate_protocol.framing import length_prefixed, sha256
from facegate_protocol.signatures import (
    attempt_end_message,
    attestation_message,
    challenge_message,
    fingerprint,
    load_public_key,
    public_key_der,
    resume_message,
    sign,
    verify,
)

__all__ = [
    "MAC_BYTES",
    "MAC_KEY_BYTES",
    "SHARE_BYTES",
    "BindingInputs",
    "KeyMaterialError",
    "MacChain",
    "attempt_end_message",
    "attestation_message",
    "binding_hash",
    "challenge_message",
    "derive_mac_key",
    "evidence_challenge",
    "fingerprint",
    "length_prefixed",
    "load_public_key",
    "public_key_der",
    "resume_message",
    "sha256",
    "sign",
    "verify",
]
