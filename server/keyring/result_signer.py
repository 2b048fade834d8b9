"""Signs results, so that they can be verified offline."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from server.base.key_validity import PublishedKey, private_pem, public_jwk, public_pem

RESULT_TYPE: Final = "facegate-result"
"""The type of a signed result."""
RECORD_TYPE: Final = "facegate-record"
"""The type of a signed evidence record."""
ARCHIVE_TYPE: Final = "facegate-archive"
"""The type of the signed manifest of an archive."""
CLAIMS_TYPE: Final = "facegate-result+jwt"
"""The type of a result as a JWT. It is that of nothing else (RFC 8725, section 3.11)."""
REVIEW_TYPE: Final = "facegate-review"
"""The type of a signed review."""
_REGISTRY: Final = jws.JWSRegistry(
    header_registry={
        "iss": HeaderParameter("The issuer of the result", "str"),
        "tenant": HeaderParameter("The tenant of the check", "str"),
        "sandbox": HeaderParameter("The result is of a sandbox check", "bool"),
    },
    algorithms=["ES256"],
)


class ResultSigner:
    """Signs results, evidence records, archives and reviews: compact JWS (RFC 7515) with ES256."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        *,
        published: Iterable[PublishedKey] = (),
        issuer: str = "facegate",
    ) -> None:
        """Set the keys.

        Args:
            key: The P-256 key that signs.
            published: All P-256 keys with which results are verified, and when they were in use.
        """
        self._key = ECKey.import_key(private_pem(key))
        self._published: dict[str, dict[str, Any]] = {}
        self._issuer = issuer
        self.publish(published)

    def publish(self, keys: Iterable[PublishedKey]) -> None:
        """Set the public keys that are published from now on, in this order, after the signing key."""
        entries = {self.key_id: public_jwk(self._key)}
        for published in keys:
            key = ECKey.import_key(public_pem(published.key))
            entries[key.thumbprint()] = public_jwk(key) | published.validity.claims()
        self._published = entries

    @property
    def key_id(self) -> str:
        """Identifier of the signing key: its RFC 7638 thumbprint."""
        return self._key.thumbprint()

    def sign(self, payload: bytes, *, tenant: str | None, sandbox: bool, kind: str = RESULT_TYPE) -> str:
        """Return a compact JWS of exactly ``payload``, with ``alg``, ``kid`` and ``typ`` in its header.

        Args:
            tenant: The tenant of the check for the header, which then also has ``iss``; ``None`` for callers
                that refuse unknown header fields.
            sandbox: Whether the result is of a sandbox check; the header then also has ``"sandbox": true``.
        """
        header: dict[str, Any] = {
            "alg": "ES256",
            "kid": self.key_id,
            "typ": kind,
        }
        if tenant is not None:
            header |= {"iss": self._issuer, "tenant": tenant}
        if sandbox:
            header["sandbox"] = True
        return jws.serialize_compact(header, payload, self._key, registry=_REGISTRY)

    def sign_claims(self, claims: Mapping[str, Any]) -> str:
        """Return the claims of a result, and the issuer, as a JWT."""
        payload = json.dumps({"iss": self._issuer, **claims}, ensure_ascii=False).encode()
        return self.sign(payload, tenant=None, sandbox=False, kind=CLAIMS_TYPE)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JWK Set (RFC 7517), the signing key first.

        As in the historical keys of OpenID Federation 1.0 (section 8.7), ``iat`` states when a key was made,
        and ``exp`` when it was retired, in seconds since 1970; a key without them was made by an older
        version, or is not retired.
        """
        return {"keys": list(self._published.values())}
