"""Offline verification of a result: its JWS and the hashes of its images.

Of JOSE only: compact JWS (RFC 7515) with ES256 (RFC 7518 section 3.4), and a JWK Set (RFC 7517), which has
the public keys of results.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from facegate.v1 import result_pb2, verification_service_pb2
from google.protobuf.message import DecodeError

from facegate_client.errors import SandboxResultError, ServerNotTrustedError
from facegate_protocol import sha256

ALGORITHM: Final = "ES256"

_COORDINATE_BYTES: Final = 32
_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactJws:
    """A JWS as it was sent. Do not trust any of it before ``is_signed_by`` returns true.

    Attributes:
        signing_input: The input of the signature: encoded header and payload.
    """

    header: Mapping[str, Any]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a text.

        Raises:
            ValueError: The text is not three parts of base64url, or the first is not a JSON object without
                repeated names.
        """
        signing_input, _, signature = text.rpartition(".")
        header, dot, payload = signing_input.partition(".")
        if not dot:
            raise ValueError("the text does not have three parts")
        return cls(
            header=_json_object(from_base64url(header)),
            payload=from_base64url(payload),
            signing_input=signing_input.encode("ascii"),
            signature=from_base64url(signature),
        )

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Return whether the header states ES256 and the signature was made with this P-256 key."""
        if self.header.get("alg") != ALGORITHM or len(self.signature) != 2 * _COORDINATE_BYTES:
            return False
        r, s = self.signature[:_COORDINATE_BYTES], self.signature[_COORDINATE_BYTES:]
        der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        try:
            key.verify(der, self.signing_input, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def base64url(data: bytes) -> str:
    """Encode bytes as base64url without padding, as in JOSE."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Decode base64url without padding.

    Raises:
        ValueError: The text has other characters or padding, or is not the output of ``base64url``.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("the text is not base64url")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise ValueError("the base64url text has unused bits that are not 0")
    return data


def _json_object(data: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repetition)
    except RecursionError as error:
        raise ValueError("the header is nested too deeply") from error
    if not isinstance(read, dict):
        raise ValueError("the header is not a JSON object")
    return read


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name is repeated in the header")
    return names


_KIND: Final = {"kty": "EC", "crv": "P-256"}
_PURPOSE: Final = {"use": "sig", "alg": ALGORITHM}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultKey:
    """A key of a server that signs results.

    Attributes:
        kid: Its identifier, which a result's header names.
        public_key: On the curve P-256.
    """

    kid: str
    public_key: ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class KeySet:
    """A server's published keys.

    Attributes:
        keys: In the order of the JWKS; every identifier is unique.
    """

    keys: tuple[ResultKey, ...]

    def find(self, kid: object) -> ResultKey | None:
        """Return the key with an identifier; ``None`` if there is none."""
        return next((key for key in self.keys if key.kid == kid), None)

    def as_dict(self) -> dict[str, Any]:
        """Return the JWKS, to be stored as JSON and read again by ``load_key_set``."""
        return {"keys": [_jwk(key) for key in self.keys]}


def load_key_set(content: bytes | str | Mapping[str, Any]) -> KeySet:
    """Read a JWKS as the admin listener publishes it.

    Keys of other kinds or purposes, and keys without an identifier, are left out, because they cannot sign
    results.

    Args:
        content: The JSON, or the parsed object.

    Raises:
        ServerNotTrustedError: The content is not a JWKS, or has no key of results.
    """
    try:
        loaded = json.loads(content) if isinstance(content, bytes | str) else content
        keys = tuple(_result_key(jwk) for jwk in loaded["keys"] if _signs_results(jwk))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ServerNotTrustedError("the JWKS cannot be read") from error
    if not keys:
        raise ServerNotTrustedError("the JWKS has no keys")
    if len({key.kid for key in keys}) != len(keys):
        raise ServerNotTrustedError("the JWKS has two keys with the same identifier")
    return KeySet(keys)


def _signs_results(jwk: Mapping[str, Any]) -> bool:
    return (
        isinstance(jwk.get("kid"), str)
        and all(jwk.get(name) == value for name, value in _KIND.items())
        and all(jwk.get(name, value) == value for name, value in _PURPOSE.items())
        and "verify" in jwk.get("key_ops", ("verify",))
    )


