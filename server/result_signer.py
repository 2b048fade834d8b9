"""Signs results so that anyone can verify them offline."""

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
        "iss": HeaderParameter("Who signed the result", "str"),
        "tenant": HeaderParameter("Whose check it is", "str"),
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
        """Takes the keys.

        Args:
            key: P-256, signs.
            published: Public halves of other keys whose results are to be verified, P-256.
            issuer: Who signs, for the header.
        """
        self._key = ECKey.import_key(_private_pem(key))
        self._published: dict[str, ECKey] = {}
        self._issuer = issuer
        self.publish(published)

    def publish(self, keys: Iterable[ec.EllipticCurvePublicKey]) -> None:
        """Takes the public keys that are published from now on, in this order, beside the signing one."""
        published = [self._key, *(ECKey.import_key(_public_pem(key)) for key in keys)]
        self._published = {key.thumbprint(): key for key in published}

    @property
    def key_id(self) -> str:
        """Identifier of the signing key: its RFC 7638 thumbprint."""
        return self._key.thumbprint()

    def sign(self, payload: bytes, *, tenant: str | None, sandbox: bool) -> str:
        """A compact JWS over exactly ``payload``, with ``alg``, ``kid`` and ``typ`` in its header.

        Args:
            payload: The result's bytes.
            tenant: Whose check it is, for the header, which then has ``iss`` as well; ``None`` for callers
                that refuse header fields that they do not know.
            sandbox: Whether they are of a sandbox check; then the header has ``"sandbox": true`` as well.
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
        """The public keys as a JWK Set (RFC 7517), the signing one first."""
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
