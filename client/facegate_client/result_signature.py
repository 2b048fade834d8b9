"""Offline verification of a result: its JWS and the hashes of its images."""

from collections.abc import Mapping
from typing import Any, Final

from facegate.v1 import result_pb2, verification_service_pb2
from google.protobuf.message import DecodeError

from facegate_client.compact_jws import CompactJws
from facegate_client.errors import SandboxResultError, ServerNotTrustedError
from facegate_client.key_set import KeySet, ResultKey
from facegate_protocol import sha256

__all__ = ["verified_payload", "verify_response", "verify_result_jws"]

_LONGEST_QUOTE: Final = 64
_TYPE: Final = "facegate-result"
_KINDS: Final = {"facegate-record": "a record", "facegate-archive": "an archive"}
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
    """Verifies the compact JWS (RFC 7515) of a result.

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
    """Verifies another compact JWS of the server, and returns its payload.

    Args:
        text: The JWS.
        keys: The server's published keys.
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
    """Verifies a response: its signature, its check, the agreement of both results, and the images.

    Args:
        response: The answer of FinishCheck.
        keys: The server's published keys.
        check_id: The requested check.
        issuer: The expected issuer; see ``verify_result_jws``.
        tenant: The expected tenant of the check.
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
    """Returns the key that the header names. The header is not yet trusted."""
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
