"""Reads App Attest's authenticator data, in WebAuthn's layout (Web Authentication Level 3, section 6.1)."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from device_integrity.cbor import decode_cbor, take_bytes, take_int, whole_map
from device_integrity.errors import EvidenceMalformed

__all__ = ["AttestedCredential", "AuthenticatorData", "parse_authenticator_data"]

_HEAD_BYTES: Final = 37
_MAX_KEY_BYTES: Final = 128
# COSE labels and values of an EC2 key on P-256 for ES256: RFC 9053, section 7.1.1.
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3
_EC2, _ES256, _P256 = 2, -7, 1
_COORDINATE_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedCredential:
    """The key that an attestation certifies.

    Attributes:
        aaguid: 16 bytes that state whether the app runs in Apple's development or production environment.
        credential_id: The key's identifier, 32 bytes.
        point: The public key's point, uncompressed X9.62, 65 bytes.
    """

    aaguid: bytes
    credential_id: bytes
    point: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """The statements of the Secure Enclave in an attestation or assertion.

    Attributes:
        app_id_hash: SHA-256 of the app identifier (team identifier, a dot, bundle identifier), 32 bytes.
        flags: The flags as one octet; Apple does not document their meaning.
        counter: Number of assertions that the key has signed.
        credential: The key in an attestation; ``None`` in an assertion.
    """

    app_id_hash: bytes
    flags: int
    counter: int
    credential: AttestedCredential | None


def parse_authenticator_data(data: bytes, *, with_credential: bool) -> AuthenticatorData:
    """Reads authenticator data.

    Args:
        data: The data as sent.
        with_credential: Whether a key follows the head, as in attestations; an assertion ends with the head.

    Raises:
        EvidenceMalformed: It is too short or too long, or the key is not a COSE key for ES256.
    """
    if len(data) < _HEAD_BYTES or (not with_credential and len(data) > _HEAD_BYTES):
        raise EvidenceMalformed(f"the authenticator data has {len(data)} bytes; its head has {_HEAD_BYTES}")
    return AuthenticatorData(
        app_id_hash=data[:32],
        flags=data[32],
        counter=int.from_bytes(data[33:37], "big"),
        credential=_credential(data[_HEAD_BYTES:]) if with_credential else None,
    )


def _credential(data: bytes) -> AttestedCredential:
    length = int.from_bytes(data[16:18], "big")
    credential_id, key = data[18 : 18 + length], data[18 + length :]
    if len(data) < 18 or len(credential_id) != length or length != 32:
        raise EvidenceMalformed("the authenticator data has no key identifier of 32 bytes")
    return AttestedCredential(aaguid=data[:16], credential_id=credential_id, point=_point(key))


def _point(cose: bytes) -> bytes:
    key = whole_map(
        decode_cbor(cose, max_bytes=_MAX_KEY_BYTES, max_depth=1),
        frozenset({_KTY, _ALG, _CRV, _X, _Y}),
        "the COSE key",
    )
    kind = tuple(take_int(key[label], "a label of the COSE key") for label in (_KTY, _ALG, _CRV))
    if kind != (_EC2, _ES256, _P256):
        raise EvidenceMalformed("the COSE key is not a key on P-256 for ES256")
    x, y = (take_bytes(key[label], "a coordinate", size=_COORDINATE_BYTES) for label in (_X, _Y))
    point = b"\x04" + x + y
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise EvidenceMalformed("the COSE key's point is not on the curve P-256") from error
    return point
