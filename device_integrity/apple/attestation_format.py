"""Reads App Attest attestation objects, which have WebAuthn's format with a statement by Apple."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device_integrity.apple.certificates import p256_key, unrecognised_extension
from device_integrity.cbor import decode_cbor, take_bytes, take_int, take_list, take_text, whole_map
from device_integrity.certificate_form import read_certificate
from device_integrity.errors import EvidenceMalformed
from facegate_protocol import public_key_der
from formats.der import Element, TagClass, read
from formats.errors import DerMalformed

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
    """Read authenticator data.

    ``with_credential`` states whether a key follows the head, as in attestations; an assertion ends with the
    head.

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


MAX_ATTESTATION_BYTES: Final = 64 * 1024
"""Maximum length of an attestation object."""

_FORMAT: Final = "apple-appattest"
_NONCE_OID: Final = "1.2.840.113635.100.8.2"
_APP_OID: Final = "1.2.840.113635.100.8.5"
_SYSTEM_OID: Final = "1.2.840.113635.100.8.7"
_APP_TAG, _VERSION_TAG = 1204, 1400


class Environment(StrEnum):
    """The environment that Apple attested the key for: apps from the store, or development."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"

    @property
    def aaguid(self) -> bytes:
        """Its AAGUID in the authenticator data, 16 bytes."""
        return b"appattestdevelop" if self is Environment.DEVELOPMENT else b"appattest".ljust(16, b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafClaims:
    """Apple's further statements in the key's certificate; ``None`` if missing or unreadable.

    Attributes:
        app_id: Team identifier, a dot, bundle identifier.
        os_version: Version of the operating system, such as ``14.4``.
    """

    app_id: str | None
    os_version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A parsed attestation object that is not yet verified.

    Attributes:
        leaf: The key's certificate.
        intermediate: Its issuer's certificate.
        receipt: The receipt, for ``receipt_format.parse_receipt``.
        authenticator_data: As sent, for hashing.
        credential: The attested key in the authenticator data.
        key_point: The leaf's public key, uncompressed X9.62, 65 bytes.
        key_der: The same key as SubjectPublicKeyInfo, DER, 91 bytes.
        nonce_extension: The leaf's extension 1.2.840.113635.100.8.2, DER, or ``None``.
    """

    leaf: x509.Certificate
    intermediate: x509.Certificate
    receipt: bytes
    authenticator_data: bytes
    authenticator: AuthenticatorData
    credential: AttestedCredential
    key_point: bytes
    key_der: bytes
    nonce_extension: bytes | None
    claims: LeafClaims


def parse_attestation(data: bytes) -> Attestation:
    """Read an attestation object.

    Args:
        data: CBOR, at most ``MAX_ATTESTATION_BYTES``.

    Raises:
        EvidenceMalformed: It is not an attestation object of App Attest.
    """
    top = whole_map(
        decode_cbor(data, max_bytes=MAX_ATTESTATION_BYTES, max_depth=3),
        frozenset({"fmt", "attStmt", "authData"}),
        "the attestation object",
    )
    if take_text(top["fmt"], "fmt") != _FORMAT:
        raise EvidenceMalformed(f"the attestation object's format is not {_FORMAT}")
    statement = whole_map(top["attStmt"], frozenset({"x5c", "receipt"}), "attStmt")
    leaf, intermediate = (
        read_certificate(take_bytes(one, "a certificate"), "a certificate")
        for one in take_list(statement["x5c"], "x5c", size=2)
    )
    authenticator_data = take_bytes(top["authData"], "authData")
    authenticator = parse_authenticator_data(authenticator_data, with_credential=True)
    if authenticator.credential is None:
        raise EvidenceMalformed("the attestation object holds no key")
    key = p256_key(leaf, "the leaf")
    return Attestation(
        leaf=leaf,
        intermediate=intermediate,
        receipt=take_bytes(statement["receipt"], "receipt"),
        authenticator_data=authenticator_data,
        authenticator=authenticator,
        credential=authenticator.credential,
        key_point=key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        key_der=public_key_der(key),
        nonce_extension=unrecognised_extension(leaf, _NONCE_OID),
        claims=_claims(leaf),
    )


def _claims(leaf: x509.Certificate) -> LeafClaims:
    app, system = _tagged(leaf, _APP_OID), _tagged(leaf, _SYSTEM_OID)
    return LeafClaims(app_id=app.get(_APP_TAG), os_version=system.get(_VERSION_TAG))


def _tagged(leaf: x509.Certificate, oid: str) -> dict[int, str]:
    """Return texts by context tag; empty if the extension has another form. Apple does not document it."""
    value = unrecognised_extension(leaf, oid)
    try:
        fields = read(value).sequence() if value is not None else ()
        return {
            one.tag.number: text
            for one in fields
            if one.tag.tag_class is TagClass.CONTEXT and (text := _text(one)) is not None
        }
    except DerMalformed:
        return {}


def _text(tagged: Element) -> str | None:
    inner = tagged.explicit()
    if inner.constructed:
        return None
    try:
        text = inner.content.decode("ascii")
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and text else None
