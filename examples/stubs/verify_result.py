"""Verifies the signature of a result with the package `cryptography`."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256


def verify_result(
    jws: str, jwks: Mapping[str, Any], *, issuer: str, tenant: str, accept_sandbox: bool = False
) -> bytes:
    """The bytes of the signed `CheckResult`, of a `result_jws` and the server's JWK Set.

    Raises:
        ValueError: It is no result of this installation and tenant, or one of a sandbox.
        InvalidSignature: The signature is wrong.
    """
    head, body, tail = jws.strip().split(".")
    header = json.loads(_decoded(head))
    if header.get("alg") != "ES256" or "crit" in header:
        raise ValueError("not a plain ES256 signature")
    jwk = next((key for key in jwks["keys"] if key["kid"] == header.get("kid")), None)
    if jwk is None:
        raise ValueError("signed with an unknown key: fetch the JWKS again")
    x, y, r, s = (int.from_bytes(part) for part in (_decoded(jwk["x"]), _decoded(jwk["y"]), *_halves(tail)))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(utils.encode_dss_signature(r, s), f"{head}.{body}".encode("ascii"), ec.ECDSA(SHA256()))
    if header.get("typ") != "facegate-result":
        raise ValueError("not a result")
    if (header.get("iss"), header.get("tenant")) != (issuer, tenant):
        raise ValueError("a result of another installation or tenant")
    if header.get("sandbox") and not accept_sandbox:
        raise ValueError("a sandbox result, which proves nothing; in tests only: accept_sandbox=True")
    return _decoded(body)


def _halves(signature: str) -> tuple[bytes, bytes]:
    raw = _decoded(signature)
    if len(raw) != 64:
        raise ValueError("not an ES256 signature")
    return raw[:32], raw[32:]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