def _result_key(jwk: Mapping[str, Any]) -> ResultKey:
    x, y = (_coordinate(jwk[name]) for name in ("x", "y"))
    # Raises an error for a point that is not on the curve.
    public_key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    return ResultKey(kid=jwk["kid"], public_key=public_key)


def _coordinate(text: str) -> int:
    data = from_base64url(text)
    if len(data) != _COORDINATE_BYTES:
        raise ValueError(f"a coordinate has {len(data)} bytes instead of {_COORDINATE_BYTES}")
    return int.from_bytes(data, "big")


def _jwk(key: ResultKey) -> dict[str, str]:
    numbers = key.public_key.public_numbers()
    x, y = (base64url(value.to_bytes(_COORDINATE_BYTES, "big")) for value in (numbers.x, numbers.y))
    return {**_KIND, "x": x, "y": y, "kid": key.kid, **_PURPOSE}


_LONGEST_QUOTE: Final = 64
_TYPE: Final = "facegate-result"
_KINDS: Final = {
    "facegate-record": "a record",
    "facegate-archive": "an archive",
    "facegate-review": "a review",
}
_SANDBOX: Final = "sandbox"
_ISSUER: Final = "iss"
_TENANT: Final = "tenant"
_FIELDS: Final = {"alg": str, "kid": str, "typ": str, _ISSUER: str, _TENANT: str, _SANDBOX: bool}


