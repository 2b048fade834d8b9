"""The public keys of results: a JWK Set (RFC 7517)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec

from facegate_client.compact_jws import ALGORITHM, base64url, from_base64url
from facegate_client.errors import ServerNotTrustedError

__all__ = ["KeySet", "ResultKey", "load_key_set"]

_COORDINATE_BYTES: Final = 32
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
        """Returns the key with an identifier; ``None`` if there is none."""
        return next((key for key in self.keys if key.kid == kid), None)

    def as_dict(self) -> dict[str, Any]:
        """Returns the JWKS, to be stored as JSON and read again by ``load_key_set``."""
        return {"keys": [_jwk(key) for key in self.keys]}


def load_key_set(content: bytes | str | Mapping[str, Any]) -> KeySet:
    """Reads a JWKS as the admin listener publishes it.

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
