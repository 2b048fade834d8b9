"""Key agreement of a stream: X25519 (RFC 7748) and HKDF-SHA-256 (RFC 5869)."""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from facegate_protocol.errors import KeyMaterialError
from facegate_protocol.framing import length_prefixed

_DOMAIN = b"facegate/v1/mac-key"

SHARE_BYTES = 32
"""Length of an X25519 public key."""

MAC_KEY_BYTES = 32
"""Length of the MAC key."""


def derive_mac_key(
    *, private_key: X25519PrivateKey, peer_share: bytes, nonce: bytes, binding: bytes
) -> bytes:
    """Derive the key for the MACs of one stream's frames.

    Args:
        peer_share: The other side's public key, 32 bytes.
        nonce: ``ChallengeBody.nonce``, the HKDF salt.
        binding: The binding hash H, which enters the HKDF info.

    Returns:
        32 bytes, the same on both sides.

    Raises:
        KeyMaterialError: ``peer_share`` is not 32 bytes, or is a point of small order (the shared
            secret would be all zero, RFC 7748 section 6.1).
    """
    if len(peer_share) != SHARE_BYTES:
        raise KeyMaterialError(f"an X25519 share has {SHARE_BYTES} bytes, this one has {len(peer_share)}")
    try:
        secret = private_key.exchange(X25519PublicKey.from_public_bytes(peer_share))
    except ValueError as error:
        raise KeyMaterialError("the X25519 share is a point of small order") from error
    return HKDF(
        algorithm=SHA256(), length=MAC_KEY_BYTES, salt=nonce, info=length_prefixed(_DOMAIN, binding)
    ).derive(secret)