def verify_result_jws(
    result_jws: str,
    keys: KeySet,
    *,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> result_pb2.CheckResult:
    """Verify the compact JWS (RFC 7515) of a result.

    Args:
        result_jws: ``FinishCheckResponse.result_jws``.
        keys: The server's published keys; the header's ``kid`` selects one.
        issuer: The expected issuer (``iss``); ``None`` if the keys are those of one issuer alone.
        tenant: The expected tenant of the check; ``None`` if the results of every tenant are accepted.
        accept_sandbox: Whether results of sandbox checks are accepted: only in tests.

    Returns:
        The signed result.

    Raises:
        ServerNotTrustedError: The signature is wrong, is not ES256, or is made with a key that is not in the
            set; the result is of another type, issuer or tenant; the header has an unknown field; the payload
            is not a CheckResult; or header and payload disagree whether it is of a sandbox check.
        SandboxResultError: The result is of a sandbox check, and ``accept_sandbox`` is false.
    """
    # 1 to 5: see `_verified`.
    signed = _verified(result_jws, keys, kind=_TYPE, issuer=issuer, tenant=tenant)
    header = signed.header
    # 6. The payload is a CheckResult that agrees with the header on the sandbox (this protocol).
    try:
        result = result_pb2.CheckResult.FromString(signed.payload)
    except DecodeError as error:
        raise ServerNotTrustedError("the signed payload is not a CheckResult") from error
    if header.get(_SANDBOX, False) is not result.sandbox:
        raise ServerNotTrustedError("header and payload disagree whether the check is a sandbox check")
    if result.sandbox and not accept_sandbox:
        raise SandboxResultError(result.check_id)
    return result


def verified_payload(
    text: str, keys: KeySet, *, kind: str, issuer: str | None = None, tenant: str | None = None
) -> bytes:
    """Verify another compact JWS of the server, and return its payload.

    Args:
        kind: The expected type, ``typ`` in the header.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.

    Raises:
        ServerNotTrustedError: As for ``verify_result_jws``.
    """
    return _verified(text, keys, kind=kind, issuer=issuer, tenant=tenant).payload


def _verified(text: str, keys: KeySet, *, kind: str, issuer: str | None, tenant: str | None) -> CompactJws:
    # 1. The text is a compact JWS (RFC 7515, section 5.2, steps 1 to 3).
    signed = _parsed(text)
    # 2. The signature is ES256 by the key that `kid` names (RFC 7515, section 5.2, step 8; RFC 7518, 3.4).
    if not signed.is_signed_by(_key(signed, keys).public_key):
        raise ServerNotTrustedError(
            "the signature of the result is wrong: the result was altered, or another key made it; fetch it "
            "again from the server"
        )
    header = signed.header
    # 3. Every header field is known (RFC 7515, section 5.2, step 5; stricter here).
    _validate_fields(header)
    # 4. The type is the expected one (RFC 7515, section 4.1.9).
    if header.get("typ") != kind:
        raise ServerNotTrustedError(
            f"the signed payload has the type {_quoted(header.get('typ'))}; expected {kind!r}: give "
            f"{_KINDS.get(kind, 'a result')}"
        )
    # 5. Issuer and tenant are the expected ones (this protocol).
    for name, expected in ((_ISSUER, issuer), (_TENANT, tenant)):
        if expected is not None and header.get(name) != expected:
            raise ServerNotTrustedError(
                f"the header's {name!r} is {_quoted(header.get(name))}; expected {expected!r}: the result "
                "is of another issuer or tenant"
            )
    return signed


def verify_response(
    response: verification_service_pb2.FinishCheckResponse,
    keys: KeySet,
    *,
    check_id: str,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> result_pb2.CheckResult:
    """Verify a response: its signature, its check, the agreement of both results, and the images.

    Args:
        keys: The server's published keys.
        issuer: The expected issuer; see ``verify_result_jws``.
        accept_sandbox: Whether results of sandbox checks are accepted: only in tests.

    Returns:
        The signed result, which equals ``response.result``.

    Raises:
        ServerNotTrustedError: One of them does not match.
        SandboxResultError: The result is of a sandbox check, and ``accept_sandbox`` is false.
    """
    # 1. The JWS is the server's (see `verify_result_jws`).
    signed = verify_result_jws(
        response.result_jws, keys, issuer=issuer, tenant=tenant, accept_sandbox=accept_sandbox
    )
    # 2. The signed result equals the unsigned one.
    if signed != response.result:
        raise ServerNotTrustedError("the result differs from the signed one")
    # 3. It is the result of the requested check.
    if signed.check_id != check_id:
        raise ServerNotTrustedError("the signed result belongs to another check")
    # 4. The SHA-256 of the evidence frame is in the signed result.
    if response.HasField("evidence_frame"):
        _match_image(response.evidence_frame, [signed.evidence_frame.sha256])
    # 5. The SHA-256 of each audit image is in the signed result.
    for image in response.audit_images:
        _match_image(image, [reference.sha256 for reference in signed.audit_images])
    return signed


def _parsed(result_jws: str) -> CompactJws:
    try:
        return CompactJws.parse(result_jws)
    except ValueError as error:
        raise ServerNotTrustedError(
            "the signature of the result is not a compact JWS: expected three parts of base64url with dots "
            "between them, as in `result_jws` of FinishCheck"
        ) from error


def _key(signed: CompactJws, keys: KeySet) -> ResultKey:
    """Return the key that the header names. The header is not yet trusted."""
    key_id = signed.header.get("kid")
    if key_id is None:
        raise ServerNotTrustedError("the header of the result names no key: expected 'kid'")
    key = keys.find(key_id)
    if key is None:
        raise ServerNotTrustedError(
            f"the result is signed with the key {_quoted(key_id)}; expected one of the "
            f"{len(keys.keys)} in the JWKS: fetch the JWKS again if the server's result key was rotated"
        )
    return key


def _validate_fields(header: Mapping[str, Any]) -> None:
    for name, value in header.items():
        if name not in _FIELDS:
            raise ServerNotTrustedError(
                f"the header of the result has the field {_quoted(name)}, which is unknown to this client"
            )
        if not isinstance(value, _FIELDS[name]):
            raise ServerNotTrustedError(f"the header's {name!r} has another type: {_quoted(value)}")


def _quoted(value: object) -> str:
    return "missing" if value is None else repr(str(value)[:_LONGEST_QUOTE])


def _match_image(image: result_pb2.EvidenceImage, signed_hashes: list[bytes]) -> None:
    if sha256(image.image) not in signed_hashes:
        raise ServerNotTrustedError("an image does not match its signed hash")
