"""Reads the parts of a WebAuthn ceremony: authenticator data, client data, and their relying party."""

import json
from dataclasses import dataclass
from typing import Final

from device_integrity.cbor import (
    CborMap,
    decode_cbor,
    item_end,
    take_bytes,
    take_int,
    take_map,
    take_text,
    whole_map,
)
from device_integrity.device_test import Checklist, DeviceTest, Manipulation
from device_integrity.errors import EvidenceMalformed


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """The customer's web site.

    Attributes:
        rp_id: WebAuthn's relying party identifier: the site's domain, such as ``bank.example``.
        origins: The origins of its pages in the form of browsers: ``https://verify.bank.example``, with a
            port if it is not 443, without a final slash. They are compared as a whole.
    """

    rp_id: str
    origins: frozenset[str]


def origin_check(checklist: Checklist, origin: str, relying_party: RelyingParty) -> DeviceTest:
    """Return the test ``origin``: whether the page that the browser states is one of the site's."""
    return checklist.judged(
        "origin",
        holds=origin in relying_party.origins,
        good=("ORIGIN_ALLOWED", "the page is one of the site's"),
        bad=("ORIGIN_NOT_ALLOWED", "the page has an origin that is not allowed"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def page_check(checklist: Checklist, origin: str, header_origin: str | None) -> DeviceTest:
    """Return the test ``page``: whether the request came from the page that the evidence states.

    Args:
        origin: The origin that the evidence states.
        header_origin: The request's ``Origin`` header, which scripts cannot set; ``None`` if the listener
            does not receive it.
    """
    if header_origin is None:
        return checklist.not_evaluated(
            "page", "ORIGIN_HEADER_ABSENT", "the request had no Origin header to compare with"
        )
    return checklist.judged(
        "page",
        holds=header_origin == origin,
        good=("ORIGIN_HEADER_MATCHES", "the request came from the page that the evidence states"),
        bad=("ORIGIN_HEADER_DIFFERS", "the request came from another page than the evidence states"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


MAX_CLIENT_DATA_BYTES: Final = 4 * 1024
"""Maximum length of client data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientData:
    """Client data.

    Attributes:
        kind: ``webauthn.create``, ``webauthn.get`` or another text, as sent.
        challenge: The challenge as sent, base64url.
        origin: The origin of the page that started the ceremony.
        framed: Whether that page was within a page of another origin.
    """

    kind: str
    challenge: str
    origin: str
    framed: bool


def parse_client_data(data: bytes) -> ClientData:
    """Read client data.

    Args:
        data: JSON in UTF-8, at most ``MAX_CLIENT_DATA_BYTES``.

    Raises:
        EvidenceMalformed: It is too long, not a JSON object, has a name twice, or lacks a member.
    """
    if len(data) > MAX_CLIENT_DATA_BYTES:
        raise EvidenceMalformed(
            f"the client data has {len(data)} bytes; at most {MAX_CLIENT_DATA_BYTES} are accepted"
        )
    try:
        members = json.loads(data.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise EvidenceMalformed("the client data is not JSON, or has a name twice") from error
    if not isinstance(members, dict):
        raise EvidenceMalformed("the client data is not a JSON object")
    cross_origin = members.get("crossOrigin", False)
    if not isinstance(cross_origin, bool):
        raise EvidenceMalformed("crossOrigin of the client data is neither true nor false")
    return ClientData(
        kind=_text(members, "type"),
        challenge=_text(members, "challenge"),
        origin=_text(members, "origin"),
        framed=cross_origin or "topOrigin" in members,
    )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the object has a name twice")
    return members


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    # A lone escape such as \ud800 is valid JSON, but cannot be encoded as UTF-8.
    if not isinstance(value, str) or any("\ud800" <= one <= "\udfff" for one in value):
        raise EvidenceMalformed(f"{name} of the client data is missing or not a text")
    return value


MAX_ATTESTATION_BYTES: Final = 64 * 1024
MAX_AUTHENTICATOR_DATA_BYTES: Final = 4 * 1024

_HEAD_BYTES: Final = 37
_AAGUID_BYTES: Final = 16
_MAX_CREDENTIAL_ID_BYTES: Final = 1023
_PRESENT, _VERIFIED, _ATTESTED, _EXTENDED = 0x01, 0x04, 0x40, 0x80
_STATEMENT_KEYS: Final = {"none": frozenset[str](), "packed": frozenset({"alg", "sig"})}
"""Accepted formats: no statement, or a signature of the key itself. Others need roots and prove nothing about
the camera. Apps should request the attestation conveyance ``none``."""

# COSE labels: RFC 9052 section 7.1, RFC 9053 section 7, RFC 8230 section 4.
_KTY, _ALG, _CRV, _X, _Y, _N, _E = 1, 3, -1, -2, -3, -1, -2
_ES256, _EDDSA, _RS256 = -7, -8, -257
_RSA_BYTES: Final = range(256, 513)
_MAX_EXPONENT_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorHead:
    """The head of authenticator data.

    Attributes:
        rp_id_hash: SHA-256 of the relying party identifier, 32 bytes.
        present: Whether a person was present.
        verified: Whether the authenticator verified that person.
        sign_count: How often the key has signed; always 0 if the authenticator does not count.
    """

    rp_id_hash: bytes
    present: bool
    verified: bool
    sign_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationData:
    """A registration's attestation object, in one of the accepted formats.

    Attributes:
        credential_id: At most 1023 bytes.
        public_key: The COSE key, as sent.
        self_attested: Whether the key signed its own registration.
    """

    head: AuthenticatorHead
    credential_id: bytes
    public_key: bytes
    self_attested: bool


def parse_registration(data: bytes) -> RegistrationData:
    """Read an attestation object.

    Args:
        data: CBOR, at most ``MAX_ATTESTATION_BYTES``.

    Raises:
        EvidenceMalformed: It is not an attestation object, or its format, algorithm or size of key is not
            accepted.
    """
    top = whole_map(
        decode_cbor(data, max_bytes=MAX_ATTESTATION_BYTES, max_depth=4),
        frozenset({"fmt", "attStmt", "authData"}),
        "the attestation object",
    )
    form = take_text(top["fmt"], "fmt")
    statement = take_map(top["attStmt"], "attStmt")
    if form not in _STATEMENT_KEYS or statement.keys() != _STATEMENT_KEYS[form]:
        raise EvidenceMalformed(
            "the attestation's format is not accepted: request the attestation conveyance none"
        )
    authenticator_data = take_bytes(top["authData"], "authData")
    head = parse_head(authenticator_data)
    if not authenticator_data[32] & _ATTESTED:
        raise EvidenceMalformed("the authenticator data holds no key")
    rest = authenticator_data[_HEAD_BYTES + _AAGUID_BYTES :]
    length = int.from_bytes(rest[:2], "big")
    credential_id, rest = rest[2 : 2 + length], rest[2 + length :]
    if not 0 < length <= _MAX_CREDENTIAL_ID_BYTES or len(credential_id) != length:
        raise EvidenceMalformed("the credential identifier is cut off, empty or too long")
    end = item_end(rest)
    _validate_extensions(rest[end:], present=bool(authenticator_data[32] & _EXTENDED))
    validate_cose_key(rest[:end])
    return RegistrationData(
        head=head, credential_id=credential_id, public_key=rest[:end], self_attested=form == "packed"
    )


def parse_head(data: bytes) -> AuthenticatorHead:
    """Read the head of authenticator data.

    Raises:
        EvidenceMalformed: It is too short, or longer than ``MAX_AUTHENTICATOR_DATA_BYTES``.
    """
    if not _HEAD_BYTES <= len(data) <= MAX_AUTHENTICATOR_DATA_BYTES:
        raise EvidenceMalformed(
            f"the authenticator data has {len(data)} bytes, "
            f"{_HEAD_BYTES} to {MAX_AUTHENTICATOR_DATA_BYTES} are accepted"
        )
    flags = data[32]
    return AuthenticatorHead(
        rp_id_hash=data[:32],
        present=bool(flags & _PRESENT),
        verified=bool(flags & _VERIFIED),
        sign_count=int.from_bytes(data[33:37], "big"),
    )


def validate_cose_key(data: bytes) -> None:
    """Refuse all keys except those for ES256, EdDSA with Ed25519, and RS256 with 2048 to 4096 bits.

    Other keys may cost too much time.

    Raises:
        EvidenceMalformed: It is another kind of key.
    """
    key = take_map(decode_cbor(data, max_bytes=1024, max_depth=1), "the COSE key")
    kind = take_int(key.get(_KTY), "kty"), take_int(key.get(_ALG), "alg")
    if kind == (2, _ES256):
        _validate_members(key, {_CRV: 1}, {_X: 32, _Y: 32})
    elif kind == (1, _EDDSA):
        _validate_members(key, {_CRV: 6}, {_X: 32})
    elif kind == (3, _RS256):
        modulus, exponent = take_bytes(key.get(_N), "n"), take_bytes(key.get(_E), "e")
        if len(key) != 4 or len(modulus) not in _RSA_BYTES or not 0 < len(exponent) <= _MAX_EXPONENT_BYTES:
            raise EvidenceMalformed("the RSA key is too small or too large, or has another member")
    else:
        raise EvidenceMalformed("the key is not for ES256, EdDSA or RS256")


def _validate_members(key: CborMap, numbers: dict[int, int], strings: dict[int, int]) -> None:
    if key.keys() != {_KTY, _ALG, *numbers, *strings}:
        raise EvidenceMalformed("the COSE key lacks a member or has an unexpected one")
    for label, value in numbers.items():
        if take_int(key[label], "crv") != value:
            raise EvidenceMalformed("the COSE key is not on the curve of its algorithm")
    for label, size in strings.items():
        take_bytes(key[label], "a coordinate", size=size)


def _validate_extensions(data: bytes, *, present: bool) -> None:
    if present:
        take_map(decode_cbor(data, max_bytes=MAX_AUTHENTICATOR_DATA_BYTES, max_depth=4), "the extensions")
    elif data:
        raise EvidenceMalformed(f"{len(data)} bytes follow the authenticator data")
