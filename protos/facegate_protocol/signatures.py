"""The signed messages of a scan, and their one signature algorithm: ECDSA on P-256 with SHA-256 (FIPS 186-5).

P-256 is the curve that every Android KeyStore, Apple's Secure Enclave and WebCrypto can hold in
hardware. Signatures are ASN.1 DER, public keys are SubjectPublicKeyInfo DER (RFC 5480).
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from facegate_protocol.errors import KeyMaterialError
from facegate_protocol.framing import length_prefixed, sha256

_CHALLENGE = b"facegate/v1/challenge"
_RESUME = b"facegate/v1/resume"
_ATTESTATION = b"facegate/v1/attestation"
_ATTEMPT_END = b"facegate/v1/attempt-end"
_MAX_PUBLIC_KEY_BYTES = 128


def challenge_message(*, start: bytes, body: bytes) -> bytes:
    """Return the message that the challenge key signs.

    It is a label, the hash of the ScanStart and the ChallengeBody, each length-prefixed.
    """
    return length_prefixed(_CHALLENGE, sha256(start), body)


def resume_message(*, binding: bytes) -> bytes:
    """Return the message that the session key signs on a reconnect.

    It is a label and the new stream's binding hash, each length-prefixed.
    """
    return length_prefixed(_RESUME, binding)


def attestation_message(*, binding: bytes) -> bytes:
    """Return the message that a key attested for this stream signs.

    It is a label and the stream's binding hash, each length-prefixed.
    """
    return length_prefixed(_ATTESTATION, binding)


def attempt_end_message(*, binding: bytes, body: bytes) -> bytes:
    """Return the message that the session key signs at the end of an attempt.

    It is a label, the stream's binding hash and the bytes of the AttemptEndBody, each length-prefixed.
    """
    return length_prefixed(_ATTEMPT_END, binding, body)


def sign(private_key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """Sign ``message``; return ASN.1 DER, at most 72 bytes."""
    return private_key.sign(message, ec.ECDSA(SHA256()))


def verify(*, public_key: ec.EllipticCurvePublicKey, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is ``public_key``'s over ``message``."""
    try:
        public_key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def load_public_key(der: bytes) -> ec.EllipticCurvePublicKey:
    """Read a P-256 public key.

    Args:
        der: SubjectPublicKeyInfo, at most 128 bytes.

    Raises:
        KeyMaterialError: ``der`` is not a P-256 SubjectPublicKeyInfo.
    """
    if len(der) > _MAX_PUBLIC_KEY_BYTES:
        raise KeyMaterialError(
            f"a P-256 public key has at most {_MAX_PUBLIC_KEY_BYTES} bytes, this one has {len(der)}"
        )
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyMaterialError("the public key is not a SubjectPublicKeyInfo") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyMaterialError("the public key is not on the curve P-256")
    return key


def public_key_der(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return ``key`` as SubjectPublicKeyInfo, DER, uncompressed point; 91 bytes."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public_key: bytes) -> bytes:
    """Return the SHA-256 of a SubjectPublicKeyInfo, 32 bytes, which an app pins."""
    return sha256(public_key)
