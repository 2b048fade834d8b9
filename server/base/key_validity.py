"""When a signing key was in use, as lines before the PEM block in the files of the key and its public half.

::

    Not-Before: 2026-11-26T08:00:00Z
    Not-After: 2027-11-26T08:00:00Z
    -----BEGIN PUBLIC KEY-----
    ...

Text before a PEM block is allowed by RFC 7468, section 2, and ignored by parsers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc.jwk import ECKey

_BEGIN: Final = b"-----BEGIN"
_BEFORE: Final = "Not-Before"
_AFTER: Final = "Not-After"
_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Validity:
    """When a key may have signed.

    Attributes:
        not_before: When it was made, UTC; ``None`` for keys of versions that did not note it.
        not_after: When it was retired, UTC; ``None`` as long as it is not.
    """

    not_before: datetime | None = None
    not_after: datetime | None = None

    def claims(self) -> dict[str, int]:
        """Return the times as a JWK states them, in seconds since 1970: ``iat`` and ``exp``."""
        times = {"iat": self.not_before, "exp": self.not_after}
        return {name: int(time.timestamp()) for name, time in times.items() if time is not None}


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public key on P-256, with which results are verified, and when it was in use."""

    key: ec.EllipticCurvePublicKey
    validity: Validity = Validity()


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PKCS #8 in PEM, unencrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key in PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_jwk(key: ECKey) -> dict[str, Any]:
    """Return the public half of a key that signs, as an entry of a JWK Set."""
    return {**key.as_dict(private=False), "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}


def stamped(pem: bytes, validity: Validity) -> bytes:
    """Return a PEM block with the times before it."""
    times = ((_BEFORE, validity.not_before), (_AFTER, validity.not_after))
    lines = [f"{name}: {time.astimezone(UTC):{_FORM}}\n" for name, time in times if time is not None]
    return "".join(lines).encode() + pem


def validity_of(content: bytes) -> Validity:
    """Return the times in a key file's content.

    Raises:
        ValueError: A time is malformed.
    """
    head, _, _ = content.partition(_BEGIN)
    found = {}
    for line in head.decode("ascii", "replace").splitlines():
        name, _, value = line.partition(": ")
        if name in {_BEFORE, _AFTER}:
            found[name] = datetime.strptime(value.strip(), _FORM).replace(tzinfo=UTC)
    return Validity(found.get(_BEFORE), found.get(_AFTER))
