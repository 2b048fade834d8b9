"""The keys of a device: one session key for each scan, one key share for each stream."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from facegate_protocol import public_key_der, sign

__all__ = ["SessionKey", "new_key_share"]


class SessionKey:
    """The ECDSA P-256 key pair of one scan, made before any challenge is known.

    A phone makes it in the Android KeyStore or the Secure Enclave, so that it never leaves the
    hardware. This one is kept in memory and lost when the process ends.
    """

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_der(self) -> bytes:
        """SubjectPublicKeyInfo, DER, 91 bytes."""
        return public_key_der(self._private.public_key())

    def sign(self, message: bytes) -> bytes:
        """Signs ``message``; returns ASN.1 DER of at most 72 bytes."""
        return sign(self._private, message)


def new_key_share() -> tuple[X25519PrivateKey, bytes]:
    """Returns a new X25519 key pair for one stream: the private key, and the public key of 32 bytes."""
    private = X25519PrivateKey.generate()
    return private, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
