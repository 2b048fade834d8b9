"""Verifies a client's signature, and names the usual mistakes."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from facegate_protocol import verify

__all__ = ["signature_fault"]

_RAW_BYTES: Final = 64
_MOST_BYTES: Final = 72


def signature_fault(
    key: ec.EllipticCurvePublicKey, *, message: bytes, signature: bytes, unframed: bytes
) -> str:
    """Returns the fault of a signature, in words; empty if there is none.

    Args:
        key: The signer's key.
        message: The message that is to be signed.
        signature: The signature.
        unframed: The last field of the message, which a client may have signed alone.
    """
    if len(signature) <= _MOST_BYTES and verify(public_key=key, message=message, signature=signature):
        return ""
    if len(signature) == _RAW_BYTES:
        half = _RAW_BYTES // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        if verify(public_key=key, message=message, signature=encode_dss_signature(r, s)):
            return "the signature is r || s; convert it to ASN.1 DER"
    if len(signature) > _MOST_BYTES:
        return f"the signature has {len(signature)} bytes; ASN.1 DER has at most {_MOST_BYTES}"
    if verify(public_key=key, message=unframed, signature=signature):
        return "the signature covers the last field alone, without the domain text and the lengths"
    return "the signature was not made by the session key over the message of this stream"
