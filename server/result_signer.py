"""Signs results, so that they can be verified offline."""

from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

__all__ = ["ResultSigner"]

_RESULT_TYPE: Final = "facegate-result"
_REGISTRY: Final = jws.JWSRegistry(
    header_registry={
        "iss": HeaderParameter("The issuer of the result", "str"),
        "tenant": HeaderParameter("The tenant of the check", "str"),
        "sandbox": HeaderParameter("The result is of a sandbox check", "bool"),
    },
    algorithms=["ES256"],
)


class ResultSigner:
    """Signs results: compact JWS (RFC 7515) with ES256."""

    def __init__(
        self,
        key: ec.EllipticCurvePrivateKey,
        *,
        published: Iterable[ec.EllipticCurvePublicKey] = (),
        issuer: str = "facegate",
    ) -> None:
        """Sets the keys.

        Args:
            key: The P-256 key that signs.
            published: Public halves of other P-256 keys with which results are verified.
            issuer: The issuer for the header.
        """
        self._key = ECKey.import_key(_private_pem(key))
        self._published: dict[str, ECKey] = {}
        self._issuer = issuer
        self.publish(published)

    def publish(self, keys: Iterable[ec.EllipticCurvePublicKey]) -> None:
        """Sets the public keys that are published from now on, in this order, after the signing key."""
        published = [self._key, *(ECKey.import_key(_public_pem(key)) for key in keys)]
        self._published = {key.thumbprint(): key for key in published}

    @property
    def key_id(self) -> str:
        """Identifier of the signing key: its RFC 7638 thumbprint."""
        return self._key.thumbprint()

    def sign(self, payload: bytes, *, tenant: str | None, sandbox: bool) -> str:
        """Returns a compact JWS of exactly ``payload``, with ``alg``, ``kid`` and ``typ`` in its header.

        Args:
            payload: The bytes of the result.
            tenant: The tenant of the check for the header, which then also has ``iss``; ``None`` for callers
                that refuse unknown header fields.
            sandbox: Whether the result is of a sandbox check; the header then also has ``"sandbox": true``.
        """
        header: dict[str, Any] = {
            "alg": "ES256",
            "kid": self.key_id,
            "typ": _RESULT_TYPE,
        }
        if tenant is not None:
            header |= {"iss": self._issuer, "tenant": tenant}
        if sandbox:
            header["sandbox"] = True
        return jws.serialize_compact(header, payload, self._key, registry=_REGISTRY)

    def jwks(self) -> dict[str, Any]:
        """Returns the public keys as a JWK Set (RFC 7517), the signing key first."""
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": key_id, "use": "sig", "alg": "ES256"}
                for key_id, key in self._published.items()
            ]
        }


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
